"""Where the ticks of an axis are, and their labels: round numbers and round moments, UTC."""

from __future__ import annotations

import datetime as dt
import math
from typing import Final

from tradenb.core.timeframe import DAY, MINUTE, ceil_to
from tradenb.view.formatting import MONTHS

_HOUR: Final = 60 * MINUTE
# Steps in ms up to a fortnight; after that months, of which the length varies.
_STEPS: Final = (
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 4, 7, 14)),
)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)

_TINY: Final = 1e-300


def value_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers within [low, high], ascending, at most `most` of them.

    Examples
    --------
    >>> value_ticks(-3.2, 12.0)
    [0.0, 5.0, 10.0]
    """
    rough = (high - low) / most
    if not _TINY < rough < 1 / _TINY:
        return [low]  # no float lies between round numbers, or none is as far
    power = math.floor(math.log10(rough))
    size = 10.0**power
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if size * factor > rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(mark * step, 12 - min(power, 0)) for mark in range(first, last + 1)]


def digits_of(ticks: list[float]) -> int:
    """Return how many decimals neighbouring ticks need to differ."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return max(0, -math.floor(math.log10(step) + 1e-9))


def time_ticks(start: int, end: int, most: int = 6) -> list[tuple[int, str]]:
    """Return round moments within [start, end] with their labels.

    Examples
    --------
    >>> [label for _, label in time_ticks(1_709_251_200_000, 1_711_065_600_000)]
    ['1 Mar', '5 Mar', '9 Mar', '13 Mar', '17 Mar', '21 Mar']
    """
    rough = (end - start) / most
    step = next((step for step in _STEPS if step >= rough), 0)
    if step >= DAY:
        first = ceil_to(start, DAY)
        return [(at, _day(at)) for at in range(first, end + 1, step)]
    if step:
        return [(at, _clock(at)) for at in range(ceil_to(start, step), end + 1, step)]
    return _month_ticks(start, end, most)


def _month_ticks(start: int, end: int, most: int) -> list[tuple[int, str]]:
    first, last = _month_number(start), _month_number(end)
    step = next((step for step in _MONTHS if (last - first) / step <= most), _MONTHS[-1])
    numbers = range(first + -first % step, last + 1, step)
    found = [(_month_start(number), number) for number in numbers]
    return [
        (at, str(number // 12) if step >= 12 else f"{MONTHS[number % 12]} {number // 12}")
        for at, number in found
        if start <= at <= end
    ]


def _month_number(at: int) -> int:
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    return moment.year * 12 + moment.month - 1


def _month_start(number: int) -> int:
    return int(dt.datetime(number // 12, number % 12 + 1, 1, tzinfo=dt.UTC).timestamp()) * 1000


def _day(at: int) -> str:
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    return f"{moment.day} {MONTHS[moment.month - 1]}"


def _clock(at: int) -> str:
    return f"{at % DAY // _HOUR:02}:{at % _HOUR // MINUTE:02}" if at % DAY else _day(at)
