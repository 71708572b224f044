"""`Manager`: the manage function of a strategy, and when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tradenb.core.timeframe import timeframe_ms


class Manager(NamedTuple):
    """A function that is asked about what a strategy has open.

    Attributes
    ----------
    every : str
        Interval at which it is asked, a timeframe.
    waiting : bool
        It is asked about a scheduled signal, too.
    """

    function: Callable[..., Any]
    every: str
    waiting: bool

    @property
    def every_ms(self) -> int:
        """Interval at which it is asked, ms."""
        return timeframe_ms(self.every)
