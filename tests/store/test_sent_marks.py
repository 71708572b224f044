"""The marks of what was sent: once over restarts, also where the disk or the file is broken."""

from __future__ import annotations

import errno
import json

import pytest

from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.store.sent_marks import SentMarks

RUN = "BTCUSDT:dip"
DAY = 86_400_000


class Refusing(DiskFilesystem):
    """A disk that is full while it is told to be."""

    full = True

    def create(self, path):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(path)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def marks_of(home, **more):
    return SentMarks(home, "env:URL", **more)


def test_an_event_is_news_once_also_for_the_next_process(home):
    assert marks_of(home).mark_events(RUN, [(1, 10), (2, 20)]) == [True, True]
    assert marks_of(home).mark_events(RUN, [(1, 10), (2, 20), (3, 30)]) == [False, False, True]
    assert marks_of(home).last(RUN) == (3, 30)
    assert marks_of(home).last("ETHUSDT:dip") is None


def test_two_services_know_nothing_of_each_other(home):
    assert SentMarks(home, "env:A").mark_events(RUN, [(1, 10)]) == [True]
    assert SentMarks(home, "env:B").mark_events(RUN, [(1, 10)]) == [True]


def test_after_an_older_state_was_restored_old_numbers_with_new_times_are_news(home):
    marks = marks_of(home)
    marks.mark_events(RUN, [(9, 90)])
    assert marks.mark_events(RUN, [(8, 80), (8, 100), (9, 90)]) == [False, True, True]


def test_what_lasts_is_sent_once_until_it_is_over_or_a_day_has_passed(home):
    marks = marks_of(home)
    assert marks.mark_once("unsaved", 0, again_ms=DAY)
    assert not marks_of(home).mark_once("unsaved", DAY - 1, again_ms=DAY)
    assert marks_of(home).mark_once("unsaved", DAY, again_ms=DAY)
    assert marks.lasting() == ["unsaved"]
    marks.clear("unsaved")
    marks.clear("never there")
    assert marks_of(home).mark_once("unsaved", DAY + 1, again_ms=DAY)


def test_a_full_disk_keeps_no_message_back_and_the_marks_are_kept_in_memory(home, caplog):
    disk = Refusing()
    marks = marks_of(home, filesystem=disk)
    assert marks.mark_events(RUN, [(1, 10)]) == [True]
    assert marks.mark_events(RUN, [(1, 10), (2, 20)]) == [False, True]
    assert marks.mark_once("unsaved", 0, again_ms=DAY)
    assert not marks.mark_once("unsaved", 1, again_ms=DAY)
    assert caplog.text.count("a restart may send notifications again") == 1
    disk.full = False
    marks.mark_events(RUN, [(3, 30)])
    again = marks_of(home)
    assert again.last(RUN) == (3, 30)
    assert again.lasting() == ["unsaved"]


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"runs": {"a": [1]}, "lasting": {}}'])
def test_a_broken_file_is_written_anew(home, text):
    marks_of(home).mark_events(RUN, [(1, 10)])
    home.notified("env:URL").write_text(text)
    assert marks_of(home).mark_events(RUN, [(1, 10)]) == [True]
    assert marks_of(home).last(RUN) == (1, 10)


def test_the_file_is_private_and_says_which_reference_it_is_of(home):
    marks_of(home).mark_events(RUN, [(1, 10)])
    path = home.notified("env:URL")
    assert json.loads(path.read_text())["service"] == "env:URL"
    assert path.stat().st_mode & 0o777 == 0o600
