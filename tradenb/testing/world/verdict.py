"""What must hold at the end of a simulated life, and what of it does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb import backtest
from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.intake import Intake
from tradenb.core.columns import EVENT_COLUMNS
from tradenb.core.events import Event
from tradenb.core.timeframe import floor_to, iso
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.serialise import event_to_row
from tradenb.engine.session.clearance import BOOK
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, StrategyError
from tradenb.live.state.disk_storage import DiskShelf
from tradenb.store.paths import Key
from tradenb.testing.world.inline_workers import Hang
from tradenb.testing.world.simulated_lives import SYMBOL, strategies_of

if TYPE_CHECKING:
    from tradenb.live.state.storage import Kept
    from tradenb.testing.simulation import Simulation

LATE_MS: Final = 130_000
_OTHER: Final = {"seq", "wall", "late", "mode", "note"}
COMPARED: Final = tuple(name for name in EVENT_COLUMNS if name not in _OTHER)


def problems_of(life: Simulation) -> list[str]:
    """Return what does not hold, a sentence each."""
    found = [words for ledger in life.ledgers.values() for words in ledger.problems]
    kept: dict[str, Kept] = {}
    for spec in life.specs:
        try:
            one = life.world.kept((SYMBOL, spec))
        except StateError as error:
            return [*found, f"I4: {spec.name} cannot be read: {error}"]
        if one is None:
            return [*found, f"I4: {spec.name} has no document"]
        kept[spec.name] = one
    journals = {spec.name: life.world.events((SYMBOL, spec)) for spec in life.specs}
    for spec in life.specs:
        problems = _problems(life, spec, kept, journals[spec.name])
        found += [f"{spec.name}: {words}" for words in problems]
    if any(map(_is_blind, chain(*journals.values()))):
        return found  # no backtest refuses because a disk does
    expected = expected_events(life, kept)
    for name, events in journals.items():
        own = [event for event in expected if event.strategy == name]
        differences = first_difference(comparable(events), comparable(own))
        found += [f"{name}: {words}" for words in differences]
    return found


def _is_blind(event: Event) -> bool:
    """Tell whether an entry was refused because the disk did not say what others hold."""
    return event.kind == "error" and str(event.note).startswith(BOOK)


def _problems(
    life: Simulation,
    spec: StrategySpec,
    kept: dict[str, Kept],
    events: Sequence[Event],
) -> list[str]:
    told = [event for event in life.world.announced if event.strategy == spec.name]
    return [
        *_numbers(events, kept[spec.name]),
        *_announced(told, events),
        *_once(events),
        *_in_time(events),
        *_alive(life, kept[spec.name]),
        *_views(life, spec),
    ]


def _numbers(events: Sequence[Event], kept: Kept) -> list[str]:
    numbers = [event.seq for event in events]
    if numbers != list(range(1, kept.last_seq + 1)):
        return [f"I3: the journal counts {numbers}, the document {kept.last_seq}"]
    return []


def _announced(told: Sequence[Event], events: Sequence[Event]) -> list[str]:
    """Everything told is in the journal as it was told; everything there was told."""
    by_number = {event.seq: event_to_row(event) for event in events}
    found = [
        f"I3: told {event_to_row(event)}, the journal says {by_number.get(event.seq)}"
        for event in told
        if by_number.get(event.seq) != event_to_row(event)
    ]
    missing = sorted(set(by_number) - {event.seq for event in told})
    return [*found[:1], *([f"I3: never told: {missing}"] if missing else [])]


def _once(events: Sequence[Event]) -> list[str]:
    """Positions: one at a time, each closed once."""
    kinds = Counter((event.kind, event_to_row(event)["signal_id"]) for event in events)
    twice = [key for key, n in kinds.items() if n > 1 and key[0] in ("opened", "closed")]
    found = [f"I2: {key} {kinds[key]} times" for key in twice]
    is_open = False
    for event in events:
        if event.kind in ("opened", "closed") and is_open == (event.kind == "opened"):
            found.append(f"I1: {event.kind} at {iso(event.at)} out of turn")
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


def _alive(life: Simulation, kept: Kept) -> list[str]:
    newest = floor_to(life.world.clock.true_now() - 3_000)
    if kept.state.done or kept.state.cursor >= newest:
        return []
    return [f"I6: it stands at {iso(kept.state.cursor)}, the time is {iso(newest)}"]


def _views(life: Simulation, spec: StrategySpec) -> list[str]:
    home, files = life.world.home, life.world.disk.files()
    key = Key(spec.name, SYMBOL)
    document = json.loads(files[home.document(key)])
    found = _rotten(life, spec, home.document(key)) if document["seq"] > 1 else []
    view = json.loads(files[home.view("signal", key)])
    signal = document["body"]["state"]["signal"]
    if view["seq"] != document["seq"] or view.get("id") != (signal or {}).get("id"):
        found.append(f"I5: the view {view} is not of generation {document['seq']}")
    return found


def _rotten(life: Simulation, spec: StrategySpec, document: Path) -> list[str]:
    """Let the document rot on a copy of the disk: the generation before it has to be there."""
    disk = life.world.disk.copy()
    disk.plant(document, disk.files()[document][:-2])
    shelf = DiskShelf(
        life.world.home, SYMBOL, spec, "fake", now=life.world.clock.now, filesystem=disk
    )
    try:
        shelf.open()
        shelf.close()
    except StateError as error:
        return [f"I4: no second generation: {error}"]
    return []


def expected_events(life: Simulation, kept: dict[str, Kept]) -> list[Event]:
    """Backtest the same candles and orders; strategies are silent where they were not asked."""

    def hear(strategy: str, at: int) -> bool:
        return at in life.ledgers[strategy].effective

    specs = [
        spec.model_copy(update={"function": _Patient(spec.function)})
        for spec in strategies_of(life.life, hear)
    ]
    events: list[Event] = []
    groups = [specs] if life.life.shared else [[spec] for spec in specs]
    for group in groups:
        start = kept[group[0].name].start
        end = max(kept[spec.name].state.cursor for spec in group)
        if start == end:
            continue  # it was stopped before its first candle
        result = backtest.run(
            SYMBOL,
            strategy=group,
            exchange=Lookup(life.life.candles),
            start=start,
            end=end,
            rules=life.world.rules,
            commands=[
                {"at": order.at, "kind": order.kind, "symbol": SYMBOL, "strategy": order.strategy}
                for order in life.orders
                if order.strategy in {spec.name for spec in group}
            ],
        )
        events += result.event_list
    return events


class Lookup:
    """An exchange of one symbol, whose candles have been accepted."""

    name = "lookup"

    def __init__(self, candles: Candles) -> None:
        self._candles = candles

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles."""
        del request  # one symbol, whole
        return Loaded(self._candles, Intake(rows=len(self._candles)))


class _Patient:
    """A strategy whose hanging is an error at once."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, ctx: Any) -> Any:
        try:
            return self._function(ctx)
        except Hang as hang:
            raise StrategyError("took too long") from hang


def comparable(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Return the events that both modes have, in the columns that must be equal."""
    rows = []
    for event in events:
        words = str(event.note)
        if event.kind == "skipped" or (event.kind == "error" and words.startswith("callback")):
            continue
        row = event_to_row(event)
        note = row["note"] if event.kind in ("scheduled", "opened") else None
        rows.append((*(row[name] for name in COMPARED), note))
    return rows


def first_difference(left: Sequence[Any], right: Sequence[Any]) -> list[str]:
    """Return where live and the backtest part, at most one sentence."""
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return [f"event {number}: live {one} is not {other} of the backtest"]
    if len(left) == len(right):
        return []
    shorter = min(len(left), len(right))
    who = "live" if len(left) > shorter else "the backtest"
    return [f"only {who} has event {shorter}: {[*left[shorter:], *right[shorter:]][0]}"]
