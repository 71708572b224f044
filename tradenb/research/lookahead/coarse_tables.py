"""Tables whose rows are further apart than candles: when row t was known.

A resampled candle of t is known when the next begins; yesterday's high, named by today, at t. Of
columns that are candles this is seen; of others both readings are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tradenb.core.candles.arrays import Candles
from tradenb.research.lookahead.beforehand import are_candles, is_candles
from tradenb.research.lookahead.holders import Reached, reached_data
from tradenb.research.lookahead.timestamps import step_of_rows, table_times


class CoarseTables(NamedTuple):
    """Ids of the tables whose row t is known at t, and by name of those of which it is unclear."""

    at_once: frozenset[int]
    unclear: dict[str, int]


def coarse_tables(
    functions: Iterable[Any], candles: Mapping[str, Candles], followed: Callable[[Reached], object]
) -> CoarseTables:
    """Find the coarse tables that functions reach; those that are `followed` need no reading."""
    at_once, unclear = set(), {}
    for function in functions:
        for item in reached_data(function):
            if not _is_coarse(item.value, candles) or followed(item):
                continue
            if is_known_at_once(item.value, candles):
                at_once.add(id(item.value))
            else:
                unclear[item.name] = id(item.value)
    return CoarseTables(frozenset(at_once), unclear)


def is_known_at_once(value: Any, candles: Mapping[str, Candles]) -> bool:
    """Tell whether rows are candles of before their time: yesterday's high, named by today."""
    import pandas as pd

    if not isinstance(value, pd.DataFrame | pd.Series):
        return False
    times, dated = table_times(value)
    step = 0 if times is None else step_of_rows(times)
    if times is None or not step:
        return False
    frame = pd.DataFrame(value)
    first = min(own.start for own in candles.values())
    there = frame.notna().all(axis=1).to_numpy() & (times - step >= first)
    columns = [frame[name].to_numpy()[there] for name in frame.columns if name != dated]
    return any(are_candles(columns, times[there] - step, own) for own in candles.values())


def _is_coarse(value: Any, candles: Mapping[str, Candles]) -> bool:
    """Tell whether the rows of a table are further apart than candles, and are none themselves.

    Whether row t is known at t, or when the next begins, cannot be seen of them.
    """
    import pandas as pd

    if not isinstance(value, pd.DataFrame | pd.Series):
        return False
    times, _ = table_times(value)
    step = 0 if times is None else step_of_rows(times)
    coarse = step > max((own.step for own in candles.values()), default=0)
    return coarse and not is_candles(value, candles)
