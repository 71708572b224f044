"""What a run under a home has done, from its files alone: for reports after the fact."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE, iso
from tradenb.core.trades import trades_of
from tradenb.engine.serialise import from_record, row_to_event
from tradenb.errors import StateError
from tradenb.live.status.listing import has_ended, holding, is_locked, status_of
from tradenb.live.status.run_status import mode_of, standing_of
from tradenb.store.document.read import read_document
from tradenb.store.document.state_conflict import words_if_undecided
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key
from tradenb.view.formatting import plural
from tradenb.view.pages.live_html import LISTED, Standing, live_markdown

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.live.loop.record import RunRecord
    from tradenb.view.summary import Summary


SHORT: Final = 10


class Account(NamedTuple):
    """A run as its document and its journal tell it.

    Attributes
    ----------
    standing : Standing
    state : State
    events : list of Event
        Those of the journal, oldest first.
    trades : list of Trade
        Closed positions, in order of closing.
    candles : Candles or None
        1m candles of its time, for the price chart.
    notes : tuple of str
        What else the reader of the page should know.
    """

    standing: Standing
    state: State
    events: list[Event]
    trades: list[Trade]
    candles: Candles | None = None
    notes: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """When it began, or the oldest of its trades was opened, ms UTC."""
        began = self.standing.started or self.state.cursor
        return min([began, *(trade.opened_at for trade in self.trades)])

    def markdown(self, newest: int = LISTED) -> str:
        """Write the report in markdown, with so many of the newest events."""
        return live_markdown(self.standing, self.events, newest=newest)

    def html(self) -> str:
        """Write the report as one page that loads nothing."""
        from tradenb.view.pages.report_page import report_html

        candles = self.candles
        shown = None if candles is None else candles.between(self.start, self.state.cursor)
        return report_html(self.summary, {self.standing.symbol: shown} if shown else None)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; a file that is there already is replaced."""
        from tradenb.view.page_file import page_path, write_page

        target = page_path(path)
        return write_page(target, self.html())

    @property
    def summary(self) -> Summary:
        """What the page shows."""
        from tradenb.statistics.figures import figures
        from tradenb.view.summary import Summary

        start, end = self.start, self.state.cursor
        return Summary(
            title=self.standing.mode.capitalize(),
            strategies=(self.standing.strategy,),
            symbols=(self.standing.symbol,),
            start=start,
            end=end,
            candles=(end - start) // MINUTE,
            figures=figures(self.trades, start=start, end=end),
            trades=self.trades,
            open=self._open(),
            warnings=self._warnings(),
            exchange=self.standing.exchange,
        )

    def _open(self) -> list[Any]:
        signal = self.state.signal
        if signal is None:
            return []
        what = "scheduled" if self.state.opened_at is None else "open"
        candles, cursor, price = self.candles, self.state.cursor, math.nan
        if candles is not None and candles.start < cursor <= candles.end:
            price = float(candles.close[candles.index(cursor)])
        return [(signal.symbol, signal.strategy, signal.id, what, price, None)]

    def _warnings(self) -> list[str]:
        errors = sum(event.kind == "error" for event in self.events)
        late = sum(trade.late for trade in self.trades)
        found = []
        if errors:
            last = next(event for event in reversed(self.events) if event.kind == "error")
            times = plural(errors, "error")
            found.append(f"{times}, the last at {iso(last.at)} UTC: {last.note}")
        if late:
            found.append(f"{late} of the trades closed while nobody ran, and were noticed later")
        return [*found, *self.notes]


def account_of_run(run: RunRecord) -> Account:
    """Return what a run of this process has done, with the candles that it has seen."""
    state = run.state or State(run.symbol, run.strategy, run.spec.every_ms, run.start)
    candles = None if run.instance is None else run.instance.candles
    events = run.shelf.events()
    return Account(standing_of(run), state, events, trades_of(events), candles)


def account_of(home: Home, key: Key) -> Account:
    """Read what a run has done; without its candles, which are not kept with its state.

    Raises
    ------
    StateError
        When its document cannot be read; `tradenb doctor` says what to do.
    """
    standing, state = standing_on_disk(home, key)
    disk = DiskFilesystem(durable=False)
    events = [row_to_event(row) for row in Journal(disk, home.journal(key)).read()]
    return Account(standing, state, events, trades_of(events))


def standing_on_disk(home: Home, key: Key) -> tuple[Standing, State]:
    """Read where a run stands.

    Raises
    ------
    StateError
        When its document cannot be read, or there is none.
    """
    disk = DiskFilesystem(durable=False)
    found = read_document(disk, home.document(key))
    if found is None:
        raise StateError(f"{key.symbol}:{key.strategy} has no state under {home.root}")
    body = found.body
    state = from_record(body["state"])
    running = is_locked(disk, home.lock(key))
    undecided = words_if_undecided(disk, home.document(key))
    standing = Standing(
        symbol=key.symbol,
        strategy=key.strategy,
        exchange=body["exchange"],
        mode=mode_of(home.root),
        status=status_of(has_ended(body), locked=running),
        state=holding(state),
        signal=state.signal,
        market=body.get("price"),
        started=body["start"],
        cursor=state.cursor,
        ticks=None,
        saved=not undecided,
        stopping=state.stopping,
        error=undecided or None,
        home=str(home.root),
    )
    return standing, state
