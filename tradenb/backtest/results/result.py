"""`Result`: what a backtest gives, as frames, figures, pictures and pages, each made when asked."""

from __future__ import annotations

import os
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from tradenb.backtest.results.caveats import ruined
from tradenb.backtest.results.run_figures import RunFigures
from tradenb.call_errors import explained
from tradenb.core.fills import filled, fills_of
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import iso
from tradenb.errors import unknown
from tradenb.statistics.figures import MIN_TRADES
from tradenb.statistics.trading_costs import costs_of
from tradenb.view import event_frames, figure_text
from tradenb.view.conduct.ask_words import why_words
from tradenb.view.figure_frames import FigureFrames, frame_property
from tradenb.view.figure_text import costs_words, parts_words
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.backtest.results.result_parts import ResultParts
    from tradenb.core.events import AskRow, Event
    from tradenb.core.signal import Trade
    from tradenb.view.charts.trade_chart import TradeChart
    from tradenb.view.summary import Summary


class Result(FigureFrames):
    """What a backtest found.

    In a notebook it shows headline figures, the equity line and warnings.

    Attributes
    ----------
    symbols, strategies : tuple of str
    start, end : int
        The period, ms UTC.
    rules : Rules
    account : Account or None
    alarms : list of str
        What makes the run worth nothing: a strategy that never proposed anything, or nothing that
        keeps the rules, and why.
    ask_count, asks_lost : int
        Calls of strategies for a candidate, and calls that found too little history
        (`NotEnoughCandles`).
    coverage : dict of (strategy, symbol) to list of Coverage
        In how much of the run each indicator had a value; see `indicators`.
    intake : dict of str to Intake
        Duplicates dropped and minutes filled, by symbol.
    elapsed_s : float
        How long it took, s.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("shown", every="1h")
    ... def shown(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=shown, exchange=market)
    >>> result.trades[["position", "exit_reason", "pnl_percent"]].tail(2).round(2)
       position   exit_reason  pnl_percent
    21     long     stop_loss         -1.4
    22     long  time_expired         -0.4
    >>> f"{result.equity.iloc[-1]:.3f}", result.trades.exit_reason.value_counts().to_dict()
    ('0.990', {'time_expired': 12, 'take_profit': 7, 'stop_loss': 4})
    """

    def __init__(self, parts: ResultParts) -> None:
        self._parts = parts
        self.symbols, self.strategies = parts.symbols, parts.strategies
        self.start, self.end = parts.period.start, parts.period.end
        self.rules, self.account, self.exchange = parts.rules, parts.account, parts.exchange
        self.intake, self.candle_count = parts.period.intake, parts.period.candle_count
        self.ask_count, self.asks_lost, self.asks_lost_by = (
            parts.ask_count,
            parts.asks_lost,
            parts.asks_lost_by,
        )
        self.coverage, self.alarms, self.elapsed_s = parts.coverage, parts.alarms, parts.elapsed_s
        self._figures = RunFigures(parts)

    def __repr__(self) -> str:
        gained, at = self.figures["compounded_return"], self._figures.marks.curve.ruined_at
        known = "N/A" if isnan(gained) else f"{gained:+.2f} %"
        ruin = "" if at is None else f", ruined at {iso(at)}"
        return (
            f"Result({', '.join(self.strategies)} on {', '.join(self.symbols)}, "
            f"{iso(self.start)} to {iso(self.end)}: {plural(len(self._parts.trades), 'trade')}, "
            f"{known}{ruin})"
        )

    def __str__(self) -> str:
        """Return the same, alarms and warnings; with few trades why, which most warnings repeat."""
        why = self._why_few()
        notes = self.alarms if self.alarms and why else [*self.alarms, *self.warnings]
        return "\n".join(filter(None, [repr(self), *notes, why]))

    def _repr_html_(self) -> str:
        from tradenb.view.pages.result_html import summary_html

        return summary_html(self.summary)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return every form at once; the front end chooses."""
        del include, exclude
        page, words = self._repr_html_(), self.to_markdown()
        return {"text/plain": str(self), "text/html": page, "text/markdown": words}

    @property
    def trade_list(self) -> list[Trade]:
        """The closed trades as records, in order of closing; no pandas needed."""
        return self._parts.trades

    @property
    def open_count(self) -> int:
        """How many signals are still open or scheduled at the end."""
        return len(self._parts.open)

    @property
    def event_list(self) -> list[Event]:
        """The events as records, in their order; no pandas needed."""
        return self._parts.events

    @property
    def troubled(self) -> list[Event]:
        """The errors and rejected candidates among the events."""
        return self._parts.troubled

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_parts": self._parts.settled()}

    @cached_property
    def warnings(self) -> list[str]:
        """What you should know before you trust the figures."""
        at = self._figures.marks.curve.ruined_at
        return self._parts.said if at is None else [ruined(at), *self._parts.said]

    @frame_property
    def events(self) -> pd.DataFrame:
        """One row an event, in order.

        Most are milestones (a tenth of the way to the target or the stop):
        `events[events.kind != "milestone"]` is without them.
        """
        return event_frames.event_frame(self.event_list)

    @frame_property
    def trades(self) -> pd.DataFrame:
        """One row a closed trade, in order of closing.

        The fields of `tn.Trade`, and minutes_held; mae_percent and mfe_percent, the worst and the
        best price while it was held, percent of its average entry, without costs; r_multiple,
        pnl_percent x invested in units of the distance of its first stop: below -1 where that
        closes it, as costs are in pnl_percent alone. take_profit and stop_loss are the last ones in
        force; the first are in `events`, in the row `opened` of its signal_id.
        """
        excursions, money = self._figures.excursions, self.account is not None
        return event_frames.trade_frame(self._parts.trades, excursions, money=money)

    @frame_property
    def open(self) -> pd.DataFrame:
        """What is still open or scheduled at the end; in the curve, not in `trades`."""
        return event_frames.open_frame(self._parts.open)

    @frame_property
    def fills(self) -> pd.DataFrame:
        """One row a fill: entries, adds, parts and exits, in their order."""
        fills, money = fills_of(self.event_list, self.rules), self.account is not None
        return event_frames.fill_frame(fills, money=money)

    @cached_property
    def costs(self) -> float:
        """What slippage and fees took from the sum of all trades, percent points.

        Without them `total_pnl` of the same fills would be larger by so much.
        """
        return costs_of(self._parts.trades, lambda: filled(self.event_list, self.rules))

    @property
    def balance(self) -> float | None:
        """The balance of the account at the end, without what is open; None without an account."""
        money = self._figures.marks.money
        return None if money is None else money.balance

    @frame_property
    def refusals(self) -> pd.DataFrame:
        """One row for refusals in a row: symbol, strategy, why, by what, first, last, count."""
        return event_frames.refusal_frame(self._parts.refusals)

    @property
    def ask_rows(self) -> list[tuple[str, str, AskRow]]:
        """The rows of `asks` as records, with symbol and strategy; no pandas needed."""
        return self._parts.ask_rows

    @frame_property
    def asks(self) -> pd.DataFrame:
        """What every ask came to; one row for asks in a row that came to the same.

        Columns symbol, strategy, asked ("entry", or "manage": the manage function), outcome (none,
        candidate, action, refused, invalid, skipped, error), reason, first, last, count. The counts
        of the calls for an entry add up to `ask_count`.
        """
        return event_frames.ask_frame(self.ask_rows)

    def why(self) -> str:
        """Say of each strategy how often it was asked and what that came to, from `asks`.

        Of candidates it says what became of them, from `events`.

        Returns
        -------
        str
            A line a strategy, and one more if it manages what is open.
        """
        return why_words(self.ask_rows, self.event_list)

    def _why_few(self) -> str:
        """Return `why()` where there are too few trades for figures, else nothing."""
        return self.why() if len(self._parts.trades) < MIN_TRADES else ""

    @frame_property
    def indicators(self) -> pd.DataFrame:
        """One row an indicator: strategy, symbol, name, timeframe, candles, values, first value."""
        return event_frames.coverage_frame(self.coverage)

    @cached_property
    def summary(self) -> Summary:
        """What the pages show."""
        from tradenb.view.summary import Summary

        return Summary(
            strategies=self.strategies,
            symbols=self.symbols,
            start=self.start,
            end=self.end,
            candles=self.candle_count,
            step=self._parts.step,
            figures=self.figures,
            marks=self._figures.marks,
            contributions=self._figures.contributions,
            heatmap=self.heatmap,
            trades=self._parts.trades,
            open=self._parts.open,
            alarms=self.alarms,
            warnings=self.warnings,
            why=self._why_few(),
            costs=costs_words(self.costs, self.figures["total_pnl"]),
            elapsed_seconds=self.elapsed_s,
            exchange=self.exchange,
            rules=self.rules.model_dump(),
            strategy_notes=self._parts.notes,
            coverage=self.coverage,
        )

    def to_markdown(self) -> str:
        """Return heading, alarms, warnings, with few trades the reason, and a table of figures."""
        heading = f"# {', '.join(self.strategies)} on {', '.join(self.symbols)}"
        period = f"{iso(self.start)} to {iso(self.end)} UTC, {self.candle_count} candles"
        notes = "".join(f"\n- **{alarm}**" for alarm in self.alarms)
        notes += "".join(f"\n- {warning}" for warning in self.warnings)
        table, parts = figure_text.markdown(self.figures), parts_words(self._parts.trades)
        costs = costs_words(self.costs, self.figures["total_pnl"])
        said = [heading, period, notes.lstrip(), self._why_few(), table, parts, costs]
        return "\n\n".join(filter(None, said)) + "\n"

    def to_excel(self, path: str | os.PathLike[str]) -> Path:
        """Write a workbook with a sheet a table: stats, trades, fills, events, open, drawdowns.

        Times are in UTC, without a zone, which workbooks do not have. It needs openpyxl.

        Parameters
        ----------
        path : str or path
            Such as "result.xlsx"; a file that is there already is replaced.

        Raises
        ------
        UsageError
            When it is not the path of a workbook, or openpyxl is not installed.
        """
        from tradenb.view.workbook import write_workbook

        names = ("stats", "trades", "fills", "events", "open", "drawdowns")
        return write_workbook(path, {name: getattr(self, name) for name in names})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Keep the result as a folder that `tn.load` reads.

        It has events.parquet, trades.parquet and the candles of each symbol for other tools, and
        result.json with all the rest. Strategies are not in it, only their names.

        Parameters
        ----------
        folder : str or path
            Such as "results/dip"; a saved result that is there already is replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        UsageError
            When the folder holds other things.

        Examples
        --------
        >>> import tempfile, tradenb as tn
        >>> @tn.strategy("buy", every="1h")
        ... def buy(ctx):
        ...     return tn.long(**tn.bracket(stop=1, target=2))
        >>> market = tn.testing.random_walk(days=2)
        >>> result = tn.backtest.run("BTCUSDT", strategy=buy, exchange=market)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = tn.load(result.save(f"{folder}/buy"))
        >>> again.trades.equals(result.trades)
        True
        """
        from tradenb.backtest.results.saved_parts import folder_of, save_parts

        return save_parts(self._parts, folder_of(folder))

    def plot(self, symbol: str | None = None) -> TradeChart:
        """Draw candles and volume with trades, stops and targets, indicators, equity, drawdown.

        Of more than 30 symbols it has the one shown and those that gained or lost the most.

        In a notebook drag over it to zoom; the slider below moves, a double click shows all. In
        a script write a page: `result.plot().save("chart.html")`.

        Parameters
        ----------
        symbol : str, optional
            Which one is shown at first; default the first of the run.

        Returns
        -------
        TradeChart

        Raises
        ------
        UnknownName
            When the symbol is not one of the run.
        """
        from tradenb.backtest.results.result_chart import drawn_of
        from tradenb.view.charts.trade_chart import trade_chart

        shown = self.symbols[0] if symbol is None else canonical(symbol)
        if shown not in self.symbols:
            raise unknown("symbol", shown, self.symbols)
        drawn = drawn_of(self._parts, shown)
        return trade_chart(
            drawn,
            self._figures.marks,
            start=self.start,
            end=self.end,
            chosen=[each.symbol for each in drawn].index(shown),
            title=f"{', '.join(self.strategies)} on {shown}",
        )

    @overload
    def report(self, path: None = None) -> str: ...
    @overload
    def report(self, path: str | os.PathLike[str], *, all_candles: bool = False) -> Path: ...
    def report(
        self, path: str | os.PathLike[str] | None = None, *, all_candles: bool = False
    ) -> str | Path:
        """Report on the run: short, or as a page.

        Parameters
        ----------
        path : str or path, optional
            Where one self-contained HTML page goes, with figures, charts and trades; a file that
            is there already is replaced.
        all_candles : bool, default False
            Write all candles to a script beside the page, `report.candles.js` for `report.html`.
            Without it the page of a long run has those around trades as they are, and longer ones
            elsewhere.

        Returns
        -------
        str or pathlib.Path
            Without a path the markdown of `to_markdown`.

        Raises
        ------
        UsageError
            When the path is not that of an HTML page.
        """
        if path is None:
            return self.to_markdown()
        from tradenb.backtest.results.result_chart import drawn_of
        from tradenb.view.charts.chart_data import all_candles_script
        from tradenb.view.page_file import page_path, write_page
        from tradenb.view.pages.report_page import report_html

        target = page_path(path)
        drawn, beside = drawn_of(self._parts), target.with_suffix(".candles.js")
        if all_candles:
            write_page(beside, all_candles_script(drawn))
        page = report_html(self.summary, drawn, beside.name if all_candles else None)
        return write_page(target, page)


@explained("tn.load")
def load(folder: str | os.PathLike[str]) -> Result:
    """Read a result that `Result.save` wrote: the same frames, figures, pictures and reports.

    Parameters
    ----------
    folder : str or path

    Raises
    ------
    UsageError
        When the folder is not a saved result.
    StateCorrupt, StateVersionError
        When its files are damaged, or of a newer tradenb.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("kept", every="1h")
    ... def kept(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> import tempfile
    >>> result = tn.backtest.run("BTCUSDT", strategy=kept, exchange=market)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = tn.load(result.save(f"{folder}/kept"))
    >>> again.trades.equals(result.trades)
    True
    """
    from tradenb.backtest.results.saved_parts import folder_of, load_parts

    return Result(load_parts(folder_of(folder)))
