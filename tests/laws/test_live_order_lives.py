"""Whole lives of runs that send orders; LIVE_ORDER_LIVES says how many, `make orders` plays 300."""

from __future__ import annotations

import gc
import os
from weakref import ref

import pytest

from tests.laws.live_order_checks import MUTANTS, parity_broken
from tests.laws.mutants import planted
from tests.order_lives.live_order_life import LiveOrderLife, LivePlan

LIVES = int(os.environ.get("LIVE_ORDER_LIVES", "6"))
BLOCK = max(2, LIVES // 120)
PLANS = {
    "light": LivePlan(faults=0.05),
    "usual": LivePlan(faults=0.15),
    "bad": LivePlan(faults=0.4, minutes=100),
    "by hand": LivePlan(by_hand=6),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("first", range(0, LIVES // len(PLANS), BLOCK))
def test_no_whole_life_loses_or_doubles_anything(plan, first):
    trades = 0
    for seed in range(first, first + BLOCK):
        life = LiveOrderLife(seed, PLANS[plan])
        assert life.play() == [], f"seed {seed} of {plan}"
        assert parity_broken(life) == [], f"seed {seed} of {plan}"
        trades += life.trades
    assert trades > 0


def test_a_life_that_ends_without_candles_is_replayed_all_the_same():
    life = LiveOrderLife(142, PLANS["usual"])
    assert life.play() == []
    assert parity_broken(life) == []


def test_a_life_leaves_no_run_in_memory():
    life = LiveOrderLife(1, LivePlan(faults=0, minutes=20, lives=1))
    life.play()  # its world knows the run, and what the run knows leads to its world
    known = ref(life)
    del life
    gc.collect()
    assert known() is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_wrong_record_or_ledger_is_caught(mutant, monkeypatch):
    planted(mutant, monkeypatch)
    life = LiveOrderLife(1, LivePlan(faults=0, minutes=60, lives=1))
    life.play()
    assert life.trades > 0
    assert parity_broken(life) != []
