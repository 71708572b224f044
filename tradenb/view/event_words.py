"""What an event says to a person, the same in the dashboard and in a terminal."""

from __future__ import annotations

from tradenb.core.events import Event
from tradenb.view.formatting import milestone_words, number, percent, price


def event_words(event: Event) -> str:
    """Return the facts of an event in words, without its time, run and kind."""
    gain = event.pnl_percent
    facts = [
        event.position or "",
        "" if event.level is None else milestone_words(event.level),
        price_words(event),
        _share(event),
        _levels(event),
        (event.exit_reason or "").replace("_", " "),
        "" if gain is None else percent(gain, plus=True),
        "late" if event.late else "",
        event.note or "",
    ]
    return " · ".join(part for part in facts if part)


def _share(event: Event) -> str:
    """Say how much was added or closed, where it is a part."""
    if event.fraction is None or event.kind not in ("added", "partial"):
        return ""
    return f"{number(event.fraction)} of the first entry"


def _levels(event: Event) -> str:
    """Say where a move put the levels."""
    if event.kind != "moved" or event.stop_loss is None:
        return ""
    target = "" if event.take_profit is None else f", target {price(event.take_profit)}"
    return f"stop {price(event.stop_loss)}{target}"


def price_words(event: Event) -> str:
    """Say which price it is: what was paid, or where the market is while an order waits."""
    if event.price is None:
        return ""
    market = price(event.price)
    match event.kind:
        case "scheduled":
            entry = getattr(event.signal, "entry", None)
            return (
                f"market at {market}"
                if entry is None
                else (f"waits at {price(entry)}, market at {market}")
            )
        case "cancelled" | "milestone" | "moved":
            return f"market at {market}"
        case _:
            return f"at {market}"
