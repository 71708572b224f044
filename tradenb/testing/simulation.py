"""The simulator: live runs with everything that goes wrong, each scenario from one number.

A scenario is drawn from a seed (`world/scenario.py`): processes run the real live loop on a fake
disk, a fake exchange and a fake clock; they are released, killed, die at an operation of the disk,
or lose power; then nothing runs for seconds or days. In the end the journals must have the events
of a backtest over the same candles and requests (`world/simulation_checks.py`).

`python -m tradenb.testing.simulation --seeds 5000` runs many of them; the same seed gives the same
scenario on every machine.
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
from tradenb.store.codec import dump
from tradenb.store.control import Request
from tradenb.store.paths import Key
from tradenb.testing.world.call_log import CallLog, watched_storage
from tradenb.testing.world.fake_disk import Crash
from tradenb.testing.world.foreign_files import ForeignDisk, ForeignFile, asked_meanwhile
from tradenb.testing.world.scenario import (
    SYMBOL,
    Phase,
    PlannedRequest,
    Scenario,
    requests_of,
    scenario_of,
    troubles_of,
)
from tradenb.testing.world.scenario_strategies import strategies_of
from tradenb.testing.world.simulated_world import Action, Process, World
from tradenb.testing.world.simulation_checks import SimulatedRun, in_the_future, problems_of

_SIGNS: Final = 16


class SimulationResult(NamedTuple):
    """What a scenario gave.

    Attributes
    ----------
    problems : tuple of str
        Empty if all laws held.
    events, deaths, operations : int
        Events in the journals, processes that died, operations of the disk.
    signature : str
        Equal if the same happened.
    """

    seed: int
    problems: tuple[str, ...]
    events: int
    deaths: int
    operations: int
    signature: str


@readable
def simulate(seed: int) -> SimulationResult:
    """Run the scenario of a seed, and check what is left of it.

    Examples
    --------
    >>> found = simulate(1)
    >>> found.problems, found == simulate(1)
    ((), True)
    """
    return Simulation(scenario_of(seed)).run()


class Simulation:
    """One scenario; `requests` are what other processes ask for."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.call_logs = {name: CallLog() for name in "ab"}
        self.specs: list[StrategySpec] = strategies_of(scenario, self._on_call)
        self.world = World(
            {SYMBOL: scenario.candles},
            start=scenario.start + 2_500,
            runs=[(SYMBOL, spec) for spec in self.specs],
            storage=watched_storage(self.call_logs.__getitem__),
            disk=_Disk(),
        )
        self.foreign: list[ForeignFile] = []
        self.world.exchange.tells_time = scenario.tells_time
        self.requests: list[PlannedRequest] = []
        self._written: set[PlannedRequest] = set()
        self.found: list[str] = []
        self.last_at = 0
        self.deaths = 0
        self._chance = Random(f"{scenario.seed}:power")

    def run(self) -> SimulationResult:
        """Run all phases, and check."""
        for phase in self.scenario.phases:
            self._run_phase(phase, last=phase is self.scenario.phases[-1])
        run = SimulatedRun(
            self.scenario, self.world, self.specs, self.call_logs, self.requests, self.last_at
        )
        windows = [window for file in self.foreign for window in file.windows]
        self.found += [words for file in self.foreign for words in file.problems]
        self.found += asked_meanwhile(windows, self.call_logs["a"].effective)
        found = [*self.found, *problems_of(run)]
        journals = [self.world.events(run) for run in self.world.wanted]
        announced = [(event.seq, event.wall) for event in self.world.announced]
        text = repr((journals, announced, len(self.world.disk.operations)))
        signature = hashlib.sha256(text.encode()).hexdigest()[:_SIGNS]
        count, operations = sum(map(len, journals)), len(self.world.disk.operations)
        return SimulationResult(
            self.scenario.seed, tuple(found), count, self.deaths, operations, signature
        )

    def _on_call(self, strategy: str, at: int) -> bool:
        self.call_logs[strategy].called(at)
        return True

    def _run_phase(self, phase: Phase, *, last: bool) -> None:
        world = self.world
        now = self.last_at = world.clock.true_now()
        for request in requests_of(self.scenario, phase, now, last=last):
            if request.strategy in {spec.name for spec in self.specs}:
                self.requests.append(request)
        mine = [request for request in self.requests if request not in self._written]
        world.exchange.troubles = troubles_of(phase, now)
        world.clock.jump(phase.clock_ahead_s * 1000)
        # Faults count operations from here, so the start itself may be hit by them.
        self._inject_faults(phase)
        process = self._start()
        until = now + phase.minutes * 60_000
        if process is not None:
            actions = [
                Action(request.at, partial(self._write_meanwhile, request)) for request in mine
            ]
            actions += _timed_actions(phase, now, until)
            actions += self._leave_foreign_file(phase, now)
            alive = process.live(until, [action for action in actions if action.at < until])
            self.deaths += not alive
            self.found += in_the_future(process, phase, began=now)
            if not alive and phase.ending == "power":
                self._lose_power()
        # Requests that the process did not live to see wait on disk for the next one.
        world.disk.heal()
        for file in self.foreign:
            file.remove()
        world.clock.offset = 0
        self._pass_downtime(max(until, now), phase.downtime_s, mine)

    def _leave_foreign_file(self, phase: Phase, now: int) -> list[Action]:
        if phase.foreign_file is None:
            return []
        begin, length = (1000 * seconds for seconds in phase.foreign_file)
        watched = not phase.troubles and phase.disk_error is None
        key, candles = Key("a", SYMBOL), self.scenario.candles
        self.foreign.append(ForeignFile(self.world, key, candles, watched=watched))
        return self.foreign[-1].actions(now + begin + 1, now + begin + length)

    def _start(self) -> Process | None:
        try:
            return self.world.process()
        except Crash:
            self.deaths += 1
        except StateError:
            pass
        return None

    def _inject_faults(self, phase: Phase) -> None:
        disk = self.world.disk
        if phase.ending in ("crash", "power"):
            disk.crash(phase.crash_at, done=bool(phase.crash_at % 2))
        if phase.disk_error == "once":
            disk.fail(phase.error_at, errno.EIO)
        if phase.disk_error == "full":
            disk.fail(phase.error_at, errno.ENOSPC, forever=True)

    def _lose_power(self) -> None:
        disk = self.world.disk
        pending = range(len(disk.pending))
        disk.power_loss([n for n in pending if self._chance.random() < 0.5], self._chance)

    def _pass_downtime(self, until: int, seconds: int, requests: Iterable[PlannedRequest]) -> None:
        """Let time pass without a process; requests come all the same."""
        clock = self.world.clock
        clock.advance(max(0, until - clock.true_now()) / 1000 + seconds)
        for request in requests:
            if request not in self._written:
                self._write(request)

    def _write_meanwhile(self, request: PlannedRequest, process: Process) -> None:
        del process
        self._write(request)

    def _write(self, request: PlannedRequest) -> None:
        """Write a request to disk, as another process does."""
        home, key = self.world.home, Key(request.strategy, SYMBOL)
        id = f"r{self.requests.index(request)}"
        given = Request(
            id=id, wall=request.at, kind=request.kind, strategy=request.strategy, symbol=SYMBOL
        )
        path = home.control(key) / f"{request.at:015d}-{id}.json"
        self.world.disk.plant(path, dump(given.record) + b"\n")
        self._written.add(request)


