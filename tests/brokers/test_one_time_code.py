"""A code arms once, soon, and what was shown with it; the rest says why not."""

from __future__ import annotations

import errno

import pytest

from tests.brokers.accounts import ACCOUNT, NOW
from tradenb.brokers.arming.one_time_code import (
    GOOD_FOR,
    LETTERS,
    TRIES,
    show_code,
    use_code,
)
from tradenb.errors import StateWriteError
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home

DISK = DiskFilesystem(durable=False)
TERMS = "max_order 100, max_total 300"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def code(home):
    return show_code(DISK, home, ACCOUNT, TERMS, NOW)


def used(home, code, now=NOW, terms=TERMS, **more):
    return use_code(DISK, home, ACCOUNT, terms, code, now, **more)


def test_a_code_is_six_letters_without_look_alikes(code):
    assert len(code) == 6
    assert set(code) <= set(LETTERS)
    assert set("BGIOSZ").isdisjoint(LETTERS)


def test_a_code_is_good_once(home, code):
    assert used(home, f" {code.lower()}\n") == ""
    assert "was used at" in used(home, code)


@pytest.mark.parametrize(
    ("now", "good"), [(NOW + GOOD_FOR, True), (NOW + GOOD_FOR + 1, False), (NOW - 1, False)]
)
def test_a_code_is_good_for_ten_minutes(home, code, now, good):
    assert (used(home, code, now) == "") is good


def test_a_code_is_for_the_limits_that_were_shown(home, code):
    assert "other limits" in used(home, code, terms="max_order 1000, max_total 300")
    assert used(home, code) == ""


def test_a_new_code_voids_the_one_before(home, code):
    other = show_code(DISK, home, ACCOUNT, TERMS, NOW, choose=lambda letters: letters[0])
    assert other == "AAAAAA" != code
    assert "is not the code that was shown last" in used(home, code)


def test_after_five_wrong_codes_the_right_one_is_void(home, code):
    for _ in range(TRIES):
        assert "is not the code" in used(home, "AAAAAA" if code != "AAAAAA" else "CCCCCC")
    assert "wrong codes" in used(home, code)


def test_a_code_that_was_shown_before_an_end_is_void(home, code):
    assert "disarmed after the code was shown" in used(home, code, ended_at=NOW)
    assert used(home, code, ended_at=NOW - 1) == ""


def test_without_a_code_shown_nothing_is_one(home):
    assert "no code was shown" in used(home, "")


def test_a_damaged_file_is_not_a_code(home, code):
    home.arm_code(ACCOUNT).write_bytes(b"{}")
    assert "no code was shown" in used(home, code)


def test_the_file_does_not_hold_the_code(home, code):
    assert code.encode() not in home.arm_code(ACCOUNT).read_bytes()


class Full(DiskFilesystem):
    def create(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_code_that_cannot_be_marked_as_used_arms_nothing(home, code):
    with pytest.raises(StateWriteError, match="nothing was armed"):
        use_code(Full(durable=False), home, ACCOUNT, TERMS, code, NOW)
    assert used(home, code) == ""
