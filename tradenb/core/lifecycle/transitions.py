"""Events and states that follow in more than one place of the machine."""

from __future__ import annotations

from typing import TypeVar

from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.state import REMEMBERED, Refusal, State
from tradenb.core.lifecycle.validation import NOTE_LIMIT
from tradenb.core.signal import Signal, Trade
from tradenb.core.timeframe import MINUTE

Item = TypeVar("Item")


def idle_after(state: State, at: int, trades: tuple[Trade, ...]) -> State:
    """Return the state after a signal ended at `at`: it may be asked on that candle."""
    return state._replace(
        cursor=at - MINUTE,
        signal=None,
        opened_at=None,
        gained=0,
        lost=0,
        done=state.stopping,
        trades=trades,
    )


def refused_by_risk(state: State, at: int, signal: Signal, price: float, refusal: Refusal) -> Event:
    """Make the event of a signal that a risk rule refused."""
    words = refusal.words
    if len(words) > NOTE_LIMIT:
        words = words[: NOTE_LIMIT - 3] + "..."
    note = f"{refusal.name} | {words}"
    return event_of(state, at, "rejected", signal, price=price, exit_reason="risk", note=note)


def remember(items: tuple[Item, ...], item: Item) -> tuple[Item, ...]:
    """Add an item; the last 1,000 are kept."""
    return items[1 - REMEMBERED :] + (item,)  # noqa: RUF005 - (*items, item) copies twice
