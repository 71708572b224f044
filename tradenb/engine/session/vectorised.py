"""Vectorised signals: one candidate a candle, made by a user's function of the whole frame.

The row of a candle is what the strategy answers when it is asked at that candle's close. From there
on a candidate goes the way of all candidates: checks, risk rules, the machine. As with indicators
the function gets all candles of a backtest at once, and in a live run those closed so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candidate import Candidate
from tradenb.core.candles.arrays import Floats
from tradenb.core.validation.candidate_rules import FIELDS
from tradenb.core.validation.levels import RUNGS
from tradenb.engine.context import Context
from tradenb.engine.history.frames import floats_of, table_of
from tradenb.engine.history.indicators import ClosedCandles
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import SpecError, unknown

LONG: Final = 1
SHORT: Final = 2
_PAIRS: Final = [(f"take_profit_{n}", f"fraction_{n}") for n in range(1, RUNGS + 1)]
_LADDER: Final = tuple(name for pair in _PAIRS for name in pair)
_NUMBERS: Final = (*(name for name in FIELDS if name not in ("position", "id", "note")), *_LADDER)
_WHOLE: Final = ("minutes", "wait", "until")
_NEEDED: Final = ("position", "stop_loss")
_WORDS: Final = {LONG: "long", SHORT: "short"}


class Table(NamedTuple):
    """Candidates by candle.

    Attributes
    ----------
    first : int
        Close time of the candle of row 0, ms UTC.
    step : int
        Length of a candle, ms.
    position : (n,) int8
        0: no candidate, 1: long, 2: short.
    numbers : dict of str to (n,) float64
        The numbers of candidates that are given, ladders as take_profit_1, fraction_1, ...; NaN
        where not given.
    words : dict of str to (n,) object
        id and note, if given.
    """

    first: int
    step: int
    position: NDArray[np.int8]
    numbers: dict[str, Floats]
    words: dict[str, NDArray[np.object_]]

    def is_complete(self, names: Iterable[str]) -> bool:
        """Tell whether all candidates have a number in each of these columns."""
        there = self.position != 0
        return not any(np.isnan(self.numbers[name][there]).any() for name in names)

    def candidate(self, row: int) -> Candidate | None:
        """Return the candidate of a row, or None."""
        code = int(self.position[row])
        if not code:
            return None
        values: dict[str, Any] = {}
        for name, column in self.numbers.items():
            number = float(column[row])
            if math.isnan(number):
                continue
            values[name] = int(number) if name in _WHOLE and number.is_integer() else number
        ladder = [
            (values.pop(level, None), values.pop(fraction, None))
            for level, fraction in _PAIRS
            if level in values or fraction in values
        ]
        if ladder:
            values["take_profit"] = ladder
        for name, words in self.words.items():
            values[name] = None if _is_missing(words[row]) else words[row]
        return Candidate(position=_WORDS[code], **values)


class Signals:
    """The answers of a vectorised strategy in one run; called like any strategy.

    Parameters
    ----------
    function : callable
        The user's, from a frame to a frame of candidates.
    every : str
        Timeframe of the frame, and interval of the asks.
    closed : ClosedCandles
        Where the candles are.
    """

    def __init__(self, function: Callable[..., Any], every: str, closed: ClosedCandles) -> None:
        self._function = function
        self._every = every
        self._closed = closed
        self._made: tuple[int, Table] | None = None
        self._rows: NDArray[np.intp] | None = None

    def __call__(self, context: Context) -> Candidate | None:
        """Answer for the moment of a context."""
        now = context.now
        if self._made is None or now > self._made[0]:
            self.compute(now)
        table = self.table
        row = (now - table.first) // table.step
        return table.candidate(row) if 0 <= row < len(table.position) else None

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
        candles = self._closed.until(self._every, until)
        frame = self._closed.frame(candles)
        what = "a vectorised strategy"
        found = table_of(self._function(frame), frame, what)
        made = _table(found, len(candles), candles.start + candles.step, candles.step, what)
        self._made, self._rows = (until, made), None

    def first(self, at: int) -> int | None:
        """Return the first moment from `at` on at which there is an answer; None: ask and see."""
        if self._made is None or at > self._made[0]:
            return None
        until, table = self._made
        if self._rows is None:
            self._rows = np.flatnonzero(table.position)
        rows = self._rows
        following = int(rows.searchsorted(-((table.first - at) // table.step)))
        if following == len(rows):
            return until + 1
        return table.first + int(rows[following]) * table.step


def answers_of(spec: StrategySpec, closed: ClosedCandles) -> Signals | None:
    """Return the answers of a vectorised strategy; None of one that is asked."""
    return Signals(spec.function, spec.every, closed) if spec.vectorised else None


def _table(found: Mapping[str, Any], rows: int, first: int, step: int, what: str) -> Table:
    for name in found:
        if name not in FIELDS and name not in _LADDER:
            raise unknown("column of candidates", name, FIELDS)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        needed = f"{what} must return the columns {', '.join(_NEEDED)}"
        raise SpecError(f"{needed}; missing: {', '.join(missing)}")
    numbers = {
        name: floats_of(_spread(found[name], rows), rows, f"{what}: {name!r}")
        for name in _NUMBERS
        if name in found
    }
    words = {
        name: np.asarray(_spread(found[name], rows), dtype=object)
        for name in found
        if name not in (*_NUMBERS, "position")
    }
    position = _positions(_spread(found["position"], rows), rows, what)
    return Table(first, step, position, numbers, words)


def _spread(column: Any, rows: int) -> Any:
    """Repeat a single value for every row."""
    if column is None or isinstance(column, str | int | float | np.number):
        return np.full(rows, column, dtype=None if isinstance(column, int | float) else object)
    return column


def _positions(column: Any, rows: int, what: str) -> NDArray[np.int8]:
    """Read the words long and short, or the signs of numbers; all else is refused."""
    values = np.asarray(column)
    if values.shape != (rows,):
        raise SpecError(f"{what}: 'position' must have one value a candle ({rows})")
    if values.dtype.kind not in "biuf":
        values = _without_missing(values.astype(object))
    if values.dtype.kind in "biuf":
        return (values > 0) * np.int8(LONG) + (values < 0) * np.int8(SHORT)
    codes = np.zeros(rows, dtype=np.int8)
    codes[values == "long"] = LONG
    codes[values == "short"] = SHORT
    others = {str(value) for value in values[codes == 0] if value is not None and value != ""}
    if others:
        raise SpecError(
            f"{what}: 'position' must be 'long', 'short', None, or a number (above 0 long, below 0 "
            f"short); was {min(others)!r:.60}"
        )
    return codes


def _without_missing(values: Any) -> Any:
    """Return numbers and None, of whatever kind, as numbers and NaN; words and None as they are."""
    import pandas as pd

    values[np.asarray(pd.isna(values))] = None
    numbers = int | float | np.number | np.bool_
    if all(item is None or isinstance(item, numbers) for item in values):
        return values.astype(np.float64)
    return values


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value == "" or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
