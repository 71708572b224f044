"""Commands that were given and have not acted yet, and when each of them acts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from tradenb.core.lifecycle.state import Command, acts_at
from tradenb.core.timeframe import MINUTE

_WORDS: Final = {
    "flatten": "flattening",
    "cancel": "cancelling the entry",
    "close": "closing by hand",
    "move": "moving the levels",
}


class PendingCommand(NamedTuple):
    """A command that was given and has not acted yet.

    Attributes
    ----------
    id : str
        For `withdraw`; empty where it is not known.
    kind : {"stop", "flatten", "cancel", "close", "move"}
    given, acts_at : int
        When it was given, and the close of the candle that it acts on, ms UTC.
    in_s : float or None
        Seconds until that close, below 0 where the candle is overdue; None in a rehearsal of
        another process, whose clock is not known here.
    """

    id: str
    kind: str
    given: int
    acts_at: int
    in_s: float | None

    def __str__(self) -> str:
        if self.kind == "stop":
            return "stopping"
        what = _WORDS.get(self.kind, self.kind)
        if self.in_s is None:
            return f"{what} at the next close"
        if self.in_s < 0:
            return f"{what} at the next candle ({-self.in_s:.0f} s overdue)"
        return f"{what} at the next close ({self.in_s:.0f} s)"


def pending(
    commands: Iterable[Command], cursor: int, now: int | None
) -> tuple[PendingCommand, ...]:
    """Return commands with the close at which each acts; `now` is that of the run, ms UTC."""
    acting = [(command, acts_at(command, cursor + MINUTE)) for command in commands]
    return tuple(
        PendingCommand(
            command.request or "",
            command.kind,
            command.at,
            at,
            None if now is None else (at - now) / 1000,
        )
        for command, at in acting
    )
