"""Profit and loss after slippage and fees."""

from __future__ import annotations

import pytest

from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules

FREE = Rules(slippage_percent=0, fee_percent=0)


@pytest.mark.parametrize(
    ("position", "exit", "expected"),
    [
        ("long", 100.0, -0.39980019980018844),
        ("long", 102.0, 1.596203796203798),
        ("short", 100.0, (99.9 - 100.1) / 99.9 * 100 - 0.2),
        ("short", 98.0, (99.9 - 98 * 1.001) / 99.9 * 100 - 0.2),
    ],
)
def test_slippage_makes_both_prices_worse_and_the_fee_is_paid_twice(position, exit, expected):
    assert pnl_percent(position, 100.0, exit, Rules()) == pytest.approx(expected, rel=1e-12)


def test_the_figures_of_the_law_are_met_bit_for_bit():
    assert pnl_percent("long", 100.0, 100.0, Rules()) == -0.39980019980018844
    assert pnl_percent("long", 100.0, 102.0, Rules()) == 1.596203796203798


def test_without_costs_it_is_the_move_in_percent_of_the_entry():
    assert pnl_percent("long", 50.0, 51.0, FREE) == 2.0
    assert pnl_percent("short", 50.0, 51.0, FREE) == -2.0