class _Disk(ForeignDisk):
    """A disk on which reading the kill switch never fails: the run would halt, as it must.

    Nor does listing the requests: candles that are fed meanwhile would go on without them.
    """

    def names(self, folder: Path) -> list[str]:
        try:
            return super().names(folder)
        except OSError as error:
            if error.errno != errno.EIO or "control" not in folder.parts:
                raise
            return super().names(folder)  # the fault was for one operation

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        if path.name == "KILL":
            raise FileNotFoundError(errno.ENOENT, "no kill switch", str(path))
        return super().read(path, limit=limit, start=start)


def _timed_actions(phase: Phase, now: int, until: int) -> list[Action]:
    """Return what happens to the process at a set time."""
    actions = [Action(until - 5_000, lambda process: process.kill())] * (phase.ending == "kill")
    if phase.disk_error == "full":
        heals = now + max(1, phase.minutes - 2) * 60_000
        actions.append(Action(heals, lambda process: process.world.disk.heal()))
    if phase.clock_ahead_s:
        actions.append(Action(now + phase.put_right_s * 1000, _put_clock_right))
    return actions


def _put_clock_right(process: Process) -> None:
    process.world.clock.offset = 0


def main(arguments: list[str] | None = None) -> int:
    """Run many scenarios; print those that failed."""
    parser = argparse.ArgumentParser(prog="python -m tradenb.testing.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many; default 200")
    parser.add_argument("--first", type=int, default=0, help="the first one; default 0")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    began, failed, deaths, events = time.perf_counter(), 0, 0, 0
    for seed in range(given.first, given.first + given.seeds):
        result = _simulated(seed)
        deaths, events = deaths + result.deaths, events + result.events
        if result.problems:
            failed += 1
            sys.stdout.write(f"seed {seed} failed:\n  " + "\n  ".join(result.problems) + "\n")
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{given.seeds} scenarios, {deaths} deaths, {events} events, {failed} failed, "
        f"{seconds:.0f} s\n"
    )
    return min(failed, 1)


def _simulated(seed: int) -> SimulationResult:
    try:
        return simulate(seed)
    except (TradenbError, RuntimeError, OSError) as error:
        return SimulationResult(seed, (f"{type(error).__name__}: {error}",), 0, 0, 0, "")


if __name__ == "__main__":
    sys.exit(main())
