"""A user function that is to be called, and what becomes of one that takes too long.

Threads that run it have different shapes, and share this file alone. `backtest.driver`
drives a whole pump on one thread, because a hand-off for each call would cost more than the call.
`live.loop.worker_threads` gives each call a thread, because the loop awaits several at once. Both
leave a late thread behind. What `exchanges` runs on threads has no deadline: `ccxt.portal` runs
requests that time out, and an async `function_source` stops when its caller is interrupted.
"""

from __future__ import annotations

import inspect
import os
import sysconfig
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, TracebackType
from typing import Any, Final, NamedTuple, assert_never, get_args

from tradenb.call_errors import hint
from tradenb.core.candidate import long, short
from tradenb.core.candles.arrays import NAMES
from tradenb.core.events import Kind
from tradenb.engine.account_view import AccountView
from tradenb.errors import SpecError, StrategyError, TradenbError, near, shown, without_addresses

_LIBRARIES: Final = tuple(
    f"{folder}{os.sep}"
    for folder in (Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib")))
)

# What attributes of positions, trades and contexts are called in other tools.
_OTHER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "side": ("is_long", "is_short", "position"),
    "direction": ("is_long", "is_short", "position"),
    "sl": ("stop_loss",),
    "stop": ("stop_loss",),
    "tp": ("take_profit",),
    "target": ("take_profit", "targets"),
    "pl": ("pnl_percent",),
    "pl_pct": ("pnl_percent",),
    "profit": ("pnl_percent",),
    "pnl": ("pnl_percent",),
    "entry_price": ("entry",),
    "price": ("entry",),
    "time": ("now", "when", "opened_at"),
    "timestamp": ("now", "when"),
    "df": ("frame", "candles"),
    "data": ("candles", "frame"),
    "close": ("price", "candles"),
    **dict.fromkeys(("balance", "cash", "equity", "free", "portfolio"), ("account", "balance")),
}
_FRAME: Final = "; ctx.frame(...) is a DataFrame"
_OF_NOW: Final = (
    "; ctx.price and ctx.indicators[...] are one number each, as of the last closed candle; for "
    "earlier ones declare another column with .shift(1), or use ctx.candles(...)"
)
_OF_ACCOUNT: Final = AccountView.__annotations__


