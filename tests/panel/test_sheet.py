"""The file that a page reads while the kernel is busy: when it is written, and that it goes."""

from __future__ import annotations

import json
import os
import time

import pytest

from tradenb.panel.offline_file import BEAT_S, PACE_S, Sheet
from tradenb.store.paths import Home


@pytest.fixture
def sheet(tmp_path):
    return Sheet(Home(tmp_path / "dump"), "0123abcd")


def told(sheet):
    found = json.loads(sheet.path.read_text())
    assert abs(found.pop("beat") - time.time() * 1000) < 60_000
    return found


def test_what_is_shown_can_be_read_and_goes(sheet):
    sheet.write({"rows": [1]}, 0.0)
    assert told(sheet) == {"rows": [1]}
    assert [path.name for path in sheet.path.parent.iterdir()] == [sheet.path.name]
    sheet.remove()
    sheet.remove()
    assert list(sheet.path.parent.iterdir()) == []


def test_it_is_written_at_a_bounded_rate(sheet):
    sheet.write({"rows": [1]}, 0.0)
    sheet.write({"rows": [2]}, PACE_S / 2)
    assert told(sheet) == {"rows": [1]}
    sheet.write({"rows": [2]}, PACE_S)
    assert told(sheet) == {"rows": [2]}


def test_what_has_not_changed_is_only_said_to_be_alive(sheet):
    sheet.write({"rows": [1]}, 0.0)
    before = sheet.path.stat().st_ino
    sheet.write({"rows": [1]}, PACE_S)
    assert sheet.path.stat().st_ino == before
    sheet.write({"rows": [1]}, BEAT_S)
    assert sheet.path.stat().st_ino != before


def test_sheets_of_kernels_that_died_long_ago_go_and_nothing_else(sheet):
    folder = sheet.path.parent
    folder.mkdir(parents=True)
    for name, age_s in (("old.json", 90_000), ("new.json", 60), ("mine.txt", 90_000)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    sheet.write({}, 0.0)
    left = {path.name for path in folder.iterdir()}
    assert left == {"new.json", "mine.txt", sheet.path.name}


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path):
    (tmp_path / "dump").write_text("a file where the folder should be")
    sheet = Sheet(Home(tmp_path / "dump"), "0123abcd")
    sheet.write({"rows": []}, 0.0)
    sheet.remove()
