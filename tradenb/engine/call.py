"""A user function that is to be called, and what becomes of one that takes too long."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from tradenb.errors import StrategyError


class Call(NamedTuple):
    """A user function that is to be called now.

    Attributes
    ----------
    function : callable
        Sync or async.
    args : tuple
    what : str
        What it is, for messages: "strategy dip", "risk rule portfolio".
    symbol : str
    asks : bool
        Whether a strategy is asked for a decision.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    what: str
    symbol: str
    asks: bool = False


class StrategyTimeout(StrategyError):
    """A user function took longer than it may; the driver throws it in.

    Attributes
    ----------
    busy : callable or None
        Tells whether the function that was left behind is still at it.
    """

    busy: Callable[[], bool] | None = None


Pump = Generator[Call, Any, None]
