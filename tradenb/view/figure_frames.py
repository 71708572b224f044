"""`FigureFrames`: the figures of a run as Series and DataFrames, each made when asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Protocol, Self, TypeVar, overload

from tradenb.errors import no_attribute
from tradenb.statistics import stats_tables
from tradenb.statistics.equity.drawdowns import Drawdown, drawdown_frame
from tradenb.statistics.equity.periods import Length, Periods, period_series
from tradenb.statistics.figure_names import MONEY_UNITS, UNITS

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.core.candles.arrays import Floats
    from tradenb.statistics.closed_trades import Excursion
    from tradenb.statistics.equity.marks import Marks
    from tradenb.statistics.equity.stretches import Key


Frame = TypeVar("Frame", "pd.DataFrame", "pd.Series[float]")


class frame_property(cached_property[Frame]):  # noqa: N801 - as property
    """A frame that is made when it is first asked for; what is changed in one is in no other."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Frame: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        found = super().__get__(instance, owner)
        return self if instance is None else found.copy(deep=False)

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(f"{self.attrname} of a result cannot be set; change a frame of it")


class FigureSource(Protocol):
    """What the frames are made of."""

    @property
    def marks(self) -> Marks:
        """What the run was worth, over which time."""

    @property
    def figures(self) -> dict[str, float]:
        """The statistics, NaN where there is no answer."""

    @property
    def contributions(self) -> dict[Key, float]:
        """What each instance made in money, by (strategy, symbol)."""

    @property
    def drawdowns(self) -> list[Drawdown]:
        """The falls of the curve, the deepest first."""

    @property
    def excursions(self) -> list[Excursion]:
        """What each trade went through."""

    def days(self) -> Periods:
        """Return the daily returns, whole days only."""

    def periods(self, length: Length) -> Periods:
        """Return the returns of days, weeks or months."""

    def grouped(self, name_of: Callable[[Key], str]) -> dict[str, dict[str, float]]:
        """Return the statistics of each group of instances, by name."""

    def grouped_days(self, name_of: Callable[[Key], str]) -> dict[str, Floats]:
        """Return the daily returns of each group of instances, by name."""


_ELSEWHERE: Final = {
    **{name: f"result.stats.{name}" for name in UNITS},
    **{name: f"result.stats.{name}, with account=tn.Account(...)" for name in MONEY_UNITS},
    "curve": "result.equity",
    "metrics": "result.stats",
    "orders": "result.fills",
    "pnl": "result.stats.total_pnl",
    "positions": "result.trades",
    "total_return": "result.stats.compounded_return",
}


class FigureFrames:
    """The figures of a run; `Result` is one."""

    _figures: FigureSource

    if not TYPE_CHECKING:  # else every name would pass for one

        def __getattr__(self, name: str) -> NoReturn:
            no_attribute(self, name, _ELSEWHERE)

    @property
    def figures(self) -> dict[str, float]:
        """The statistics as a plain dict; NaN where there is no answer (N/A)."""
        return self._figures.figures

    @frame_property
    def stats(self) -> pd.Series[float]:
        """The statistics of the run, NaN where there is no answer."""
        import pandas as pd

        return pd.Series(self.figures, dtype="float64", name="stats")

    @frame_property
    def equity(self) -> pd.Series[float]:
        """What everything is worth at each given close, what is open included; 1 before it."""
        return self._figures.marks.curve.series()

    @property
    def ruined_at(self) -> pd.Timestamp | None:
        """The first close at which nothing was left; None: it never came to that."""
        import pandas as pd

        at = self._figures.marks.curve.ruined_at
        return None if at is None else pd.Timestamp(at, unit="ms", tz="UTC")

    @frame_property
    def daily(self) -> pd.Series[float]:
        """Daily returns of the equity as fractions, a row a whole day that candles cover, UTC.

        Other packages read it as it is, such as quantstats:
        ``quantstats.reports.html(result.daily, output="report.html")``.

        Examples
        --------
        >>> import tradenb as tn
        >>> keeps = tn.strategy("keeps", every="1h")(lambda ctx: tn.long(stop_loss=tn.percent(15)))
        >>> walk = tn.testing.random_walk(seed=1, days=3)
        >>> result = tn.backtest.run("BTCUSDT", strategy=keeps, exchange=walk, progress=False)
        >>> result.daily.index.tz_localize(None)
        DatetimeIndex(['2024-01-01', '2024-01-02', '2024-01-03'], ...)
        """
        return period_series(self._figures.days(), "day", percent=False)

    @frame_property
    def drawdowns(self) -> pd.DataFrame:
        """The falls of the equity, the deepest first: start, trough, end, depth (%), days."""
        return drawdown_frame(self._figures.drawdowns)

    @frame_property
    def benchmark(self) -> pd.DataFrame:
        """What holding each symbol and the basket of all would have been, without costs.

        A row a symbol and `basket`: return and drawdown, percent.
        """
        import pandas as pd

        benchmark = self._figures.marks.benchmark
        rows = {} if benchmark is None else benchmark.rows
        index = pd.Index(list(rows), name="symbol", dtype="str")
        columns = ["return", "drawdown"]
        return pd.DataFrame(list(rows.values()), index=index, columns=columns, dtype="float64")

    def returns(self, length: Length = "month") -> pd.Series[float]:
        """Return the returns of the equity by day, week (from Monday), month or year, UTC.

        Parameters
        ----------
        length : {"day", "week", "month", "year"}

        Returns
        -------
        Series of float64
            Percent; the index is where each period begins. Periods without candles are left out,
            the last goes as far as the run.
        """
        return period_series(self._figures.periods(length), length, percent=True)

    def correlation(
        self, by: Literal["symbol", "strategy", "symbol:strategy"] = "symbol"
    ) -> pd.DataFrame:
        """Return how far the daily returns of symbols, strategies or pairs go together.

        Parameters
        ----------
        by : {"symbol", "strategy", "symbol:strategy"}
            What a row and a column stand for.

        Returns
        -------
        DataFrame of float64
            Pearson's coefficient, -1 to 1; NaN for what never moved.
        """
        import pandas as pd

        stats_tables.group_name(by, "", "")
        days = self._figures.grouped_days(lambda key: stats_tables.group_name(by, key[1], key[0]))
        return pd.DataFrame(days, dtype="float64").corr().rename_axis(by)

    def heatmap(
        self, by: Literal["symbol", "strategy", "symbol:strategy"] = "symbol"
    ) -> pd.DataFrame:
        """Compare symbols, strategies or pairs of both by their main figures.

        Parameters
        ----------
        by : {"symbol", "strategy", "symbol:strategy"}
            What a row stands for.

        Returns
        -------
        DataFrame
            The best first, and last the row `all`.
        """
        stats_tables.group_name(by, "", "")
        lines = self._figures.grouped(lambda key: stats_tables.group_name(by, key[1], key[0]))
        return stats_tables.heatmap_frame(lines, self.figures, by)
