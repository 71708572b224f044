"""The file that a page reads while the kernel is busy: when it is written and removed."""

from __future__ import annotations

import json
import os
import time

import pytest

from tradenb.panel.offline_file import BEAT_S, PACE_S, OfflineFile
from tradenb.store.paths import Home


@pytest.fixture
def offline(tmp_path):
    return OfflineFile(Home(tmp_path / "dump"), "0123abcd")


def written(offline):
    found = json.loads(offline.path.read_text())
    assert abs(found.pop("beat") - time.time() * 1000) < 60_000
    return found


def test_what_is_shown_can_be_read_and_goes(offline):
    offline.write({"rows": [1]}, 0.0)
    assert written(offline) == {"rows": [1]}
    assert [path.name for path in offline.path.parent.iterdir()] == [offline.path.name]
    offline.remove()
    offline.remove()
    assert list(offline.path.parent.iterdir()) == []


def test_it_is_written_at_a_bounded_rate(offline):
    offline.write({"rows": [1]}, 0.0)
    offline.write({"rows": [2]}, PACE_S / 2)
    assert written(offline) == {"rows": [1]}
    offline.write({"rows": [2]}, PACE_S)
    assert written(offline) == {"rows": [2]}


def test_what_has_not_changed_is_only_said_to_be_alive(offline):
    offline.write({"rows": [1]}, 0.0)
    before = offline.path.stat().st_ino
    offline.write({"rows": [1]}, PACE_S)
    assert offline.path.stat().st_ino == before
    offline.write({"rows": [1]}, BEAT_S)
    assert offline.path.stat().st_ino != before


def test_files_of_kernels_that_died_long_ago_go_and_nothing_else(offline):
    folder = offline.path.parent
    folder.mkdir(parents=True)
    for name, age_s in (("old.json", 90_000), ("new.json", 60), ("mine.txt", 90_000)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    offline.write({}, 0.0)
    left = {path.name for path in folder.iterdir()}
    assert left == {"new.json", "mine.txt", offline.path.name}


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path):
    (tmp_path / "dump").write_text("a file where the folder should be")
    offline = OfflineFile(Home(tmp_path / "dump"), "0123abcd")
    offline.write({"rows": []}, 0.0)
    assert not offline.path.exists()
    offline.remove()
