"""A request that cannot be read yet is obeyed when it was given, not when it is read."""

from __future__ import annotations

import errno

from tests.live.fakes import HISTORY, once, until
from tests.sources import T0, candles, flat, minute
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.store.control import send
from tradenb.store.paths import Key
from tradenb.testing.world.fake_disk import FakeDisk
from tradenb.testing.world.simulated_world import Action, World

DIP = (100.0, 100.0, 98.5, 99.0, 1.0)


class Sour(FakeDisk):
    """A disk that does not give requests out while it is sour."""

    sour = False

    def read(self, path, *, limit, start=0):
        if self.sour and "control" in path.parts:
            raise OSError(errno.EIO, "as the test says", str(path))
        return super().read(path, limit=limit, start=start)


def test_an_entry_that_was_cancelled_is_not_made_while_the_request_cannot_be_read():
    spec = StrategySpec(name="a", function=once(2, entry=99.0), every="1m")
    grid = candles([*flat(HISTORY), *flat(5), DIP, *flat(20)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)], disk=Sour())
    key = Key("a", "BTCUSDT")

    def cancel(process):
        send(world.disk, world.home, key, "cancel", wall=world.clock.now())
        world.disk.sour = True

    def heal(process):
        assert "cannot be read" in str(process.runs[0].error)
        world.disk.sour = False

    actions = [Action(minute(4) + 30_000, cancel), Action(minute(8) + 30_000, heal)]
    assert world.live(until(10), actions)
    events = world.events(world.wanted[0])
    told = [((event.at - T0) // 60_000, event.kind) for event in events if event.kind != "skipped"]
    assert told == [(2, "scheduled"), (5, "cancelled")]
