"""The laws with an account: the same money in any blocks, live, after crashes, from fills."""

from __future__ import annotations

import math
import os
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.laws.checks import chunks_broken
from tests.laws.generators import money_scenario_of, money_scenarios, randoms
from tests.laws.live_checks import crash_broken, livable, live_broken
from tests.laws.money_checks import fills_broken, future_broken
from tests.scenarios import on_tradenb

GROUPS = int(os.environ.get("MONEY_GROUPS", "10"))
"""`make orders` lives 200."""


@settings(max_examples=examples(40))
@given(scenario=money_scenarios(), random=randoms())
def test_any_split_of_the_candles_gives_the_same_money(scenario: dict[str, Any], random: Random):
    assert chunks_broken(scenario, random) == []


@settings(max_examples=examples(100))
@given(scenario=money_scenarios())
def test_fills_alone_give_the_same_money(scenario: dict[str, Any]):
    assert fills_broken(scenario) == []


@settings(max_examples=examples(20))
@given(scenario=money_scenarios(), random=randoms())
def test_other_candles_after_a_moment_change_no_fill_before(
    scenario: dict[str, Any], random: Random
):
    assert future_broken(scenario, random) == []


@pytest.mark.no_cover
@settings(max_examples=examples(10))
@given(scenario=money_scenarios())
def test_live_books_what_the_backtest_books_to_the_last_digit(scenario: dict[str, Any]):
    assert live_broken(scenario) == []


@pytest.mark.parametrize("first", range(0, GROUPS, 10))
def test_live_books_what_the_backtest_books_in_many_groups(first: int):
    entered = 0
    for seed in range(first, first + 10):
        scenario = money_scenario_of(Random(seed))
        assert live_broken(scenario) == [], seed
        entered += bool(on_tradenb(livable(scenario)).result.trade_list)
    assert entered > 2


@settings(max_examples=examples(4))
@given(seed=st.integers(0, 2**32))
def test_a_killed_process_books_nothing_twice_and_forgets_nothing(seed: int):
    random = Random(seed)
    assert crash_broken(money_scenario_of(random), random) == []


def test_percent_and_money_agree_for_one_position_without_costs():
    seen = 0
    for seed in range(60):
        scenario = money_scenario_of(Random(seed))
        account = {"cash": 10_000.0, "percent": 100.0}
        scenario = {**scenario, "account": account, "market": {}, "reference": False}
        scenario["rules"] = {**scenario["rules"], "slippage_percent": 0, "fee_percent": 0}
        scenario["rules"].pop("maker_fee_percent", None)
        seen += _agreeing(scenario)
    assert seen > 20


def _agreeing(scenario: dict[str, Any]) -> int:
    """How many positions changed the balance by what their percent says."""
    played = on_tradenb(scenario)
    if played.refused:
        return 0
    trades = [trade for trade in played.result.trade_list if trade.entries == 1]
    for trade in trades:
        percent = trade.pnl / trade.cost * 100
        assert math.isclose(percent, trade.pnl_percent, rel_tol=1e-9, abs_tol=1e-9)
    return len(trades)
