"""Indicators: columns that a user's function makes of all candles of a timeframe.

In a backtest they are computed once over all candles of the run, in a live run anew whenever a
candle of their timeframe has closed, always from the same first candle. What looks backwards only
has the same bits in both. The strategy sees the row of the last closed candle, whatever the
function has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import numpy as np

from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.core.timeframe import iso
from tradenb.engine.fingerprint import are_two, code_of, fingerprint, held_by, identity_of
from tradenb.engine.history.frames import floats_of, table_of
from tradenb.engine.history.windows import Histories
from tradenb.errors import NotEnoughCandles, SpecError, UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd

Function = Callable[..., Any]
Places = tuple[tuple[str, str | None], ...]
_ALL: Final = 1 << 40


class Indicator(NamedTuple):
    """A function that makes indicators of the candles of one timeframe.

    Attributes
    ----------
    function : callable
        From a DataFrame of closed candles to a dict of columns, or a DataFrame.
    window : int or None
        In a live run only the last so many candles are given to it; None: all since the start of
        the history.
    tolerance : float
        By how much a windowed value may differ from the whole one, relative to it (to 1 if it is
        smaller).
    places : tuple of (name, place)
        Where charts draw its columns: "price", the title of a pane, or None for nowhere; the name
        "" is all others. A column without a place is put where its values fit.
    """

    timeframe: str
    function: Function
    window: int | None = None
    tolerance: float = 0.0
    places: Places = ()

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Its timeframe, module, qualified name and what it holds; it replaces itself."""
        return self.timeframe, *identity_of(self.function), held_by(self.function)

    def replaces(self, other: Indicator) -> bool:
        """Tell whether it is another one declared again, perhaps on another timeframe.

        One function may be declared on several timeframes, and so may several of one cell that
        have one name. A cell that is run again makes new code: from another text, or at its line.
        """
        if self.identity == other.identity:
            return True
        new, old = code_of(self.function), code_of(other.function)
        if self.identity[1:] != other.identity[1:] or new is None or old is None:
            return False
        if new is old or new.co_name == "<lambda>":
            return False
        return new.co_filename != old.co_filename or new.co_firstlineno == old.co_firstlineno

    def refuse_beside(self, other: Indicator, what: str, *, scope: str) -> None:
        """Raise SpecError where it would replace another function, not itself declared again.

        `scope` is the function that made the strategy.
        """
        same = self.identity == other.identity
        if same and are_two(self.function, other.function, scope=scope):
            raise SpecError(
                f"{what}: two functions on {self.timeframe} are named {self.identity[2]!r}; name "
                "each with its own def, or return all columns from one function"
            )

    @property
    def fingerprint(self) -> str:
        """Hash of what it does, and on what."""
        return f"{self.timeframe}:{fingerprint(self.function)}:{self.window}:{self.tolerance}"


class ClosedCandles(NamedTuple):
    """The candles that indicators may be computed from.

    Attributes
    ----------
    since : int
        Open time of the first 1m candle that counts, ms UTC.
    windowed : bool
        Whether windows hold: in a live run.
    """

    histories: Histories
    symbol: str
    since: int = 0
    windowed: bool = False

    def until(self, timeframe: str, now: int) -> Candles:
        """Return the candles of a timeframe that had closed at `now`, oldest first."""
        found = self.histories.of(self.symbol).window(timeframe, _ALL, now, allow_fewer=True)
        return found.between(max(self.since, found.start), now)

    @property
    def given(self) -> Candles:
        """The candles that are given, on whose closes strategies are asked."""
        return self.histories.of(self.symbol).candles

    def frame(self, candles: Candles) -> pd.DataFrame:
        """Return such candles as a frame that may be changed."""
        return self.histories.of(self.symbol).frame(candles)


class Coverage(NamedTuple):
    """In how much of a run an indicator had a value.

    Attributes
    ----------
    candles : int
        Candles of the timeframe whose value could be read in the run.
    values : int
        Those of them with a value.
    first : int or None
        Close time of the first of these, ms UTC.
    """

    name: str
    timeframe: str
    candles: int
    values: int
    first: int | None


