"""Steps of prices and sizes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.core.lifecycle.trailing import _all_on_step
from tradenb.core.money.market import Market, checked_markets, in_order, on_step
from tradenb.errors import UsageError

STEPS = st.sampled_from([0.1, 0.5, 0.01, 0.0001, 1.0, 2.5, 1e-8])
PRICES = st.floats(0.001, 1e6)


@given(PRICES, STEPS, st.booleans())
def test_a_number_goes_to_the_next_step_and_no_farther(value, step, up):
    found = on_step(value, step, up=up)
    assert Decimal(repr(found)) % Decimal(repr(step)) == 0
    away = (found - value) if up else (value - found)
    assert -1e-9 * max(value, step) <= away < step * (1 + 1e-9)


@given(st.integers(1, 10**7), STEPS, st.booleans())
def test_what_is_on_a_step_stays(count, step, up):
    value = float(Decimal(repr(step)) * count)
    assert on_step(value, step, up=up) == value
    assert on_step(value * (1 + 1e-15), step, up=up) == value


@given(st.lists(PRICES, min_size=1, max_size=30), STEPS | st.none(), st.booleans())
def test_many_at_once_are_the_same_as_one_by_one(values, step, up):
    found = _all_on_step(np.array(values), step, up=up)
    assert found.tolist() == [on_step(value, step, up=up) for value in values]


def test_pieces_are_floored_and_bounded():
    assert Market(size_step=0.1).pieces(2.79) == 2.7
    assert Market(size_step=2.0, max_size=5.0).pieces(9.0) == 4.0
    assert Market(max_size=5.0).pieces(9.0) == 5.0
    assert Market(min_size=1.0).pieces(0.5) == 0.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"price_step": 0}, "price_step must be a finite number above 0, was 0"),
        ({"price_step": "1"}, "price_step must be a finite number above 0, was '1'"),
        ({"pricestep": 1}, "unknown field 'pricestep'; did you mean 'price_step'"),
        ({"min_size": 2, "max_size": 1}, "min_size must not exceed max_size = 1, was 2"),
    ],
)
def test_a_wrong_step_is_named_with_its_value(given, words):
    with pytest.raises(UsageError, match="Market: ") as raised:
        Market(**given)
    assert words in str(raised.value)


def test_steps_go_by_name():
    with pytest.raises(UsageError, match=r"pass 0\.5 by name; a market has price_step"):
        Market(0.5)


def test_markets_are_given_for_all_symbols_or_by_symbol():
    steps = Market(price_step=1)
    assert checked_markets(None) == {}
    assert checked_markets(steps) == {"": steps}
    assert checked_markets({"BTC/USDT": steps}) == {"BTCUSDT": steps}
    with pytest.raises(UsageError, match=r"market must be tn\.Market"):
        checked_markets(3)
    with pytest.raises(UsageError, match=r"market of BTCUSDT must be tn\.Market"):
        checked_markets({"BTCUSDT": {"price_step": 1}})


def test_levels_are_in_order_if_they_are_above_0_and_go_strictly_away():
    assert in_order(True, 1.0, 2.0, 3.0)
    assert in_order(False, 3.0, 2.0, 1.0)
    assert not in_order(True, 1.0, 1.0)
    assert not in_order(True, 0.0, 1.0)
    assert not in_order(False, 1.0, 0.0)
