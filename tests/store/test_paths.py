"""Names become file names and come back; nothing leaves its home."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import DOCUMENT, HOME, KEY, body
from tradenb.errors import UsageError
from tradenb.store.document.commit import encode
from tradenb.store.paths import Home, Key, decoded, encoded, find_home, key_of
from tradenb.testing.world.fake_disk import FakeDisk

SORTS = ["symbol", "strategy", "risk rule"]
NASTY = [
    "BTC/USDT:USDT",
    "..",
    ".",
    "...",
    "../../etc/passwd",
    "/etc/passwd",
    ".hidden",
    "dot.",
    "CON",
    "con",
    "Con.json",
    "nul.txt",
    "lpt1",
    "a b",
    "\u00e9",
    "e\u0301",
    "\u4e2d\u6587",
    "\U0001f600",
    "a\x00b",
    "a\nb",
    "%2E",
    "%",
    "~",
    "-rf",
    "x.json",
    "x.json.bak",
    "x.json.lock",
    "dip",
    "Dip",
    "DIP",
    "BTCUSDT",
    "btcusdt",
    "\u212a",
    "\u0130",
]


@pytest.mark.parametrize("sort", SORTS)
def test_fault_23_names_stay_inside_and_come_back(sort):
    names = [encoded(name, sort) for name in NASTY]
    for name, file_name in zip(NASTY, names, strict=True):
        assert decoded(file_name, sort) == name
        assert set(file_name) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.%"
        )
        assert not file_name.startswith(".")
        assert not file_name.endswith(".")
        assert file_name.split(".")[0].lower() not in {"con", "nul", "lpt1"}
        assert Path("/x", file_name).resolve().parent == Path("/x")
    assert len({name.lower() for name in names}) == len(NASTY), "case twins share a file"


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.sampled_from(SORTS))
def test_fault_23_any_two_names_are_two_files_whatever_the_file_system(a, b, sort):
    try:
        one, two = encoded(a, sort), encoded(b, sort)
    except UsageError:
        return
    assert decoded(one, sort) == a
    assert (one.lower() == two.lower()) == (a == b)


@pytest.mark.parametrize("bad", ["", "\ud800", "x" * 300, "\u00e9" * 41, "x" * 121])
@pytest.mark.parametrize("sort", SORTS)
def test_fault_23_names_that_cannot_be_files_are_refused(bad, sort):
    with pytest.raises(UsageError, match=f"the name of a {sort} must"):
        encoded(bad, sort)


def test_the_usual_names_look_as_usual():
    assert encoded("BTCUSDT", "symbol") == "BTCUSDT"
    assert encoded("BTCUSDT:USDT", "symbol") == "BTCUSDT%3AUSDT"
    assert encoded("demo-dip_2.1", "strategy") == "demo-dip_2.1"


@pytest.mark.parametrize("name", ["%44ip", "%64ip", "dip%", "%zz", "%ff", ".x", "", "%c3%a9"])
def test_a_file_name_that_we_would_not_have_made_is_not_ours(name):
    if name != "%44ip":
        assert decoded(name, "strategy") is None
    assert decoded(name, "symbol") is None


def test_every_path_of_a_home():
    assert HOME.document(KEY) == Path("/disk/dump/data/state/dip/BTCUSDT.json")
    assert HOME.lock(KEY) == Path("/disk/dump/data/state/dip/BTCUSDT.json.lock")
    assert HOME.journal(KEY) == Path("/disk/dump/data/journal/dip/BTCUSDT.jsonl")
    assert HOME.view("signal", KEY) == Path("/disk/dump/data/signal/dip/BTCUSDT.json")
    assert HOME.view("schedule", KEY) == Path("/disk/dump/data/schedule/dip/BTCUSDT.json")
    assert HOME.view("partial", KEY) == Path("/disk/dump/data/partial/dip/BTCUSDT.json")
    assert HOME.risk_view("one-at-a-time") == Path("/disk/dump/data/risk/one-at-a-time.json")
    assert HOME.risk_lock("max(5)") == Path("/disk/dump/data/state/.risk-max%285%29.lock")
    assert HOME.control(KEY) == Path("/disk/dump/data/control/dip/BTCUSDT")
    assert HOME.kill == Path("/disk/dump/data/KILL")
    assert HOME.rehearsal.document(KEY).is_relative_to("/disk/dump/rehearsal/data/state")
    assert key_of(DOCUMENT) == KEY
    assert key_of(Path("/x/y%/z.json")) is None


def test_a_home_is_given_or_in_the_environment_or_here(monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.chdir(tmp_path)
        patched.setenv("TRADENB_HOME", "elsewhere")
        assert find_home("given") == Home(tmp_path / "given")
        assert find_home() == Home(tmp_path / "elsewhere")
        patched.delenv("TRADENB_HOME")
        assert find_home() == Home(tmp_path / "dump")


def test_a_home_below_that_of_the_user_is_no_folder_called_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("TRADENB_HOME", "~/dump")
    assert find_home() == find_home(Path("~/dump")) == Home(tmp_path / "user" / "dump")
    assert find_home(tmp_path / "~") == Home(tmp_path / "~")
    assert find_home("~nobody-is-called-so").root.name == "~nobody-is-called-so"


def test_a_folder_that_is_called_as_the_home_of_the_user_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    literal = tmp_path / "~" / "dump"
    literal.mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.chdir(tmp_path)
        with pytest.raises(UsageError, match="as well: move it") as refused:
            find_home("~/dump")
    assert str(literal) in str(refused.value)
    assert find_home(literal) == Home(literal)


def test_every_run_of_a_home_is_found_also_if_only_its_ruins_are_left():
    disk = FakeDisk()
    assert list(HOME.keys(disk)) == []
    whole, old = Key("Dip", "eth/usdt"), Key("dip", "XRPETH")
    disk.plant(HOME.document(whole), encode(1, body(1)))
    disk.plant(HOME.document(old).with_name("XRPETH.json.corrupt-3-7"), b"")
    disk.plant(DOCUMENT.with_name("BTCUSDT.json.bak"), encode(1, body(1)))
    disk.plant(DOCUMENT, encode(1, body(1)))
    disk.plant(HOME.lock(Key("dip", "ONLYLOCK")), b"")
    disk.plant(HOME.state / "dip" / "notes.txt", b"")
    disk.plant(HOME.state / "Foreign" / "BTCUSDT.json", b"")
    disk.plant(HOME.state / "a-file", b"")
    disk.plant(HOME.risk_lock("portfolio"), b"")
    assert list(HOME.keys(disk)) == [whole, KEY, old]