class Computed(NamedTuple):
    """The values of an indicator in a run, for charts.

    Attributes
    ----------
    place : str
        "price", the title of a pane, or "" where the strategy does not say.
    closes_at : (n,) int64
        When the candle of each value closed, ms UTC.
    values : (n,) float64
        NaN where it has none.
    """

    name: str
    timeframe: str
    place: str
    closes_at: Times
    values: Floats


class _Column:
    """Values at the closes of candles, the first of them at `first`, ms UTC.

    Of a class with slots the fields are read fastest.
    """

    __slots__ = ("closes", "first", "step", "values")

    def __init__(
        self, values: Sequence[float], first: int, step: int, closes: Times | None
    ) -> None:
        self.values = values
        self.first = first
        self.step = step
        self.closes = closes

    def row(self, now: int) -> int:
        """Return the row of the last candle that had closed; -1: none."""
        if self.closes is None:
            return (now - self.first) // self.step
        return int(self.closes.searchsorted(now, "right")) - 1

    def closes_at(self, row: int) -> int:
        """Return when the candle of a row closed, ms UTC."""
        if self.closes is None:
            return self.first + row * self.step
        return self.closes.item(row)


class Indicators(Mapping[str, float]):
    """`ctx.indicators`: the value of each indicator at the last closed candle of its timeframe.

    Parameters
    ----------
    closed : ClosedCandles
        Where the candles are.

    Attributes
    ----------
    now : int
        The moment as of which values are given, ms UTC.
    """

    __slots__ = ("_closed", "_columns", "_declared", "_made", "_until", "now")

    def __init__(self, declared: Sequence[Indicator], closed: ClosedCandles) -> None:
        self.now = 0
        self._declared = declared
        self._closed = closed
        self._until = -1
        self._columns: dict[str, _Column] = {}
        self._made: dict[Indicator, tuple[int, dict[str, _Column]]] = {}

    def __getitem__(self, name: str) -> float:
        """Return the value at the last candle that had closed, NaN where the function says so.

        Raises
        ------
        UnknownName
            When no function makes an indicator of that name.
        NotEnoughCandles
            When no candle of its timeframe had closed.
        """
        now = self.now
        if now > self._until:
            self.compute(now)
        try:
            found = self._columns[name]
        except KeyError:
            raise self._unknown(name) from None
        # As `row` says, without a call.
        row = (now - found.first) // found.step if found.closes is None else found.row(now)
        if row < 0:
            raise NotEnoughCandles(f"no candle of indicator {name!r} closed by {iso(now)}")
        return found.values[row]

    def __getattr__(self, name: str) -> NoReturn:
        """Say how a value is read."""
        raise AttributeError(f"indicators are read by name: ctx.indicators[{name!r}]")

    def __iter__(self) -> Iterator[str]:
        if self.now > self._until:
            self.compute(self.now)
        return iter(self._columns)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Indicators({', '.join(self)})"

    def compute(self, until: int) -> None:
        """Have the values of all moments up to `until`.

        Raises
        ------
        SpecError
            When a function returns no columns, or a name in two places.
        UsageError
            When a window gives other values than its tolerance allows.
        """
        made: dict[Indicator, tuple[int, dict[str, _Column]]] = {}
        columns: dict[str, _Column] = {}
        for item in self._declared:
            candles = self._closed.until(item.timeframe, until)
            known = self._made.get(item)
            own = known[1] if known and known[0] == candles.end else self._columns_of(item, candles)
            made[item] = (candles.end, own)
            for name in own:
                if name in columns:
                    raise SpecError(
                        f"duplicate indicator {name!r}, the second one on {item.timeframe}; "
                        "rename one of them, or run the cell of the strategy again to forget "
                        "those that its cells no longer declare"
                    )
            columns |= own
        self._made, self._columns, self._until = made, columns, until

    def coverage(self, start: int, end: int) -> list[Coverage]:
        """Say in how much of a period (close times, ms UTC) each indicator computed had a value."""
        found = []
        for item, (_, columns) in self._made.items():
            for name, column in columns.items():
                since = max(0, column.row(start))
                seen = np.asarray(column.values)[since : max(0, column.row(end) + 1)]
                there = np.flatnonzero(~np.isnan(seen))
                at = column.closes_at(since + int(there[0])) if len(there) else None
                found.append(Coverage(name, item.timeframe, len(seen), len(there), at))
        return found

    def computed(self) -> list[Computed]:
        """Return all values so far of the indicators that charts draw."""
        found = []
        for item, (_, columns) in self._made.items():
            places = dict(item.places)
            for name, column in columns.items():
                place = places.get(name, places.get("", ""))
                if place is not None:
                    values = np.asarray(column.values)
                    closes_at = column.closes
                    if closes_at is None:
                        closes_at = column.first + column.step * np.arange(len(values))
                    found.append(Computed(name, item.timeframe, place, closes_at, values))
        return found

    def _columns_of(self, item: Indicator, candles: Candles) -> dict[str, _Column]:
        if not self._closed.windowed or item.window is None or len(candles) <= item.window:
            return self._made_of(item, candles)
        own = self._made_of(item, candles.rows(len(candles) - item.window, len(candles)))
        if item not in self._made:
            _check_window(item, own, self._made_of(item, candles))
        return own

    def _made_of(self, item: Indicator, candles: Candles) -> dict[str, _Column]:
        frame = self._closed.frame(candles)
        what = f"indicators on {item.timeframe}"
        columns = {}
        for name, column in table_of(item.function(frame), frame, what).items():
            given = np.full(len(candles), column) if isinstance(column, int | float) else column
            floats: Any = floats_of(given, len(candles), f"{what}: {name!r}")
            closes = None if candles.regular else candles.time + candles.step
            columns[name] = _Column(memoryview(floats), candles.ends_at(0), candles.step, closes)
        for name, _ in item.places:
            if name and name not in columns:
                raise unknown(f"indicator in plot= of {what}:", name, columns)
        return columns

    def _unknown(self, name: object) -> Exception:
        if not self._declared:
            return UsageError(
                f"unknown indicator {name!r}: this strategy has no indicators; add some with "
                '@name_of_the_strategy.indicators("15m")'
            )
        return unknown("indicator", name, self._columns)


