"""The candidates of a table that may be asked for in a run."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
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
    first_row, size : int
        At place p it is asked at the close of 1m candle ``first_row + p * size``.
    """

    def __init__(self, instance: Instance, table: Table) -> None:
        candles, cursor = instance.candles, instance.state.cursor
        self.table = table
        self.start = max(0, (cursor - table.first) // table.step + 1)
        self.stop = max(0, min(len(table.position), (candles.end - table.first) // table.step + 1))
        self.first_row = (table.first - candles.start) // MINUTE - 1
        self.size = table.step // MINUTE
        self._close = candles.close
        self._rules = instance.rules

    def times(self, places: Places) -> Times:
        """Return the times of the asks there, ms UTC."""
        return self.table.first + places * self.table.step

    def prices(self, places: Places) -> Floats:
        """Return the market prices there."""
        return self._close[self.first_row + places * self.size]

    def long(self, places: Places) -> NDArray[np.bool_]:
        """Tell which candidates there are long."""
        found: NDArray[np.bool_] = self.table.position[places] == LONG
        return found

    def places(self) -> Places:
        """Return the places with a candidate at which it may be asked."""
        return self.start + np.flatnonzero(self.table.position[self.start : self.stop])

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
