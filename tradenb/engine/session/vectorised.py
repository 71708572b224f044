"""Vectorised signals: one answer a candle, made by a user's function of the whole frame.

The row of a candle is what the strategy answers when it is asked at that candle's close. From there
on a candidate goes the way of all candidates: checks, risk rules, the machine; and an exit or a
move the way of what a manage function answers. As with indicators the function gets all candles of
a backtest at once, and in a live run those closed so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tradenb.core.actions import Action
from tradenb.core.candidate import Candidate
from tradenb.core.signal import Position
from tradenb.engine.context import Context
from tradenb.engine.history.frames import table_of
from tradenb.engine.history.indicators import ClosedCandles
from tradenb.engine.session.signal_table import Table, table_of_columns
from tradenb.engine.specs.strategy_spec import StrategySpec


class Signals:
    """The answers of a vectorised strategy in one run; called like any strategy.

    Parameters
    ----------
    spec : StrategySpec
        Its function makes a frame of candidates from a frame.
    closed : ClosedCandles
        Where the candles are.
    """

    def __init__(self, spec: StrategySpec, closed: ClosedCandles) -> None:
        self._spec = spec
        self._closed = closed
        self._made: tuple[int, Table] | None = None
        self._rows: dict[Position | None, NDArray[np.intp]] = {}

    def __call__(self, context: Context) -> Candidate | None:
        """Answer for the moment of a context."""
        row = self._row(context.now)
        return None if row is None else self.table.candidate(row)

    def manage(self, context: Context) -> Candidate | Action | None:
        """Answer for the position of a context."""
        row, held = self._row(context.now), context.position
        return None if row is None or held is None else self.table.action(row, held.position)

    def _row(self, now: int) -> int | None:
        if self._made is None or now > self._made[0]:
            self.compute(now)
        return self.table.row_of(now)

    @property
    def manages(self) -> bool | None:
        """Whether it says anything about what is open; None: not known before it is computed."""
        return None if self._made is None else self._made[1].manages

    @property
    def table(self) -> Table:
        """The candidates of all candles so far."""
        if self._made is None:
            raise RuntimeError("compute first")
        return self._made[1]

    def compute(self, until: int) -> None:
        """Have the answers of all moments up to `until`.

        Raises
        ------
        SpecError
            When the function returns no table of candidates.
        """
        spec, what = self._spec, "a vectorised strategy"
        candles = self._closed.until(spec.every, until)
        frame = self._closed.frame(candles)
        found = table_of(spec.function(frame), frame, what)
        first = candles.start + candles.step
        made = table_of_columns(found, len(candles), first, candles.step, what, flip=spec.flip)
        made = made.asked_on(candles, self._closed.given)
        self._made, self._rows = (until, made), {}

    def first(self, at: int, held: Position | None = None) -> int | None:
        """Return the first moment from `at` on at which there is an answer; None: ask and see.

        Of an idle instance, or about a position of one side.
        """
        if self._made is None or at > self._made[0]:
            return None
        until, table = self._made
        if held not in self._rows:
            found = np.flatnonzero(table.position) if held is None else table.acting(held)
            self._rows[held] = found
        rows = self._rows[held]
        following = int(rows.searchsorted(table.from_time(at)))
        if following == len(rows):
            return until + 1
        return table.time_of(int(rows[following]))
