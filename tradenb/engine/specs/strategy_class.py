"""`Strategy`: the base of strategies that are written as classes."""

from __future__ import annotations

from tradenb.engine.context import Context
from tradenb.errors import SpecError


class Strategy:
    """Base of strategies written as classes: override `get_signal`.

    Methods named on_open, on_close, on_schedule, on_milestone, on_cancel and on_ping are used as
    callbacks; one named manage is the manage function. Register the class, or an object of it, with
    `tn.strategy`.

    Examples
    --------
    >>> class Quiet(Strategy):
    ...     def get_signal(self, ctx):
    ...         return None
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, a strategy once @tn.strategy(...) registers it>"

    def get_signal(self, ctx: Context) -> object:  # noqa: ARG002 - to be overridden
        """Return None, `tn.long(...)`, `tn.short(...)` or a mapping."""
        raise SpecError(f"{type(self).__name__} must define get_signal(self, ctx)")
