"""Whether rows that were made beforehand go with what prices did after them.

A value that knows the future shows it: its rank goes with that of the returns that follow, far more
than by chance (blocks of the returns moved elsewhere), and far more than anything that is made of
the candles before it. No evidence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.core.timeframe import MINUTE
from tradenb.research.lookahead.timestamps import label_times, step_of_rows, table_times

HORIZONS: Final = (1, 5, 15, 30, 60, 120, 240)
_FEWEST: Final = 500
_MOST: Final = 20_000
_SHIFTS: Final = 40
_LEAST: Final = 0.2
_TIMES_CHANCE: Final = 3.0
_TIMES_PAST: Final = 2.0


class Evidence(NamedTuple):
    """How strongly the rows of a column go with what came after them."""

    column: str
    minutes: int
    correlation: float


def evidence_of(value: Any, candles: Mapping[str, Candles]) -> Evidence | None:
    """Return the strongest evidence that a value knows the future, if it is strong."""
    found: list[Evidence] = []
    for own in candles.values():
        past = _known(own)
        for name, times, column in _columns(value, own):
            usable = np.isfinite(column)
            if usable.sum() >= _FEWEST:
                known = times[usable] + (step_of_rows(times) or 0)
                found += _strong(name, known[-_MOST:], column[usable][-_MOST:], own, past)
    return max(found, key=lambda item: abs(item.correlation), default=None)


def only_column(value: Any, noisy: Any, column: str) -> Any:
    """Return a value with noise in one of its columns; in all rows where it has no columns."""
    import pandas as pd

    if not isinstance(value, pd.DataFrame):
        return noisy
    found = value.copy()
    for name in value.columns:
        if str(name) == column:
            found[name] = noisy[name]
    return found


def _strong(
    name: str, known: Times, column: Floats, own: Candles, past: dict[int, float]
) -> Iterator[Evidence]:
    random = np.random.default_rng(0)
    now = _price(own, known)
    forms = [column, np.diff(column, prepend=np.nan)]
    with np.errstate(all="ignore"):
        if 0.5 < np.nanmedian(column / now) < 2:
            forms.append(column / now - 1)
    for minutes in HORIZONS:
        gain = np.log(_price(own, known + minutes * MINUTE) / now)
        for form in forms:
            usable = np.isfinite(form) & np.isfinite(gain)
            if usable.sum() < _FEWEST:
                continue
            one, other = _ranks(form[usable]), _ranks(gain[usable])
            size = len(one)
            found = _correlation(one, other)
            # Where the past tells much, as in a market that turns back, more is asked for.
            told = past[minutes]
            if abs(found) < max(_LEAST, min(_TIMES_PAST * told, (1 + told) / 2)):
                continue
            shifts = random.integers(size // 10, size - size // 10, _SHIFTS)
            chance = max(abs(_correlation(one, np.roll(other, shift))) for shift in shifts)
            if abs(found) > _TIMES_CHANCE * chance or abs(found) > 0.9:
                yield Evidence(name, minutes, found)


def _known(own: Candles) -> dict[int, float]:
    """Return how much what is made of the past goes with what follows, by horizon."""
    close = own.close[-_MOST:]
    known = own.time[-_MOST:] + own.step
    means = [_mean(close, count) for count in (5, 20, 60, 240)]
    features = [close, *(close / mean - 1 for mean in means)]
    features += [close / np.roll(close, count) - 1 for count in (1, 5, 30, 120)]
    found = {}
    for minutes in HORIZONS:
        gain = np.log(_price(own, known + minutes * MINUTE) / close)
        usable = np.isfinite(gain)
        usable[:240] = False
        several = [
            abs(_correlation(_ranks(item[usable]), _ranks(gain[usable])))
            for item in features
            if usable.sum() > 2
        ]
        found[minutes] = max(several, default=1.0)
    return found


def _mean(values: Floats, count: int) -> Floats:
    sums = np.cumsum(np.insert(values, 0, 0.0))
    found = np.full(len(values), np.nan)
    found[count - 1 :] = (sums[count:] - sums[:-count]) / count
    return np.where(np.isnan(found), values, found)


def _price(own: Candles, at: Times) -> Floats:
    """Return the last close at each moment; NaN before the first and after the last candle."""
    places = (own.time + own.step).searchsorted(at, "right") - 1
    inside = (places >= 0) & (at <= own.end)
    return np.where(inside, own.close[np.clip(places, 0, len(own) - 1)], np.nan)


def _ranks(values: Floats) -> Floats:
    found = np.empty(len(values))
    found[np.argsort(values, kind="stable")] = np.arange(len(values))
    return found


def _correlation(one: Floats, other: Floats) -> float:
    if len(one) < 3 or not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _columns(value: Any, own: Candles) -> Iterator[tuple[str, Times, Floats]]:
    """Yield the columns of numbers of a value with the times of their rows."""
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        times, dated = table_times(value)
        frame = pd.DataFrame(value)
        for place, name in enumerate(frame.columns if times is not None else ()):
            column = frame.iloc[:, place].to_numpy()
            if name != dated and column.dtype.kind in "biuf":
                yield str(name), times, column.astype(np.float64)  # type: ignore[misc]
    elif isinstance(value, dict) and value:
        times = label_times(pd.Index(list(value), tupleize_cols=False))
        try:
            numbers = np.array(list(value.values()), dtype=np.float64)
        except (TypeError, ValueError):
            return
        if times is not None and numbers.ndim == 1:
            order = np.argsort(times, kind="stable")
            yield "", times[order], numbers[order]
    elif isinstance(value, list | tuple | np.ndarray) and len(value) == len(own):
        try:
            numbers = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return
        if numbers.ndim == 1:
            yield "", own.time, numbers
