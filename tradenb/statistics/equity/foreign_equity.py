"""A curve that the caller gives: `tn.stats(trades, ..., equity=)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tradenb.core.timeframe import MINUTE
from tradenb.errors import UsageError, shown
from tradenb.statistics.closed_trades import ClosedTrade
from tradenb.statistics.equity.curve import FIRST, Curve, covered_by
from tradenb.statistics.equity.marks import Marks, marks_of_trades
from tradenb.statistics.formulas import columns_of, within

if TYPE_CHECKING:
    import pandas


def marks_of_equity(
    trades: Sequence[ClosedTrade],
    equity: pandas.Series[float],
    start: int,
    end: int,
    instances: int,
) -> Marks:
    """Take a series of values as the curve between two moments.

    What it begins at is its last value at or before `start`; else what `result.equity` says that
    it began at; else its first value.

    Raises
    ------
    UsageError
        When it is not a Series of numbers by time, or has no value in the period.
    """
    at, values = _columns(equity)
    first = int(np.searchsorted(at, start, "right"))
    stop = int(np.searchsorted(at, end, "right"))
    if first >= stop:
        raise UsageError("equity has no value between start and end; pass the one of this run")
    begun = values[first - 1] if first else equity.attrs.get(FIRST, values[0])
    step = int(np.diff(at).min()) if len(at) > 1 else MINUTE
    own = values[first:stop]
    ruined = np.flatnonzero(own <= 0)
    curve = Curve(
        start,
        end,
        at[first:stop],
        np.arange(stop - first, dtype=np.int64),
        own,
        float(begun),
        int(at[first + ruined[0]]) if len(ruined) else None,
    )
    return marks_of_trades(
        within(columns_of(trades), start, end),
        start=start,
        end=end,
        instances=instances,
        curve=curve,
        covered=covered_by(at[first:stop], step),
    )


def _columns(equity: Any) -> tuple[Any, Any]:
    import pandas

    if not isinstance(equity, pandas.Series) or not isinstance(equity.index, pandas.DatetimeIndex):
        raise UsageError(
            f"equity must be a Series by time, such as result.equity, was {shown(equity)}"
        )
    index = equity.index if equity.index.tz is None else equity.index.tz_convert("UTC")
    at = index.as_unit("ms").asi8
    values = equity.to_numpy(dtype=np.float64)
    if not (np.diff(at) > 0).all() or not np.isfinite(values).all():
        raise UsageError("equity must have finite values, oldest first, one at each time")
    return at, values
