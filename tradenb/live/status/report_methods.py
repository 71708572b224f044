"""`report`, `fills`, `trades`, `asks`, `orders`: the same names and meanings on every handle."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, overload

from tradenb.core.lifecycle.state import forgets_since
from tradenb.core.timeframe import TimeLike, to_ms
from tradenb.errors import UsageError, no_attribute
from tradenb.statistics.figure_names import MONEY_UNITS, UNITS

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.core.events import AskRow
    from tradenb.core.lifecycle.state import State
    from tradenb.core.orders.ledger import OrderLedger
    from tradenb.core.signal import Trade
    from tradenb.live.status.run_fills import Written
    from tradenb.live.status.run_report import RunReport
    from tradenb.statistics.expectation import Band
    from tradenb.store.journal.order_journal import OrderJournal
    from tradenb.view.conduct.expected_course import Expectation


class Backtested(Protocol):
    """A result of a backtest, as far as it matters here."""

    @property
    def trade_list(self) -> list[Trade]:
        """The closed trades."""


def closed_trades(result: Backtested) -> list[Trade]:
    """Return the closed trades of a result.

    Raises
    ------
    UsageError
        When it is something else.
    """
    found = getattr(result, "trade_list", None)
    if not isinstance(found, list):
        raise UsageError(
            f"expect() takes the result of tn.backtest.run(...), was {type(result).__name__}"
        )
    return found


_ELSEWHERE: Final = {
    **dict.fromkeys((*UNITS, *MONEY_UNITS, "stats", "equity", "curve"), "run.report()"),
    "plot": 'run.report("live.html")',
}


class ReportMethods(ABC):
    """A run that can be reported on."""

    if not TYPE_CHECKING:  # else every name would pass for one

        def __getattr__(self, name: str) -> NoReturn:
            no_attribute(self, name, _ELSEWHERE)

    @overload
    def report(self, path: None = None) -> str: ...
    @overload
    def report(self, path: str | os.PathLike[str]) -> Path: ...
    def report(self, path: str | os.PathLike[str] | None = None) -> str | Path:
        """Report on the run: short, or as a page.

        Parameters
        ----------
        path : str or path, optional
            Where to write one self-contained HTML page, with figures, charts and trades; an
            existing file is replaced.

        Returns
        -------
        str or pathlib.Path
            Without a path markdown: how the run is, figures, the newest events.
        """
        from tradenb.live.status.run_report import SHORT

        report = self._run_report(with_candles=path is not None)
        return report.markdown(newest=SHORT) if path is None else report.write(path)

    def dump(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole report in markdown to a file, and return its path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        report = self._run_report(with_candles=False)
        target.write_text(report.markdown(), encoding="utf-8")
        return target

    def fills(self) -> pd.DataFrame:
        """Return one row a fill, as `result.fills` of a backtest: entries, adds, parts and exits.

        They are made of the journal, under the rules that the run had at the time.
        """
        from tradenb.view.event_frames import fill_frame

        written = self._written()
        found = written.fills()
        money = written.in_money or any(each.quantity is not None for each in found)
        return fill_frame(found, money=money)

    def trades(self) -> pd.DataFrame:
        """Return one row a closed position, as `result.trades` of a backtest, in order of closing.

        They are made of the journal. mae_percent and mfe_percent are measured on the candles that
        the run wrote down; they are NaN where those of the entry or the exit are not kept. A run
        without a record has no r_multiple either. Money is as the run booked it; that of trades
        before the last 1,000 comes from their fills, without funding.
        """
        from tradenb.view.event_frames import trade_frame

        written = self._written()
        found, went = written.trades()
        money = written.in_money or any(each.quantity is not None for each in found)
        return trade_frame(found, went, money=money)

    def asks(self) -> pd.DataFrame:
        """Return what every ask of the run came to, as `result.asks` of a backtest.

        They are kept with the run, over restarts: the newest 30 rows as they were, of those before
        one row for each outcome and reason.
        """
        from tradenb.view.event_frames import ask_frame

        return ask_frame(self._ask_rows())

    def why(self) -> str:
        """Say how often the run was asked and what that came to, and what is wrong with it now."""
        from tradenb.view.conduct.ask_words import why_words

        trouble = self._run_report(with_candles=False).status.trouble
        words = why_words(self._ask_rows(), self._written().events)
        return f"{words}\nnow: {trouble}" if trouble else words

    def expect(
        self,
        result: Backtested | None = None,
        *,
        level: float = 95.0,
        trades: int | None = None,
        since: TimeLike | None = None,
        seed: int = 0,
    ) -> Expectation:
        """Hold the trades of the run against those of a backtest, from now on.

        Cards and the dashboard say when its compounded return leaves the band that the backtest
        lets expect. The band is kept beside the run (`expected/` under its home).

        Parameters
        ----------
        result : Result, optional
            The backtest, of 50 closed trades at least; without, the band that was kept.
        level : float, default 95
            Percent of runs that stay in the band all the way if they trade as the backtest did.
        trades : int, optional
            How far the band reaches; default as many trades as the backtest has, at most 500.
        since : int, str or datetime, optional
            Trades of the run count that closed after it; default all.
        seed : int, default 0
            The same backtest and seed give the same band.

        Returns
        -------
        Expectation
            `inside`, `left_after` (trades), `table` (a row a trade), and all of it in words.

        Raises
        ------
        UsageError
            When there is no band, the backtest gives none, or an argument is not valid or comes
            without a result.

        Notes
        -----
        The formula and its source are in docs/statistics.md. Trades are taken as independent.
        """
        from tradenb.statistics.expectation import band_of
        from tradenb.view.conduct.expected_course import expectation_of

        if result is not None:
            percents = [trade.pnl_percent for trade in closed_trades(result)]
            start = 0 if since is None else to_ms(since)
            band = band_of(percents, level=level, reach=trades, seed=seed, since=start)
            self._keep_band(band)
        else:
            usual = {"level": level == 95.0, "trades": trades is None, "since": since is None}
            for name, untouched in (usual | {"seed": seed == 0}).items():
                if not untouched:
                    raise UsageError(f"{name} is of a new band; pass the result too")
        kept = self._band()
        if kept is None:
            raise UsageError("nothing is expected of this run yet; pass the result of a backtest")
        return expectation_of(kept, self._trades_since(kept.since))

    def _trades_since(self, at: int) -> Sequence[Trade]:
        """Return all trades that closed after a moment; the journal is read if the state forgot."""
        state = self._state()
        if state is None or forgets_since(state.trades, at):
            return self._written().trades()[0]
        return state.trades

    def _ask_rows(self) -> list[tuple[str, str, AskRow]]:
        state = self._state()
        return [] if state is None else [(state.symbol, state.strategy, row) for row in state.asks]

    def orders(self) -> pd.DataFrame:
        """Return one row an order that the run sent to an exchange, oldest first.

        Those of positions that live, and of the last ones before; empty for a paper run. The state
        is sending, unknown, working, cancelling or done; docs/orders.md says what each means.
        """
        from tradenb.view.order_frames import order_frame

        return order_frame(self._order_ledger())

    def executions(self) -> pd.DataFrame:
        """Return one row a trade of the exchange, with its fee, in order of time.

        Those of all orders of the run; of positions that were over long ago from its journal.
        """
        from tradenb.view.order_frames import execution_frame

        ledger = self._order_ledger()
        if ledger is None:
            return execution_frame(())
        earlier = self._order_journal().forgotten(ledger)
        return execution_frame((*earlier, *ledger.past, *ledger.orders))

    @abstractmethod
    def _band(self) -> Band | None:
        """Return the band that it is held against."""

    @abstractmethod
    def _keep_band(self, band: Band) -> None:
        """Keep a band beside the run."""

    @abstractmethod
    def _state(self) -> State | None:
        """Return the state on disk."""

    @abstractmethod
    def _order_ledger(self) -> OrderLedger | None:
        """Return the orders of the run; None: it sends none."""

    @abstractmethod
    def _order_journal(self) -> OrderJournal:
        """Return the journal of its orders."""

    @abstractmethod
    def _written(self) -> Written:
        """Return what the run wrote."""

    @abstractmethod
    def _run_report(self, *, with_candles: bool) -> RunReport:
        """Return what the run has done, with candles for the price chart if they are wanted."""
