"""What must hold of the last process of a simulated run, in which only candles come badly.

Each decision whose candle came in time is made; candles that were changed after they were acted on
are told, and stay those of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.gaps import with_columns
from tradenb.core.events import Event
from tradenb.core.timeframe import MINUTE, iso
from tradenb.live.arrival.candle_warnings import CANDLES_OF


def arrival_problems(
    final: Candles,
    recording: Sequence[Any],
    events: Iterable[Event],
    *,
    every: int,
    first: int,
    end: int,
    change_ms: int = 0,
) -> list[str]:
    """Return what does not hold for the closes from `first` to `end`, ms UTC; at most a sentence.

    `recording` is what the run wrote down, `final` the candles as they are in the end. They change
    `change_ms` after their close: a run that was stopped before that has not seen it.
    """
    for line in recording:
        if isinstance(line, dict) and line.get("why") == "late":
            since, last = line["left_out"]
            lost = final.dues(max(first, since) - 1, last, every)
            if len(lost):
                at = iso(int(lost[0]))
                return [f"the ask at {at} was lost, although its candle came in time"]
    acted = acted_candles(final, recording)
    changed = (acted.high != final.high) | (acted.low != final.low)
    closes = [at for at in (final.time[changed] + MINUTE).tolist() if first < at < end - change_ms]
    told = any(event.kind == "error" and str(event.note).startswith(CANDLES_OF) for event in events)
    if told or not closes:
        return []
    return [f"nobody was told that the candle of {iso(closes[0])} changed"]


def acted_candles(final: Candles, recording: Iterable[Any]) -> Candles:
    """Return the candles with those in their place that a run acted on."""
    columns = [column.copy() for column in final.columns]
    for line in recording:
        if isinstance(line, list):
            for column, value in zip(columns, line[1:6], strict=True):
                column[final.index(line[0] + MINUTE)] = value
    opened, high, low, close, volume = columns
    return with_columns(final, (opened, high, low, close, volume))