class Call(NamedTuple):
    """A user function that is to be called now.

    Attributes
    ----------
    function : callable
        Sync or async.
    what : str
        What it is, for messages: "strategy dip", "risk rule portfolio".
    asks : bool
        Whether a strategy is asked for a decision.
    again : callable or None
        May be called where the reply is None: whether the same call, which has one argument, is to
        be made once more, at once. It raises what the reply came to, if that failed.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    what: str
    symbol: str
    asks: bool = False
    again: Callable[[], bool] | None = None


class StrategyTimeout(StrategyError):
    """A user function took longer than it may; the driver throws it in.

    Attributes
    ----------
    busy : callable or None
        Tells whether the function that was left behind is still at it.
    """

    busy: Callable[[], bool] | None = None


Pump = Generator[Call, Any, None]


def harmless(failure: BaseException) -> Exception:
    """Turn what a user function raised into something that ends no loop, and no future refuses."""
    cause = failure.__cause__
    if isinstance(cause, StopIteration) and str(failure) == "coroutine raised StopIteration":
        failure = cause  # in a coroutine it is Python that turns it into a RuntimeError
    if isinstance(failure, Exception) and not isinstance(failure, StopIteration):
        return failure
    wrapped = StrategyError(f"raised {type(failure).__name__}")
    wrapped.__cause__ = failure
    return wrapped


def words_of(error: BaseException) -> str:
    """Say what an exception was and where; nothing a user raises may break this."""
    try:
        text = without_addresses(str(error))
    except Exception:  # noqa: BLE001 - a user's __str__
        text = "(its text cannot be shown)"
    if isinstance(error, TradenbError):
        return text
    where = ""
    trace = _place_of(error)
    if trace is not None:
        where = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})"
        if type(error) is TypeError:
            text += _hint(text, trace.tb_frame.f_globals)
            if text.startswith("'Candles' object is not"):
                text += f"; its columns are .{', .'.join(NAMES)}{_FRAME}"
        if type(error) is AttributeError and "has no attribute" in text and _is_ours(error.obj):
            names = [name for name in dir(type(error.obj)) if not name.startswith("_")]
            text += _meant(error.name, names)  # `ctx.postion`
        if type(error) is AttributeError and error.obj is None and error.name in _OF_ACCOUNT:
            text += "; ctx.account is None without account=tn.Account(...)"
        if text.startswith("'numpy.ndarray' object has no attribute") and _is_of_series(error):
            text += _FRAME
        if text.startswith("'float' object is not sub") or (
            text.startswith("'float' object has no attribute") and _is_of_series(error)
        ):
            text += _OF_NOW if {"price", "indicators"} & {*trace.tb_frame.f_code.co_names} else ""
        if text == "assignment destination is read-only":
            text += "; change a copy of the array, array.copy()"
    return f"{type(error).__name__}: {text}{where}"


def _place_of(error: BaseException) -> TracebackType | None:
    """Return the innermost place in code of the user; of a library where there is no other."""
    trace, found = error.__traceback__, None
    last = trace
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_LIBRARIES):
            found = trace
        last, trace = trace, trace.tb_next
    return found or last


def _is_of_series(error: BaseException) -> bool:
    import pandas as pd

    return hasattr(pd.Series, getattr(error, "name", None) or "")


def _is_ours(value: object) -> bool:
    return type(value).__module__.startswith("tradenb.")


def _meant(name: str | None, names: Sequence[str]) -> str:
    """Suggest the attributes that another word is used for elsewhere, else similar ones."""
    found = [each for each in _OTHER_WORDS.get(name or "", ()) if each in names]
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else near(name, names)


def _hint(said: str, names: Mapping[str, object]) -> str:
    """Say how `tn.long` and `tn.short` are called, unless the caller has its own of that name."""
    ours = [each for each in (long, short) if names.get(each.__name__, each) is each]
    return "".join(hint(said, f"tn.{each.__name__}", each) for each in ours)


def checked_function(target: object, kind: str, *parameters: str) -> Callable[..., Any]:
    """Return a user's function, having checked that it takes these parameters.

    Raises
    ------
    SpecError
        When it cannot be called with that many arguments, or yields what it should return.
    """
    if not callable(target):
        raise SpecError(f"{kind} must be a function, was {shown(target)}")
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise SpecError(f"{kind} must return its answer, not yield it")
    try:
        inspect.signature(target).bind(*parameters)
    except ValueError:
        return target  # a builtin without a signature
    except TypeError as error:
        count = "one argument" if len(parameters) == 1 else f"{len(parameters)} arguments"
        words = f"{count} ({', '.join(parameters)})"
        raise SpecError(f"{kind} must take {words}; {error}") from None
    return target


def is_async(function: object) -> bool:
    """Tell whether calling the function gives a coroutine."""
    if type(function) is FunctionType and not function.__dict__:  # nearly always, and ten times
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)  # as quick
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
    )


def callback_name(kind: Kind) -> str | None:
    """Return the name of the callback that events of a kind go to, if there is one."""
    match kind:
        case "scheduled":
            return "on_schedule"
        case "opened":
            return "on_open"
        case "milestone":
            return "on_milestone"
        case "closed":
            return "on_close"
        case "cancelled":
            return "on_cancel"
        case "ping":
            return "on_ping"
        case "entering" | "exiting" | "added" | "partial" | "moved":
            return None
        case "rejected" | "skipped" | "error" | "alarm" | "armed" | "disarmed":
            return None
        case _:
            assert_never(kind)


CALLBACKS: Final[dict[str, str]] = {
    kind: name for kind in get_args(Kind) if (name := callback_name(kind)) is not None
}
"""Kind of event and the name of the callback that it goes to."""
