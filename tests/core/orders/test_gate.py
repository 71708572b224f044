"""The gate and the alarms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.core.orders.situations import ENTER, MARKET, NOW, action, ledger, order, working
from tradenb.core.orders.gate import AccountFacts, Arm, gate
from tradenb.core.orders.ledger import NO_KEY
from tradenb.core.orders.order_actions import Submit
from tradenb.core.orders.order_alarms import alarms
from tradenb.core.orders.order_records import Fill

D = Decimal
ARM = Arm(
    account="live:binance:1", symbols=("BTCUSDT",), strategies=("dip",), max_order=D(300),
    max_total=D(500), max_daily_loss=D(20), max_open=2, orders_an_hour=10, since=NOW - 1,
    until=NOW + 3_600_000,
)  # fmt: skip
FACTS = AccountFacts(
    account="live:binance:1", symbol="BTCUSDT", strategy="dip", price=D(100), market=MARKET,
    free=D(1_000), checked_at=NOW, venue_checked=True,
)  # fmt: skip


def names(arm: Arm | None = ARM, entry: Any = ENTER, **facts: Any) -> list[str]:
    return [each.name for each in gate(arm, entry, FACTS._replace(**facts), NOW)]


def test_an_armed_account_lets_an_ordinary_entry_pass() -> None:
    assert names() == []


def test_nothing_passes_without_an_arm() -> None:
    assert names(None) == ["armed"]


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("account", "live:binance:2", "armed"),
        ("tripped", "three refusals in a row", "tripped"),
        ("until", NOW, "expiry"),
        ("since", NOW + 1, "expiry"),
        ("symbols", ("ETHUSDT",), "symbol"),
        ("strategies", (), "symbol"),
        ("max_order", D(200), "max_order"),
        ("max_total", D(200), "max_total"),
        ("max_open", 0, "max_open"),
        ("orders_an_hour", 0, "orders_an_hour"),
    ],
)
def test_each_limit_of_the_arm_refuses_alone(field: str, value: object, name: str) -> None:
    assert names(ARM._replace(**{field: value})) == [name]


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("killed", True, "kill"),
        ("checked_at", None, "reconciled"),
        ("checked_at", NOW - 600_001, "reconciled"),
        ("in_doubt", 1, "in_doubt"),
        ("venue_checked", False, "venue_check"),
        ("free", None, "funds"),
        ("free", D(200), "funds"),
        ("price", D(98), "collar"),
        ("day_result", D(-20), "daily_loss"),
        ("invested", D(400), "max_total"),
        ("positions", 2, "max_open"),
    ],
)
def test_each_fact_refuses_alone(field: str, value: object, name: str) -> None:
    assert names(**{field: value}) == [name]


def test_orders_of_the_last_hour_count() -> None:
    arm = ARM._replace(orders_an_hour=1)
    assert names(arm, sent=(NOW - 3_600_000,)) == []
    assert names(arm, sent=(NOW - 3_599_999,)) == ["orders_an_hour"]


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (ENTER._replace(limit=None), "order"),
        (ENTER._replace(quantity=D(0)), "order"),
        (ENTER._replace(quantity=D("0.01")), "min_value"),
        (ENTER._replace(quantity=D("0.055"), stop=D(80)), "min_value"),
    ],
)
def test_an_order_that_could_not_be_sold_again_is_refused(entry: Any, name: str) -> None:
    assert names(entry=entry) == [name]


def test_what_is_too_small_or_too_dear_is_said_in_figures_that_can_be_read() -> None:
    small = ENTER._replace(quantity=D(50) / D(960), stop=D(96))
    (few,) = gate(ARM, small, FACTS, NOW)
    assert few.words == "worth 5.000 at the stop, and a sale there needs 5.556; enter larger"
    dear = ENTER._replace(quantity=D(1000) / D(3))
    found = {each.name: each.words for each in gate(ARM, dear, FACTS, NOW)}
    assert found["max_order"] == "the order costs 33400.000, max_order is 300"
    assert found["max_total"] == "33400.000 would be invested, max_total is 500"
    assert found["funds"] == "33400.000 needed, 1000 free"


def test_all_reasons_are_named() -> None:
    found = gate(None, ENTER._replace(quantity=D(0)), FACTS._replace(killed=True), NOW)
    assert [each.name for each in found] == ["kill", "armed", "order"]
    assert all(each.words for each in found)


def alarm_names(*orders: Any, at: int = NOW, **values: Any) -> list[str]:
    return [each.name for each in alarms(ledger(*orders, **values), MARKET, at)]


def test_a_position_without_a_stop_is_an_alarm_after_ten_seconds() -> None:
    assert alarm_names(order(), at=NOW + 9_999) == []
    assert alarm_names(order(), at=NOW + 10_000) == ["unprotected"]
    assert alarm_names(order(), working(), at=NOW + 60_000) == []


def test_a_look_at_the_entry_does_not_begin_the_time_without_a_stop_anew() -> None:
    seen = order(seen_at=NOW + 29_000)
    (alarm,) = alarms(ledger(seen), MARKET, NOW + 30_000)
    assert (alarm.name, alarm.since, alarm.about) == ("unprotected", NOW, "s1")


def test_a_cancelled_protection_counts_from_its_cancel() -> None:
    gone = working(cancelled_at=NOW + 50_000)._replace(state="cancelling")
    assert alarm_names(order(), gone, at=NOW + 59_999) == []
    assert alarm_names(order(), gone, at=NOW + 60_000) == ["unprotected"]
    ended = order(
        "protection", state="done", ending="expired", working_at=NOW, done_at=NOW + 40_000
    )
    assert alarm_names(order(), ended, at=NOW + 49_999) == []


def test_a_protection_that_outlived_its_cancel_counts_from_its_end() -> None:
    hour = NOW + 3_600_000
    ended = order("protection", state="done", ending="cancelled", working_at=NOW)
    soon = ended._replace(cancelled_at=hour - 59_999, done_at=hour)
    assert alarm_names(order(), soon, at=hour) == ["unprotected"]
    late = ended._replace(cancelled_at=NOW + 1_000, done_at=hour)
    assert alarm_names(order(), late, at=hour + 9_999) == []
    assert alarm_names(order(), late, at=hour + 10_000) == ["unprotected"]
    found = ledger(order(), late, told=("entered",), checked_at=hour + 1_000)
    submit = action(found, now=hour + 2_000)
    assert isinstance(submit, Submit)
    assert submit.order.role == "protection"  # not sold as if it had been bare for an hour


def test_an_unknown_outcome_is_an_alarm_after_a_minute() -> None:
    doubted = order("exit", state="unknown")
    flat = order(filled=D(0), ending="expired")
    assert alarm_names(flat, doubted, at=NOW + 59_999) == []
    assert alarm_names(flat, doubted, at=NOW + 60_000) == ["unknown_outcome"]


def test_exits_that_fail_three_times_are_an_alarm_until_one_fills() -> None:
    failed = [order("exit", n, state="done", ending="refused") for n in (1, 2, 3)]
    assert alarm_names(order(), *failed) == ["cannot_exit"]
    sold = order("exit", 4, state="done", ending="filled", filled=D(1))
    assert alarm_names(order(), *failed, sold) == []


def test_an_order_that_the_exchange_does_not_cancel_is_an_alarm_while_it_is_tried() -> None:
    rests = working(cancelled_at=NOW, cancels=4)
    assert alarm_names(order(), rests) == []
    rests = rests._replace(cancels=5)
    assert alarm_names(order(), rests, at=NOW + 59_999) == ["cannot_exit"]
    assert alarm_names(order(), rests, at=NOW + 60_000) == []
    assert alarm_names(order(), rests, stops=(NO_KEY,)) == ["key_refused"]  # it says why
    assert alarm_names(order(filled=D(0)), rests._replace(state="done", ending="cancelled")) == []


def test_what_a_person_must_see_is_an_alarm() -> None:
    assert alarm_names(checks_failed=5) == ["no_answers"]
    assert alarm_names(unexplained=("a",), stops=("b",)) == ["unexplained", "stopped"]


def test_a_fee_that_nobody_can_price_is_an_alarm_and_one_with_a_price_is_none() -> None:
    paid = Fill("1", "7", NOW, "buy", D(2), D(100), D("0.003"), "other", "BNB")
    held = order(fills=(paid,))
    (alarm,) = alarms(ledger(held, working()), MARKET, NOW)
    assert alarm.name == "fee_left_out"
    assert alarm.words == "a fee of 0.003 BNB is not in the result of s1"
    priced = order(fills=(paid._replace(fee_value=D("1.8")),))
    assert alarm_names(priced, working()) == []
