"""Rows, the health line and events as they are shown."""

from __future__ import annotations

import dataclasses
import html
import json

import pytest

from tradenb.core.events import Event
from tradenb.core.lifecycle.holding import added, exit_percent, opened, unrealised, without
from tradenb.core.lifecycle.state import State
from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.engine.position_view import position_of
from tradenb.live.status.pending_commands import PendingCommand
from tradenb.live.status.run_history import RunHistory
from tradenb.live.status.run_status import RunStatus
from tradenb.live.status.status_card import status_card
from tradenb.live.status.status_markdown import status_markdown
from tradenb.panel.dashboard_rows import event_row, health_of, progress_of, row_of
from tradenb.panel.replica import Replica

MINUTE = 60_000
LONG = Signal("s1", "BTCUSDT", "dip", "long", 100.0, 104.0, 98.0, 60, None, None, 0)
UNWATCHED = "long since 1970-01-01 00:20 at 100.00: no process watches its stop and target."
SHORT = LONG._replace(position="short", take_profit=96.0, stop_loss=102.0)


def status(**more):
    state = State("BTCUSDT", "dip", 15 * MINUTE, 30 * MINUTE, LONG, 20 * MINUTE)
    given = {"state": state, "price": 101.0, "age_s": 12.0} | more
    mode, now = given.pop("mode", "live"), given.pop("status", "running")
    return RunStatus("BTCUSDT", "dip", mode, "home", now, **given)


def row(**more):
    return row_of(status(**more), Replica())


@pytest.mark.parametrize(
    ("signal", "market", "percent"),
    [
        (LONG, 102.0, 50.0),
        (LONG, 99.5, -25.0),
        (LONG, 110.0, 100.0),
        (SHORT, 98.0, 50.0),
        (SHORT, 101.5, -75.0),
        (SHORT, 100.0, 0.0),
    ],
)
def test_progress_is_percent_of_the_way_to_target_or_stop(signal, market, percent):
    held = position_of(status().state._replace(signal=signal), 0, market, Rules())
    assert progress_of(held, market) == pytest.approx(percent)


def managed():
    """A long that was added to, of which a rung was taken, and whose stop trails."""
    ladder = ((103.0, 0.25), (104.0, 0.25), (106.0, 0.25))
    signal = LONG._replace(take_profit=106.0, targets=ladder, trail=1.0)
    holding = opened(signal, Rules(), limit=False)
    signal, holding = added(signal, holding, 102.0, 1.0, Rules())
    percent = exit_percent("long", holding, 103.0, Rules(), limit=True)
    holding = without(holding, 0.5, percent)._replace(rungs=ladder[1:], stop_by="trailing_stop")
    return signal._replace(stop_loss=102.5), holding


def test_a_managed_position_shows_what_is_in_force_and_what_is_left():
    signal, holding = managed()
    state = status().state._replace(signal=signal, holding=holding)
    shown = row(state=state, price=103.5)
    assert shown["parts"] == (
        "the stop trails · average of 2 entries · 75\xa0% open · "
        "targets left 104.00 (25\xa0%), 106.00 (25\xa0%)"
    )
    assert (shown["stop"], shown["entry"], shown["target"]) == ("102.50", "100.99", "104.00")
    gain = unrealised(signal, holding, 103.5, Rules())
    assert shown["pnl"] == f"+{gain:.2f}\xa0%"
    assert shown["progress"] == round(100 * (103.5 - signal.entry) / (104 - signal.entry), 1)
    plain = pnl_percent("long", signal.entry, 103.5, Rules())
    assert abs(gain - plain) > 0.1  # what one entry and one exit would bring is another figure


def test_the_card_and_the_markdown_of_a_managed_position_say_the_same_as_its_row():
    signal, holding = managed()
    state = status().state._replace(signal=signal, holding=holding)
    known = status(state=state, price=103.5)
    words = row(state=state, price=103.5)["parts"]
    card = status_card(known, now=40 * MINUTE)
    assert words in html.unescape(card)
    assert "target 104.00 · stop 102.50" in card
    assert words.replace("\xa0", " ") in status_markdown(known, RunHistory(0, [], [], [], 0, None))


def test_an_open_position_shows_its_levels_and_what_it_would_bring():
    shown = row()
    names = ("status", "position", "entry", "target", "stop", "price", "progress", "pnl", "tone")
    assert [shown[name] for name in names] == [
        "running", "long", "100.00", "104.00", "98.00", "101.00", 25.0, "+0.60\xa0%", "up",
    ]  # fmt: skip


def test_a_scheduled_signal_has_levels_and_no_result():
    state = status().state._replace(opened_at=None)
    shown = row(state=state)
    assert (shown["scheduled"], shown["progress"], shown["pnl"]) == (True, None, "")
    assert shown["entry"] == "100.00"


def test_a_run_without_a_position_shows_none():
    shown = row(state=State("BTCUSDT", "dip", MINUTE, 30 * MINUTE))
    assert (shown["position"], shown["entry"], shown["progress"]) == ("", "", None)


def test_where_no_price_was_saved_it_is_that_of_the_last_event_and_says_so():
    replica = Replica()
    replica.fold([Event(1, 5 * MINUTE, "BTCUSDT", "dip", "opened", LONG, 100.5, mode="live")])
    shown = row_of(status(price=None), replica)
    assert (shown["price"], shown["as_of"]) == ("100.50", "1970-01-01 00:05 UTC")


