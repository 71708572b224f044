"""What a sweep's table says: the best combinations, a heatmap, parallel coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradenb.call_errors import explained
from tradenb.errors import UsageError, shown, unknown
from tradenb.research.sweep.api import parameters
from tradenb.research.sweep.compare import METRICS
from tradenb.research.sweep.order import CONDUCT, ordered
from tradenb.statistics.deflated_sharpe import deflated_sharpe
from tradenb.view.charts.sweep_charts import sweep_heatmap, sweep_parallel

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects


@explained("tn.research.ranking")
def ranking(table: pd.DataFrame, by: str = "sharpe", *, top: int = 20) -> pd.DataFrame:
    """Return the best combinations of a sweep.

    Parameters
    ----------
    table : DataFrame
        Of `tn.sweep`.
    by : str, default "sharpe"
        The figure to rank by; of drawdowns and losing streaks the smallest is best. Then come those
        whose figure is N/A, that filled nothing, that failed in every ask. Of equal ones the
        smaller drawdown comes first, then more trades.
    top : int, default 20

    Returns
    -------
    DataFrame
        rank, the parameters, count, the figures a strategy is usually ranked by, asks, errors,
        open, open_pnl, net_profit where there is an account, and
        deflated_sharpe: how sure it is (0 to 1) that the Sharpe ratio is more than the luck of
        the best of so many combinations. Below 0.95 a first place says nothing.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> def crossing(fast, slow):
    ...     @tn.strategy(f"crossing {fast}/{slow}", every="1h", history="2d")
    ...     def cross(ctx):
    ...         closes = ctx.candles("1h", slow).close
    ...         if closes[-fast:].mean() > closes.mean():
    ...             return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1), minutes=600)
    ...
    ...     return cross
    >>> grid = {"fast": [4, 8], "slow": [12, 24]}
    >>> market = tn.testing.random_walk(seed=7, days=10)
    >>> given = {"symbols": "BTCUSDT", "exchange": market, "home": tempfile.mkdtemp()}
    >>> table = tn.sweep(crossing, grid=grid, progress=False, **given)
    >>> tn.research.ranking(table, "total_pnl", top=2)[["rank", "fast", "slow", "total_pnl"]].round(
    ...     2
    ... )
       rank  fast  slow  total_pnl
    0     1     4    12     -11.91
    1     2     8    24     -12.38
    """
    _check(table, by)
    if type(top) is not int or top < 1:
        raise UsageError(f"top must be a whole number of at least 1, was {shown(top)}")
    money = [name for name in ("net_profit",) if name in table]
    figures = [by, "count", *money, *METRICS, "max_drawdown", *CONDUCT]
    names = dict.fromkeys([*parameters(table), *figures])
    sure = deflated_sharpe(table["sharpe"].tolist(), table["count"].tolist())
    found = ordered(table.assign(deflated_sharpe=sure), by)[[*names, "deflated_sharpe"]].head(top)
    found.insert(0, "rank", range(1, len(found) + 1))
    return found.reset_index(drop=True)


@explained("tn.research.heatmap")
def heatmap(
    table: pd.DataFrame, x: str | None = None, y: str | None = None, *, value: str = "sharpe"
) -> plotly.graph_objects.Figure:
    """Draw a figure over two parameters of a sweep, by default the first two.

    Where the sweep had more parameters, the median over those is drawn.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import pandas as pd
    >>> import tradenb as tn
    >>> swept = {"fast": [4, 8], "slow": [12, 24], "total_pnl": [-11.91, -12.38]}
    >>> table = pd.DataFrame(swept)  # or all that tn.sweep returned
    >>> figure = tn.research.heatmap(table, "fast", "slow", value="total_pnl")
    >>> figure.layout.xaxis.title.text
    'fast'
    """
    _check(table, value)
    names = parameters(table)
    if x is None or y is None:
        if len(names) < 2:
            raise UsageError(f"a heatmap needs two parameters, the sweep has {names}")
        others = (name for name in names if name not in (x, y))
        x, y = x or next(others), y or next(others)
    return sweep_heatmap(table, x, y, value=value)


@explained("tn.research.parallel")
def parallel(table: pd.DataFrame, *, value: str = "sharpe") -> plotly.graph_objects.Figure:
    """Draw each combination as a line through its parameters, count, win rate and a figure.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import pandas as pd
    >>> import tradenb as tn
    >>> swept = {"fast": [4, 8], "slow": [12, 24], "count": [17, 16], "win_rate": [35.3, 31.2]}
    >>> table = pd.DataFrame(swept | {"total_pnl": [-11.91, -12.38]})  # or that of tn.sweep
    >>> figure = tn.research.parallel(table, value="total_pnl")
    >>> [dimension.label for dimension in figure.data[0].dimensions]
    ['fast', 'slow', 'count', 'win_rate', 'total_pnl']
    """
    _check(table, value)
    figures = [name for name in ("count", "win_rate") if name != value]
    return sweep_parallel(table, [*parameters(table), *figures], value=value)


def _check(table: Any, figure: str) -> None:
    """Refuse what is not a table of a sweep, and a column that is not a figure of it."""
    known = list(getattr(table, "columns", ()))
    if not known:
        raise UsageError(f"table must be what tn.sweep returns, was {shown(table)}")
    if figure not in known:
        raise unknown("column of the sweep", figure, known)
    if figure == "error":
        raise UsageError("'error' is not a figure; choose another column, such as 'total_pnl'")
