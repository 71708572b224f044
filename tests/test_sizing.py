"""Position sizes: golden cases, the laws of each formula and of the caps, and every refusal."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb import sizing
from tradenb.errors import UsageError
from tradenb.sizing import size_atr, size_fixed, size_kelly

GOLDEN = Path(__file__).parent / "golden" / "_sizing.json"
FIXED = {"balance": 1000.0, "entry": 100.0, "stop_loss": 98.0, "risk_percent": 1.0}
KELLY = {"balance": 1000.0, "entry": 100.0, "win_rate": 0.5, "win_loss_ratio": 2.0}
ATR = {"balance": 1000.0, "entry": 100.0, "atr": 2.5, "risk_percent": 1.0}
LAWS = [
    (size_fixed, FIXED, 5.0),
    (size_kelly, {**KELLY, "multiplier": 0.25}, 0.625),
    (size_atr, {**ATR, "multiplier": 2.0}, 2.0),
]
CAPS = ("max_position_percent", "max_size", "min_size")
NO_POSITIVE_NUMBER = [
    0, -1, 0.0, math.nan, math.inf, -math.inf, True, np.True_, "1", None, Decimal(1), 10**400, 1j,
]  # fmt: skip

prices = st.floats(1e-3, 1e6)
percents = st.floats(0.01, 100)


def test_every_golden_case_is_met_to_the_last_bit() -> None:
    cases = json.loads(GOLDEN.read_text())["cases"]
    assert len(cases) > 30
    for function, arguments, caps, expected in cases:
        if isinstance(expected, dict):
            with pytest.raises(UsageError, match=rf"^{expected['refused']} "):
                getattr(sizing, function)(*arguments, **caps)
        else:
            assert getattr(sizing, function)(*arguments, **caps) == expected


@pytest.mark.parametrize(("law", "arguments", "expected"), LAWS)
def test_the_formula_by_hand(law: Any, arguments: dict[str, float], expected: float) -> None:
    assert law(**arguments) == expected


def test_the_default_multipliers_are_a_quarter_kelly_and_two_ranges() -> None:
    assert size_kelly(**KELLY) == size_kelly(**KELLY, multiplier=0.25)
    assert size_atr(**ATR) == size_atr(**ATR, multiplier=2)


def test_no_edge_is_no_trade() -> None:
    assert size_kelly(1000, 100, 0.3, 1.0) == 0.0
    assert size_kelly(1000, 100, 1 / 3, 1.9) == 0.0


def test_caps_come_in_order_and_the_smallest_size_is_last() -> None:
    assert size_fixed(**FIXED, max_position_percent=20) == 2.0
    assert size_fixed(**FIXED, max_position_percent=20, max_size=1.5) == 1.5
    assert size_fixed(**FIXED, max_size=1.5, min_size=1.5) == 1.5
    assert size_fixed(**FIXED, max_size=1.5, min_size=1.6) == 0.0


@pytest.mark.parametrize(("law", "arguments", "_"), LAWS)
def test_each_law_applies_each_cap(law: Any, arguments: dict[str, float], _: float) -> None:
    assert law(**arguments, max_position_percent=1) == 0.1
    assert law(**arguments, max_size=0.01) == 0.01
    assert law(**arguments, min_size=1e6) == 0.0


@given(balance=prices, entry=prices, stop_loss=prices, risk_percent=percents)
def test_a_stop_that_is_hit_loses_the_risk(
    balance: float, entry: float, stop_loss: float, risk_percent: float
) -> None:
    if entry == stop_loss:
        return
    size = size_fixed(balance, entry, stop_loss, risk_percent)
    assert math.isclose(size * abs(entry - stop_loss), balance * risk_percent / 100, rel_tol=1e-12)
    distance = abs(entry - stop_loss)
    assert size_fixed(balance, stop_loss, entry, risk_percent) == size
    assert size_atr(balance, entry, distance, risk_percent, multiplier=1) == size


@given(rate=st.floats(0.01, 0.99), ratio=st.floats(0.01, 100))
def test_full_kelly_never_bets_more_than_the_win_rate(rate: float, ratio: float) -> None:
    share = size_kelly(1, 1, rate, ratio, multiplier=1)
    assert 0 <= share <= rate
    assert (share > 0) == (rate * ratio > 1 - rate)


@given(
    entry=prices,
    cap=percents,
    max_size=st.floats(1e-6, 1e3),
    min_size=st.floats(1e-6, 1e3),
)
def test_caps_are_never_exceeded(
    entry: float, cap: float, max_size: float, min_size: float
) -> None:
    size = size_atr(
        1000, entry, entry / 50, 1, max_position_percent=cap, max_size=max_size, min_size=min_size
    )
    free = size_atr(1000, entry, entry / 50, 1)
    assert size == 0 or min_size <= size <= max_size
    assert size <= 1000 * cap / 100 / entry
    assert size in (0, free, max_size, 1000 * cap / 100 / entry)


@pytest.mark.parametrize("value", NO_POSITIVE_NUMBER)
@pytest.mark.parametrize(
    ("law", "arguments", "name"),
    [(law, arguments, name) for law, arguments, _ in LAWS for name in (*arguments, *CAPS)],
)
def test_every_number_is_checked_and_named(
    law: Any, arguments: dict[str, Any], name: str, value: object
) -> None:
    if value is None and name in CAPS:
        assert law(**{**arguments, name: value}) > 0
        return
    with pytest.raises(UsageError, match=rf"^{name} must be .*, was ") as caught:
        law(**{**arguments, name: value})
    assert repr(value) in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("win_rate", [1, 1.0, 1.2, 55])
def test_a_win_rate_of_one_or_in_percent_is_refused(win_rate: float) -> None:
    with pytest.raises(UsageError) as caught:
        size_kelly(1000, 100, win_rate, 2)
    assert str(caught.value) == (
        f"win_rate must be between 0 and 1 (exclusive), was {win_rate}; 55 % is written 0.55"
    )


def test_a_stop_at_the_entry_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^stop_distance must be above 0, was 0 \(entry 100, "):
        size_fixed(1000, 100, 100.0, 1)


def test_a_range_that_vanishes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^atr must be above 0 after x 0\.001, was 5e-324"):
        size_atr(1000, 100, 5e-324, 1, multiplier=0.001)


def test_a_size_beyond_all_numbers_is_refused_unless_capped() -> None:
    with pytest.raises(UsageError, match=r"^size must be finite, was inf"):
        size_atr(1000, 100, 1e-320, 1)
    assert size_atr(1000, 100, 1e-320, 1, max_size=3) == 3.0


@pytest.mark.parametrize("number", [int, np.float64, np.float32, np.int64, Fraction])
def test_any_real_number_will_do_and_a_float_comes_back(number: Any) -> None:
    size = size_fixed(number(1000), number(100), number(98), number(1))
    assert (type(size), size) == (float, 5.0)
