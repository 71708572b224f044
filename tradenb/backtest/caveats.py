"""What a user should know before trusting the figures of a backtest, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradenb.core.candidate import ENTRY_REACHED
from tradenb.core.signal import Signal
from tradenb.engine.session.pump import Session
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.core.signal import Trade
    from tradenb.view.event_frames import Coverages


def caveats(
    session: Session,
    trades: Sequence[Trade],
    *,
    open_count: int,
    asks_lost: int,
    troubled: Sequence[Event],
    coverage: Coverages,
    reached: int = 0,
) -> list[str]:
    """Return the sentences, the most important first."""
    found = []
    if open_count:
        found.append(
            f"{open_count} still open or scheduled at the end, not in the trades; see result.open"
        )
    if session.timeouts:
        calls = plural(session.timeouts, "call")
        found.append(f"not reproducible: {calls} of your functions timed out; see result.events")
    errors = [event.note for event in troubled if event.kind == "error"]
    if errors:
        times = plural(len(errors), "error")
        found.append(f"{times} in your functions, see result.events; the first: {errors[0]}")
    if asks_lost:
        lost = plural(asks_lost, "call")
        found.append(
            f"{lost} found too little history (warm-up); pass a later start=, so that there is "
            "history before it"
        )
    if reached:
        entries = "1 entry was" if reached == 1 else f"{reached:,} entries were"
        found.append(
            f"{entries} already reached and opened at the market price; for a breakout use "
            "breakout="
        )
    found += _silent_indicators(coverage)
    found += _invalid_candidates(troubled)
    if len(session.instances) > 1 and _overlap(trades):
        found.append(
            "positions overlap in time: equity compounds every trade at full size, as if each "
            "had the whole account"
        )
    return found


def was_reached(event: Event) -> bool:
    """Tell whether a limit entry was reached when it was decided: it was opened at once."""
    if event.kind != "opened" or not (event.note or "").endswith(ENTRY_REACHED):
        return False
    return isinstance(event.signal, Signal) and not event.signal.breakout


def _invalid_candidates(events: Sequence[Event]) -> list[str]:
    """Say that candidates broke the rules; a run where all do looks like one without signals."""
    notes = [event.note for event in events if event.exit_reason == "invalid"]
    if not notes:
        return []
    count = plural(len(notes), "candidate")
    return [f"{count} broke the rules and were rejected, the first by {notes[0]}"]


def _silent_indicators(coverage: Coverages) -> list[str]:
    """Name the indicators that never had a value: a strategy that compares with NaN is silent."""
    return [
        f"indicator {item.name!r} ({item.timeframe}) of {strategy} has no value in the whole run "
        f"on {symbol} ({plural(item.candles, 'candle')}); give it more history (a later start=), "
        "or check what it computes"
        for (strategy, symbol), found in coverage.items()
        for item in found
        if not item.values
    ]


def _overlap(trades: Sequence[Trade]) -> bool:
    latest = 0
    for opened, closed in sorted((trade.opened_at, trade.closed_at) for trade in trades):
        if opened < latest:
            return True
        latest = max(latest, closed)
    return False
