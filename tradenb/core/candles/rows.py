"""Raw candles as a source gave them, and what was found in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times


class Rows(NamedTuple):
    """Raw candles as a source gave them: open times (ms) and five columns, all of shape (n,)."""

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def take(self, places: NDArray[np.int64]) -> Rows:
        """Return the rows at these places, as copies."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Rows(self.time[places], *(column[places] for column in columns))

    def part(self, first: int, last: int) -> Rows:
        """Return the rows `first` to `last` (exclusive), as views."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Rows(self.time[first:last], *(column[first:last] for column in columns))


@dataclass(frozen=True, slots=True)
class Intake:
    """What was found in the rows of one source.

    Attributes
    ----------
    rows : int
        Rows that came in.
    duplicates_same, duplicates_replaced : int
        Rows dropped because the next one has the same time: equal to it, or different from it.
    filled : int
        Candles that are missing in short runs; windows show them flat.
    closed : int
        Minutes that are missing in longer runs: outages, nights, weekends.
    gaps : int
        How many such longer runs there are.
    longest : tuple of (int, int) or None
        Where the longest of them begins and ends, ms UTC.
    """

    rows: int = 0
    duplicates_same: int = 0
    duplicates_replaced: int = 0
    filled: int = 0
    closed: int = 0
    gaps: int = 0
    longest: tuple[int, int] | None = None

    def joined(self, other: Intake) -> Intake:
        """Return what was found in these rows and in others."""
        runs = [each for each in (self.longest, other.longest) if each is not None]
        return Intake(
            self.rows + other.rows,
            self.duplicates_same + other.duplicates_same,
            self.duplicates_replaced + other.duplicates_replaced,
            self.filled + other.filled,
            self.closed + other.closed,
            self.gaps + other.gaps,
            max(runs, key=_length, default=None),
        )


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]
