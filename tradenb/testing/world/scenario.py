"""What the simulator draws from a seed: a market, and what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Candles, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, MINUTE, floor_to
from tradenb.testing.world.fake_exchange import Trouble, TroubleKind

SYMBOL: Final = "SIMUSDT"
START: Final = 1_704_067_200_000
HISTORY: Final = 8
QUIET: Final = 4 * MINUTE
EVENTFUL: Final = 8
"""Minutes that a last phase is longer in which candles come badly."""
CLOCKS_AHEAD: Final = (300, 3_600, 18_000, 400 * DAY // 1000)
DOWNTIMES: Final = (0, 2, 40, 300, 4_000, 40_000, 2 * DAY // 1000)
TROUBLES: Final[tuple[TroubleKind, ...]] = (
    "error",
    "hang",
    "empty",
    "late",
    "forming",
    "duplicates",
    "unsorted",
    "garbage",
    "overlap",
    "short",
)
RequestKind = Literal["flatten", "cancel", "stop"]
Ending = Literal["release", "kill", "crash", "power"]


class PlannedRequest(NamedTuple):
    """A request that another process writes: when, what, for which strategy."""

    at: int
    kind: RequestKind
    strategy: str


class Arrivals(NamedTuple):
    """What goes wrong with the candles of some minutes of a process; `first` counts from 0."""

    kind: Literal["error", "delayed", "revised"]
    first: int
    minutes: int
    seconds: int


@dataclass
class Phase:
    """One process, and how long nothing runs after it; its clock is ahead until it is put right.

    `foreign_file` is when a file of another user comes among its requests, and for how long, s.
    """

    minutes: int
    ending: Ending
    downtime_s: int
    crash_at: int = 0
    disk_error: str | None = None
    error_at: int = 0
    troubles: list[tuple[TroubleKind, int, int]] = field(default_factory=list)
    foreign_file: tuple[int, int] | None = None
    clock_ahead_s: int = 0
    put_right_s: int = 0
    arrivals: list[Arrivals] = field(default_factory=list)

    @property
    def change_ms(self) -> int:
        """How long after its close a candle may be changed, ms."""
        changes = [each.seconds for each in self.arrivals if each.kind == "revised"]
        return 1000 * max(changes, default=0)


@dataclass
class Scenario:
    """All that a seed decides beforehand."""

    seed: int
    candles: Candles
    shared: bool
    phases: list[Phase]
    tells_time: bool = True

    @property
    def start(self) -> int:
        """When the first process starts, ms UTC."""
        return START + HISTORY * MINUTE


def scenario_of(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    random = Random(seed)
    shared = random.random() < 0.3
    phases = [_phase(random) for _ in range(random.choice((2, 3, 3, 4)))]
    _put_clocks_ahead(phases, clocks := Random(f"{seed}:clock"))
    phases.append(Phase(QUIET // MINUTE + 3, "release", 0))
    minutes = sum(item.minutes + item.downtime_s // 60 + 4 for item in phases) + 60
    _leave_foreign_files(phases, Random(f"{seed}:foreign"))
    _add_arrivals(Random(f"{seed}:arrivals"), phases[-1])
    market = _market(random, HISTORY + minutes)
    return Scenario(seed, market, shared, phases, tells_time=clocks.random() < 0.5)


def _leave_foreign_files(phases: list[Phase], random: Random) -> None:
    """Let files of another user be among the requests to some processes for a while."""
    for phase in phases:
        begin, length = random.choice((0, 30, 90)), random.choice((40, 150, 400))
        if random.random() < 0.2 and not phase.clock_ahead_s:
            phase.foreign_file = (begin, length)


def _put_clocks_ahead(phases: list[Phase], random: Random) -> None:
    """Let the clock of some processes be ahead when they start, and be put right later."""
    for phase in phases:
        if random.random() < 0.15:
            phase.clock_ahead_s = random.choice(CLOCKS_AHEAD)
            phase.put_right_s = random.randrange(phase.minutes * 60)
            # With the clock ahead, nothing tells a forming candle from a closed one.
            phase.troubles = [each for each in phase.troubles if each[0] != "forming"]


def _phase(random: Random) -> Phase:
    endings: tuple[Ending, ...] = ("release", "kill", "crash", "crash", "power", "power")
    found = Phase(
        minutes=random.choice((3, 6, 10)),
        ending=random.choice(endings),
        downtime_s=random.choice(DOWNTIMES),
        crash_at=random.randrange(350),
    )
    if random.random() < 0.5:
        found.disk_error = random.choice(("full", "once"))
        found.error_at = random.randrange(200)
    for _ in range(random.choice((0, 0, 1, 2))):
        begin = random.randrange(found.minutes * 60)
        found.troubles.append((random.choice(TROUBLES), begin, random.choice((3, 20, 100))))
    return found


def _add_arrivals(random: Random, last: Phase) -> None:
    """Let candles fail in the second of the tick, come late, or be changed in the last phase.

    Nothing else goes wrong in it: so each of its decisions has to be made.
    """
    kinds: tuple[Literal["error", "delayed", "revised"], ...] = ("error", "delayed", "revised")
    kind = random.choice((None, None, *kinds))
    if kind is None:
        return
    seconds = random.randrange(3, 59) if kind == "delayed" else random.randrange(3, 290)
    last.minutes += EVENTFUL + seconds // 60  # the last change is seen before the end
    last.arrivals.append(Arrivals(kind, random.randrange(1, 4), EVENTFUL, seconds))
    if kind == "revised":  # the first request of a minute is the one that looks back
        last.arrivals.append(Arrivals("error", random.randrange(1, 6), 2, 0))


def troubles_of(phase: Phase, now: int) -> list[Trouble]:
    """Return the troubles of a phase that begins now."""
    found = [
        Trouble(kind, now + begin * 1000, now + (begin + length) * 1000)
        for kind, begin, length in phase.troubles
    ]
    for kind, first, minutes, seconds in phase.arrivals:
        begin = floor_to(now) + first * MINUTE
        end = begin + minutes * MINUTE
        if kind == "error":  # one request of each minute, whenever it comes
            found += [Trouble(kind, at, at + MINUTE, times=1) for at in range(begin, end, MINUTE)]
        else:
            found.append(Trouble(kind, begin, end, seconds=seconds))
    return found


def requests_of(scenario: Scenario, phase: Phase, now: int, *, last: bool) -> list[PlannedRequest]:
    """Draw the requests of other processes during a phase and the downtime after it."""
    random = Random(f"{scenario.seed}:{now}")
    span = phase.minutes * 60_000 + min(phase.downtime_s, 3_600) * 1000
    requests = []
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        at = now + random.randrange(1, span)
        requests.append(
            PlannedRequest(at, random.choice(("flatten", "flatten", "cancel")), random.choice("ab"))
        )
    if last and random.random() < 0.2:
        requests.append(PlannedRequest(now + random.randrange(1, QUIET // 2), "stop", "a"))
    return sorted(requests)


def _market(random: Random, count: int) -> Candles:
    """Draw a walk around 100 in steps of a quarter; moves are few, so that positions last."""
    draw = np.random.default_rng(random.getrandbits(32))
    moves = draw.integers(-2, 3, count)
    close = 100.0 + 0.25 * np.abs((np.cumsum(moves) + 40) % 160 - 80) - 10.0
    open_ = np.concatenate(([close[0]], close[:-1]))
    high = np.maximum(open_, close) + 0.25 * draw.integers(0, 3, count)
    low = np.minimum(open_, close) - 0.25 * draw.integers(0, 3, count)
    volume = draw.integers(0, 4, count).astype(np.float64)
    times = START + MINUTE * np.arange(count)
    there = np.ones(count, dtype=np.bool_)
    if draw.integers(0, 3) == 0:  # single minutes are missing, and in places half an hour
        there = draw.integers(0, 8, count) > 0
        for first in draw.integers(0, count, 2).tolist():
            there[first : first + int(draw.integers(16, 30))] = False
        there[[0, -1]] = True
    rows = Rows(times, open_, high, low, close, volume).take(np.flatnonzero(there))
    return with_gaps(rows, MINUTE, Rules().gap_minutes)[0]
