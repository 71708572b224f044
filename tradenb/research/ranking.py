"""What a sweep's table says: the best combinations, a heatmap, parallel coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradenb.errors import UsageError, unknown
from tradenb.research.compare import METRICS, ordered
from tradenb.research.deflated import deflated_sharpe
from tradenb.research.sweep import parameters
from tradenb.view.sweep_chart import sweep_heatmap, sweep_parallel

if TYPE_CHECKING:
    import pandas as pd


def ranking(table: pd.DataFrame, by: str = "sharpe", *, top: int = 20) -> pd.DataFrame:
    """Return the best combinations of a sweep.

    Parameters
    ----------
    table : DataFrame
        Of `tn.sweep`.
    by : str, default "sharpe"
        The figure to rank by; of drawdowns and losing streaks the smallest is best, N/A comes last.
    top : int, default 20

    Returns
    -------
    DataFrame
        rank, the parameters, count, the figures a strategy is usually ranked by, and
        deflated_sharpe: how sure it is (0 to 1) that the Sharpe ratio is more than the luck of
        the best of so many combinations. Below 0.95 a first place says nothing.
    """
    if by not in table.columns:
        raise unknown("column of the sweep", by, list(table.columns))
    names = dict.fromkeys([*parameters(table), by, "count", *METRICS, "max_drawdown"])
    sure = deflated_sharpe(table["sharpe"].tolist(), table["count"].tolist())
    found = ordered(table.assign(deflated_sharpe=sure), by)[[*names, "deflated_sharpe"]].head(top)
    found.insert(0, "rank", range(1, len(found) + 1))
    return found.reset_index(drop=True)


def heatmap(
    table: pd.DataFrame, x: str | None = None, y: str | None = None, *, value: str = "sharpe"
) -> Any:
    """Draw a figure over two parameters of a sweep, by default the first two.

    Where the sweep had more parameters, the median over those is drawn.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    names = parameters(table)
    if x is None or y is None:
        if len(names) < 2:
            raise UsageError(f"a heatmap needs two parameters, the sweep has {names}")
        x, y = x or names[0], y or names[1]
    return sweep_heatmap(table, x, y, value=value)


def parallel(table: pd.DataFrame, *, value: str = "sharpe") -> Any:
    """Draw each combination as a line through its parameters, count, win rate and a figure.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figures = [name for name in ("count", "win_rate") if name != value]
    return sweep_parallel(table, [*parameters(table), *figures], value=value)
