"""Alarms, the daily summary and the heartbeat: what a look at the runs finds."""

from __future__ import annotations

import dataclasses

import pytest

from tests.live.fast import until
from tradenb.core.lifecycle.state import State
from tradenb.core.signal import Signal
from tradenb.live.notifications import status_watch
from tradenb.live.notifications.alarms import ALARMS, alarms_of
from tradenb.live.notifications.status_watch import StatusWatch
from tradenb.live.status.run_status import RunStatus
from tradenb.store.paths import Home
from tradenb.store.sent_marks import SentMarks

MINUTE = 60_000
DAY = 1_440 * MINUTE
SIGNAL = Signal(
    id="x", symbol="BTCUSDT", strategy="dip", position="long", entry=100.0,
    take_profit=104.0, stop_loss=98.0, minutes=60, size=None, note=None, at=0,
)  # fmt: skip
OPEN = State("BTCUSDT", "dip", MINUTE, MINUTE, signal=SIGNAL, opened_at=MINUTE)
WELL = RunStatus("BTCUSDT", "dip", "live", "home", "running", state=OPEN, age_s=1.0)


def changed(**more):
    return dataclasses.replace(WELL, **more)


UNWATCHED = (
    "long since 1970-01-01 00:01 at 100.00: no process watches its stop and target. "
    "Go on with it: tradenb resume BTCUSDT:dip (starts bot.py)"
)
WRONG = {
    "unwatched": (changed(status="idle", resume="bot.py"), UNWATCHED),
    "candles": (
        changed(warnings=("candles of BTCUSDT arrive 25 s late",)),
        "candles of BTCUSDT arrive 25 s late",
    ),
    "silent": (changed(age_s=200.0), "no tick for 200 s: exits are not watched"),
    "unsaved": (changed(saved=False, error="the disk is full"), "the disk is full"),
    "restarted": (
        changed(loop_restarts=2),
        "the live loop died and was started again 2 times; see run.error and the log",
    ),
}


@pytest.mark.parametrize("code", ALARMS)
def test_each_alarm_has_a_status_that_raises_it_and_no_other(code):
    status, words = WRONG[code]
    (alarm,) = alarms_of(status)
    assert (alarm.code, alarm.run, alarm.words) == (code, "BTCUSDT:dip", words)


def test_a_run_that_is_well_raises_no_alarm():
    assert alarms_of(WELL) == []
    assert alarms_of(changed(status="idle", state=State("BTCUSDT", "dip", MINUTE, MINUTE))) == []
    assert alarms_of(changed(status="done", state=None)) == []


def test_a_loop_that_dies_again_is_another_alarm():
    names = {alarms_of(changed(loop_restarts=count))[0].name for count in (1, 2, 3)}
    assert len(names) == 3


class Look:
    """A watch on statuses that the test sets, and what it offered."""

    def __init__(self, home, **more):
        self.offered = []
        self.ms = 10 * DAY
        self.home = home
        self.watch = StatusWatch(
            self.offered.append,
            lambda home: SentMarks(home, "env:URL"),
            now=lambda: self.ms,
            **{"alarms": True} | more,
        )

    def at(self, *found):
        self.watch._raise_alarms(Home(self.home), found)
        self.ms += 30_000
        offered = [alarm.code for alarm in self.offered]
        self.offered.clear()
        return offered


def test_an_alarm_is_raised_at_the_second_look_and_once_until_it_is_over(tmp_path):
    look, wrong = Look(tmp_path), WRONG["unwatched"][0]
    assert [look.at(wrong) for _ in range(4)] == [[], ["unwatched"], [], []]
    assert look.at(WELL) == []
    assert [look.at(wrong) for _ in range(3)] == [[], ["unwatched"], []]


def test_what_is_over_before_the_second_look_is_no_alarm(tmp_path):
    look, wrong = Look(tmp_path), WRONG["unwatched"][0]
    assert [look.at(each) for each in (wrong, WELL, wrong, WELL)] == [[], [], [], []]


def test_an_alarm_that_lasts_is_not_raised_again_by_the_next_process_but_a_day_later(tmp_path):
    wrong = WRONG["unsaved"][0]
    look = Look(tmp_path)
    assert [look.at(wrong), look.at(wrong)] == [[], ["unsaved"]]
    again = Look(tmp_path)
    assert [again.at(wrong), again.at(wrong)] == [[], []]
    again.ms += DAY
    assert again.at(wrong) == ["unsaved"]


def test_an_alarm_that_was_over_while_no_process_looked_is_raised_again(tmp_path):
    wrong = WRONG["unsaved"][0]
    look = Look(tmp_path)
    look.at(wrong)
    look.at(wrong)
    again = Look(tmp_path)
    assert [again.at(each) for each in (WELL, wrong, wrong)] == [[], [], ["unsaved"]]


def test_the_summary_is_written_once_a_day_at_its_minute_also_by_two_processes(tmp_path):
    looks = [Look(tmp_path, summary_minute=22 * 60) for _ in range(2)]
    written = []
    for minute in range(0, 3 * 1_440, 10):
        for look in looks:
            look.ms = 10 * DAY + minute * MINUTE
            look.watch._summarise(Home(tmp_path), [WELL])
            written += [(minute / 60, line) for line in look.offered]
            look.offered.clear()
    words = "BTCUSDT:dip: 0 trades closed, running, long since 1970-01-01 00:01 at 100.00"
    days = [f"1970-01-{day} 22:00" for day in (10, 11, 12, 13)]
    assert written == [
        item
        for number in range(3)
        for item in (
            (22 + 24 * number, f"summary {days[number]} to {days[number + 1]} UTC"),
            (22 + 24 * number, words),
        )
    ]


def test_the_heartbeat_is_asked_for_while_runs_tick_and_not_while_one_is_silent(caplog):
    beats, answers = [], ["", "HTTPError: 500", "HTTPError: 500", ""]
    look = Look("home", beat=lambda: beats.append(look.ms) or answers.pop(0))
    silent = changed(age_s=1_000.0)
    for running in ([], [WELL], [WELL], [silent], [WELL, silent], [WELL], [WELL], [WELL]):
        look.watch._send_beat(running)
        look.ms += 30_000
    assert [(at - 10 * DAY) // 30_000 for at in beats] == [1, 5, 7]
    assert caplog.text.count("the heartbeat failed: HTTPError: 500") == 1


def test_the_thread_looks_until_it_is_closed_and_survives_what_a_look_raises(monkeypatch, caplog):
    monkeypatch.setattr(status_watch, "LOOK_S", 0.01)
    look, looks = Look("home"), []

    def broken():
        looks.append(1)
        raise RuntimeError("broken")

    monkeypatch.setattr(look.watch, "look", broken)
    look.watch.start("test")
    until(lambda: len(looks) > 1, "a second look")
    look.watch.close()
    assert "a look at the runs failed" in caplog.text
