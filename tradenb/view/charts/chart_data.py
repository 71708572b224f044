"""What a chart shows, as plain values that fit into JSON: the one definition of all charts.

The page of a report, the widget of `result.plot()` and the dashboard hand them to `chart.js`, which
draws what is looked at. Nothing is computed there but coarser candles and what stands in view.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.statistics.equity.curve_points import CurvePoints, fewer
from tradenb.view.charts.candle_levels import FEWEST_ROWS, ROWS, Level, levels_of, packed_level
from tradenb.view.charts.packed_columns import Packed, decimals_of, packed, packed_floats
from tradenb.view.charts.position_columns import Texts, line_columns, trade_columns

if TYPE_CHECKING:
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.core.signal import Trade

MOST_TRADES: Final = 20_000
POINTS: Final = 12_000  # of the equity
_INDICATOR_DIGITS: Final = 6
_PERCENT_DIGITS: Final = 11  # a curve that ends at millions begins at parts of one
_INDICATOR_ROWS: Final = 0.25  # of those of a candle


class IndicatorLine(NamedTuple):
    """The values of an indicator of one symbol.

    Attributes
    ----------
    where : str
        "price" over the candles; anything else names the pane it is drawn in.
    closes_at : (n,) int64
        When the candle of each value closed, ms UTC, ascending.
    values : (n,) float64
        NaN where it has none.
    """

    name: str
    strategy: str
    timeframe: str
    where: str
    closes_at: Times
    values: Floats


class Drawn(NamedTuple):
    """What is drawn of one symbol.

    Attributes
    ----------
    trades : sequence of Trade
        Of this symbol, in order of closing.
    lines : sequence of PositionLines
        Stops, targets and parts of its positions.
    """

    symbol: str
    candles: Candles
    trades: Sequence[Trade] = ()
    lines: Sequence[PositionLines] = ()
    indicators: Sequence[IndicatorLine] = ()


def chart_data(
    drawn: Sequence[Drawn],
    points: CurvePoints | None,
    *,
    start: int,
    end: int,
    since: int | None = None,
    chosen: int = 0,
    rows: int = ROWS,
    compounded: bool = False,
) -> dict[str, Any]:
    """Return what a chart shows.

    Parameters
    ----------
    points : CurvePoints, optional
        The equity of the run.
    start, end : int
        The whole period, ms UTC.
    since : int, optional
        From when on it is shown at first; default all.
    chosen : int, default 0
        Place of the symbol that is shown at first.
    rows : int
        How many candles all symbols may have together.
    compounded : bool, default False
        Say that every position counts as if it had the whole equity, beside an account of which it
        had a part.
    """
    texts = Texts()
    share = max(rows // max(len(drawn), 1), FEWEST_ROWS)
    most = MOST_TRADES // max(len(drawn), 1)
    symbols = [_symbol(each, share, max(most, 100), end, texts) for each in drawn]
    return {
        "start": start,
        "end": end,
        "since": start if since is None else since,
        "chosen": chosen,
        "symbols": symbols,
        "equity": None if points is None else _equity(points, end, compounded=compounded),
        "texts": list(texts.places),
    }


def chart_json(data: object) -> str:
    """Write what a chart shows as JSON that cannot end the script element around it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def known_at(line: IndicatorLine, moments: Times) -> Floats:
    """Return the value of an indicator that was known at each moment, NaN where none was."""
    rows = line.closes_at.searchsorted(moments, "right") - 1
    return np.where(rows >= 0, line.values[np.maximum(rows, 0)], np.nan)


def all_candles_script(drawn: Sequence[Drawn]) -> str:
    """Return a script with all candles of the symbols, for a file beside a page with their chart.

    `chart.js` takes them in the place of those in the page, if they are there.
    """
    share = max(ROWS // max(len(drawn), 1), FEWEST_ROWS)
    found = [_candles(each, [], share, everything=True) for each in drawn]
    return f"globalThis.tradenbCandles = {chart_json(found)};"


def _symbol(each: Drawn, rows: int, most: int, end: int, texts: Texts) -> dict[str, Any]:
    candles, trades = each.candles, each.trades[-most:]
    since = min((trade.opened_at for trade in trades), default=0)
    left_out = len(each.trades) > len(trades)
    lines = [line for line in each.lines if not left_out or line.opened_at >= since]
    found: dict[str, Any] = {
        "name": each.symbol,
        "trades": trade_columns(trades, lines, texts),
        "all_trades": len(each.trades),
        **line_columns(lines, candles.end if len(candles) else end, texts),
    }
    moments = [at for trade in trades for at in (trade.opened_at, trade.closed_at)]
    moments += [line.opened_at for line in lines if line.closed_at is None]
    return found | _candles(each, moments, rows)


def _candles(
    each: Drawn, moments: Sequence[int], rows: int, *, everything: bool = False
) -> dict[str, Any]:
    """Pack the candles of a symbol with its indicators."""
    if not len(each.candles):
        return {"levels": [], "indicators": []}
    room = int(rows / (1 + _INDICATOR_ROWS * len(each.indicators)))
    found = levels_of(each.candles, moments, room, everything=everything)
    levels = [level for level in found if level is not None]
    decimals = decimals_of(np.concatenate([own for level in levels for own in level.columns[:4]]))
    return {
        "levels": [packed_level(level, decimals) for level in levels],
        "indicators": [_indicator(line, levels) for line in each.indicators],
    }


def _indicator(line: IndicatorLine, levels: Sequence[Level]) -> dict[str, Any]:
    return {
        "name": line.name,
        "strategy": line.strategy,
        "timeframe": line.timeframe,
        "where": line.where,
        "levels": [_as_of(line, level) for level in levels],
    }


def _as_of(line: IndicatorLine, level: Level) -> Packed:
    return packed_floats(known_at(line, level.closes_at), digits=_INDICATOR_DIGITS)


def _equity(points: CurvePoints, end: int, *, compounded: bool) -> dict[str, Any]:
    few = points if len(points.at) <= POINTS else fewer(points, POINTS)
    at, columns = list(few.at), [few.gains, few.falls, few.holds]
    if few.stepped and end > at[-1]:
        at, columns = [*at, end], [[*column, column[-1]] for column in columns if column]
    gains, falls, *holds = (np.array(column) for column in columns if len(column))
    return {
        "at": packed(np.array(at, dtype=np.int64)),
        "gains": packed_floats(gains, digits=_PERCENT_DIGITS),
        "falls": packed_floats(falls, digits=6),
        "holds": packed_floats(holds[0], digits=_PERCENT_DIGITS) if holds else None,
        "stepped": few.stepped,
        "title": "Equity if each trade had all of it, %" if compounded else "Equity, %",
    }
