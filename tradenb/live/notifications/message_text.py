"""The words of notifications: a line for each event, alarm or count, and lines as one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.view.formatting import percent, price

_LONGEST_LINE: Final = 300


def event_line(event: Event) -> str:
    """Say an event in a line.

    Examples
    --------
    >>> event_line(
    ...     Event(7, 1_704_067_260_000, "BTCUSDT", "dip", "closed", None, 104.0, "flattened")
    ... )
    'BTCUSDT:dip closed at 104.00 (flattened), 2024-01-01 00:01 UTC'
    """
    words = [f"{event.symbol}:{event.strategy}", event.kind]
    words += [] if event.position is None else [event.position]
    words += [] if event.level is None else [f"{event.level:+d} %"]
    words += [] if event.price is None else [f"at {price(event.price)}"]
    words += [f"({event.exit_reason})"] if event.exit_reason else []
    words += [] if event.pnl_percent is None else [percent(event.pnl_percent, plus=True)]
    if event.kind in {"opened", "scheduled"}:
        levels = (("stop", event.stop_loss), ("target", event.take_profit))
        words += [f"{name} {price(level)}" for name, level in levels if level is not None]
    text = " ".join(words) + (f": {event.note}" if event.note else "")
    return plain(f"{text}, {iso(event.at)} UTC" + (" (late)" if event.late else ""))


def message(lines: Sequence[str]) -> tuple[str, str]:
    """Return title and body of a message with so many lines.

    Examples
    --------
    >>> message(["BTCUSDT:dip opened"])
    ('tradenb', 'BTCUSDT:dip opened')
    """
    title = "tradenb" if len(lines) == 1 else f"tradenb: {len(lines)} messages"
    return title, "\n".join(lines)


def plain(text: str) -> str:
    """Return a text in one line of a bounded length, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."
