"""What one run has done, from its status and its journal: as markdown and as a page."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.brokers.status.order_account import account_lines
from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE, iso
from tradenb.engine.position_view import position_of
from tradenb.live.status.position_words import held_now
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_fills import (
    NO_CANDLES,
    as_booked,
    booked_by,
    run_fills,
    trades_in_money,
)
from tradenb.live.status.run_history import NEWEST, RunHistory, history_of
from tradenb.live.status.run_status import RunStatus, stage, with_last_error
from tradenb.live.status.status_markdown import status_markdown
from tradenb.live.status.status_of_run import status_of_run
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.events import Event
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.engine.history.indicators import Computed
    from tradenb.live.loop.record import RunRecord
    from tradenb.statistics.equity.marks import Marks
    from tradenb.view.conduct.expected_course import Expectation
    from tradenb.view.summary import Summary


SHORT: Final = 10
DRAWN: Final = 20_000


class RunReport(NamedTuple):
    """A run as its document and its journal describe it.

    Attributes
    ----------
    history : RunHistory
        What its journal says.
    candles : Candles or None
        1m candles of its time, for the price chart.
    notes : tuple of str
        What else the reader of the page should know.
    read_changes : callable
        Reads the newest events, from which its stops and parts are drawn where there are candles.
    read_indicators : callable
        Reads what its strategy computed; nothing of a run of another process.
    """

    status: RunStatus
    history: RunHistory
    candles: Candles | None = None
    notes: tuple[str, ...] = ()
    read_changes: Callable[[], Sequence[Event]] = tuple
    read_indicators: Callable[[], Sequence[Computed]] = tuple

    @property
    def trades(self) -> list[Trade]:
        """Closed positions, in order of closing."""
        return self.history.trades

    @property
    def start(self) -> int:
        """When it began, or the oldest of its trades was opened, ms UTC."""
        began = self.status.started or self.end
        return min(began, min((trade.opened_at for trade in self.trades), default=began))

    @property
    def end(self) -> int:
        """The newest candle that it consumed, close time in ms UTC."""
        return self.status.cursor or self.status.started or 0

    def markdown(self, newest: int = NEWEST) -> str:
        """Write the report in markdown, with so many of the newest events."""
        return status_markdown(self.status, self.history, newest=newest)

    def html(self) -> str:
        """Write the report as one page that loads nothing."""
        from tradenb.view.charts.chart_data import Drawn
        from tradenb.view.charts.indicator_lines import lines_of_run
        from tradenb.view.pages.report_page import report_html

        candles = self.candles
        shown = None if candles is None else candles.between(self.start, self.end)
        if not shown:
            return report_html(self.summary)
        symbol, strategy = self.status.symbol, self.status.strategy
        indicators = lines_of_run(self.read_indicators(), strategy, symbol, shown)
        drawn = Drawn(symbol, shown, self.trades, self._lines(), indicators)
        return report_html(self.summary, [drawn])

    def _lines(self) -> list[PositionLines]:
        if self.candles is None or self.status.state is None:
            return []
        known = self.candles.between(self.candles.start, self.end)
        held = held_now(self.status)
        return lines_of(
            self.read_changes(),
            known,
            self.status.rules,
            symbol=self.status.symbol,
            held=self.status.state.signal,
            peak=None if held is None else held.peak,
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; an existing file is replaced."""
        from tradenb.view.page_file import page_path, write_page

        target = page_path(path)
        return write_page(target, self.html())

    @property
    def summary(self) -> Summary:
        """What the page shows."""
        from tradenb.statistics.figures import figures
        from tradenb.view.summary import Summary

        start, end, marks = self.start, self.end, self._marks()
        return Summary(
            title=self.status.mode.capitalize(),
            strategies=(self.status.strategy,),
            symbols=(self.status.symbol,),
            start=start,
            end=end,
            candles=(end - start) // MINUTE,
            figures=figures(self.trades, start=start, end=end, marks=marks),
            marks=marks,
            trades=self.trades,
            open=self._open(),
            warnings=self._warnings(),
            exchange=self.status.exchange,
            expectation=self._expectation(),
        )

    def _expectation(self) -> Expectation | None:
        from tradenb.view.conduct.expected_course import expectation_of

        band = self.status.band
        return None if band is None else expectation_of(band, self.trades)

    def _marks(self) -> Marks:
        from tradenb.statistics.equity.known_marks import marks_of_history
        from tradenb.statistics.equity.marks import marks_of_trades
        from tradenb.statistics.formulas import columns_of

        state, start, end = self.status.state, self.start, self.end
        if state is None:
            return marks_of_trades(columns_of(self.trades), start=start, end=end, instances=1)
        return marks_of_history(
            state,
            self.trades,
            () if self.candles is None else self.read_changes(),
            self.candles,
            self.status.rules,
            start=start,
            end=end,
        )

    def _open(self) -> list[Any]:
        state = self.status.state
        if state is None or state.signal is None:
            return []
        signal = state.signal
        candles, cursor, price = self.candles, self.end, math.nan
        if candles is not None and candles.start < cursor <= candles.end:
            price = float(candles.close[candles.index(cursor)])
        held = position_of(state, cursor, price, self.status.rules) if price == price else None  # noqa: PLR0124
        percent = None if held is None else held.pnl_percent
        return [(signal.symbol, signal.strategy, signal.id, stage(state), price, percent)]

    def _warnings(self) -> list[str]:
        errors, last = self.history.errors, self.history.last_error
        late = sum(trade.late for trade in self.trades)
        found: list[str] = []
        if (orders := self.status.orders) is not None:
            found += [alarm.text for alarm in orders.alarms]
            found.append("; ".join(account_lines(orders, self.status.home)))
        if last is not None:
            times = plural(errors, "error")
            found.append(f"{times}, the last at {iso(last.at)} UTC: {last.note}")
        if late:
            found.append(f"{late} of the trades closed while the run was down; noticed later")
        return [*found, *self.notes]


def report_of_run(run: RunRecord, *, trades: bool = True) -> RunReport:
    """Return what a run of this process has done, with the candles that it has seen."""
    history = history_of(run.storage.journal, trades=trades)
    instance = run.instance
    candles = None if instance is None else instance.candles
    status = with_last_error(status_of_run(run), lambda count: history.newest[-count:])
    if trades and status.money is not None:
        lived = run.storage.recording(NO_CANDLES)
        history = _in_money(history, run.storage.events(), lived, status)
    return RunReport(
        status,
        history,
        candles,
        read_changes=cache(lambda: run.storage.events(DRAWN)),
        read_indicators=tuple if instance is None else instance.context.indicators.computed,
    )


def report_of_files(files: RunFiles, *, trades: bool = True) -> RunReport:
    """Read what a run has done; without its candles, which are not kept with its state."""
    status = files.required()
    history = history_of(files.journal, trades=trades)
    status = with_last_error(status, lambda count: history.newest[-count:])
    if trades and status.money is not None:
        lived = files.recording.read(NO_CANDLES)
        history = _in_money(history, files.events(), lived, status)
    return RunReport(status, history, read_changes=cache(lambda: files.events(DRAWN)))


def _in_money(
    history: RunHistory, events: Iterable[Event], lived: Iterable[Any], status: RunStatus
) -> RunHistory:
    """Give the trades of a run with an account what they were in money."""
    trades = trades_in_money(history.trades, run_fills(events, lived, status.rules))
    return history._replace(trades=as_booked(trades, booked_by(status.state)))
