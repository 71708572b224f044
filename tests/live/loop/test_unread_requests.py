"""Requests that cannot be read: entries stop, exits go on, and it is said once."""

from __future__ import annotations

import errno

import pytest

from tests.live.fakes import HISTORY, once, until
from tests.sources import T0, candles, flat, minute
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.store.control import send
from tradenb.store.paths import Key
from tradenb.testing.world.fake_disk import FakeDisk
from tradenb.testing.world.simulated_world import Action, World

DIP = (100.0, 100.0, 98.5, 99.0, 1.0)
FALL = (99.0, 99.0, 93.0, 93.0, 1.0)
KEY = Key("a", "BTCUSDT")
# Which operation fails for what is in the control folder: its listing, or a file in it.
REFUSED = {"folder": ("names", "exists"), "file": ("read", "replace", "unlink")}


class Sour(FakeDisk):
    """A disk that gives out nothing of the control folder while it is sour."""

    sour: tuple[str, ...] = ()

    def _step(self, name, path, act, half=None):
        if name in self.sour and "control" in path.parts:
            raise OSError(errno.EACCES, "Permission denied", str(path))
        return super()._step(name, path, act, half)


def world_of(rows, function, disk=None):
    spec = StrategySpec(name="a", function=function, every="1m")
    grid = candles([*flat(HISTORY), *rows, *flat(20)], T0 - HISTORY * 60_000)
    return World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)], disk=disk or Sour())


def told(world):
    return [
        ((event.at - T0) // 60_000, event.kind, event.late)
        for event in world.events(world.wanted[0])
        if event.kind != "skipped"
    ]


def test_an_entry_that_was_cancelled_is_not_made_while_the_request_cannot_be_read():
    world = world_of([*flat(5), DIP], once(2, entry=99.0))

    def cancel(process):
        send(world.disk, world.home, KEY, "cancel", wall=world.clock.now())
        world.disk.sour = REFUSED["file"]

    def heal(process):
        assert "cannot be read" in str(process.runs[0].error)
        world.disk.sour = ()

    actions = [Action(minute(4) + 30_000, cancel), Action(minute(8) + 30_000, heal)]
    assert world.live(until(10), actions)
    assert told(world) == [(2, "scheduled", False), (4, "error", False), (5, "cancelled", False)]


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_fault_88_exits_go_on_while_a_request_cannot_be_read_and_it_is_said_once(what):
    world = world_of([*flat(5), FALL], once(2))
    errors = []
    world.bus.subscribe(errors.append, mode="live", channel="errors")

    def spoil(process):
        send(world.disk, world.home, KEY, "release", wall=world.clock.now())
        world.disk.sour = REFUSED[what]

    def look(process):
        assert "No entries are made until it can be read" in str(process.runs[0].error)
        assert process.runs[0].status == "running"
        world.disk.sour = ()

    actions = [Action(minute(3) + 30_000, spoil), Action(minute(9) + 30_000, look)]
    assert world.live(until(12), actions)
    # A file wakes the loop up, a folder is looked at by the next tick.
    noticed = 3 if what == "file" else 4
    assert told(world) == [(2, "opened", False), (noticed, "error", False), (6, "closed", False)]
    assert [event.note.partition(":")[0] for event in errors] == ["a request cannot be read"]


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_fault_88_no_entry_is_made_while_a_request_cannot_be_read(what):
    asked = []
    world = world_of(flat(5), lambda ctx: asked.append((ctx.now - T0) // 60_000))

    def spoil(process):
        send(world.disk, world.home, KEY, "cancel", wall=world.clock.now())
        world.disk.sour = REFUSED[what]

    def heal(process):
        world.disk.sour = ()

    actions = [Action(minute(3) + 30_000, spoil), Action(minute(6) + 30_000, heal)]
    assert world.live(until(10), actions)
    assert asked == [1, 2, 3, 7, 8, 9, 10]


class SourKill(FakeDisk):
    """A disk that does not give out the kill switch while it is sour."""

    sour = False

    def _step(self, name, path, act, half=None):
        if self.sour and name == "read" and path.name == "KILL":
            raise OSError(errno.EACCES, "Permission denied", str(path))
        return super()._step(name, path, act, half)


def test_fault_88_a_kill_switch_that_cannot_be_read_halts_entries_and_is_said_once():
    asked, errors = [], []
    entry = once(2)

    def look(ctx):
        asked.append((ctx.now - T0) // 60_000)
        return entry(ctx)

    world = world_of([*flat(5), FALL], look, disk=SourKill())
    world.bus.subscribe(errors.append, mode="live", channel="errors")

    def spoil(process):
        world.disk.sour = True

    def heal(process):
        assert "KILL" in str(process.runs[0].error)
        world.disk.sour = False

    def healthy(process):
        assert process.runs[0].error is None

    actions = [
        Action(minute(3) + 30_000, spoil),
        Action(minute(9) + 30_000, heal),
        Action(minute(11) + 30_000, healthy),
    ]
    assert world.live(until(12), actions)
    assert told(world) == [(2, "opened", False), (3, "error", False), (6, "closed", False)]
    assert asked == [1, 2, 10, 11, 12]
    (event,) = errors
    assert event.note.startswith(f"a request cannot be read: {world.home.kill} (the kill switch)")
    assert "exits go on" in event.note


def test_fault_88_a_request_that_cannot_be_removed_is_obeyed_once_and_ends_nothing():
    world = world_of([*flat(30)], once(2))
    ticked = []

    def spoil(process):
        send(world.disk, world.home, KEY, "flatten", wall=world.clock.now())
        world.disk.sour = ("unlink", "replace")

    def count(process):
        ticked.append(len(world.disk.operations))

    moments = [Action(minute(9) + second * 1_000, count) for second in (10, 50)]
    assert world.live(until(12), [Action(minute(3) + 30_000, spoil), *moments])
    assert told(world) == [(2, "opened", False), (4, "closed", False)]
    # It is known: the run does not tick again and again because of it.
    before, after = ticked
    commits = [each for each in world.disk.operations[before:after] if each.name == "link"]
    assert commits == []