def _check_window(item: Indicator, windowed: dict[str, _Column], whole: dict[str, _Column]) -> None:
    for name, column in whole.items():
        right = column.values[-1]
        found = windowed[name].values[-1] if name in windowed else np.nan
        same = found == right or (np.isnan(found) and np.isnan(right))
        if not same and not abs(found - right) <= item.tolerance * max(1.0, abs(right)):
            raise UsageError(
                f"indicator {name!r} is {found!r} over a window of {item.window} candles and "
                f"{right!r} over all {len(column.values)}; the difference is above tolerance = "
                f"{item.tolerance:g}; use a longer window or a larger tolerance"
            )


def nothing(_df: object) -> dict[str, object]:
    """Make no indicators."""
    return {}


def checked_window(
    name: str, window: int | None, tolerance: float | None
) -> tuple[int | None, float]:
    """Refuse a window without a tolerance, and numbers that cannot work."""
    what = f"{name!r}: indicators with window={window!r}, tolerance={tolerance!r}"
    if (window is None) != (tolerance is None):
        raise SpecError(f"{what}: give both or neither, because a window changes values")
    if window is None or tolerance is None:
        return None, 0.0
    if type(window) is not int or window < 1:
        raise SpecError(f"{what}: window must be a whole number of candles, at least 1")
    if not 0 <= tolerance < 1:
        raise SpecError(f"{what}: tolerance must be at least 0 and below 1")
    return window, float(tolerance)


def checked_places(name: str, plot: object) -> Places:
    """Return where charts draw the columns, from `plot=`; refuse what says no place."""
    places = plot if isinstance(plot, Mapping) else {} if plot is None else {"": plot}
    for column, place in places.items():
        if not isinstance(column, str) or not (place is None or (isinstance(place, str) and place)):
            raise SpecError(
                f"{name!r}: plot of indicators must be 'price' or the title of a pane, for all or "
                f"as a dict by name, with None for what is not drawn; was {plot!r}"
            )
    return tuple(places.items())
