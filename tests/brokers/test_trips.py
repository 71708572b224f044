"""Each reason to disarm an account by itself, at its bound; and each line broken on purpose."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.accounts import ARM, HOUR, NOW
from tests.core.orders.situations import MARKET, ledger, order, working
from tests.laws.mutants import rewritten
from tradenb.brokers.arming import trips as module
from tradenb.brokers.arming.trips import Findings, trips, unprotected_since

D = Decimal
LATELY, BEFORE = NOW - HOUR + 1, NOW - HOUR
CASES = {
    "daily loss": (
        {"day_result": D(-20)}, {"day_result": D("-19.99")}, "20 lost today, max_daily_loss is 20",
    ),
    "a gain": ({"day_result": D(-21)}, {"day_result": D(21)}, "21 lost today"),
    "refusals": ({"refusals": 3}, {"refusals": 2}, "3 orders were refused in a row"),
    "unknown": (
        {"unknown": (LATELY,) * 5}, {"unknown": (LATELY,) * 4 + (BEFORE,)},
        "the outcome of 5 orders became unknown within an hour",
    ),
    "orders an hour": (
        {"sent": (LATELY,) * 61}, {"sent": (LATELY,) * 60 + (BEFORE,)},
        "61 orders were sent within an hour, orders_an_hour is 60; each counts that long",
    ),
    "stops": ({"stops": ("two orders have the id x",)}, {"stops": ()}, "two orders have the id x"),
    "clock": ({"clock_off_ms": 1_001}, {"clock_off_ms": 1_000}, "the clock is off by 1001 ms"),
    "clock behind": ({"clock_off_ms": -1_001}, {"clock_off_ms": -1_000}, "off by 1001 ms"),
    "a longer window": (
        {"clock_off_ms": 2_001, "window_ms": 6_000}, {"clock_off_ms": 2_000, "window_ms": 6_000},
        "the clock is off by 2001 ms",
    ),
    "unprotected": (
        {"unprotected_since": NOW - 60_001}, {"unprotected_since": NOW - 60_000},
        "a position has no stop at the exchange for 60 s",
    ),
}  # fmt: skip
MUTANTS = {
    "a loss at the bound goes on": ("day_result >= arm", "day_result > arm"),
    "a gain is a loss": ("if -findings.day_result >=", "if abs(findings.day_result) >="),
    "four refusals": (">= REFUSALS", "> REFUSALS"),
    "six unknown outcomes": (">= UNKNOWN", "> UNKNOWN"),
    "unknown outcomes of any age": ("_lately(findings.unknown, now)", "len(findings.unknown)"),
    "one order fewer": ("> arm.orders_an_hour", ">= arm.orders_an_hour"),
    "orders of any age": ("_lately(findings.sent, now)", "len(findings.sent)"),
    "stops are not heard": ("found = [*findings.stops]", "found = []"),
    "a clock that is behind": ("if abs(findings.clock_off_ms) *", "if findings.clock_off_ms *"),
    "half of the window": ("* 3 > findings", "* 2 > findings"),
    "any window is three seconds": ("> findings.window_ms", "> 3_000"),
    "a moment without a stop": ("> UNPROTECTED", "> 0"),
    "never without a stop": ("now - since > UNPROTECTED", "False"),
}


def broken(judge=trips):
    """The cases that a judge gets wrong."""
    found = []
    for name, (bad, good, words) in CASES.items():
        told = judge(ARM, Findings(**bad), NOW)
        if len(told) != 1 or words not in told[0] or judge(ARM, Findings(**good), NOW):
            found.append(name)
    return found


def test_each_reason_ends_a_permission_at_its_bound_and_not_before():
    assert broken() == []


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_each_line_that_is_wrong_is_caught(name):
    assert broken(rewritten(*MUTANTS[name])(module.trips)) != []


def test_all_reasons_are_named_what_reconciliation_found_first():
    found = trips(ARM, Findings(day_result=D(-30), refusals=4, stops=("a copy",)), NOW)
    cure = "the loss counts until 00:00 UTC: until then arm with a higher max_daily_loss"
    lost = f"30 lost today, max_daily_loss is 20 ({cure})"
    assert found == ("a copy", lost, "4 orders were refused in a row")


def test_a_position_is_unprotected_since_its_stop_was_missing():
    assert unprotected_since(ledger(order()), MARKET) == NOW
    assert unprotected_since(ledger(order(), working()), MARKET) is None
    assert unprotected_since(ledger(), MARKET) is None
