"""Interactive charts by plotly: equity, drawdown, and the price with the trades on it.

The only file that imports plotly. Figures are transparent and use colours of medium lightness, so
they read well on light and dark pages and in a static export; nothing in them depends on the
default template of the session.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradenb.errors import UsageError, unknown
from tradenb.statistics.equity.curve_points import CurvePoints, fewer
from tradenb.view.asset_files import asset
from tradenb.view.charts.chart_theme import (
    MARGIN,
    TEMPLATE,
    fall_axis,
    percent_axis,
    price_axis,
    time_axis,
)
from tradenb.view.charts.chart_traces import (
    MARKED,
    POINTS,
    Trace,
    coarser,
    equity_traces,
    price_traces,
    trade_traces,
)
from tradenb.view.charts.position_traces import line_traces
from tradenb.view.formatting import escaped
from tradenb.view.svg.equity_svg import equity_svg
from tradenb.view.svg.price_svg import price_svg

if TYPE_CHECKING:
    import plotly.graph_objects

    from tradenb.core.candles.arrays import Candles
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.core.signal import Trade

STATIC_POINTS: Final = 700
STATIC_MARKED: Final = 200


def _no_lines(symbol: str) -> Sequence[PositionLines]:
    del symbol
    return ()


def equity_chart(points: CurvePoints, end: int) -> plotly.graph_objects.Figure:
    """Draw the return with the benchmark and, below it, the drawdown.

    Parameters
    ----------
    points : CurvePoints
        At most `POINTS` keep the page small.
    end : int
        End of the run, ms UTC.
    """
    layout = {
        "height": 380,
        "margin": {**MARGIN, "t": 12 if not points.holds else 34},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "showlegend": bool(points.holds),
        "xaxis": time_axis("y2", points.at[0], end),
        "yaxis": percent_axis("equity", (0.36, 1.0)),
        "yaxis2": fall_axis((0.0, 0.3)),
    }
    return _plotly_figure(_placed(points, end, "y", "y2"), layout)


def _placed(points: CurvePoints, end: int, above: str, below: str) -> list[Trace]:
    """Return the traces of a curve on two axes; the lines above are named where there are two."""
    rise, fall, *hold = equity_traces(points, end)
    named = {"yaxis": above, "showlegend": bool(hold)}
    return [{**rise, **named}, {**fall, "yaxis": below}, *({**each, **named} for each in hold)]


def price_chart(
    candles: Candles,
    trades: Sequence[Trade],
    *,
    symbol: str,
    points: int = POINTS,
    lines: Sequence[PositionLines] = (),
) -> plotly.graph_objects.Figure:
    """Draw the price of a symbol and the trades on it.

    Parameters
    ----------
    candles : Candles
        Of the symbol; resampled to at most `points`. Up to 300 are drawn as candlesticks, more as a
        line of closes in the band from low to high.
    trades : sequence of Trade
        Those of other symbols are left out; of very many the newest are drawn, and the chart says
        so.
    points : int, default 5,000
    lines : sequence of PositionLines
        Stops, targets and parts of the positions of this symbol.
    """
    data, notes = _priced(candles, trades, symbol, points, lines)
    layout = {
        "height": 460,
        "hovermode": "closest",
        "xaxis": time_axis("y", candles.start, candles.end),
        "yaxis": price_axis(symbol, (0.0, 1.0)),
        "annotations": notes,
    }
    return _plotly_figure(data, layout)


def result_chart(
    candles_by_symbol: Mapping[str, Candles],
    trades: Sequence[Trade],
    points: CurvePoints,
    *,
    end: int,
    symbol: str | None = None,
    lines: Callable[[str], Sequence[PositionLines]] = _no_lines,
) -> plotly.graph_objects.Figure:
    """Draw the price of one symbol with its trades, and below it equity and drawdown of the run.

    Parameters
    ----------
    trades : sequence of Trade
        Of all symbols, in order of closing.
    points : CurvePoints
        The equity of the run; at most `POINTS` keep it small.
    end : int
        End of the run, ms UTC.
    symbol : str, optional
        Which one to draw; the first by default.
    lines : callable
        Returns the stops, targets and parts of the positions of a symbol.

    Raises
    ------
    UsageError
        When there are no candles.
    UnknownName
        When the symbol is none of the run.
    """
    if not candles_by_symbol:
        raise UsageError("candles_by_symbol must hold at least one symbol, was empty")
    drawn = next(iter(candles_by_symbol)) if symbol is None else symbol
    if drawn not in candles_by_symbol:
        raise unknown("symbol", drawn, candles_by_symbol)
    found = lines(drawn)
    data, notes = _priced(candles_by_symbol[drawn], trades, drawn, POINTS, found)
    layout = {
        "height": 680,
        "hovermode": "closest",
        "xaxis": time_axis("y3", points.at[0], end),
        "yaxis": price_axis(drawn, (0.46, 1.0)),
        "yaxis2": percent_axis("equity", (0.17, 0.41)),
        "yaxis3": fall_axis((0.0, 0.13)),
        "annotations": notes,
    }
    chart = _chart([*data, *_placed(points, end, "y2", "y3")], layout)
    chart.static_html = _static_html(candles_by_symbol[drawn], trades, drawn, points, end, found)
    return chart


def chart_json(chart: plotly.graph_objects.Figure) -> str:
    """Write a chart as JSON; the same whatever JSON packages are installed."""
    return str(chart.to_json(engine="json"))


@functools.cache
def plotly_script() -> str:
    """Return plotly.js as it comes with the plotly package, fit for an inline script element."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r", "").replace("</script", "<\\/script")


