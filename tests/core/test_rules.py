"""`Rules`: what may be set, all problems at once."""

from __future__ import annotations

import copy
import pickle

import pytest

from tradenb.core.rules import Rules
from tradenb.errors import SpecError


def test_the_defaults_are_those_of_the_law():
    assert Rules().model_dump() == {
        "price": "close",
        "touch": "candle",
        "same_candle": "stop_first",
        "schedule_await_minutes": 120,
        "average_price_candles": 5,
        "slippage_percent": 0.1,
        "fee_percent": 0.1,
        "min_take_profit_percent": 0.5,
        "min_stop_loss_percent": 0.5,
        "max_stop_loss_percent": 20.0,
        "max_signal_minutes": None,
        "require_take_profit": False,
        "gap_minutes": 15,
        "loosen_stop": False,
        "max_entries": 10,
        "maker_fee_percent": None,
        "slippage_on": "all",
        "signal_timeout_seconds": 180.0,
        "candle_retries": 3,
        "candle_retry_seconds": 5.0,
        "price_anomaly_factor": 1000.0,
        "tick_ms": 60_001,
        "settle_seconds": 2.0,
        "late_entry_seconds": 60.0,
    }


def test_the_reference_has_its_prices_and_its_order_and_may_be_changed_further():
    bounds = {"max_signal_minutes": 1440, "require_take_profit": True, "gap_minutes": None}
    assert Rules.reference() == Rules(price="average", same_candle="target_first", **bounds)
    assert Rules.reference(fee_percent=0.05, price="close") == Rules(
        same_candle="target_first", fee_percent=0.05, **bounds
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"price": "last"}, "price: Input should be 'close' or 'average', was 'last'"),
        ({"fee_percent": -1}, "fee_percent: Input should be greater than or equal to 0, was -1"),
        ({"fee_percent": float("nan")}, "fee_percent: Input should be a finite number, was nan"),
        ({"fee_percent": "0.1"}, "fee_percent: Input should be a valid number, was '0.1'"),
        ({"tick_ms": True}, "tick_ms: Input should be a valid integer, was True"),
        ({"tick_ms": 1.5}, "tick_ms: Input should be a valid integer, was 1.5"),
        ({"signal_timeout_seconds": 0}, "signal_timeout_seconds: Input should be greater than 0"),
        ({"average_price_candles": 0}, "average_price_candles: Input should be greater than or"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_bound(values, words):
    with pytest.raises(SpecError) as caught:
        Rules(**values)
    assert str(caught.value).startswith("Rules: " + words)


def test_all_problems_come_at_once():
    with pytest.raises(SpecError) as caught:
        Rules(touch="wick", tick_ms=0, max_stop_loss_percent=0)
    names = [part.split(":")[0] for part in str(caught.value).removeprefix("Rules: ").split("; ")]
    assert names == ["touch", "max_stop_loss_percent", "tick_ms"]


def test_an_unknown_rule_is_answered_with_the_nearest():
    with pytest.raises(SpecError) as caught:
        Rules(fee_prcent=0.1)
    words = "Rules: unknown rule 'fee_prcent'; did you mean 'fee_percent'"
    assert str(caught.value).startswith(words)


def test_a_target_must_be_able_to_pay_for_slippage_and_fees():
    with pytest.raises(SpecError) as caught:
        Rules(min_take_profit_percent=0.39)
    assert str(caught.value) == (
        "Rules: min_take_profit_percent must be at least 2 x slippage_percent + 2 x fee_percent = "
        "0.4 (a target below it loses money), was 0.39"
    )
    assert Rules(min_take_profit_percent=0.4).min_take_profit_percent == 0.4
    assert Rules(slippage_percent=0.7, fee_percent=0.1, min_take_profit_percent=1.6).fee_percent


def test_rules_that_contradict_each_other_are_all_named():
    with pytest.raises(SpecError) as caught:
        Rules(min_take_profit_percent=0, min_stop_loss_percent=21)
    assert "min_take_profit_percent must be at least" in str(caught.value)
    assert "min_stop_loss_percent must not exceed max_stop_loss_percent = 20, was 21" in str(
        caught.value
    )


def test_rules_are_frozen_and_can_be_copied():
    rules = Rules(fee_percent=0.05)
    with pytest.raises(ValueError, match="frozen"):
        rules.fee_percent = 1.0
    assert rules == copy.deepcopy(rules) == pickle.loads(pickle.dumps(rules))


def test_a_cell_shows_what_was_changed_first():
    page = Rules(touch="average_price")._repr_html_()
    assert "<b>touch average_price</b> · price close" in page
    assert "<b>" not in Rules()._repr_html_().partition("<br>")[2]
    assert all(name in page for name in Rules.model_fields)
