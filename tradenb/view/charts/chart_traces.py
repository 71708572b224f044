"""The lines and markers of the charts as plain dicts; `trade_charts.py` draws them.

Times are ISO strings without a zone: plotly shows those as they are, while it would move numbers
into the reader's time zone. Texts of users are escaped, because plotly reads texts as HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.resampling import resample
from tradenb.core.timeframe import DAY, TIMEFRAMES, iso
from tradenb.view.formatting import duration, escaped, percent, plural, price

if TYPE_CHECKING:
    from tradenb.core.signal import Trade
    from tradenb.statistics.equity.curve_points import CurvePoints

Trace = dict[str, Any]

POINTS: Final = 5_000
CANDLESTICKS: Final = 300
MARKED: Final = 1_500

# Of medium lightness: each has at least 3:1 against white and against #111111.
PRICE: Final = "#7f8896"
LONG: Final = "#3b82c4"
SHORT: Final = "#9a6dd7"
WIN: Final = "#169c75"
LOSS: Final = "#d9632e"


def plot_text(text: object, limit: int = 120) -> str:
    """Make text that plotly shows as it is: no tags, no links, no TeX."""
    return escaped(text, limit).replace("$", "&#36;").replace("\n", " ")


def moments(times: Iterable[int]) -> list[str]:
    """Write ms UTC in the form that plotly reads."""
    at = np.fromiter(times, dtype=np.int64).view("datetime64[ms]")
    return [str(text) for text in np.datetime_as_string(at, unit="s")]


def coarser(candles: Candles, points: int = POINTS) -> Candles:
    """Resample candles to the shortest timeframe that has at most `points` of them."""
    steps = [*TIMEFRAMES.values(), *(DAY * days for days in (2, 5, 10, 50, 100))]
    fitting = (
        step
        for step in steps
        if step % candles.step == 0 and len(candles) * candles.step <= points * step
    )
    return resample(candles.shown, next(fitting, steps[-1]))


def price_traces(candles: Candles, *, points: int = POINTS) -> list[Trace]:
    """Draw a few candles as candlesticks, many as a line of closes in the band from low to high."""
    if len(candles) == 0:
        return []
    drawn = coarser(candles, points)
    return [_candlesticks(drawn)] if len(drawn) <= CANDLESTICKS else _band(drawn)


def trade_traces(
    trades: Sequence[Trade], first_entries: Mapping[str, float] | None = None
) -> list[Trace]:
    """Draw trades: a triangle where they begin, a circle (win) or a cross (loss) where they end.

    `first_entries` are the prices of the first entries of positions that were added to, by id; the
    entry of a trade is the average.
    """
    firsts = first_entries or {}
    wins = [trade for trade in trades if trade.pnl_percent > 0]
    others = [trade for trade in trades if not trade.pnl_percent > 0]
    size = 10 if len(trades) <= 60 else 8 if len(trades) <= 200 else 6
    found = [
        _holds(wins, WIN, firsts),
        _holds(others, LOSS, firsts),
        _entries(trades, "long", firsts, {"symbol": "triangle-up", "size": size, "color": LONG}),
        _entries(
            trades, "short", firsts, {"symbol": "triangle-down", "size": size, "color": SHORT}
        ),
        _exits(wins, "exit, win", {"symbol": "circle", "size": size - 1, "color": WIN}),
        _exits(others, "exit, no win", {"symbol": "x", "size": size - 1, "color": LOSS}),
    ]
    return [trace for trace in found if len(trace["x"])]


def equity_traces(points: CurvePoints, end: int) -> list[Trace]:
    """Draw the return, the distance to its peak below zero, and the benchmark, all in percent."""
    at, gains, falls = points.at, points.gains, [0.0 - fall for fall in points.falls]
    if points.stepped and end > at[-1]:
        at, gains, falls = [*at, end], [*gains, gains[-1]], [*falls, falls[-1]]
    line = {"shape": "hv" if points.stepped else "linear", "width": 1.6}
    rise: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": "equity",
        "x": moments(at),
        "y": np.array(gains),
        "line": {**line, "color": LONG},
        "hovertemplate": "%{y:,.2f} %<extra>equity</extra>",
        "showlegend": False,
    }
    fall: Trace = {
        **rise,
        "name": "drawdown",
        "y": np.array(falls),
        "line": {**line, "width": 1.2, "color": LOSS},
        "fill": "tozeroy",
        "fillcolor": _faint(LOSS),
        "hovertemplate": "%{y:,.2f} %<extra>drawdown</extra>",
    }
    if not points.holds:
        return [rise, fall]
    hold: Trace = {
        **rise,
        "name": "buy and hold",
        "y": np.array(points.holds),
        "line": {"width": 1, "color": PRICE},
        "hovertemplate": "%{y:,.2f} %<extra>buy and hold</extra>",
    }
    return [rise, fall, hold]


def markers(
    name: str,
    times: list[int],
    prices: list[float],
    hover_texts: list[str],
    marker: dict[str, object],
) -> Trace:
    """Draw marks, each with its own words."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": moments(times),
        "y": np.array(prices),
        "marker": marker,
        "hovertext": hover_texts,
        "hoverinfo": "text",
    }


