"""The simulator: whole lives of live runs from one number each, with everything that goes wrong.

A life is drawn from a seed (`lives.py`): processes that run the real live loop on a fake disk, a
fake exchange and a fake clock, and that are released, killed, die at an operation of the disk, or
lose power; then nobody runs for seconds or days. In the end the files must say what a backtest says
over the same candles and commands, whose strategy says nothing where it was not asked live.

`python -m tradenb.testing.simulation --seeds 5000` lives many of them; the same seed is the same
life on every machine.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import logging
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tradenb.call_errors import readable
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, TradenbError
from tradenb.store.control import Request
from tradenb.store.paths import Key
from tradenb.store.strict_json import dump
from tradenb.testing.world.ask_ledger import Ledger, watched
from tradenb.testing.world.fake_disk import Crash, FakeDisk
from tradenb.testing.world.simulated_lives import (
    SYMBOL,
    Life,
    Order,
    Stretch,
    life_of,
    orders_of,
    strategies_of,
    troubles_of,
)
from tradenb.testing.world.small_world import Deed, Process, World
from tradenb.testing.world.verdict import problems_of

_SIGNS: Final = 16


class Outcome(NamedTuple):
    """What became of a seed.

    Attributes
    ----------
    seed : int
    problems : tuple of str
        Empty if everything held.
    events, deaths, operations : int
        Events in the journals, processes that died, operations of the disk.
    signature : str
        Equal for equal histories.
    """

    seed: int
    problems: tuple[str, ...]
    events: int
    deaths: int
    operations: int
    signature: str


@readable
def simulate(seed: int) -> Outcome:
    """Live the life of a seed, and judge it."""
    return Simulation(life_of(seed)).run()


class Simulation:
    """One life.

    Attributes
    ----------
    world : World
    specs : list of StrategySpec
    ledgers : dict of str to Ledger
        By strategy.
    orders : list of Order
        What was asked for from outside.
    """

    def __init__(self, life: Life) -> None:
        self.life = life
        self.ledgers = {name: Ledger() for name in "ab"}
        self.specs: list[StrategySpec] = strategies_of(life, self._hear)
        self.world = World(
            {SYMBOL: life.candles},
            start=life.start + 2_500,
            runs=[(SYMBOL, spec) for spec in self.specs],
            shelf=watched(self.ledgers.__getitem__),
            disk=_Disk(),
        )
        self.orders: list[Order] = []
        self._left: set[Order] = set()
        self.deaths = 0
        self.failed_starts = 0
        self._chance = Random(f"{life.seed}:power")

    def run(self) -> Outcome:
        """Live, and judge."""
        for stretch in self.life.stretches:
            self._live(stretch, last=stretch is self.life.stretches[-1])
        found = problems_of(self)
        journals = [self.world.events(run) for run in self.world.wanted]
        told = [(event.seq, event.wall) for event in self.world.announced]
        text = repr((journals, told, len(self.world.disk.operations)))
        signature = hashlib.sha256(text.encode()).hexdigest()[:_SIGNS]
        count, operations = sum(map(len, journals)), len(self.world.disk.operations)
        return Outcome(self.life.seed, tuple(found), count, self.deaths, operations, signature)

    def _hear(self, strategy: str, at: int) -> bool:
        self.ledgers[strategy].asked(at)
        return True

    def _live(self, stretch: Stretch, *, last: bool) -> None:
        world = self.world
        now = world.clock.true_now()
        for order in orders_of(self.life, stretch, now, last=last):
            if order.strategy in {spec.name for spec in self.specs}:
                self.orders.append(order)
        mine = [order for order in self.orders if order not in self._left]
        world.exchange.troubles = troubles_of(stretch, now)
        self._spoil(stretch)
        process = self._start()
        until = now + stretch.minutes * 60_000
        if process is not None:
            deeds = [Deed(order.at, partial(self._leave_meanwhile, order)) for order in mine]
            deeds += _ends(stretch, now, until)
            alive = process.live(until, [deed for deed in deeds if deed.at < until])
            self.deaths += not alive
            if not alive and stretch.ending == "power":
                self._lose_power()
        world.disk.heal()
        self._pass(max(until, now), stretch.downtime_s, mine)

    def _start(self) -> Process | None:
        try:
            return self.world.process()
        except Crash:
            self.deaths += 1
        except StateError:
            self.failed_starts += 1
        return None

    def _spoil(self, stretch: Stretch) -> None:
        disk = self.world.disk
        if stretch.ending in ("crash", "power"):
            disk.crash(stretch.crash_at, done=bool(stretch.crash_at % 2))
        if stretch.disk_error == "once":
            disk.fail(stretch.error_at, errno.EIO)
        if stretch.disk_error == "full":
            disk.fail(stretch.error_at, errno.ENOSPC, forever=True)

    def _lose_power(self) -> None:
        disk = self.world.disk
        pending = range(len(disk.pending))
        disk.power_loss([n for n in pending if self._chance.random() < 0.5], self._chance)

    def _pass(self, until: int, seconds: int, orders: Iterable[Order]) -> None:
        """Let time go by with nobody there; requests come all the same."""
        clock = self.world.clock
        clock.advance(max(0, until - clock.true_now()) / 1000 + seconds)
        for order in orders:
            if order not in self._left:
                self._leave(order)

    def _leave_meanwhile(self, order: Order, process: Process) -> None:
        del process
        self._leave(order)

    def _leave(self, order: Order) -> None:
        """Leave a request, as another process does."""
        home, key = self.world.home, Key(order.strategy, SYMBOL)
        id = f"r{self.orders.index(order)}"
        given = Request(
            id=id, wall=order.at, kind=order.kind, strategy=order.strategy, symbol=SYMBOL
        )
        path = home.control(key) / f"{order.at:015d}-{id}.json"
        self.world.disk.plant(path, dump(given.model_dump()) + b"\n")
        self._left.add(order)


class _Disk(FakeDisk):
    """A disk on which reading the kill switch never fails: it would say halt, and be right."""

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        if path.name == "KILL":
            raise FileNotFoundError(errno.ENOENT, "no kill switch", str(path))
        return super().read(path, limit=limit, start=start)


def _ends(stretch: Stretch, now: int, until: int) -> list[Deed]:
    """Return what happens to the process by the clock."""
    deeds = [Deed(until - 5_000, lambda process: process.kill())] * (stretch.ending == "kill")
    if stretch.disk_error == "full":
        heals = now + max(1, stretch.minutes - 2) * 60_000
        deeds.append(Deed(heals, lambda process: process.world.disk.heal()))
    return deeds


def main(arguments: list[str] | None = None) -> int:
    """Live many seeds; print those that failed."""
    parser = argparse.ArgumentParser(prog="python -m tradenb.testing.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many; default 200")
    parser.add_argument("--first", type=int, default=0, help="the first one; default 0")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    began, failed, deaths, events = time.perf_counter(), 0, 0, 0
    for seed in range(given.first, given.first + given.seeds):
        outcome = _survived(seed)
        deaths, events = deaths + outcome.deaths, events + outcome.events
        if outcome.problems:
            failed += 1
            sys.stdout.write(f"seed {seed} failed:\n  " + "\n  ".join(outcome.problems) + "\n")
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{given.seeds} lives, {deaths} deaths, {events} events, {failed} failed, {seconds:.0f} s\n"
    )
    return min(failed, 1)


def _survived(seed: int) -> Outcome:
    try:
        return simulate(seed)
    except (TradenbError, RuntimeError, OSError) as error:
        return Outcome(seed, (f"{type(error).__name__}: {error}",), 0, 0, 0, "")


if __name__ == "__main__":
    sys.exit(main())
