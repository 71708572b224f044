"""The returns of a curve by day, week, month and year of UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.timeframe import DAY
from tradenb.errors import unknown
from tradenb.statistics.equity.curve import Covered, Curve

if TYPE_CHECKING:
    import pandas

Length = Literal["day", "week", "month", "year"]
LENGTHS: Final = get_args(Length)
_WEEK: Final = 7 * DAY
_MONDAY: Final = 4 * DAY  # 1970-01-05


class Periods(NamedTuple):
    """Returns by period: when each begins (ms UTC), and a fraction, not percent."""

    begin: Times
    returns: Floats


def whole_days(curve: Curve, covered: Covered) -> Periods:
    """Return the daily returns; a last part of a day is left out."""
    first, last = -(-(curve.start + 1) // DAY), curve.end // DAY
    return _returns(curve, covered, np.arange(first - 1, last + 1, dtype=np.int64) * DAY)


def periods(curve: Curve, covered: Covered, length: Length) -> Periods:
    """Return the returns of each period with covered time; the last goes as far as the run.

    Raises
    ------
    UnknownName
        When the length is none of day, week, month and year.
    """
    if length not in LENGTHS:
        raise unknown("period", length, LENGTHS)
    return _returns(curve, covered, _bounds(curve.start, curve.end, length))


def _returns(curve: Curve, covered: Covered, bounds: Times) -> Periods:
    values = curve.value_at(bounds)
    before, after = values[:-1], values[1:]
    # Nothing can be lost of nothing.
    grown = np.divide(after, before, out=np.ones(len(after)), where=before > 0)
    some = covered.between(bounds[:-1], bounds[1:]) > 0
    return Periods(bounds[:-1][some], grown[some] - 1)


def _bounds(start: int, end: int, length: Length) -> Times:
    """Return where periods begin, from that of `start` on, and the end of the last."""
    if length in ("month", "year"):
        ends = np.array([start, max(start, end - 1)], dtype="datetime64[ms]")
        first, last = ends.astype(f"datetime64[{length[0].upper()}]")
        found: Times = np.arange(first, last + 2).astype("datetime64[ms]").astype(np.int64)
        return found
    size, offset = (_WEEK, _MONDAY) if length == "week" else (DAY, 0)
    begin = (start - offset) // size
    stop = max(begin + 1, -(-(end - offset) // size))
    return np.arange(begin, stop + 1, dtype=np.int64) * size + offset


def period_series(found: Periods, name: str, *, percent: bool) -> pandas.Series[float]:
    """Return a Series of returns; its index is where each period begins, datetime64[ms, UTC]."""
    import pandas

    index = pandas.DatetimeIndex(found.begin.view("datetime64[ms]"), name=name).tz_localize("UTC")
    values = found.returns * 100 if percent else found.returns
    return pandas.Series(values, index=index, name="return", dtype="float64")