@pytest.mark.parametrize(("status", "as_of"), [("running", ""), ("idle", "1970-01-01 00:30 UTC")])
def test_the_price_of_a_run_that_is_not_followed_says_how_old_it_is(status, as_of):
    assert (row(status=status)["price"], row(status=status)["as_of"]) == ("101.00", as_of)


@pytest.mark.parametrize(
    ("known", "status", "trouble"),
    [
        ({}, "running", ""),
        ({"age_s": 181.0}, "silent", "no tick for 181 s: exits are not being watched"),
        ({"error": "it died"}, "failing", "it died"),
        ({"status": "done", "age_s": 9_999.0}, "done", ""),
        ({"status": "idle", "mode": "rehearsal"}, "idle", ""),
        ({"starting": True}, "starting", ""),
        (
            {"status": "idle", "resume": "/srv/bot.py"},
            "unwatched long",
            f"{UNWATCHED} Go on with it: tradenb resume BTCUSDT:dip (starts /srv/bot.py)",
        ),
    ],
)
def test_the_status_says_when_a_run_is_in_trouble(known, status, trouble):
    shown = row(**known)
    assert (shown["status"], shown["trouble"]) == (status, trouble)


def test_a_run_that_is_being_stopped_says_so():
    assert row(stopping=True)["status"] == "stopping"


def test_events_that_do_not_end_with_the_position_are_doubted():
    replica = Replica()
    replica.fold([Event(1, MINUTE, "BTCUSDT", "dip", "skipped", mode="live")])
    known = status(last_event_seq=1)
    assert row_of(known, replica)["doubt"] == "the events do not end with the position of the state"
    behind = dataclasses.replace(known, last_event_seq=2)
    assert row_of(behind, replica)["doubt"] == ""


def test_what_is_not_saved_or_old_is_doubted():
    assert row(saved=False)["doubt"] == "the last state is not on disk yet"
    old = row(stale=True, code_at=1_704_116_340_000)
    assert old["doubt"] == (
        "runs the code of 2024-01-01 13:39 UTC; release and start again to take the new"
    )


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ([], "empty"),
        ([{}], "good"),
        ([{}, {"saved": False}], "doubt"),
        ([{"saved": False}, {"error": "it died"}], "bad"),
        ([{"status": "done", "error": "long ago"}], "empty"),
        ([{}, {"status": "idle"}], "bad"),
        ([{"status": "idle", "mode": "rehearsal"}], "empty"),
    ],
)
def test_the_health_line_is_as_red_as_the_worst_run(known, level):
    found = [status(**each) for each in known]
    shown = health_of(found, [row_of(each, Replica()) for each in found], errors=0)
    assert shown["level"] == level


def test_the_health_line_counts_errors_and_measures_lateness():
    found = [status(lateness_s=(2.0, 3.0, 9.5))]
    shown = health_of(found, [row()], errors=3)
    assert shown["words"] == ["1 of 1 run running", "3 errors"]
    assert shown["lateness"] == "acts 3.0 s after a candle has closed (at most 9.5 s)"


@pytest.mark.parametrize(
    ("ahead", "words", "level"),
    [
        (None, [], "good"),
        (900, [], "good"),
        (-900, [], "good"),
        (2_500, ["clock 2.5 s ahead of the exchange"], "doubt"),
        (-61_000, ["clock 61.0 s behind the exchange"], "doubt"),
    ],
)
def test_fault_56_the_health_line_says_when_the_clock_is_off(ahead, words, level):
    shown = health_of([status(clock_ahead_ms=ahead), status()], [row(), row()], errors=0)
    assert shown["words"] == ["2 of 2 runs running", *words]
    assert shown["level"] == level


def test_a_pending_flatten_is_shown_with_the_close_that_it_waits_for():
    flatten = PendingCommand("f1", "flatten", 1_000, 60_000, 36.0)
    (shown,) = row(pending_commands=(flatten,))["pending"]
    assert shown == {
        "id": "f1", "kind": "flatten", "what": "flattening", "at": 60_000,
        "words": "flattening at the next close (36 s)",
    }  # fmt: skip
    (rehearsed,) = row(pending_commands=(flatten,), mode="rehearsal")["pending"]
    assert rehearsed["at"] is None


def test_words_of_users_are_cut_and_everything_is_json():
    long = Signal("s" * 500, "S" * 500, "<b>", "long", 1e-9, 2e-9, 5e-10, 1, None, "n" * 900, 0)
    state = State("S" * 500, "<b>", MINUTE, MINUTE, long, MINUTE)
    known = RunStatus("S" * 500, "<b>", "live", "h", "running", state=state, error="e" * 9_000,
                  trace="t" * 90_000, price=1e-9)  # fmt: skip
    shown = row_of(known, Replica())
    event = Event(1, MINUTE, "S" * 50, "<b>", "opened", long, 1.0, note="n" * 900, mode="live")
    assert len(json.dumps(shown, allow_nan=False)) < 6_500
    assert len(json.dumps(event_row(event, "live", 1), allow_nan=False)) < 600
