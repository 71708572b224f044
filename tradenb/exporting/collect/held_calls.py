"""Calls of `tn.live` while the cells of a notebook are executed for an export: noted, never made.

Whatever form a call has (a loop, a comprehension, a helper, another name), the function that it
finds is the one here. Nothing starts, stops or reads a run.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from tradenb.errors import ExportError

STARTS: Final = ("background", "rehearse", "run")
_MODULES: Final = ("tradenb.live", "tradenb.live.api", "tradenb.live.rehearse_run")
_OTHERS: Final = ("attach", "list", "pending", "resume", "scheduled", "stop")
_SETTINGS: Final = ("exchange", "rules", "account", "broker", "home")


class HeldCall(NamedTuple):
    """A call that would have started a run."""

    name: str
    symbol: str
    arguments: dict[str, Any]


class HeldRun:
    """What such a call returns: anything may be asked of it, and nothing happens."""

    def __getattr__(self, name: str) -> HeldRun:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> HeldRun:
        """Do nothing."""
        return self

    def __iter__(self) -> Iterator[Any]:
        """Yield nothing: no run has events."""
        return iter(())

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield nothing."""
        for event in self:
            yield event

    def __await__(self) -> Iterator[Any]:
        """Return at once."""
        yield from ()

    def __enter__(self) -> HeldRun:
        """Begin nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""


@contextmanager
def held_calls(calls: list[HeldCall]) -> Iterator[None]:
    """Hold all of `tn.live` back in a block; calls that would start a run are added to a list."""
    from tradenb.live.run_registry import run_registry

    before: list[tuple[Any, str, Any]] = []
    for module in map(importlib.import_module, _MODULES):
        for name in (*STARTS, *_OTHERS):
            if hasattr(module, name):
                before.append((module, name, getattr(module, name)))
                setattr(module, name, _stand_in(name, calls))
    vars(run_registry)["start"] = _refused
    try:
        yield
    finally:
        vars(run_registry).pop("start", None)
        for module, name, function in before:
            setattr(module, name, function)


def subject_of_calls(calls: list[HeldCall]) -> dict[str, Any]:
    """Return strategies, symbols and settings of one script that makes the last of the calls.

    Calls with the same exchange, rules and home belong to it.

    Raises
    ------
    ExportError
        When the calls are not each strategy on each symbol.
    """
    last = calls[-1]
    settings = {name: last.arguments.get(name) for name in _SETTINGS}
    own = [
        call
        for call in calls
        if all(_same(call.arguments.get(name), value) for name, value in settings.items())
    ]
    strategies = _each([call.arguments["strategy"] for call in own])
    symbols = _each([call.symbol for call in own])
    pairs = _each([(call.symbol, call.arguments["strategy"]) for call in own])
    if len(pairs) != len(strategies) * len(symbols):
        raise ExportError(
            "the notebook starts runs that are not each strategy on each symbol, which a script "
            "does; export them to several scripts with --strategy and --symbol"
        )
    given = {name: value for name, value in settings.items() if value is not None}
    return {"strategy": strategies, "symbol": symbols, **given}


def _stand_in(name: str, calls: list[HeldCall]) -> Any:
    def held(symbol: Any = None, *_: Any, **arguments: Any) -> HeldRun:
        if name in STARTS and {"strategy", "exchange"} <= arguments.keys():
            calls.append(HeldCall(name, symbol, arguments))
        return HeldRun()

    return held


def _refused(*_: Any, **__: Any) -> Any:
    raise ExportError("a cell starts a live run; nothing goes live during an export")


def _each(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(_same(value, other) for other in found):
            found.append(value)
    return found


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))