def _candlesticks(candles: Candles) -> Trace:
    return {
        "type": "candlestick",
        "name": "price",
        "x": moments(candles.time),
        "open": candles.open,
        "high": candles.high,
        "low": candles.low,
        "close": candles.close,
        "xperiod": candles.step,
        "xperiodalignment": "middle",
        "line": {"width": 1},
        "increasing": {"line": {"color": PRICE}, "fillcolor": "rgba(0,0,0,0)"},
        "decreasing": {"line": {"color": PRICE}, "fillcolor": PRICE},
        "showlegend": False,
    }


def _band(candles: Candles) -> list[Trace]:
    grid = {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
    }
    if candles.regular:
        grid |= {"x0": moments([candles.start + candles.step])[0], "dx": candles.step}
    else:
        grid["x"] = moments(candles.time + candles.step)
    edge = {**grid, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "name": "low", "y": candles.low},
        {
            **edge,
            "name": "high",
            "y": candles.high,
            "fill": "tonexty",
            "fillcolor": _faint(PRICE),
        },
        {
            **grid,
            "name": "close",
            "y": candles.close,
            "line": {"width": 1.1, "color": PRICE},
            "hovertemplate": "%{x|%Y-%m-%d %H:%M}<br>%{y}<extra>close</extra>",
        },
    ]


def _holds(trades: Sequence[Trade], color: str, firsts: Mapping[str, float]) -> Trace:
    """Join entries and exits; a missing point after each pair lifts the pen."""
    ends = moments(at for trade in trades for at in (trade.opened_at, trade.closed_at))
    x: list[str | None] = []
    y: list[float] = []
    for row, trade in enumerate(trades):
        x += [*ends[2 * row : 2 * row + 2], None]
        y += [firsts.get(trade.signal_id, trade.entry), trade.exit, np.nan]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "held",
        "x": x,
        "y": np.array(y),
        "line": {"width": 1.2, "color": _faint(color, 0.6)},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _entries(
    trades: Sequence[Trade],
    position: Literal["long", "short"],
    firsts: Mapping[str, float],
    marker: dict[str, object],
) -> Trace:
    rows = [trade for trade in trades if trade.position == position]
    entries = [firsts.get(trade.signal_id, trade.entry) for trade in rows]
    return markers(
        f"{position} entry",
        [trade.opened_at for trade in rows],
        entries,
        [_entry_text(*pair) for pair in zip(rows, entries, strict=True)],
        marker,
    )


def _exits(trades: Sequence[Trade], name: str, marker: dict[str, object]) -> Trace:
    return markers(
        name,
        [trade.closed_at for trade in trades],
        [trade.exit for trade in trades],
        [_exit_text(trade) for trade in trades],
        marker,
    )


def _entry_text(trade: Trade, first: float) -> str:
    more = trade.entries - 1
    lines = [
        f"<b>{plot_text(trade.position)}</b> {plot_text(trade.strategy, 40)}",
        f"opened {iso(trade.opened_at)} at {price(first)}",
        f"added to {plural(more, 'time')}, average entry {price(trade.entry)}" if more else "",
        f"target {price(trade.take_profit)}, last stop {price(trade.stop_loss)}",
        plot_text(trade.note) if trade.note else "",
    ]
    return "<br>".join(line for line in lines if line)


def _exit_text(trade: Trade) -> str:
    what = f"{plot_text(trade.position)} {plot_text(trade.strategy, 40)}"
    parts = f", the last of {trade.exits} exits" if trade.exits > 1 else ""
    return "<br>".join(
        [
            f"<b>{percent(trade.pnl_percent, plus=True)}</b> {plot_text(trade.exit_reason)}",
            f"closed {iso(trade.closed_at)} at {price(trade.exit)}{parts}",
            f"{what}, held {duration(trade.minutes_held)}",
        ]
    )


def _faint(color: str, opacity: float = 0.18) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
