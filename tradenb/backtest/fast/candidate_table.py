"""The candidates of a table that may be asked for in a run."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.rules import Rules
from tradenb.core.validation.levels import TOLERANCE
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import LONG, Table

Places = NDArray[np.intp]
Rows = NDArray[np.int64]
TRAILS: Final = ("trail", "trail_distance", "trail_after")
NUMBERS: Final = ("take_profit", "stop_loss", "minutes", *TRAILS)


def is_usual(table: Table, rules: Rules) -> bool:
    """Tell whether all candidates have a stop and the same other numbers, and may lack the rest."""
    names = set(table.numbers)
    trails = names & set(TRAILS)
    return (
        "stop_loss" in names <= set(NUMBERS)
        and not table.words
        and ("take_profit" in names or not rules.require_take_profit)
        and ("minutes" in names or rules.max_signal_minutes is None)
        and ("trail" in names) + ("trail_distance" in names) == bool(trails)
        and table.is_complete(names)
    )


class CandidateTable:
    """The candidates of a vectorised strategy in a run, each at a place of its table.

    Attributes
    ----------
    start, stop : int
        Places at which it may be asked, `stop` exclusive.
    rows : (n,) int64 array
        The candle at whose close it is asked, by place.
    wanted : (n,) bool array
        Where there is a candidate that is asked for.
    """

    def __init__(self, instance: Instance, table: Table) -> None:
        candles, cursor = instance.candles, instance.state.cursor
        self.table = table
        self.start = table.from_time(cursor + 1)
        self.stop = min(len(table.position), table.from_time(candles.end + 1))
        self.rows = candles.indices(table.times(np.arange(len(table.position))))
        self.wanted = (table.position != 0) & ~table.superseded
        self._size = table.step // candles.step if table.asked is None else None
        self._close = candles.close
        self._rules = instance.rules

    def times(self, places: Places) -> Times:
        """Return the times of the asks there, ms UTC."""
        return self.table.times(places)

    def prices(self, places: Places) -> Floats:
        """Return the market prices there."""
        return self._close[self.rows[places]]

    def place_from(self, row: int) -> int:
        """Return the first place that is asked for at the close of a row or later."""
        if self._size is not None:
            return -((int(self.rows[0]) - row) // self._size)
        return int(self.rows.searchsorted(row))

    def long(self, places: Places) -> NDArray[np.bool_]:
        """Tell which candidates there are long."""
        found: NDArray[np.bool_] = self.table.position[places] == LONG
        return found

    def places(self) -> Places:
        """Return the places with a candidate at which it may be asked."""
        return self.start + np.flatnonzero(self.wanted[self.start : self.stop])

    def valid(self, places: Places) -> NDArray[np.bool_]:
        """Tell which candidates break no rule; the same as `core.validation` finds."""
        rules, price, numbers = self._rules, self.prices(places), self.table.numbers
        given = {name: column[places] for name, column in numbers.items()}
        side, stop = np.where(self.long(places), 1.0, -1.0), given["stop_loss"]
        with np.errstate(invalid="ignore", over="ignore"):
            good = np.isfinite(stop) & (stop > 0) & (side * (price - stop) > 0)
            loss = np.abs(price - stop) / price * 100
            good &= loss >= rules.min_stop_loss_percent - TOLERANCE
            good &= loss <= rules.max_stop_loss_percent + TOLERANCE
            if "take_profit" in given:
                target = given["take_profit"]
                good &= np.isfinite(target) & (target > 0) & (side * (target - price) > 0)
                gain = np.abs(target - price) / price * 100
                good &= gain >= rules.min_take_profit_percent - TOLERANCE
            if "minutes" in given:
                minutes = given["minutes"]
                good &= (minutes >= 1) & (minutes <= (rules.max_signal_minutes or math.inf))
                good &= np.floor(minutes) == minutes
            for name in TRAILS:
                if name in given:
                    good &= np.isfinite(given[name]) & _is_trail(name, given[name])
        return good


def _is_trail(name: str, numbers: Floats) -> NDArray[np.bool_]:
    if name == "trail_after":
        return numbers >= 0
    return (numbers > 0) & (numbers < (100 if name == "trail" else math.inf))
