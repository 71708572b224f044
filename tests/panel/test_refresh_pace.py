"""What is sent, and how often, while somebody looks, nobody does, or nobody can be answered."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tradenb.panel.refresh_thread import RefreshPace, RefreshThread


def sent(seconds, *, answered=lambda now: False, free=lambda now: True, size=1_000):
    """Count what is sent within some seconds, looked at twice a second."""
    pace, found = RefreshPace(0.0), Counter()
    for step in range(2 * seconds):
        now = step / 2
        if answered(now):
            pace.answered = now
        due = pace.due(now, free=free(now))
        found[due] += 1
        if due == "all":
            pace.sent, pace.size = now, size
        if due != "nothing" and now - pace.beat >= 1:
            pace.beat = now
    return found


def test_who_looks_gets_two_updates_a_second_and_no_more():
    assert sent(60, answered=lambda now: now % 15 == 0)["all"] == 120


def test_large_updates_come_less_often():
    assert sent(60, answered=lambda now: now % 15 == 0, size=80_000)["all"] == 30


def test_when_nobody_answers_only_a_beat_a_minute_is_sent():
    day = sent(24 * 3_600)
    assert day["all"] <= 2 * 91
    assert day["beat"] == pytest.approx(24 * 60, abs=5)


def test_while_a_cell_keeps_the_kernel_busy_the_last_answer_counts():
    busy = sent(1_800, free=lambda now: False)
    assert busy["all"] == pytest.approx(1_800 / 2, abs=200)


def test_who_comes_back_gets_everything_at_once():
    pace = RefreshPace(0.0)
    assert pace.due(1_000.0, free=True) == "beat"
    pace.answered = 1_000.0
    assert pace.due(1_000.0, free=True) == "all"


class Idle:
    def refresh(self):
        pass


class Collecting(list):
    """Its collector ends another dashboard, on the thread that adds one."""

    def __init__(self, thread):
        self.thread = thread

    def append(self, dashboard):
        super().append(dashboard)
        self.thread.remove(Idle())


def test_a_dashboard_that_is_collected_while_another_is_added_holds_nothing_up():
    thread, kept = RefreshThread(), Idle()
    thread._dashboards = Collecting(thread)
    adding = threading.Thread(target=thread.add, args=(kept,), daemon=True)
    adding.start()
    adding.join(60)
    assert not adding.is_alive()
    assert thread._dashboards == [kept]
    thread.remove(kept)


def test_a_dashboard_that_is_collected_on_a_thread_that_begins_holds_nothing_up(monkeypatch):
    thread, kept, ended = RefreshThread(), Idle(), []

    class Collecting(threading.Thread):
        """Its collector ends another dashboard before it says that it has begun."""

        def start(self):
            monkeypatch.undo()
            removing = threading.Thread(target=thread.remove, args=(Idle(),), daemon=True)
            removing.start()
            removing.join(5)
            ended.append(not removing.is_alive())
            super().start()

    monkeypatch.setattr(threading, "Thread", Collecting)
    thread.add(kept)
    assert ended == [True]
    thread.remove(kept)
    assert thread._thread is None
