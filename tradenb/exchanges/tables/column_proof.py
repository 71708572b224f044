"""Whether the columns of a table without a header are what its form says, by the candles alone.

Two columns that were exchanged would give candles that look like some: so what cannot be told from
its exchange is refused, and a header is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradenb.core.candles.arrays import Floats, Rows
from tradenb.errors import CandleError

_ABOUT = 0.1


def check_columns(rows: Rows, checks: Sequence[Floats]) -> None:
    """Refuse candles whose columns may be others than they were taken for.

    Parameters
    ----------
    rows : Rows
        Oldest first.
    checks : sequence of (n,) arrays
        Quote volume and bought volume (Binance), or the number of trades (Kraken).

    Raises
    ------
    CandleError
    """
    if not (_prices(rows) and _follow(rows) and _volumes(rows, checks)):
        raise CandleError(
            "the header is missing, and the order of the columns is not clear from the candles; "
            "put a first line above them: timestamp,open,high,low,close,volume",
            code="columns",
        )


def _prices(rows: Rows) -> bool:
    lowest, highest = np.minimum(rows.open, rows.close), np.maximum(rows.open, rows.close)
    return bool((rows.low <= lowest).all() and (rows.high >= highest).all())


def _follow(rows: Rows) -> bool:
    """Tell whether opens follow the closes before them, and not closes the opens."""
    if (rows.open == rows.close).all():
        return True
    gaps = np.abs(rows.open[1:] - rows.close[:-1]).sum()
    exchanged = np.abs(rows.close[1:] - rows.open[:-1]).sum()
    return bool(gaps < exchanged / 2)


def _volumes(rows: Rows, checks: Sequence[Floats]) -> bool:
    whole = [bool((column == np.floor(column)).all()) for column in (rows.volume, *checks)]
    if len(checks) == 1:  # the number of trades
        return whole == [False, True]
    if len(checks) == 2:
        quote, bought = checks
        least = rows.low * rows.volume * (1 - _ABOUT)
        most = rows.high * rows.volume * (1 + _ABOUT)
        worth = bool(((least <= quote) & (quote <= most)).all())
        return worth and bool((bought <= rows.volume).all())
    # A volume among prices would be a candle as well.
    inside = (rows.low <= rows.volume) & (rows.volume <= rows.high)
    return not inside.all()
