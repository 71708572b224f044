"""Timeframes and moments as integers of milliseconds since the epoch, UTC.

Everything in the core speaks `int` ms. `to_ms` is the one place where a person's idea of a moment
(ISO string, datetime, pandas Timestamp) becomes one; it needs no pandas for that.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from typing import TYPE_CHECKING, Final, SupportsIndex, TypeAlias, Union, cast

from tradenb.errors import UnknownName, UsageError, near, shown, unknown

if TYPE_CHECKING:
    import numpy as np

TimeLike: TypeAlias = Union[int, str, dt.datetime, dt.date, "np.datetime64"]
"""A moment as people write it: ms, ISO 8601, datetime, Timestamp; UTC if it names no zone."""

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 86_400_000
WEEK: Final = 7 * DAY
_MONDAY: Final = 4 * DAY  # 1970-01-05, the first Monday

TIMEFRAMES: Final[dict[str, int]] = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": 60 * MINUTE,
    "2h": 120 * MINUTE,
    "4h": 240 * MINUTE,
    "6h": 360 * MINUTE,
    "8h": 480 * MINUTE,
    "12h": 720 * MINUTE,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": WEEK,
}
"""Name of each timeframe and its length in ms."""

_UNITS: Final = {"m": MINUTE, "h": 60 * MINUTE, "d": DAY, "w": WEEK}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([mhdw])")
# Moments outside 1971..2200 are nearly always seconds or nanoseconds taken for milliseconds.
EARLIEST: Final = 31_536_000_000
LATEST: Final = 7_258_118_400_000


def timeframe_ms(name: str) -> int:
    """Return the length of a timeframe in ms.

    Raises
    ------
    UnknownName
        When the timeframe is not one of `TIMEFRAMES`.
    """
    try:
        return TIMEFRAMES[name]
    except (KeyError, TypeError):
        hint = "(one of " + " ".join(TIMEFRAMES) + ")"
        if advice := likely(name):
            raise UnknownName(f"unknown timeframe {shown(name)}; {advice} {hint}") from None
        raise unknown("timeframe", name, TIMEFRAMES, hint=hint) from None


def likely(name: object) -> str:
    """Ask whether the timeframe that is as long was meant, or one that is alike; "" if none is."""
    match = _DURATION.fullmatch(f"{name}m" if type(name) is int else str(name))
    length = int(match[1]) * _UNITS[match[2]] if match else 0
    as_long = [own for own, step in TIMEFRAMES.items() if step == length]
    return f"did you mean {as_long[0]!r}?" if as_long else near(name, TIMEFRAMES)[2:]


def one_of(name: object) -> str:
    """Say which timeframes there are, and which of them may have been meant."""
    advice = likely(name)
    return f"one of {' '.join(TIMEFRAMES)}" + (f" ({advice})" if advice else "")


def base_step(name: str) -> int:
    """Return the length of a source's candles in ms: 1m to 1d.

    Raises
    ------
    UsageError
        When it is longer than a day, or there is no such timeframe.
    """
    step = timeframe_ms(name)
    if step > DAY:
        raise UsageError(f"timeframe must be between 1m and 1d, was {name!r}; it is built from 1d")
    return step


def duration_ms(text: str, name: str = "history") -> int:
    """Return the length of a span such as "90m", "36h", "3d" or "2w" in ms.

    Raises
    ------
    UsageError
        When the text is not a whole positive number followed by m, h, d or w.
    """
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise UsageError(f"{name} must look like '90m', '36h', '3d' or '2w', was {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def timeframe_name(step: int) -> str:
    """Write a length as people do: "5m", "2h", "1d"."""
    for unit in "wdh":
        if step % _UNITS[unit] == 0 and f"{step // _UNITS[unit]}{unit}" in TIMEFRAMES:
            return f"{step // _UNITS[unit]}{unit}"
    length, unit = next((_UNITS[unit], unit) for unit in "dhm" if step % _UNITS[unit] == 0)
    return f"{step // length}{unit}"


def floor_to(at: int, step: int = MINUTE) -> int:
    """Return the last multiple of `step` that is not after `at`; weeks begin on Monday."""
    return at - (at - _MONDAY) % step if step == WEEK else at - at % step


def ceil_to(at: int, step: int = MINUTE) -> int:
    """Return the first multiple of `step` that is not before `at`."""
    return floor_to(at + step - 1, step)


def next_after(at: int, step: int = MINUTE) -> int:
    """Return the first multiple of `step` after `at`."""
    return floor_to(at, step) + step


def to_ms(value: object, name: str = "time") -> int:
    """Convert a moment to ms since the epoch; what has no time zone is UTC.

    Parameters
    ----------
    value : int, str, datetime, date, pandas.Timestamp or numpy.datetime64
        The moment. An int is ms since the epoch, a string is ISO 8601.
    name : str
        What to call it in an error.

    Raises
    ------
    UsageError
        When it is none of these, or lies outside 1971 to 2200 (an int in seconds or ns).

    Examples
    --------
    >>> to_ms("2024-01-01")
    1704067200000
    """
    at = _read(value, name)
    if not EARLIEST <= at < LATEST:
        raise UsageError(
            f"{name} must lie between 1971 and 2200 in ms since the epoch, was {value!r}"
        )
    return at


def iso(at: int) -> str:
    """Write a moment as people read it, UTC: "2024-01-01 00:05", with seconds if there are any."""
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M" if at % MINUTE == 0 else "%Y-%m-%d %H:%M:%S")


def _read(value: object, name: str) -> int:
    if isinstance(value, bool):
        raise UsageError(f"{name} must be a moment, was {value!r}")
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return _from_datetime(_parse(value, name), name)
    if isinstance(value, dt.datetime):
        return _from_datetime(value, name)
    if isinstance(value, dt.date):
        midnight = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        return _from_datetime(midnight, name)
    return _from_numpy(value, name)


def _parse(text: str, name: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{name} must be ISO 8601 like '2024-03-01' or '2024-03-01T12:00', was {text!r}"
        ) from None


def _from_datetime(moment: dt.datetime, name: str) -> int:
    if type(moment).__name__ == "NaTType":  # pandas makes it a datetime
        raise UsageError(f"{name} must be a real moment, was NaT")
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def _from_numpy(value: object, name: str) -> int:
    if type(value).__name__ == "datetime64":
        return int(value.astype("datetime64[ms]").astype("int64"))  # type: ignore[attr-defined]
    try:
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise UsageError(
            f"{name} must be ms since the epoch, a datetime or an ISO string, was {shown(value)}"
        ) from None
