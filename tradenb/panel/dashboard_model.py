"""What a dashboard shows, as plain values: rows, health line, pictures and the newest events.

Each poll makes them anew from the replicas; the widget sends what has changed. All of it is
bounded, however many runs and events there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from tradenb.core.events import Event
from tradenb.live.resume_run import is_known_here
from tradenb.live.status.status_card import expectation_now
from tradenb.panel.dashboard_rows import (
    EventRow,
    EventRows,
    Row,
    event_row,
    health_of,
    order_of,
    row_of,
)
from tradenb.panel.order_panel import OrderPanel, note_accounts, order_panel
from tradenb.panel.run_chart import (
    equity_points,
    held_position,
    indicator_lines,
    position_lines,
    run_chart,
    shown_candles,
)
from tradenb.panel.watch_runs import MOST_RUNS, Location, Watch, WatchedRun
from tradenb.store.paths import encoded
from tradenb.view.charts.still_chart import overlays_of
from tradenb.view.svg.equity_svg import POINTS, equity_svg
from tradenb.view.svg.plot_area import WIDTH
from tradenb.view.svg.price_svg import price_svg


@dataclass
class DashboardModel:
    """What is shown, and where it comes from.

    Attributes
    ----------
    chosen : str
        Key of the run that is drawn; empty is the first.
    rows : list of dict
        See `row_of`; with `control`, where requests to a running run are left.
    more : int
        Runs that are left out.
    orders : dict
        See `order_panel`; empty lists while no run sends orders.
    health, pictures : dict
        See `health_of`; the drawn run and its pictures: price, equity, and expected, which is
        empty for a run that is held against no backtest.
    events : EventRows
        Oldest first.
    width : int
        How wide the pictures are drawn, pixels.
    total : int
        Events shown since the beginning.
    """

    watch: Watch
    chosen: str = ""
    rows: list[Row] = field(default_factory=list)
    more: int = 0
    orders: OrderPanel = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    events: EventRows = field(default_factory=EventRows)
    total: int = 0
    width: int = WIDTH
    _sent: dict[Location, int] = field(default_factory=dict)
    _errors: int = 0
    _run: WatchedRun | None = None
    _drawn: tuple[Any, ...] = ()

    def poll(self) -> list[EventRow]:
        """Poll all runs and return the events that are new, oldest first."""
        runs = sorted(self.watch.poll(), key=lambda run: order_of(run.status))
        shown = runs[:MOST_RUNS]
        self.more = len(runs) - len(shown) + self.watch.left_out
        self.rows = [_row(run) for run in shown]
        sending = [run.status for run in shown if run.status.orders is not None]
        self.orders = order_panel(sending) if sending else {"accounts": [], "rows": []}
        errors = self.watch.error_count
        self.health = health_of([run.status for run in shown], self.rows, errors)
        self.health["home"] = str(self.watch.home.root)
        if sending:
            note_accounts(self.health, self.orders)
        self._draw(shown)
        return self._fresh(runs)

    def locations(self) -> dict[str, Location]:
        """Return where the runs are, by key."""
        keys = (row["key"] for row in self.rows)
        return dict(zip(keys, self._locations, strict=True))

    def chart(self) -> dict[str, Any] | None:
        """Return what the chart of the drawn run shows; None while nothing of it is known."""
        return None if self._run is None else run_chart(self._run)

    def _draw(self, runs: Sequence[WatchedRun]) -> None:
        self._locations = [run.location for run in runs]
        chosen = next((run for run in runs if run.status.key == self.chosen), None)
        drawable = (run for run in runs if run.candles is not None)
        run = chosen or next(drawable, next(iter(runs), None))
        if run is None:
            self.pictures, self._run = {}, None
            return
        if run.candles is None and run.status.state is not None:
            run = run._replace(candles=self.watch.recorded_candles(run.location))
        state, key = run.status.state, run.status.key
        seen = None if state is None else (state.cursor, state.signal)
        newest = None if run.candles is None else run.candles.end
        self._run = run
        now = (key, run.replica.last_seq, seen, newest, self.width, run.status.band)
        # Drawing costs more than all the rest: only when a candle or an event came.
        if now == self._drawn:
            return
        self._drawn = now
        width = self.width
        course = expectation_now(run.status)
        self.pictures = {
            "key": key,
            "price": _price(run, width),
            "equity": _equity(run, width),
            "expected": "" if course is None else course.svg(width),
        }

    def _fresh(self, runs: Sequence[WatchedRun]) -> list[EventRow]:
        found: list[tuple[int, int, str, Event]] = []
        for run in runs:
            before = self._sent.get(run.location, 0)
            self._sent[run.location] = run.replica.last_seq
            mode: str = run.status.mode
            found += [
                (event.wall or event.at, event.seq, mode, event)
                for event in run.replica.events
                if event.seq > before
            ]
        # Errors of the loop are in no journal; they come from the bus, in the order of time.
        count = self.watch.error_count - self._errors
        self._errors = self.watch.error_count
        for event in list(self.watch.errors)[-count:] if count else []:
            found.append((event.wall or event.at, 0, self._mode_of(event, runs), event))
        found.sort(key=lambda item: item[:3])
        before = self.total
        for _, _, mode, event in found:
            self.total += 1
            self.events.add(event_row(event, mode, self.total))
        return self.events.after(before)

    @staticmethod
    def _mode_of(event: Event, runs: Sequence[WatchedRun]) -> str:
        name = f"{event.symbol}:{event.strategy}"
        return next((run.status.mode for run in runs if run.status.id == name), "live")


def _row(run: WatchedRun) -> Row:
    status, (home, key) = run.status, run.location
    row = row_of(status, run.replica)
    age = row.pop("age_s")
    row["tick_ms"] = None if age is None else round(time() - age) * 1000
    row |= {"control": None, "strategy_name": status.strategy, "symbol_name": status.symbol}
    row["resume"] = status.status == "idle" and status.mode == "live" and _resumable(run)
    row["home"] = str(home.root)
    if status.status == "running":
        folder = (encoded(key.strategy, "strategy"), encoded(key.symbol, "symbol"))
        row["control"] = {"home": str(home.root), "folder": "/".join(folder)}
    return row


def _resumable(run: WatchedRun) -> bool:
    """Tell whether it is known what starts a run that no process runs."""
    return bool(run.status.resume) or is_known_here(run.location.key, run.status.exchange)


def _price(run: WatchedRun, width: int) -> str:
    state, shown = run.status.state, shown_candles(run)
    if state is None or shown is None:
        return ""
    held = held_position(run)
    return price_svg(
        shown,
        list(run.replica.trades),
        state.signal,
        state.opened_at,
        lines=position_lines(run, shown),
        targets=None if held is None else [level for level, _ in held.targets],
        overlays=overlays_of(indicator_lines(run, shown), shown),
        width=width,
    )


def _equity(run: WatchedRun, width: int) -> str:
    found = equity_points(run, POINTS)
    if found is None:
        return ""
    points, start, end = found
    count = len(run.replica.trades)
    return equity_svg(points, start=start, end=end, trades=count, width=width)
