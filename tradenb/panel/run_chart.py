"""What is drawn of a live run, candles, positions and equity: for pictures and for the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.core.timeframe import MINUTE
from tradenb.engine.position_view import position_of
from tradenb.statistics.equity.curve_points import points_of, points_of_closes
from tradenb.statistics.equity.known_marks import marks_of_history
from tradenb.view.charts.chart_data import POINTS, Drawn, IndicatorLine, chart_data
from tradenb.view.charts.indicator_lines import lines_of_run

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.engine.position_view import Position
    from tradenb.panel.watch_runs import WatchedRun
    from tradenb.statistics.equity.curve_points import CurvePoints


def run_chart(run: WatchedRun) -> dict[str, Any] | None:
    """Return what the chart of a run shows; None while it has consumed no candle."""
    equity = equity_points(run, POINTS)
    if equity is None:
        return None
    points, start, end = equity
    whole = run.status.money is not None
    shown = shown_candles(run)
    if shown is None:
        return chart_data([], points, start=start, end=end, compounded=whole)
    trades, lines = list(run.replica.trades), position_lines(run, shown)
    drawn = Drawn(run.status.symbol, shown, trades, lines, indicator_lines(run, shown))
    first = min(start, shown.start)
    since = shown.start
    return chart_data([drawn], points, start=first, end=end, since=since, compounded=whole)


def shown_candles(run: WatchedRun) -> Candles | None:
    """Return the candles up to the newest that the run consumed, if there are enough to draw."""
    candles, state = run.candles, run.status.state
    if candles is None or len(candles) < 2 or state is None:
        return None
    shown = candles.between(candles.start, state.cursor)
    return shown if len(shown) >= 2 else None


def held_position(run: WatchedRun) -> Position | None:
    """Return what is open, at the newest price."""
    state, candles = run.status.state, run.candles
    if state is None or candles is None or not len(candles):
        return None
    shown = shown_candles(run) or candles
    return position_of(state, state.cursor, float(shown.close[-1]), run.status.rules)


def position_lines(run: WatchedRun, shown: Candles) -> list[PositionLines]:
    """Return stops, targets and parts of its positions, as far as candles and events tell."""
    state, held = run.status.state, held_position(run)
    return lines_of(
        run.replica.changes,
        shown,
        run.status.rules,
        held=None if state is None else state.signal,
        peak=None if held is None else held.peak,
    )


def indicator_lines(run: WatchedRun, shown: Candles) -> list[IndicatorLine]:
    """Return what its strategy computed, where that is in this process."""
    return lines_of_run(run.read_indicators(), run.status.strategy, run.status.symbol, shown)


def equity_points(run: WatchedRun, limit: int) -> tuple[CurvePoints, int, int] | None:
    """Return its equity in few points, and from when to when."""
    state, candles = run.status.state, run.candles
    if state is None:
        return None
    trades = list(run.replica.trades)
    first = state.cursor - MINUTE if candles is None else candles.start
    first = trades[0].opened_at if trades else first
    end = max(state.cursor, first + MINUTE)
    marks = marks_of_history(
        state, trades, run.replica.changes, candles, run.status.rules, start=first, end=end
    )
    if marks.daily:  # its candles are known from the first trade on
        return points_of(marks._replace(benchmark=None), limit), first, end
    unrealised = None
    if state.is_open and candles is not None and len(candles):
        held = position_of(state, state.cursor, float(candles.close[-1]), run.status.rules)
        unrealised = None if held is None else held.pnl_percent
    return points_of_closes(trades, first, end, limit, unrealised), first, end
