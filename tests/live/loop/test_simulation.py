"""Whole lives from seeds: whatever goes wrong, the files say in the end what a backtest says.

`make soak` lives thousands more.
"""

from __future__ import annotations

import logging
from functools import cache

import pytest

from tests.conftest import some_to_soak
from tradenb.testing.simulation import simulate

SEEDS = 40
BLOCK = 10

lived = cache(simulate)


@pytest.fixture(autouse=True)
def no_log():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", some_to_soak(range(0, SEEDS, BLOCK)))
def test_whatever_goes_wrong_nothing_is_lost_twice_or_different(first):
    outcomes = [lived(seed) for seed in range(first, first + BLOCK)]
    failed = {outcome.seed: outcome.problems for outcome in outcomes if outcome.problems}
    assert failed == {}, f"python -m tradenb.testing.simulation --first {min(failed)} --seeds 1"


def test_the_lives_are_eventful():
    outcomes = [lived(seed) for seed in range(BLOCK)]
    assert sum(outcome.deaths for outcome in outcomes) >= 5
    assert sum(outcome.events for outcome in outcomes) >= 100


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", [3, 8, 17])
def test_fault_84_the_same_seed_is_the_same_life(seed):
    assert simulate(seed) == lived(seed)


def test_a_run_that_waits_out_a_closed_market_is_no_run_that_stands_still():
    # No candle comes for half an hour, while a request cannot be read for some minutes.
    assert simulate(791).problems == ()