def _chart(data: Sequence[Trace], layout: dict[str, Any]) -> Any:
    return _chart_class()({"data": list(data), "layout": {"template": TEMPLATE, **layout}})


@functools.cache
def _chart_class() -> Any:
    """Return the class of a chart that has a static drawing too, for where no script runs."""
    import plotly.graph_objects as go

    class Chart(go.Figure):  # type: ignore[misc]  # it has no types
        """A plotly chart with a static drawing of itself."""

        _ipython_display_ = None  # it would send plotly's form alone

        def _repr_mimebundle_(self, *args: Any, **options: Any) -> dict[str, Any]:
            made = dict(super()._repr_mimebundle_(*args, **options) or {})
            static = self.__dict__.get("static_html")
            return made | {"text/plain": "chart", "text/html": made.get("text/html") or static}

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "static_html":  # plotly refuses attributes that it does not know
                self.__dict__[name] = value
            else:
                super().__setattr__(name, value)

    return Chart


def _static_html(
    candles: Candles,
    trades: Sequence[Trade],
    symbol: str,
    points: CurvePoints,
    end: int,
    lines: Sequence[PositionLines],
) -> str:
    """Draw the same as inline SVG."""
    own = [trade for trade in trades if trade.symbol == symbol]
    drawn = coarser(candles, STATIC_POINTS)
    price = price_svg(drawn, own, None, None, lines=lines, marked=STATIC_MARKED)
    few = fewer(points, STATIC_POINTS)
    equity = equity_svg(few, start=points.at[0], end=end, trades=len(trades))
    return (
        f'<div class="tnb-summary"><style>{asset("summary.css")}</style>'
        f'<p class="tnb-caption">{escaped(symbol, 60)}</p>{price}'
        f'<p class="tnb-caption">Equity</p>{equity}</div>'
    )


def _plotly_figure(data: Sequence[Trace], layout: dict[str, Any]) -> plotly.graph_objects.Figure:
    import plotly.graph_objects as go

    return go.Figure({"data": list(data), "layout": {"template": TEMPLATE, **layout}})


def _priced(
    candles: Candles,
    trades: Sequence[Trade],
    symbol: str,
    points: int,
    lines: Sequence[PositionLines],
) -> tuple[list[Trace], list[dict[str, Any]]]:
    """Return the traces of price and trades, and a note if not all trades are drawn."""
    own = [trade for trade in trades if trade.symbol == symbol]
    firsts = {each.signal_id: each.entry[0].level or 0.0 for each in lines}
    drawn = own[-MARKED:]
    since = min((trade.opened_at for trade in drawn), default=0)
    data = [
        *price_traces(candles, points=points),
        *line_traces(
            [each for each in lines if each.opened_at >= since],
            candles.end,
            step=coarser(candles, points).step,
        ),
        *trade_traces(drawn, firsts),
    ]
    if len(own) <= MARKED:
        return data, []
    return data, [
        {
            "text": f"the newest {MARKED:,} of {len(own):,} trades are drawn",
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": 1,
            "xanchor": "right",
            "yanchor": "bottom",
            "showarrow": False,
        }
    ]
