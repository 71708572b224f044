"""Events as rows: what an order that waits says, milestones, and errors that repeat."""

from __future__ import annotations

import pytest

from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.panel.dashboard_rows import EventRows, counted_words, event_row
from tradenb.panel.replica import MOST_EVENTS
from tradenb.view.event_words import event_words

MINUTE = 60_000
WAITS = Signal("s1", "BTCUSDT", "dip", "long", 95.0, 104.0, 90.0, 60, None, None, 0)


def event(kind, at=0, **more):
    return Event(1, at * MINUTE, "BTCUSDT", "dip", kind, mode="live", **more)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            event("scheduled", signal=WAITS, price=100.0),
            "long · waits at 95.00, market at 100.00",
        ),
        (event("opened", signal=WAITS, price=95.0), "long · at 95.00"),
        (
            event("cancelled", signal=WAITS, price=101.0, exit_reason="timeout"),
            "long · market at 101.00 · timeout",
        ),
        (
            event("milestone", signal=WAITS, price=103.1, level=90),
            "long · 90 % of the way to the target · market at 103.10",
        ),
        (
            event("milestone", signal=WAITS, price=93.0, level=-40),
            "long · 40 % of the way to the stop · market at 93.00",
        ),
        (event("skipped", note="warm_up"), "warm_up"),
    ],
)
def test_fault_101_an_event_says_what_waits_and_where_the_market_is(given, words):
    assert event_words(given) == words


def added(events):
    rows = EventRows()
    for number, each in enumerate(events, start=1):
        rows.add(event_row(each, "live", number))
    return rows


def test_fault_101_an_error_that_repeats_is_one_row_that_counts():
    errors = [event("error", at, note="no answer") for at in range(9)]
    rows = added([event("error", note="another"), *errors, event("skipped", 9, note="late")])
    assert len(rows) == 3
    (first, second, third) = map(counted_words, rows)
    assert (first, third) == ("another", "late")
    assert second == "no answer · x9 since 00:00"
    assert [row[0] for row in rows.after(1)] == [10, 11]


def test_an_error_that_goes_on_overnight_says_the_day_that_it_began():
    rows = added([event("error", at, note="no answer") for at in (0, 1_440)])
    assert [counted_words(row) for row in rows] == ["no answer · x2 since 1970-01-01 00:00"]


def test_the_same_words_of_two_runs_and_of_other_kinds_stay_apart():
    other = event("error", note="no answer")._replace(symbol="ETHUSDT")
    rows = added([event("error", note="no answer"), other, *[event("skipped", note="x")] * 2])
    assert len(rows) == 4


def test_rows_are_bounded():
    assert len(added([event("skipped", at) for at in range(MOST_EVENTS + 10)])) == MOST_EVENTS
