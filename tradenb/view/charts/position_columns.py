"""Trades and what happened to positions over time, as packed columns for a chart.

Stops, targets and average entries come from `core.lifecycle.position_lines`. Texts are kept once:
columns hold their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from tradenb.core.candles.arrays import Floats
from tradenb.view.charts.packed_columns import Packed, packed, packed_floats
from tradenb.view.step_runs import Run, step_runs

if TYPE_CHECKING:
    from tradenb.core.lifecycle.position_lines import Mark, PositionLines
    from tradenb.core.signal import Trade

MOST_STEPS: Final = 60_000
_LONGEST: Final = 160  # letters of a text


class Texts:
    """Texts, each once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: object) -> int:
        """Return where a text is kept."""
        known = "" if text is None else str(text)[:_LONGEST]
        return self.places.setdefault(known, len(self.places))


def trade_columns(trades: Sequence[Trade], lines: Sequence[PositionLines], texts: Texts) -> Packed:
    """Pack closed trades, by their entries; the entry is the first one, the average beside it."""
    firsts = {each.signal_id: each.entry[0].level for each in lines}
    ordered = sorted(trades, key=lambda trade: (trade.opened_at, trade.closed_at))
    return {
        "opened": _moments(trade.opened_at for trade in ordered),
        "closed": _moments(trade.closed_at for trade in ordered),
        "long": _wholes(trade.position == "long" for trade in ordered),
        "entry": _floats(firsts.get(trade.signal_id) or trade.entry for trade in ordered),
        "average": _floats(trade.entry for trade in ordered),
        "exit": _floats(trade.exit for trade in ordered),
        "target": _floats(trade.take_profit for trade in ordered),
        "stop": _floats(trade.stop_loss for trade in ordered),
        "pnl": packed_floats(_array(trade.pnl_percent for trade in ordered), digits=6),
        "entries": _wholes(trade.entries for trade in ordered),
        "exits": _wholes(trade.exits for trade in ordered),
        "reason": _wholes(texts.place(_words(trade.exit_reason)) for trade in ordered),
        "strategy": _wholes(texts.place(trade.strategy) for trade in ordered),
        "note": _wholes(texts.place(trade.note) for trade in ordered),
    }


def line_columns(lines: Sequence[PositionLines], last: int, texts: Texts) -> dict[str, Packed]:
    """Pack stops, targets, average entries and marks of positions; of very many the newest.

    Parameters
    ----------
    last : int
        Until when lines of what is still open are drawn, ms UTC.
    """
    drawn = _newest(lines)
    stops = [run for each in drawn for run in step_runs(each.stop, _end(each, last))]
    entries = [
        run
        for each in drawn
        if len(each.entry) > 1
        for run in step_runs(each.entry, _end(each, last))
    ]
    targets: list[Run] = [
        [(target.since, target.level), (target.until or last, target.level)]
        for each in drawn
        for target in each.targets
    ]
    return {
        "stops": _runs(stops),
        "targets": _runs(targets),
        "averages": _runs(entries),
        "marks": _marks([(each, mark) for each in lines for mark in each.marks], texts),
        "open": _still_open([each for each in lines if each.closed_at is None], texts),
    }


def _newest(lines: Sequence[PositionLines]) -> Sequence[PositionLines]:
    """Return the newest positions that have at most so many steps together."""
    left = MOST_STEPS
    for place in range(len(lines) - 1, -1, -1):
        left -= len(lines[place].stop) + len(lines[place].targets)
        if left < 0:
            return lines[place + 1 :]
    return lines


def _end(each: PositionLines, last: int) -> int:
    return last if each.closed_at is None else each.closed_at


def _runs(runs: Sequence[Run]) -> Packed:
    """Pack unbroken lines one after the other, by their beginnings, with the length of each."""
    ordered = sorted(runs, key=lambda run: run[0][0])
    return {
        "size": _wholes(len(run) for run in ordered),
        "at": _moments(at for run in ordered for at, _ in run),
        "level": _floats(level for run in ordered for _, level in run),
    }


def _marks(marks: Sequence[tuple[PositionLines, Mark]], texts: Texts) -> Packed:
    ordered = sorted(marks, key=lambda pair: pair[1].at)
    return {
        "at": _moments(mark.at for _, mark in ordered),
        "price": _floats(mark.price for _, mark in ordered),
        "added": _wholes(mark.kind == "added" for _, mark in ordered),
        "long": _wholes(each.position == "long" for each, _ in ordered),
        "fraction": packed_floats(_array(mark.fraction for _, mark in ordered), digits=6),
        "pnl": packed_floats(_array(mark.pnl_percent for _, mark in ordered), digits=6),
        "reason": _wholes(texts.place(_words(mark.exit_reason)) for _, mark in ordered),
        "strategy": _wholes(texts.place(each.strategy) for each, _ in ordered),
    }


def _still_open(lines: Sequence[PositionLines], texts: Texts) -> Packed:
    return {
        "at": _moments(each.opened_at for each in lines),
        "price": _floats(each.entry[0].level for each in lines),
        "long": _wholes(each.position == "long" for each in lines),
        "stop": _floats(each.stop[-1].level for each in lines),
        "strategy": _wholes(texts.place(each.strategy) for each in lines),
    }


def _words(reason: str | None) -> str | None:
    return None if reason is None else reason.replace("_", " ")


def _array(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _floats(values: Iterable[float | None]) -> Packed:
    return packed_floats(_array(values))


def _wholes(values: Iterable[int]) -> Packed:
    return packed(np.fromiter(values, dtype=np.int64), running=False)


def _moments(times: Iterable[int]) -> Packed:
    return packed(np.fromiter(times, dtype=np.int64))
