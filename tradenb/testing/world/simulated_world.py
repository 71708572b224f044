"""A simulated world: a clock, an exchange, a disk, and processes that run on them and die.

Each `Process` runs the real live loop (`tradenb.live.loop.supervisor`) with the real files, on one
thread and in virtual time. The world outlives its processes and records the events they announce.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.bus import Bus
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike, iso
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import LiveRun, handle_of, record_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Supervisor
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Home
from tradenb.testing.world.fake_clock import FakeClock
from tradenb.testing.world.fake_disk import Crash, FakeDisk
from tradenb.testing.world.fake_exchange import FakeExchange
from tradenb.testing.world.inline_workers import InlineWorkers

_FAR: Final = 1 << 60
POLL_S: Final = 20.0
Wanted = tuple[str, StrategySpec]


class Action(NamedTuple):
    """What a test does to a process at a moment, ms UTC by true time."""

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
    account : Account, optional
        The money of all runs.
    storage : callable
        Makes the storage of a run; a test gives one of its own to look inside.
    disk : FakeDisk, optional
    broker : Broker, optional
        Where the orders of all runs go.

    Attributes
    ----------
    clock : FakeClock
    disk : FakeDisk
    exchange : FakeExchange
    bus : Bus
        Subscribers of all processes.
    announced : list of Event
        Events that subscribers received, repetitions included.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("in a world", every="5m")
    ... def in_a_world(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=3)
    >>> market = tn.testing.random_walk(seed=7, days=2)
    >>> runs = [("BTCUSDT", in_a_world)]
    >>> world = World(market, start="2024-01-02", runs=runs)
    >>> world.live(world.clock.start + 600_000)  # ten minutes, in virtual time
    True
    >>> world.disk.power_loss()
    >>> world.live(world.clock.now() + 600_000)  # another process goes on
    True
    >>> {*map(lambda event: event.kind, world.events(runs[0]))} >= {"opened", "closed"}
    True
    """

    def __init__(
        self,
        source: CandleSource | Mapping[str, Candles],
        *,
        start: TimeLike,
        runs: Sequence[Wanted],
        rules: Rules | None = None,
        account: Account | None = None,
        storage: Callable[..., DiskStorage] = DiskStorage,
        disk: FakeDisk | None = None,
        broker: Broker | None = None,
    ) -> None:
        self.broker = broker
        self.clock = FakeClock(start)
        self.disk = disk or FakeDisk()
        self.exchange = FakeExchange(source, self.clock)
        self.home = Home(Path("/trader/dump"))
        self.rules = rules or Rules()
        self.account = account if broker is None else broker.live_account
        self.wanted = list(runs)
        self.bus = Bus()
        self.announced: list[Event] = []
        self.make_storage = storage
        self.bus.subscribe(self._on_event, mode="live")

    def __repr__(self) -> str:
        runs = ", ".join(f"{symbol}:{spec.name}" for symbol, spec in self.wanted)
        return f"<World at {iso(self.clock.true_now())}: {runs}>"

    def process(self) -> Process:
        """Start a process; opening its files raises StateError, or Crash if it dies meanwhile."""
        try:
            return Process(self)
        except Crash:
            self.disk.restart()
            raise

    def live(self, until: int, actions: Iterable[Action] = ()) -> bool:
        """Run one process until a moment; False if it died before."""
        try:
            process = self.process()
        except Crash:
            return False
        return process.live(until, actions)

    def events(self, run: Wanted) -> list[Event]:
        """Return the journal of a run, read without the lock."""
        symbol, spec = run
        return self.make_storage(
            self.home, symbol, spec, "fake", now=_epoch, filesystem=self.disk
        ).events()

    def checkpoint(self, run: Wanted) -> Checkpoint | None:
        """Open what a run left on disk, as the next start would, and close it again."""
        symbol, spec = run
        storage = DiskStorage(self.home, symbol, spec, "fake", now=_epoch, filesystem=self.disk)
        found = storage.open()
        storage.close()
        return found

    def _on_event(self, event: Event) -> None:
        if event.seq:
            self.announced.append(event)


