"""Commands that were given and have not acted yet, and when each of them acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tradenb.core.lifecycle.state import Command, acts_at
from tradenb.core.timeframe import MINUTE
from tradenb.view.formatting import price

_WORDS: Final = {"stop": "stopping", "flatten": "flattening", "cancel": "cancelling the entry"}
_LEVELS: Final = {"stop_loss": "the stop", "take_profit": "the target"}


class PendingCommand(NamedTuple):
    """A command that was given and has not acted yet.

    Attributes
    ----------
    id : str
        For `withdraw`; empty where it is not known.
    kind : {"stop", "flatten", "cancel", "close", "move"}
    values : mapping or None
        What a close or a move says.
    given, acts_at : int
        When it was given, and the close of the candle that it acts on, ms UTC; a close or a move
        acts on the first candle that knows of the entry where that is still on its way.
    in_s : float or None
        Seconds until that close, below 0 where the candle is overdue; None in a rehearsal of
        another process, whose clock is not known here.
    """

    id: str
    kind: str
    given: int
    acts_at: int
    in_s: float | None
    values: Mapping[str, object] | None = None

    @property
    def what(self) -> str:
        """What is under way, in words."""
        values = self.values or {}
        if self.kind == "close":
            fraction = values.get("fraction")
            if isinstance(fraction, float) and fraction < 1:
                return f"closing {100 * fraction:g} % of it"
            return "closing the position"
        if self.kind == "move":
            moved = dict.fromkeys(_moved(name, value) for name, value in values.items())
            return f"moving {' and '.join(moved) or 'the levels'}"
        return _WORDS.get(self.kind, self.kind)

    def __str__(self) -> str:
        if self.kind == "stop":
            return "stopping"
        what = self.what
        if self.in_s is None:
            return f"{what} at the next close"
        if self.in_s < 0:
            return f"{what} at the next candle ({-self.in_s:.0f} s overdue)"
        return f"{what} at the next close ({self.in_s:.0f} s)"


def _moved(name: str, value: object) -> str:
    if name not in _LEVELS:
        return "its end"
    to = " to none" if value is None else ""
    return _LEVELS[name] + (f" to {price(value)}" if isinstance(value, float | int) else to)


def pending(
    commands: Iterable[Command], cursor: int, now: int | None
) -> tuple[PendingCommand, ...]:
    """Return commands with the close at which each acts; `now` is that of the run, ms UTC."""
    given = [command for command in commands if command.kind != "report"]
    acting = [(command, acts_at(command, cursor + MINUTE)) for command in given]
    return tuple(
        PendingCommand(
            command.request or "",
            command.kind,
            command.at,
            at,
            None if now is None else (at - now) / 1000,
            command.values,
        )
        for command, at in acting
    )
