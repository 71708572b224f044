"""What a run holds, `stop`, `flatten`, `cancel`, `close`, `move`: the same on every handle."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tradenb.core.lifecycle.state import CommandKind, State
from tradenb.core.risk import Held
from tradenb.engine.arguments import label_of
from tradenb.engine.hand_commands import hand_values


class CommandMethods(ABC):
    """A run that holds a signal and takes commands, here or from another process."""

    @property
    def position(self) -> Held | None:
        """The open signal, or None."""
        state = self._state()
        return state.held if state is not None and state.is_open else None

    @property
    def scheduled(self) -> Held | None:
        """The signal that waits for its entry, or None."""
        state = self._state()
        return state.held if state is not None and state.is_scheduled else None

    def stop(self) -> None:
        """End gracefully: no new signals; an open position is followed to its close."""
        self._command("stop")

    def flatten(self) -> None:
        """Close the open position at the market price of the next candle; the run goes on."""
        self._command("flatten")

    def cancel(self, id: str | None = None, *, cancel_id: str | None = None) -> None:
        """Cancel the scheduled signal, whichever it is or only the one with this id."""
        self._command("cancel", label_of(id, "id"), label_of(cancel_id, "cancel_id"))

    def close(self, fraction: float = 1.0) -> None:
        """Close a fraction of the open position at the market price of the next candle.

        Parameters
        ----------
        fraction : float, default 1.0
            Of what is open, above 0 and at most 1.
        """
        self._command("close", values=hand_values("close", {"fraction": fraction}))

    def move(self, **levels: object) -> None:
        """Move the stop, the target or the end of the open position, at the next candle.

        The stop only comes closer, unless `Rules.loosen_stop` is set.

        Parameters
        ----------
        stop_loss : float, optional
        take_profit : float, list of (float, float) or None, optional
            A price, a ladder of pairs (price, fraction), or None: no target.
        minutes : int or None, optional
            Longest life of the position.
        until : int, str, datetime or None, optional
            When it ends.

        Raises
        ------
        UsageError
            When nothing is named, or a value cannot be meant.
        """
        self._command("move", values=hand_values("move", levels))

    @abstractmethod
    def _state(self) -> State | None:
        """Return what is on disk of it; None before the first commit."""

    @abstractmethod
    def _command(
        self,
        kind: CommandKind,
        id: str | None = None,
        cancel_id: str | None = None,
        values: dict[str, object] | None = None,
    ) -> None:
        """Give the run a command; a stop of a run that is done does nothing."""
