"""What a run under a home has done, from its files alone: for reports after the fact."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from tradenb.core.events import Event
from tradenb.core.signal import Signal, Trade
from tradenb.core.state import State
from tradenb.core.timeframe import MINUTE
from tradenb.engine.record import from_record, row_to_event
from tradenb.errors import StateError
from tradenb.live.listing import holding, is_locked, mode_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal import Journal
from tradenb.store.paths import Home, Key
from tradenb.store.reading import read_document
from tradenb.view.live import Standing, live_markdown

if TYPE_CHECKING:
    from tradenb.view.summary import Summary


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
    """

    standing: Standing
    state: State
    events: list[Event]
    trades: list[Trade]

    def markdown(self) -> str:
        """Write the report in markdown."""
        return live_markdown(self.standing, self.events)

    def html(self) -> str:
        """Write the report as one page that loads nothing."""
        from tradenb.view.report import report_html

        return report_html(self.summary)

    @property
    def summary(self) -> Summary:
        """What the page shows."""
        from tradenb.view.figures import figures
        from tradenb.view.summary import Summary

        start, end = self.standing.started or self.state.cursor, self.state.cursor
        start = min([start, *(trade.opened_at for trade in self.trades)])
        return Summary(
            title="Live",
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
        return [(signal.symbol, signal.strategy, signal.id, what, math.nan, None)]

    def _warnings(self) -> list[str]:
        errors = sum(event.kind == "error" for event in self.events)
        late = sum(trade.late for trade in self.trades)
        found = []
        if errors:
            found.append(f"{errors} errors happened; the markdown report lists them")
        if late:
            found.append(f"{late} of the trades closed while nobody ran, and were noticed later")
        return found


def account_of(home: Home, key: Key) -> Account:
    """Read what a run has done.

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
    standing = Standing(
        symbol=key.symbol,
        strategy=key.strategy,
        exchange=body["exchange"],
        mode=mode_of(home.root),
        status="running" if running else "done" if state.done else "idle",
        state=holding(state),
        signal=state.signal,
        market=body.get("price"),
        started=body["start"],
        cursor=state.cursor,
        ticks=None,
        saved=True,
        stopping=state.stopping,
        error=None,
        home=str(home.root),
    )
    return standing, state


def trades_of(events: Iterable[Event]) -> list[Trade]:
    """Return the closed positions that events tell of, in order of closing."""
    opened: dict[str, Event] = {}
    found = []
    for event in events:
        signal = event.signal
        if not isinstance(signal, Signal):
            continue
        if event.kind == "opened":
            opened[signal.id] = event
        elif event.kind == "closed" and signal.id in opened:
            found.append(_trade(opened.pop(signal.id), event, signal))
    return found


def _trade(opened: Event, closed: Event, signal: Signal) -> Trade:
    reason: Any = closed.exit_reason
    return Trade(
        signal_id=signal.id,
        symbol=signal.symbol,
        strategy=signal.strategy,
        position=signal.position,
        opened_at=opened.at,
        closed_at=closed.at,
        entry=signal.entry,
        exit=math.nan if closed.price is None else closed.price,
        take_profit=signal.take_profit,
        stop_loss=signal.stop_loss,
        size=signal.size,
        exit_reason=reason,
        pnl_percent=math.nan if closed.pnl_percent is None else closed.pnl_percent,
        late=closed.late,
        note=opened.note,
    )
