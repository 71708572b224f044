"""What a position looked like over time: its stop, targets, average entry and the fills between.

`lines_of_events.py` makes these records, the charts in `view` draw them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tradenb.core.signal import Position


class Step(NamedTuple):
    """A level from a close time on, ms UTC; None where it is not known."""

    at: int
    level: float | None


class Target(NamedTuple):
    """A target while it was in force, ms UTC; `until` is None if it still is."""

    since: int
    until: int | None
    level: float


class Mark(NamedTuple):
    """A fill that neither begins nor ends a position; `pnl_percent` is None of one more entry."""

    at: int
    kind: Literal["added", "partial"]
    price: float
    fraction: float
    pnl_percent: float | None
    exit_reason: str | None


class PositionLines(NamedTuple):
    """One position over time.

    Attributes
    ----------
    opened_at, closed_at : int or None
        Close times, ms UTC; None of one that is still open.
    stop, entry : list of Step
        The stop in force and the average entry, each from a close on.
    targets : list of Target
    marks : list of Mark
    """

    signal_id: str
    symbol: str
    strategy: str
    position: Position
    opened_at: int
    closed_at: int | None
    stop: list[Step]
    entry: list[Step]
    targets: list[Target]
    marks: list[Mark]
