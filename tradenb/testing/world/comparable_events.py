"""Events of a live run and of a backtest, side by side: in the columns that both modes have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tradenb.core.columns import EVENT_COLUMNS
from tradenb.core.events import OF_ORDERS, Event
from tradenb.engine.serialise import event_to_row
from tradenb.live.arrival.candle_warnings import CANDLES_OF
from tradenb.live.loop.record import UNREADABLE

_OTHER: Final = {"seq", "wall", "late", "mode", "note"}
_LIVE_ONLY: Final = ("callback", CANDLES_OF, UNREADABLE)
"""How errors begin that a backtest does not have, or has in another place."""
COMPARED: Final = tuple(name for name in EVENT_COLUMNS if name not in _OTHER)


def comparable(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Return the events that both modes have, in the columns that must be equal."""
    rows = []
    for event in events:
        words = str(event.note)
        live_only = event.kind == "error" and words.startswith(_LIVE_ONLY)
        if event.kind == "skipped" or event.kind in OF_ORDERS or live_only:
            continue
        row = event_to_row(event)
        note = row["note"] if event.kind in ("scheduled", "opened") else None
        rows.append((*(row[name] for name in COMPARED), note))
    return rows


def first_difference(left: Sequence[Any], right: Sequence[Any]) -> list[str]:
    """Return the first difference between live and the backtest, at most one sentence."""
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return [f"event {number}: live {one} is not {other} of the backtest"]
    if len(left) == len(right):
        return []
    shorter = min(len(left), len(right))
    who = "live" if len(left) > shorter else "the backtest"
    return [f"only {who} has event {shorter}: {[*left[shorter:], *right[shorter:]][0]}"]
