"""Requests from outside, and the kill switch."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket

import pytest

from tests.store.samples import HOME, KEY
from tradenb.errors import StateWriteError, UnknownName, UsageError
from tradenb.store.codec import Damaged
from tradenb.store.control import checked_request, kill_switch, peek, receive, requests_in, send
from tradenb.store.filesystem import DiskFilesystem, forget
from tradenb.store.paths import Home, Key
from tradenb.testing.world.fake_disk import Crash, FakeDisk

FOLDER = HOME.control(KEY)
BY_HAND = {"id": "x", "wall": 5, "kind": "stop", "strategy": "dip", "symbol": "BTCUSDT"}


def test_requests_are_received_in_the_order_in_which_they_were_given():
    disk = FakeDisk()
    given = [
        send(disk, HOME, KEY, "stop", wall=30, id="a"),
        send(disk, HOME, KEY, "cancel", wall=4, id="z", signal_id="dip-1", cancel_id="mine"),
        send(disk, HOME, KEY, "flatten", wall=30, id="B"),
        send(disk, HOME, KEY, "release", wall=1_700_000_000_000, id="c"),
    ]
    received = receive(disk, HOME.control(KEY), KEY)
    assert received.refused == ()
    assert [item.request for item in received.waiting] == [given[1], given[2], given[0], given[3]]
    assert sorted(path.name for path in disk.files()) == [
        "000000000000004-z.json",
        "000000000000030-B.json",
        "000000000000030-a.json",
        "001700000000000-c.json",
    ]


def test_requests_of_one_millisecond_are_received_in_the_order_in_which_they_were_sent():
    disk = FakeDisk()
    sent = [
        send(disk, HOME, KEY, "move", wall=30, values={"stop_loss": float(price)})
        for price in range(90, 106)
    ]
    assert [item.request for item in receive(disk, FOLDER, KEY).waiting] == sent


def test_a_request_stays_until_it_is_removed():
    disk = FakeDisk()
    request = send(disk, HOME, KEY, "stop", wall=1)
    for _ in range(3):
        (waiting,) = receive(disk, HOME.control(KEY), KEY).waiting
        assert waiting.request == request
    forget(disk, waiting.path)
    forget(disk, waiting.path)
    assert receive(disk, HOME.control(KEY), KEY) == ((), (), ())


def test_only_requests_wait_whatever_else_is_in_their_folder(tmp_path):
    disk, home = DiskFilesystem(), Home(tmp_path)
    assert requests_in(disk, home.control(KEY)) == []
    (home.control(KEY) / ".ipynb_checkpoints").mkdir(parents=True)
    (home.control(KEY) / "000000000000001-a.json.new").touch()
    assert requests_in(disk, home.control(KEY)) == []
    send(disk, home, KEY, "stop", wall=1, id="b")
    assert requests_in(disk, home.control(KEY)) == ["000000000000001-b.json"]


def test_a_request_is_there_whole_or_not_at_all():
    for at in range(40):
        disk = FakeDisk()
        disk.crash(at)
        try:
            send(disk, HOME, KEY, "stop", wall=1, id="a")
        except Crash:
            disk.power_loss(len(disk.pending), "lost")
        disk.restart()
        received = receive(disk, HOME.control(KEY), KEY)
        assert received.refused == ()
        assert [item.request.kind for item in received.waiting] in ([], ["stop"])
        send(disk, HOME, KEY, "stop", wall=1, id="a")
        disk.power_loss(0)
        assert len(receive(disk, HOME.control(KEY), KEY).waiting) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"stop",
        b'{"kind":"stop"}',
        b'{"id":"a","wall":1,"kind":"buy","strategy":"dip","symbol":"BTCUSDT"}',
        b'{"id":"../a","wall":1,"kind":"stop","strategy":"dip","symbol":"BTCUSDT"}',
        b'{"id":"a","wall":-1,"kind":"stop","strategy":"dip","symbol":"BTCUSDT"}',
        b'{"id":"a","wall":1,"kind":"stop","strategy":"dip","symbol":"ETHUSDT"}',
        b'{"id":"a","wall":1,"kind":"stop","strategy":"dip","symbol":"BTCUSDT","x":1}',
        b'{"id":"a","wall":1,"kind":"abandon","strategy":"dip","symbol":"BTCUSDT"}',
        b'{"id":"a","wall":1,"kind":"stop","strategy":"dip","symbol":"BTCUSDT","price":1.0}',
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps(BY_HAND | {"kind": "cancel", "cancel_id": "c" * 301}).encode(),
    ],
)
def test_what_is_no_request_is_moved_aside_and_reported(text):
    disk = FakeDisk()
    path = FOLDER / "000000000000001-a.json"
    good = send(disk, HOME, KEY, "stop", wall=2)
    for number in ("", ".1"):
        disk.plant(path, text)
        received = receive(disk, HOME.control(KEY), KEY, pid=8)
        ((aside, words),) = received.refused
        assert aside == path.with_name(f"{path.name}.refused-8{number}")
        assert words
        assert disk.files()[aside] == text
        assert [item.request for item in received.waiting] == [good]


@pytest.mark.parametrize(
    "values", [{"kind": "k" * 500}, {"f" * 500: 1}, {"id": "i" * 500}, {"cancel_id": "c" * 500}]
)
def test_a_long_value_is_seen_to_be_cut_in_the_message(values):
    with pytest.raises(Damaged, match=r"'(k|f|i|c){70,}\.\.\.") as caught:
        checked_request(BY_HAND | values)
    assert len(str(caught.value)) < 250


def test_a_request_may_be_written_by_hand():
    disk = FakeDisk()
    disk.plant(FOLDER / "anything.json", json.dumps(BY_HAND, indent=2).encode())
    (waiting,) = receive(disk, HOME.control(KEY), KEY).waiting
    assert (waiting.request.kind, waiting.request.signal_id) == ("stop", None)
    forget(disk, waiting.path)
    assert disk.files() == {}


def test_an_unreadable_request_loses_nothing():
    disk = FakeDisk()
    send(disk, HOME, KEY, "stop", wall=1, id="a")
    send(disk, HOME, KEY, "flatten", wall=2, id="b")
    first = FOLDER / "000000000000001-a.json"
    for at, path, others in ((0, FOLDER, []), (1, first, ["flatten"])):
        disk.fail(at, errno.EIO)
        received = receive(disk, FOLDER, KEY)
        assert received.unreadable == ((path, "Input/output error"),)
        assert [item.request.kind for item in received.waiting] == others
        assert received.refused == ()
        disk.heal()
    assert [item.request.kind for item in receive(disk, FOLDER, KEY).waiting] == ["stop", "flatten"]


def test_fault_88_what_is_not_a_regular_file_is_moved_aside_and_never_waited_for(tmp_path):
    disk, home = DiskFilesystem(), Home(tmp_path)
    good = send(disk, home, KEY, "stop", wall=5)
    folder = home.control(KEY)
    (folder / "a.json" / "inside").mkdir(parents=True)
    os.mkfifo(folder / "b.json")
    (folder / "c.json").symlink_to(tmp_path)
    (folder / "d.json").symlink_to(tmp_path / "nothing")
    (folder / "e.json").symlink_to("e.json")
    with socket.socket(socket.AF_UNIX) as opened, contextlib.chdir(folder):
        opened.bind("f.json")
    received = receive(disk, folder, KEY, pid=8)
    assert [item.request for item in received.waiting] == [good]
    assert [path.name for path, _ in received.refused] == [f"{c}.json.refused-8" for c in "abcdef"]
    assert {words for _, words in received.refused} == {"not a regular file"}
    assert received.unreadable == ()
    assert (folder / "a.json.refused-8" / "inside").is_dir()
    assert requests_in(disk, folder) == [f"{good.wall:015d}-{good.id}.json"]


def test_fault_88_no_file_handles_left_hides_requests_and_raises_nothing():
    disk = FakeDisk()
    send(disk, HOME, KEY, "stop", wall=1)
    disk.fail(0, errno.EMFILE, forever=True)
    received = receive(disk, FOLDER, KEY)
    assert received.unreadable == ((FOLDER, "Too many open files"),)
    disk.heal()
    assert len(receive(disk, FOLDER, KEY).waiting) == 1


def test_who_only_looks_reads_the_requests_and_changes_nothing():
    disk = FakeDisk()
    disk.plant(FOLDER / "odd.json", b"{")
    given = send(disk, HOME, KEY, "flatten", wall=1)
    before = disk.files()
    assert peek(disk, FOLDER, KEY) == [given]
    assert disk.files() == before
    assert peek(disk, HOME.control(KEY._replace(symbol="ETHUSDT")), KEY) == []


def test_a_flood_of_requests_is_taken_a_thousand_at_a_time():
    disk = FakeDisk()
    text = b'{"id":"%d","wall":%d,"kind":"stop","strategy":"dip","symbol":"BTCUSDT"}'
    for n in range(1_003):
        disk._contents.there(_folder(disk) / f"{n:015d}-{n}.json").write(0, text % (n, n))
    received = receive(disk, HOME.control(KEY), KEY)
    assert len(received.waiting) == 1_000
    for each in received.waiting:
        forget(disk, each.path)
    left = receive(disk, HOME.control(KEY), KEY).waiting
    assert [item.request.wall for item in left] == [1_000, 1_001, 1_002]


def _folder(disk: FakeDisk):
    if FOLDER not in disk._contents.names:
        disk.plant(FOLDER / "x", b"")
        disk.remove(FOLDER / "x")
    return FOLDER


def test_requests_that_make_no_sense_are_refused_at_once():
    disk = FakeDisk()
    with pytest.raises(UnknownName, match="stop"):
        send(disk, HOME, KEY, "stopp", wall=1)
    with pytest.raises(UsageError, match="wall"):
        send(disk, HOME, KEY, "stop", wall=-1)
    with pytest.raises(UsageError, match="at most 300 characters"):
        send(disk, HOME, KEY, "cancel", wall=1, cancel_id="c" * 301)
    with pytest.raises(UsageError, match="id"):
        send(disk, HOME, KEY, "stop", wall=1, id="../x")
    disk.fail(0, errno.EROFS, forever=True)
    with pytest.raises(StateWriteError, match="Read-only"):
        send(disk, HOME, KEY, "stop", wall=1)
    assert disk.files() == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"halt", "halt"),
        (b"flatten", "flatten"),
        (b" Flatten\n", "flatten"),
        (b"", "halt"),
        (b"flatten everything", "halt"),
        (b"\xff\xfe", "halt"),
        (b"x" * 100_000, "halt"),
    ],
)
def test_the_kill_switch_says_halt_or_flatten(text, says):
    disk = FakeDisk()
    assert kill_switch(disk, HOME.kill) is None
    disk.plant(HOME.kill, text)
    assert kill_switch(disk, HOME.kill) == says
    disk.remove(HOME.kill)
    assert kill_switch(disk, HOME.kill) is None


def test_a_kill_switch_that_cannot_be_read_is_told_apart_from_halt(tmp_path):
    disk = FakeDisk()
    disk.plant(HOME.kill, b"flatten")
    disk.fail(0, errno.EACCES)
    assert kill_switch(disk, HOME.kill) == "unreadable"
    home = Home(tmp_path)
    home.kill.mkdir(parents=True)
    assert kill_switch(DiskFilesystem(), home.kill) == "unreadable"


def test_requests_to_runs_with_odd_names_stay_inside(tmp_path):
    disk, home, key = DiskFilesystem(), Home(tmp_path / "home"), Key("../Dip", "../../BTC:X")
    request = send(disk, home, key, "stop", wall=1)
    assert [item.request for item in receive(disk, home.control(key), key).waiting] == [request]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["data"]
