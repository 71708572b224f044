"""The event record and the tables that frames and files are made from."""

from __future__ import annotations

import pytest

from tradenb.core.columns import EVENT_COLUMNS, OPEN_COLUMNS, TRADE_COLUMNS, TRADE_MONEY
from tradenb.core.events import KINDS, Event, numbered
from tradenb.core.signal import Refused, Signal, Trade

SIGNAL = Signal("a", "BTCUSDT", "dip", "short", 100.0, 98.0, 101.0, 240, 2.0, "top", 60_000)
OF_THE_SIGNAL = ("signal_id", "position", "entry", "take_profit", "stop_loss", "minutes", "size")


def columns(event: Event) -> list[object]:
    return [getattr(event, name) for name in OF_THE_SIGNAL]


def event(kind="opened", **fields: object) -> Event:
    return Event(3, 60_000, "BTCUSDT", "dip", kind, **fields)


def test_an_event_shows_the_columns_of_its_signal():
    assert columns(event(signal=SIGNAL)) == ["a", "short", 100.0, 98.0, 101.0, 240, 2.0]


def test_of_a_refused_candidate_only_id_and_position_are_known():
    assert columns(event(signal=Refused("b", "long"))) == ["b", "long", *[None] * 5]
    assert columns(event(signal=Refused("b", None))) == ["b", *[None] * 6]


def test_an_event_without_a_signal_has_none_of_its_columns():
    assert columns(event("error", note="words")) == [None] * 7


def test_a_numbered_event_differs_in_its_number_alone():
    before = event(
        "closed", signal=SIGNAL, price=98.0, exit_reason="take_profit", pnl_percent=1.7, note="top"
    )
    level = before._replace(kind="milestone", level=-10)
    assert numbered([before, level], [9, 10]) == [before._replace(seq=9), level._replace(seq=10)]


def test_a_late_event_of_a_live_run_says_so():
    before = event()
    for fresh_from, late in ((before.at, False), (before.at + 1, True)):
        (placed,) = numbered([before], [1], fresh_from=fresh_from, mode="live")
        assert placed == before._replace(seq=1, late=late, mode="live")


def test_event_columns_are_attributes_of_an_event_in_the_order_of_the_law():
    assert " ".join(EVENT_COLUMNS) == (
        "seq at wall mode symbol strategy kind signal_id position price entry take_profit "
        "stop_loss minutes size fraction exit_reason pnl_percent level late note"
    )
    found = {name: getattr(event(signal=SIGNAL), name) for name in EVENT_COLUMNS}
    assert (found["seq"], found["wall"], found["mode"], found["kind"], found["minutes"]) == (
        3, None, "backtest", "opened", 240,
    )  # fmt: skip


def test_trade_columns_are_attributes_of_a_trade_in_the_order_of_the_law():
    assert " ".join(TRADE_COLUMNS) == (
        "signal_id symbol strategy position opened_at closed_at minutes_held entry exit "
        "take_profit stop_loss size exit_reason pnl_percent entries exits invested mae_percent "
        "mfe_percent r_multiple late note"
    )
    measured = {"minutes_held", "mae_percent", "mfe_percent", "r_multiple"}
    assert set(Trade._fields) == {*TRADE_COLUMNS, *TRADE_MONEY} - measured


def test_open_columns_and_kinds_are_those_of_the_law():
    assert " ".join(OPEN_COLUMNS) == "symbol strategy signal_id state price pnl_percent"
    assert " ".join(KINDS) == (
        "scheduled entering opened added partial moved exiting closed cancelled milestone "
        "rejected skipped error alarm armed disarmed"
    )


@pytest.mark.parametrize("table", [EVENT_COLUMNS, TRADE_COLUMNS, OPEN_COLUMNS])
def test_every_column_has_a_sort_that_frames_know(table):
    assert set(table.values()) <= {"int", "time", "text", "float", "whole", "decimal", "bool"}
