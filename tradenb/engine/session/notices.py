"""Events that the session makes itself: asks that are skipped, functions that fail, and pings."""

from __future__ import annotations

from typing import Final, Literal

from tradenb.core import prices
from tradenb.core.events import Event, event_of
from tradenb.core.timeframe import iso
from tradenb.engine.call import words_of
from tradenb.engine.session.instance import Instance

SkipReason = Literal["late", "halted", "busy"]

_NOTE_LIMIT: Final = 500
_BECAUSE: Final[dict[SkipReason, str]] = {
    "late": "no new decisions in the past",
    "halted": "the kill switch is on",
    "busy": "the strategy has not come back from an earlier ask",
}


def skipped(
    instance: Instance, at: int, last: int, every: int, reason: SkipReason, *, fresh_from: int
) -> Event:
    """Make one event for all asks that are skipped in a row from `at` on, at most until `last`."""
    last = max(at, min(last, fresh_from - 1))
    candles = instance.candles
    asks = candles.dues(candles.ends_at(candles.index(at) - 1), last, every)
    note = f"{len(asks)} left out, {iso(at)} to {iso(int(asks[-1]))}: {_BECAUSE[reason]}"
    return event_of(instance.state, at, "skipped", exit_reason=reason, note=note[:_NOTE_LIMIT])


def failed(instance: Instance, at: int, what: str, error: Exception) -> Event:
    """Make the event of a user function that raised or took too long."""
    note = f"{what}: {words_of(error)}"
    return event_of(instance.state, at, "error", note=note[:_NOTE_LIMIT])


def ping(instance: Instance, at: int) -> Event:
    """Make the event of a minute in which a scheduled signal went on waiting."""
    state, candles = instance.state, instance.candles
    price = prices.price_at(candles, at, instance.rules)
    return event_of(state, at, "ping", state.signal, price=price)
