"""The whole error tree, sorted by whose fault it is.

`UsageError`: the caller can fix it. `MarketError`: the exchange or its candles. `StateError`: the
disk or another process. `StrategyError`: the user's own function, with its error as the cause.
Every message says what was wrong, which value it was and what to do. `retryable` tells whether the
same call may succeed later although nothing was changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

__all__ = [
    "AlreadyRunning",
    "CandidateError",
    "CandleError",
    "ExchangeError",
    "ExportError",
    "LookaheadError",
    "MarketError",
    "NotEnoughCandles",
    "SpecError",
    "StateConflict",
    "StateCorrupt",
    "StateError",
    "StateLocked",
    "StateVersionError",
    "StateWriteError",
    "StrategyError",
    "TradenbError",
    "UnknownName",
    "UsageError",
]

_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")


MAX_RETRY_S: Final = 3 * 86_400.0


class TradenbError(Exception):
    """Base of everything that tradenb raises on purpose."""

    retryable: bool = False


class UsageError(TradenbError, ValueError):
    """The call cannot work as it was written."""


class SpecError(UsageError):
    """A strategy, exchange, risk rule or set of rules is declared wrongly."""


class UnknownName(UsageError, LookupError):
    """No object of this kind is registered under the name."""


class CandidateError(UsageError):
    """A candidate breaks rules; `problems` lists every one of them."""

    def __init__(self, message: str, problems: Iterable[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NotEnoughCandles(UsageError):
    """Fewer closed candles exist than were asked for."""


class LookaheadError(UsageError):
    """Something asked for data that was not known at that moment."""


class AlreadyRunning(UsageError):
    """The same symbol and strategy run already, with other settings."""


class ExportError(UsageError):
    """A strategy cannot be written to a script that gives the same trades."""


class MarketError(TradenbError):
    """The exchange or its data are at fault."""


class ExchangeError(MarketError):
    """A call to the exchange failed.

    Attributes
    ----------
    retry_after : float
        Seconds to wait before the next request, at most three days; 0 if the exchange did not say.
    """

    def __init__(self, message: str, *, retryable: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retryable = retryable
        # Made by users, too, of what stands in a header; NaN is 0.
        self.retry_after = min(max(0.0, float(retry_after or 0.0)), MAX_RETRY_S)


class CandleError(MarketError):
    """Candles were refused.

    Attributes
    ----------
    code : str
        Which check refused: "empty", "not_finite", "not_positive", "low_high", "grid", "order",
        "step", "anomaly", "columns", "range".
    index : int or None
        Row of the source, counted from 0, if one row is to blame.
    """

    def __init__(self, message: str, *, code: str = "", index: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.index = index


class StateError(TradenbError):
    """What is on disk cannot be used."""


class StateWriteError(StateError):
    """State could not be written; the state before it is still valid."""

    retryable = True


class StateCorrupt(StateError):
    """No valid generation of a state file is left."""

    def __init__(self, message: str, *, path: str = "", moved_to: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.moved_to = moved_to


class StateConflict(StateError):
    """Another process wrote the state of a run; nothing is saved until the user decides."""


class StateVersionError(StateError):
    """A state file was written by a newer tradenb."""


class StateLocked(StateError):
    """Another process holds the run."""

    retryable = True

    def __init__(self, message: str, *, pid: int = 0, host: str = "") -> None:
        super().__init__(message)
        self.pid = pid
        self.host = host


class StrategyError(TradenbError):
    """A user function raised, hung or returned what cannot be used.

    Attributes
    ----------
    at : int
        Close time of the candle, ms UTC.
    symbol : str
        Canonical symbol.
    """

    def __init__(self, message: str, *, at: int = 0, symbol: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.symbol = symbol


def unknown(
    kind: str, name: object, known: Iterable[str], *, hint: str = "", random: bool = False
) -> UnknownName:
    """Make the error for an unknown name; it suggests the nearest ones.

    Two ids that were made at random are alike by chance alone: with `random` all are listed.
    """
    names = sorted(known)
    advice = "" if random else near(name, names)
    if not advice and names:
        advice = "; known: " + ", ".join(repr(item) for item in names[:12])
        advice += f" and {len(names) - 12} more" if len(names) > 12 else ""
    elif not advice:
        advice = f"; no {kind} is registered yet"
    return UnknownName(f"unknown {kind} {shown(name)}{advice}" + (f" {hint}" if hint else ""))


def near(name: object, known: Iterable[str]) -> str:
    """Suggest known names that are similar to one; empty if there are none."""
    import difflib

    names = sorted(known)
    same = [item for item in names if item.casefold() == str(name).casefold()]
    holding = [item for item in names if len(str(name)) > 2 and str(name) in item][:3]
    found = same or difflib.get_close_matches(str(name), names, n=3, cutoff=0.5) or holding
    return "; did you mean " + " or ".join(repr(item) for item in found) + "?" if found else ""


def no_attribute(owner: object, name: str, elsewhere: Mapping[str, str]) -> NoReturn:
    """Raise the error for an attribute that is not there; it says where it is, or what is alike.

    Parameters
    ----------
    elsewhere : mapping of str to str
        Where what has these names is found.
    """
    if hasattr(type(owner), name):
        object.__getattribute__(owner, name)  # it is there, and raises what its own code raised
    advice = ""
    if name in elsewhere:
        advice = f"; it is in {elsewhere[name]}"
    elif not name.startswith("_"):
        advice = near(
            name, {*elsewhere, *(each for each in dir(owner) if not each.startswith("_"))}
        )
    raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}{advice}")


def __dir__() -> list[str]:
    return sorted(__all__)


def without_addresses(text: str) -> str:
    """Leave out addresses of memory: they differ from run to run, and equal runs say the same."""
    return _ADDRESS.sub("", text)


def shown(value: object) -> str:
    """Write a user's value into a message; no value may break or flood it."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's repr
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = without_addresses(" ".join(text.split()) if "\n" in text else text)
    return text if len(text) <= 80 else text[:77] + "..."
