"""A file of another user among the requests to a run, for a while: it cannot be read or moved.

Meanwhile no entry may be decided and no exit may be delayed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import iso
from tradenb.store.paths import Key
from tradenb.testing.world.fake_disk import FakeDisk
from tradenb.testing.world.injected_faults import refused
from tradenb.testing.world.simulated_world import Action, Process, World

NAME: Final = "foreign.json"
_REFUSED: Final = frozenset({"read", "replace", "unlink"})
# A strategy that hangs may hold a tick up, and a request is seen at the next one.
_SLOWEST_MS: Final = 180_000
_LATEST_ASK_MS: Final = 60_000


class Window(NamedTuple):
    """When the file was there, by true time, ms UTC."""

    begin: int
    end: int


class ForeignDisk(FakeDisk):
    """A disk on which the file of another user can be seen and nothing else."""

    def _step(self, name: str, path: Path, act: Callable[[], Any], half: Any = None) -> Any:
        if path.name == NAME and name in _REFUSED:
            raise refused(errno.EACCES, path)
        return super()._step(name, path, act, half)


class ForeignFile:
    """Leaves the file among the requests to one strategy, takes it away, and checks the run."""

    def __init__(self, world: World, key: Key, candles: Candles, *, watched: bool) -> None:
        self.windows: list[Window] = []
        self.problems: list[str] = []
        self._world = world
        self._key = key
        self._path = world.home.control(key) / NAME
        self._candles = candles
        self._watched = watched
        self._begin: int | None = None

    def actions(self, begin: int, end: int) -> list[Action]:
        """Return what happens when."""
        return [Action(begin, self._leave), Action(end, self._take_away)]

    def remove(self) -> None:
        """Take the file away, if it is there."""
        if self._begin is not None:
            self.windows.append(Window(self._begin, self._world.clock.true_now()))
            self._begin = None
            self._world.disk.remove(self._path)

    def _leave(self, process: Process) -> None:
        del process
        self._world.disk.plant(self._path, b"whatever another user writes")
        self._begin = self._world.clock.true_now()

    def _take_away(self, process: Process) -> None:
        begin, now = self._begin, self._world.clock.true_now()
        self.remove()
        run = process.run(self._key.symbol, self._key.strategy)
        if begin is None or not self._watched or run.status != "running":
            return
        ticks = run.ticks()
        newest = 0 if ticks.empty else int(ticks["at"].iloc[-1].timestamp() * 1000)
        # Where the market was closed since there was nothing to do.
        due = self._candles.ends_at(self._candles.index(now - _SLOWEST_MS))
        if newest < due and due > begin:
            words = "exits stood still while a request could not be read"
            self.problems.append(f"I9: {words}: {iso(newest)} at {iso(now)}")


def asked_meanwhile(windows: list[Window], asked: Set[int]) -> list[str]:
    """Check that no entry was decided while a request could not be read; closes, ms UTC."""
    return [
        f"I8: asked at {iso(at)} while a request could not be read"
        for window in windows
        for at in sorted(asked)
        if window.begin <= at <= window.end - _LATEST_ASK_MS
    ]
