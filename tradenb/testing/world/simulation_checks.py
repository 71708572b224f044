"""What must hold at the end of a simulated run: the laws I1 to I9, and equality with a backtest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb import backtest
from tradenb.core.candles.arrays import Candles, Intake
from tradenb.core.events import Event
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.serialise import event_to_row
from tradenb.engine.session.clearance import BOOK
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, StrategyError
from tradenb.live.live_run import record_of
from tradenb.live.loop.first_state import OLD_MS
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Key
from tradenb.testing.world.arrival_checks import acted_candles, arrival_problems
from tradenb.testing.world.call_log import CallLog
from tradenb.testing.world.comparable_events import comparable, first_difference
from tradenb.testing.world.inline_workers import Hang
from tradenb.testing.world.scenario import (
    SYMBOL,
    Phase,
    PlannedRequest,
    Scenario,
)
from tradenb.testing.world.scenario_strategies import strategies_of
from tradenb.testing.world.simulated_world import Process, World

LATE_MS: Final = 130_000


class SimulatedRun(NamedTuple):
    """A scenario that was run to its end, and what is left of it; logs are by strategy.

    `last_at` is when its last process started, ms UTC.
    """

    scenario: Scenario
    world: World
    specs: list[StrategySpec]
    call_logs: dict[str, CallLog]
    requests: list[PlannedRequest]
    last_at: int


def problems_of(run: SimulatedRun) -> list[str]:
    """Return what does not hold, a sentence each."""
    found = [words for log in run.call_logs.values() for words in log.problems]
    checkpoints: dict[str, Checkpoint] = {}
    for spec in run.specs:
        try:
            one = run.world.checkpoint((SYMBOL, spec))
        except StateError as error:
            return [*found, f"I4: {spec.name} cannot be read: {error}"]
        if one is None:
            return [*found, f"I4: {spec.name} has no document"]
        checkpoints[spec.name] = one
    journals = {spec.name: run.world.events((SYMBOL, spec)) for spec in run.specs}
    for spec in run.specs:
        problems = _problems(run, spec, checkpoints, journals[spec.name])
        found += [f"{spec.name}: {words}" for words in problems]
    if any(map(_is_blind, chain(*journals.values()))):
        return found  # a backtest has no disk that could refuse an entry
    expected = expected_events(run, checkpoints)
    for name, events in journals.items():
        own = [event for event in expected if event.strategy == name]
        differences = first_difference(comparable(events), comparable(own))
        found += [f"{name}: {words}" for words in differences]
    return found


def in_the_future(process: Process, phase: Phase, *, began: int) -> list[str]:
    """Check at the end of a phase that no run stands later than the time on the exchange is.

    Where nobody tells that time, the clock may be a little ahead until a minute after it was right.
    """
    world = process.world
    unknown = not world.exchange.tells_time and phase.clock_ahead_s * 1000 <= OLD_MS
    now = world.clock.true_now()
    if unknown and now < began + (phase.put_right_s + 90) * 1000:
        return []
    ahead = [run.symbol for run in map(record_of, process.runs) if run.cursor > now]
    return [f"I6: {symbol} stands in the future at {iso(now)}" for symbol in ahead]


def _is_blind(event: Event) -> bool:
    """Tell whether an entry was refused because the positions of others could not be read."""
    return event.kind == "error" and str(event.note).startswith(BOOK)


def _problems(
    run: SimulatedRun,
    spec: StrategySpec,
    checkpoints: dict[str, Checkpoint],
    events: Sequence[Event],
) -> list[str]:
    announced = [event for event in run.world.announced if event.strategy == spec.name]
    return [
        *_numbers(events, checkpoints[spec.name]),
        *_announced(announced, events),
        *_once(events),
        *_in_time(events),
        *_alive(run, checkpoints[spec.name]),
        *_views(run, spec),
        *arrival_problems(
            run.scenario.candles,
            recordings_of(run)[spec.name],
            events,
            every=spec.every_ms,
            first=floor_to(run.last_at) + MINUTE,
            end=checkpoints[spec.name].state.cursor,
            change_ms=run.scenario.phases[-1].change_ms,
        ),
    ]


def _numbers(events: Sequence[Event], checkpoint: Checkpoint) -> list[str]:
    numbers = [event.seq for event in events]
    if numbers != list(range(1, checkpoint.last_seq + 1)):
        return [f"I3: the journal counts {numbers}, the document {checkpoint.last_seq}"]
    return []


def _announced(announced: Sequence[Event], events: Sequence[Event]) -> list[str]:
    """Check that subscribers heard of every event of the journal, as it is written there."""
    by_number = {event.seq: event_to_row(event) for event in events}
    found = [
        f"I3: announced {event_to_row(event)}, the journal has {by_number.get(event.seq)}"
        for event in announced
        if by_number.get(event.seq) != event_to_row(event)
    ]
    missing = sorted(set(by_number) - {event.seq for event in announced})
    return [*found[:1], *([f"I3: never announced: {missing}"] if missing else [])]


def _once(events: Sequence[Event]) -> list[str]:
    """Positions: one at a time, each closed once."""
    kinds = Counter((event.kind, event_to_row(event)["signal_id"]) for event in events)
    twice = [key for key, n in kinds.items() if n > 1 and key[0] in ("opened", "closed")]
    found = [f"I2: {key} {kinds[key]} times" for key in twice]
    is_open = False
    for event in events:
        if event.kind in ("opened", "closed") and is_open == (event.kind == "opened"):
            found.append(f"I1: {event.kind} at {iso(event.at)} out of order")
        is_open = {"opened": True, "closed": False}.get(event.kind, is_open)
    return found


def _in_time(events: Sequence[Event]) -> list[str]:
    """No decision in the past; what is late says so."""
    found = []
    waiting: set[Any] = set()
    for event in events:
        age = (event.wall or 0) - event.at
        id = event_to_row(event)["signal_id"]
        decided = event.kind == "scheduled" or (event.kind == "opened" and id not in waiting)
        if event.kind == "scheduled":
            waiting.add(id)
        if decided and age > LATE_MS:
            found.append(f"an entry in the past: {event.kind} at {iso(event.at)}, {age} ms later")
        if event.kind != "error" and (age > LATE_MS) and not event.late:
            found.append(f"I9: {event.kind} at {iso(event.at)} is not flagged, {age} ms late")
    return found


def _alive(run: SimulatedRun, checkpoint: Checkpoint) -> list[str]:
    # A source that was late is asked at its usual delay, until it is known to be quick again.
    is_late = any(each.kind == "delayed" for each in run.scenario.phases[-1].arrivals)
    delay = MINUTE if is_late else 0
    now, candles = run.world.clock.true_now() - 3_000 - delay, run.scenario.candles
    newest = candles.ends_at(min(candles.index(now), len(candles) - 1))
    if checkpoint.state.done or checkpoint.state.cursor >= newest:
        return []
    return [f"I6: the cursor is {iso(checkpoint.state.cursor)}, the time is {iso(newest)}"]


def _views(run: SimulatedRun, spec: StrategySpec) -> list[str]:
    home, files = run.world.home, run.world.disk.files()
    key = Key(spec.name, SYMBOL)
    document = json.loads(files[home.document(key)])
    found = _second_generation(run, spec, home.document(key)) if document["seq"] > 1 else []
    view = json.loads(files[home.view("signal", key)])
    signal = document["body"]["state"]["signal"]
    if view["seq"] != document["seq"] or view.get("id") != (signal or {}).get("id"):
        found.append(f"I5: the view {view} is not of generation {document['seq']}")
    return found


def recordings_of(run: SimulatedRun) -> dict[str, list[Any]]:
    """Return what the runs wrote down since the last process started, by strategy."""
    found = {}
    for spec in run.specs:
        storage = run.world.make_storage(
            run.world.home, SYMBOL, spec, "fake", now=lambda: 0, filesystem=run.world.disk
        )
        lines = [*storage.recording(floor_to(run.last_at))]
        began = [place for place, line in enumerate(lines) if "begun" in line]
        found[spec.name] = lines[began[-1] :] if began else []
    return found


def _second_generation(run: SimulatedRun, spec: StrategySpec, document: Path) -> list[str]:
    """Damage the document on a copy of the disk: the generation before it must be readable."""
    disk = run.world.disk.copy()
    disk.plant(document, disk.files()[document][:-2])
    storage = DiskStorage(
        run.world.home, SYMBOL, spec, "fake", now=run.world.clock.now, filesystem=disk
    )
    try:
        storage.open()
        storage.close()
    except StateError as error:
        return [f"I4: no second generation: {error}"]
    return []


def expected_events(run: SimulatedRun, checkpoints: dict[str, Checkpoint]) -> list[Event]:
    """Backtest the same candles and requests.

    A strategy returns None where it was not called live, or where the result of the call was lost.
    """

    def on_call(strategy: str, at: int) -> bool:
        return at in run.call_logs[strategy].effective

    specs = [
        spec.replaced(_WithoutHangs(spec.function), _WithoutHangs)
        for spec in strategies_of(run.scenario, on_call)
    ]
    events: list[Event] = []
    lines = [line for lines in recordings_of(run).values() for line in lines]
    candles = acted_candles(run.scenario.candles, lines)
    groups = [specs] if run.scenario.shared else [[spec] for spec in specs]
    for group in groups:
        start = checkpoints[group[0].name].start
        end = max(checkpoints[spec.name].state.cursor for spec in group)
        if start == end:
            continue  # stopped before its first candle
        result = backtest.run(
            SYMBOL,
            strategy=group,
            exchange=Lookup(candles),
            start=start,
            end=end,
            rules=run.world.rules,
            commands=[
                {"at": at, "kind": kind, "symbol": SYMBOL, "strategy": strategy}
                for at, kind, strategy in (*run.requests, *_halts(run))
                if strategy in {spec.name for spec in group}
            ],
        )
        events += result.event_list
    return events


def _halts(run: SimulatedRun) -> list[PlannedRequest]:
    logs = run.call_logs.items()
    return [PlannedRequest(at, "cancel", name) for name, log in logs for at in log.halts]


class Lookup:
    """An exchange of one symbol, whose candles have been accepted."""

    name = "lookup"

    def __init__(self, candles: Candles) -> None:
        self._candles = candles

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles."""
        del request  # one symbol, whole
        return Loaded(self._candles, Intake(rows=len(self._candles)))


class _WithoutHangs:
    """A strategy that raises at once where live it would time out."""

    __slots__ = ("_function",)

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, ctx: Any) -> Any:
        try:
            return self._function(ctx)
        except Hang as hang:
            raise StrategyError("took too long") from hang