class Process:
    """One process with its live loop; made by `World.process`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.workers = InlineWorkers()
        self.supervisor = _ThreadlessSupervisor(
            world.clock, self.workers, world.bus, end=_FAR, poll_s=POLL_S
        )
        self.runs: list[LiveRun] = []
        try:
            for symbol, spec in world.wanted:
                self._open(symbol, spec)
        except BaseException:
            self._release_handles()
            raise

    def __repr__(self) -> str:
        return f"<Process with {', '.join(run.id for run in self.runs)}>"

    def run(self, symbol: str, strategy: str) -> LiveRun:
        """Return one of its runs."""
        return next(run for run in self.runs if (run.symbol, run.strategy) == (symbol, strategy))

    def live(self, until: int, actions: Iterable[Action] = ()) -> bool:
        """Run until a moment (true time, ms UTC), then release the runs.

        Returns
        -------
        bool
            False if it died before, at a `Crash` of the disk or by `kill`.
        """
        return self.world.clock.run(self._live(until, sorted(actions, key=attrgetter("at"))))

    def kill(self) -> None:
        """Die here and now, as by `kill -9`."""
        self.workers.die()

    async def _live(self, until: int, actions: Sequence[Action]) -> bool:
        # A crash is raised in whatever task touches the disk. The loop must then end as a process
        # does: at once, with nothing run after it, so it is cancelled from outside.
        asyncio.get_running_loop().set_exception_handler(_ignore_crashes)
        loop = asyncio.ensure_future(self.supervisor._serve())
        self.workers.on_death = loop.cancel
        script = asyncio.ensure_future(self._perform(until, actions))
        script.add_done_callback(lambda done: _cancel_if_failed(loop, done))
        try:
            await loop
        except (asyncio.CancelledError, Crash):
            self.workers.die()
        finally:
            script.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await script  # raises what an action raised
        if self.workers.dead:
            self._release_handles()
        return not self.workers.dead

    async def _perform(self, until: int, actions: Sequence[Action]) -> None:
        for action in actions:
            await self._until(action.at)
            action.act(self)
            self.supervisor.wake()
        await self._until(until)
        for run in self.runs:
            record_of(run).releasing = True
        self.supervisor.wake()

    async def _until(self, at: int) -> None:
        await asyncio.sleep(max(0, at - self.world.clock.true_now()) / 1000)

    def _open(self, symbol: str, spec: StrategySpec) -> None:
        world = self.world
        storage = world.make_storage(
            world.home,
            symbol,
            spec,
            world.exchange.name,
            now=world.clock.now,
            filesystem=world.disk,
            account=world.account,
            **({} if world.broker is None else {"orders_of": world.broker.id}),
        )
        run = RunRecord(
            symbol,
            spec,
            world.exchange,
            world.rules,
            storage,
            world.clock,
            self.supervisor.wake,
            world.account,
            world.broker,
        )
        self.runs.append(handle_of(run))
        run.checkpoint = storage.open()
        run.place = len(self.runs) - 1 if run.checkpoint is None else run.checkpoint.place
        self.supervisor.add(run)

    def _release_handles(self) -> None:
        """Do what the system does for a dead process: its handles and locks are gone."""
        self.world.disk.restart()
        for run in self.runs:
            with contextlib.suppress(OSError):
                storage: Any = record_of(run).storage
                storage.lock.release()


class _ThreadlessSupervisor(Supervisor):
    """The real engine, without its thread: `Process` runs the loop."""

    def _start(self) -> None:
        return


def _ignore_crashes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


def _cancel_if_failed(loop: asyncio.Task[None], script: asyncio.Task[None]) -> None:
    if not script.cancelled() and script.exception() is not None:
        loop.cancel()


def _epoch() -> int:
    return 0
