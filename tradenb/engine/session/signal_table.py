"""What a vectorised strategy returns, read once: candidates and exits, a row a candle.

The columns of a candidate are its fields; a ladder is take_profit_1, fraction_1 and so on. While a
position is open the columns exit, move_stop and move_target count, and with `flip` a candidate of
the other side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.actions import Action, close
from tradenb.core.candidate import Candidate
from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.core.signal import Position
from tradenb.core.validation.candidate_rules import FIELDS
from tradenb.core.validation.levels import RUNGS
from tradenb.engine.history.frames import floats_of
from tradenb.errors import SpecError, shown, unknown

_NEVER: Final = 1 << 62
LONG: Final = 1
SHORT: Final = 2
_BOTH: Final = LONG | SHORT
_CODES: Final[dict[Position, int]] = {"long": LONG, "short": SHORT}
_PAIRS: Final = [(f"take_profit_{n}", f"fraction_{n}") for n in range(1, RUNGS + 1)]
_LADDER: Final = tuple(name for pair in _PAIRS for name in pair)
_NUMBERS: Final = (*(name for name in FIELDS if name not in ("position", "id", "note")), *_LADDER)
_MOVES: Final = {"move_stop": "stop_loss", "move_target": "take_profit"}
_EXITS: Final = ("exit", *_MOVES)
_WHOLE: Final = ("minutes", "wait", "until")
_NEEDED: Final = ("position", "stop_loss")
_WORDS: Final[dict[int, Position]] = {LONG: "long", SHORT: "short"}


class Table(NamedTuple):
    """Candidates and exits by candle.

    Attributes
    ----------
    first : int
        Close time of the candle of row 0, ms UTC.
    step : int
        Length of a candle, ms.
    asked : (n,) int64 or None
        Close times at which the rows are asked for, where some are not those of their candles;
        of several at one moment the last one counts.
    position : (n,) int8
        0: no candidate, 1: long, 2: short.
    numbers : dict of str to (n,) float64
        The numbers of candidates that are given, ladders as take_profit_1, fraction_1, ...; NaN
        where not given.
    words : dict of str to (n,) object
        id and note, if given.
    exits : (n,) int8 or None
        Which positions a row closes: 1 long, 2 short, 3 both.
    moves : dict of str to (n,) float64
        Where stop_loss and take_profit are moved to, if given.
    flip : bool
        A candidate of the other side closes what is open and takes its place.
    """

    first: int
    step: int
    position: NDArray[np.int8]
    numbers: dict[str, Floats]
    words: dict[str, NDArray[np.object_]]
    exits: NDArray[np.int8] | None = None
    moves: dict[str, Floats] = {}  # noqa: RUF012 - nobody changes it
    flip: bool = False
    asked: Times | None = None

    @property
    def manages(self) -> bool:
        """Whether it says anything about positions that are open."""
        return self.flip or self.exits is not None or bool(self.moves)

    def asked_on(self, candles: Candles, given: Candles) -> Table:
        """Return the table with the closes at which its rows are asked for.

        A candle that ends in missing minutes is asked for at the next one that is given.

        Parameters
        ----------
        candles : Candles
            Those of the rows.
        given : Candles
            Those that the instance is fed with.
        """
        if candles.regular and given.regular:
            return self
        rows = given.indices(candles.time + candles.step - 1) + 1
        closes = np.append(given.time + given.step, _NEVER)
        return self._replace(asked=closes[rows])

    @property
    def superseded(self) -> NDArray[np.bool_]:
        """Whether a later row is asked for at the same moment, by row."""
        found = np.zeros(len(self.position), dtype=np.bool_)
        if self.asked is not None:
            found[:-1] = self.asked[1:] == self.asked[:-1]
        return found

    def is_complete(self, names: Iterable[str]) -> bool:
        """Tell whether all candidates have a number in each of these columns."""
        there = self.position != 0
        return not any(np.isnan(self.numbers[name][there]).any() for name in names)

    def row_of(self, at: int) -> int | None:
        """Return the row of the candle that closes at a moment."""
        if self.asked is None:
            row = (at - self.first) // self.step
            return row if 0 <= row < len(self.position) else None
        row = int(self.asked.searchsorted(at, "right")) - 1
        return row if row >= 0 and self.asked[row] == at else None

    def time_of(self, row: int) -> int:
        """Return when a row is asked for, ms UTC."""
        return self.first + row * self.step if self.asked is None else self.asked.item(row)

    def times(self, rows: NDArray[np.intp]) -> Times:
        """Return when rows are asked for, ms UTC."""
        return self.first + rows * self.step if self.asked is None else self.asked[rows]

    def from_time(self, at: int) -> int:
        """Return the first row that is asked for at a moment or after it."""
        if self.asked is None:
            return max(0, -((self.first - at) // self.step))
        return int(self.asked.searchsorted(at))

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

    def action(self, row: int, held: Position) -> Candidate | Action | None:
        """Return what a row does to a position of one side, or None."""
        code = int(self.position[row])
        if self.flip and code and _WORDS[code] != held:
            return self.candidate(row)
        if self.exits is not None and int(self.exits[row]) & _CODES[held]:
            return close()
        values = {name: float(column[row]) for name, column in self.moves.items()}
        values = {name: value for name, value in values.items() if not math.isnan(value)}
        return Action("move", values) if values else None

    def acting(self, held: Position) -> NDArray[np.intp]:
        """Return the rows that do something to a position of one side."""
        found = np.zeros(len(self.position), dtype=np.bool_)
        if self.flip:
            found |= (self.position != 0) & (self.position != _CODES[held])
        if self.exits is not None:
            found |= (self.exits & _CODES[held]) != 0
        for column in self.moves.values():
            found |= ~np.isnan(column)
        return np.flatnonzero(found)

    def answer(self, row: int) -> dict[str, Any] | None:
        """Return all that a row says, by column."""
        candidate = self.candidate(row)
        found = {} if candidate is None else candidate._asdict()
        if self.exits is not None and self.exits[row]:
            found["exit"] = int(self.exits[row])
        found |= {f"move {name}": float(column[row]) for name, column in self.moves.items()}
        return {name: value for name, value in found.items() if value is not None} or None


def table_of_columns(
    found: Mapping[str, Any], rows: int, first: int, step: int, what: str, *, flip: bool = False
) -> Table:
    """Read the columns of a vectorised strategy.

    Raises
    ------
    SpecError
        When a column is missing or holds something else.
    UnknownName
        When a column is none of a candidate or an exit.
    """
    for name in found:
        if name not in FIELDS and name not in _LADDER and name not in _EXITS:
            raise unknown("column of candidates", name, [*FIELDS, *_EXITS])
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
        if name not in (*_NUMBERS, *_EXITS, "position")
    }
    exits = None
    if "exit" in found:
        exits = _exits(_spread(found["exit"], rows), rows, what)
    moves = {
        level: floats_of(_spread(found[name], rows), rows, f"{what}: {name!r}")
        for name, level in _MOVES.items()
        if name in found
    }
    position = _positions(_spread(found["position"], rows), rows, what)
    return Table(first, step, position, numbers, words, exits, moves, flip)


def _spread(column: Any, rows: int) -> Any:
    """Repeat a single value for every row."""
    if column is None or isinstance(column, str | int | float | np.number):
        return np.full(rows, column, dtype=None if isinstance(column, int | float) else object)
    return column


def _positions(column: Any, rows: int, what: str) -> NDArray[np.int8]:
    """Read the words long and short, or the signs of numbers; all else is refused."""
    values = np.asarray(column)
    if values.shape != (rows,):
        raise SpecError(f"{what}: 'position' must have a value a candle, {rows}; had {values.size}")
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
            f"short); was {shown(min(others))}"
        )
    return codes


def _exits(column: Any, rows: int, what: str) -> NDArray[np.int8]:
    """Read true, a side, or nothing; all else is refused."""
    values = np.asarray(column)
    if values.dtype.kind == "U":  # a list of true and of sides became words
        values = np.asarray(column, dtype=object)
    if values.shape != (rows,):
        raise SpecError(f"{what}: 'exit' must have a value a candle, {rows}; had {values.size}")
    if values.dtype.kind == "b":
        return values * np.int8(_BOTH)
    values = _without_missing(values.astype(object))
    codes = np.zeros(rows, dtype=np.int8)
    if values.dtype.kind == "f":
        nothing = np.isnan(values) | (values == 0)
        codes[values == 1] = _BOTH
    else:
        nothing = np.array([item is None or item is False or item == "" for item in values])
        codes[np.array([item is True or item is np.True_ for item in values])] = _BOTH
        for word, code in _CODES.items():
            codes[values == word] = code
    others = {str(value) for value in values[(codes == 0) & ~nothing]}
    if others:
        raise SpecError(
            f"{what}: 'exit' must be true, false, 'long' or 'short', was {shown(min(others))}"
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
