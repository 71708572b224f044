"""A small world: a clock, an exchange, a disk, and processes that live on them and die.

Each `Process` runs the real live loop (`tradenb.live.loop.supervisor`) with the real files, on one
thread and in virtual time. The world outlives its processes and remembers what it was told by them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.bus import Bus
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import LiveRun, handle_of, record_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Engine
from tradenb.live.state.disk_storage import DiskShelf
from tradenb.live.state.storage import Kept
from tradenb.store.paths import Home
from tradenb.testing.world.fake_clock import FakeClock
from tradenb.testing.world.fake_disk import Crash, FakeDisk
from tradenb.testing.world.fake_exchange import FakeExchange
from tradenb.testing.world.inline_workers import InlineWorkers

_FAR: Final = 1 << 60
LOOK_S: Final = 20.0
Wanted = tuple[str, StrategySpec]


class Deed(NamedTuple):
    """What is done to a process at a moment, ms UTC by true time."""

    at: int
    act: Callable[[Process], object]


class World:
    """What processes live in.

    Parameters
    ----------
    source : exchange or dict of str to Candles
    start : int, str, datetime or Timestamp
        First moment, UTC.
    runs : sequence of (symbol, strategy)
        What every process runs, in this order.
    rules : Rules, optional
    shelf : callable
        Makes the shelf of a run, for those who want to look inside.
    disk : FakeDisk, optional

    Attributes
    ----------
    clock : FakeClock
    disk : FakeDisk
    exchange : FakeExchange
    bus : Bus
        Subscribers of all processes.
    announced : list of Event
        What subscribers were told, repetitions included.
    """

    def __init__(
        self,
        source: CandleSource | Mapping[str, Candles],
        *,
        start: TimeLike,
        runs: Sequence[Wanted],
        rules: Rules | None = None,
        shelf: Callable[..., DiskShelf] = DiskShelf,
        disk: FakeDisk | None = None,
    ) -> None:
        self.clock = FakeClock(start)
        self.disk = disk or FakeDisk()
        self.exchange = FakeExchange(source, self.clock)
        self.home = Home(Path("/trader/dump"))
        self.rules = rules or Rules()
        self.wanted = list(runs)
        self.bus = Bus()
        self.announced: list[Event] = []
        self.make_shelf = shelf
        self.bus.subscribe(self._hear, mode="live")

    def process(self) -> Process:
        """Start a process; opening its files may raise StateError, or Crash if it dies over it."""
        try:
            return Process(self)
        except Crash:
            self.disk.restart()
            raise

    def live(self, until: int, deeds: Iterable[Deed] = ()) -> bool:
        """Let one process live until a moment; tell whether it did not die before."""
        try:
            process = self.process()
        except Crash:
            return False
        return process.live(until, deeds)

    def events(self, run: Wanted) -> list[Event]:
        """Return the journal of a run, read by somebody who has no lock."""
        symbol, spec = run
        return self.make_shelf(
            self.home, symbol, spec, "fake", now=_epoch, filesystem=self.disk
        ).events()

    def kept(self, run: Wanted) -> Kept | None:
        """Open what a run left on disk, as the next start would, and give it back."""
        symbol, spec = run
        shelf = DiskShelf(self.home, symbol, spec, "fake", now=_epoch, filesystem=self.disk)
        found = shelf.open()
        shelf.close()
        return found

    def _hear(self, event: Event) -> None:
        if event.seq:
            self.announced.append(event)


class Process:
    """One process with its live loop; made by `World.process`.

    Attributes
    ----------
    runs : list of LiveRun
    engine : Engine
    workers : InlineWorkers
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.workers = InlineWorkers()
        self.engine = _ThreadlessEngine(
            world.clock, self.workers, world.bus, end=_FAR, look_s=LOOK_S
        )
        self.runs: list[LiveRun] = []
        try:
            for symbol, spec in world.wanted:
                self._open(symbol, spec)
        except BaseException:
            self._bury()
            raise

    def run(self, symbol: str, strategy: str) -> LiveRun:
        """Return one of its runs."""
        return next(run for run in self.runs if (run.symbol, run.strategy) == (symbol, strategy))

    def live(self, until: int, deeds: Iterable[Deed] = ()) -> bool:
        """Live until a moment (true time, ms UTC), then release the runs.

        Returns
        -------
        bool
            False if it died before, at a `Crash` of the disk or by `kill`.
        """
        return self.world.clock.run(self._live(until, sorted(deeds, key=_moment)))

    def kill(self) -> None:
        """Die here and now, as by `kill -9`."""
        self.workers.die()

    async def _live(self, until: int, deeds: Sequence[Deed]) -> bool:
        asyncio.get_running_loop().set_exception_handler(_let_the_dead_rest)
        loop = asyncio.ensure_future(self.engine._serve())
        self.workers.on_death = loop.cancel
        guide = asyncio.ensure_future(self._guide(until, deeds))
        guide.add_done_callback(lambda done: _end_with(loop, done))
        try:
            await loop
        except (asyncio.CancelledError, Crash):
            self.workers.die()
        finally:
            guide.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await guide  # raises what a deed raised
        if self.workers.dead:
            self._bury()
        return not self.workers.dead

    async def _guide(self, until: int, deeds: Sequence[Deed]) -> None:
        for deed in deeds:
            await self._until(deed.at)
            deed.act(self)
            self.engine.wake()
        await self._until(until)
        for run in self.runs:
            record_of(run).leaving = True
        self.engine.wake()

    async def _until(self, at: int) -> None:
        await asyncio.sleep(max(0, at - self.world.clock.true_now()) / 1000)

    def _open(self, symbol: str, spec: StrategySpec) -> None:
        world = self.world
        shelf = world.make_shelf(
            world.home,
            symbol,
            spec,
            world.exchange.name,
            now=world.clock.now,
            filesystem=world.disk,
        )
        run = RunRecord(
            symbol, spec, world.exchange, world.rules, shelf, world.clock, self.engine.wake
        )
        self.runs.append(handle_of(run))
        run.kept = shelf.open()
        run.place = len(self.runs) - 1 if run.kept is None else run.kept.place
        self.engine.add(run)

    def _bury(self) -> None:
        """Do what the system does for a dead process: its handles and locks are gone."""
        self.world.disk.restart()
        for run in self.runs:
            with contextlib.suppress(OSError):
                shelf: Any = record_of(run).shelf
                shelf._lock.release()


class _ThreadlessEngine(Engine):
    """The real engine, for those who run its loop themselves."""

    def _start(self) -> None:
        return


def _let_the_dead_rest(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


def _end_with(loop: asyncio.Task[None], guide: asyncio.Task[None]) -> None:
    if not guide.cancelled() and guide.exception() is not None:
        loop.cancel()


def _epoch() -> int:
    return 0


def _moment(deed: Deed) -> int:
    return deed.at
