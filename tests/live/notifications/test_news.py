"""What is news to a service: events once, also over restarts, and repeated errors once an hour."""

from __future__ import annotations

import pytest

from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.engine.serialise import event_to_row
from tradenb.live.notifications.alarms import Alarm
from tradenb.live.notifications.news import News
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key
from tradenb.view.formatting import percent

MINUTE = 60_000
KINDS = frozenset({"opened", "closed", "error"})


class Time:
    ms = 1_704_067_200_000

    def __call__(self) -> int:
        return self.ms


def event(seq, kind="opened", **more):
    at = seq * MINUTE
    return Event(seq, at, "BTCUSDT", "dip", kind, mode="live", wall=at + 5, **more)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def process(home, clock):
    """Make what a process knows when it starts: nothing but what is on disk."""
    return lambda: News("env:URL", KINDS, home_of=lambda symbol, strategy: home, now=clock)


def test_an_event_that_is_delivered_again_after_a_restart_is_not_sent_again(process):
    first = process()
    assert len(first.lines([event(1), event(2, "closed")])) == 2
    assert first.lines([event(2, "closed")]) == []
    assert process().lines([event(1), event(2, "closed")]) == []
    assert process().lines([event(2, "closed"), event(3)]) == [
        "BTCUSDT:dip opened, 1970-01-01 00:03 UTC"
    ]


def test_what_a_process_did_not_come_to_send_is_counted_by_the_next(process, home):
    process().lines([event(1)])
    rows = [event(1), event(2, "scheduled"), event(3), event(4, "closed"), event(5)]
    journal = Journal(DiskFilesystem(), home.journal(Key("dip", "BTCUSDT")))
    journal.append([event_to_row(row) for row in rows])
    again = process()
    gap, line = again.lines([event(5)])
    assert gap == (
        "BTCUSDT:dip: 2 events since 1970-01-01 00:03 UTC not sent, as the process had ended or "
        "notifications were off; run.events() has them"
    )
    assert line.startswith("BTCUSDT:dip opened")
    assert again.lines([event(9)]) == ["BTCUSDT:dip opened, 1970-01-01 00:09 UTC"]


def test_the_first_event_of_a_run_is_no_gap(process):
    assert len(process().lines([event(500)])) == 1


def test_a_journal_that_cannot_be_read_keeps_no_message_back(process, home):
    process().lines([event(1)])
    home.journal(Key("dip", "BTCUSDT")).mkdir(parents=True)
    assert len(process().lines([event(5)])) == 1


def test_an_error_that_repeats_is_told_once_an_hour_with_how_often_it_came(process, clock):
    news = process()
    error = event(0, "error", note="no candles for 1 s")._replace(at=0)
    assert news.lines([error]) == ["BTCUSDT:dip error: no candles for 1 s, 1970-01-01 00:00 UTC"]
    for seconds in range(2, 60):
        assert news.lines([error._replace(note=f"no candles for {seconds} s")]) == []
    clock.ms += 3_600_000
    (line,) = news.lines([error])
    assert line.endswith("(and 58 times since 2024-01-01 00:00 UTC)")
    assert news.lines([error._replace(note="something else")]) != []


def test_an_alarm_with_the_words_of_an_error_is_one_message(process):
    news = process()
    alarm = Alarm("unsaved", "BTCUSDT:dip", "the disk is full")
    error = event(0, "error", note="the disk is full")
    assert news.lines([alarm, error, alarm]) == ["ALARM BTCUSDT:dip: the disk is full"]


def test_an_alarm_of_orders_says_what_to_do_and_is_told_once_an_hour(process):
    note = "2 pieces have no stop at the exchange. Look at the exchange"
    alarm = event(0, "alarm", exit_reason="unprotected", note=note)
    assert process().lines([alarm, alarm]) == [
        f"BTCUSDT:dip alarm (unprotected): {note}, 1970-01-01 00:00 UTC"
    ]


def test_an_alarm_of_another_position_is_told_within_the_hour(process, clock):
    news = process()
    note = "{} pieces have no stop at the exchange since 2024-01-01 {}:00 UTC. Look"
    first = event(0, "alarm", exit_reason="unprotected", note=note.format("4.995", "10:00"))
    second = first._replace(note=note.format("0.5", "10:40"))
    assert len(news.lines([first])) == 1
    clock.ms += 40 * MINUTE
    assert len(news.lines([first, second])) == 1
    assert len(news.lines([second._replace(exit_reason="cannot_exit"), second])) == 1


def test_a_run_whose_home_is_not_known_is_told_all_the_same():
    news = News("env:URL", KINDS, home_of=lambda symbol, strategy: None)
    assert len(news.lines([event(1), "words"])) == 2


def test_so_many_different_errors_are_kept_in_bounded_memory(process):
    news = process()
    letters = [
        f"{chr(97 + n // 26 // 26)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(1_500)
    ]
    for word in letters:
        assert len(news.lines([event(0, "error", note=word)])) == 1
    assert len(news._errors) <= 1_000


def test_an_event_says_what_a_trader_asks_first(process):
    signal = Signal(
        id="x", symbol="BTCUSDT", strategy="dip", position="long", entry=100.0,
        take_profit=104.0, stop_loss=98.0, minutes=60, size=None, note=None, at=0,
    )  # fmt: skip
    opened = event(1, signal=signal, price=100.0)
    closed = event(2, "closed", signal=signal, price=98.0, exit_reason="stop_loss")
    closed = closed._replace(pnl_percent=-2.2, late=True)
    milestone = event(3, "milestone", signal=signal, price=101.0, level=10)
    loss = " ".join(percent(-2.2, plus=True).split())
    assert process().lines([opened, closed, milestone]) == [
        "BTCUSDT:dip opened long at 100.00 stop 98.00 target 104.00, 1970-01-01 00:01 UTC",
        f"BTCUSDT:dip closed long at 98.00 (stop_loss) {loss}, 1970-01-01 00:02 UTC (late)",
        "BTCUSDT:dip milestone long +10 % at 101.00, 1970-01-01 00:03 UTC",
    ]
