"""Whether two sweeps are the same: factory, what it reads, candles, period and rules.

Finished combinations are kept under this key. It follows the factory's code into the functions and
values that it closes over and names, of its module and of other modules of the user's, frames,
arrays and objects included: where one of them changed, or tradenb did, nothing stale is taken from
disk.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

import tradenb
from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.engine.fingerprint import digest, fingerprint
from tradenb.research.lookahead.readers import is_users
from tradenb.research.sweep.sweep_trial import Settings

_FORM = "2"


def candles_key(candles: Mapping[str, Candles]) -> str:
    """Hash candles by symbol, to the last bit."""
    found = hashlib.sha256()
    for symbol, own in candles.items():
        found.update(f"{symbol}:{own.start}".encode())
        for name in NAMES:
            found.update(np.ascontiguousarray(getattr(own, name)).data)  # no copy
    return found.hexdigest()[:16]


def sweep_key(
    factory: Any,
    candles: str,
    exchange: str,
    settings: Settings,
    memory: frozenset[str] = frozenset(),
) -> str:
    """Hash all that the figures of a combination depend on.

    Parameters
    ----------
    factory : callable
    candles : str
        Their key.
    exchange : str
    settings : Settings
    memory : frozenset of str
        What the factory itself changes when it makes a strategy, such as a list of its calls: it
        is no input of it.
    """
    read = {name: words for name, words in inputs(factory).items() if name not in memory}
    period = f"{settings.symbols} {settings.start} {settings.end}"
    parts = [
        _FORM, tradenb.__version__, candles, exchange, period, settings.rules.model_dump_json(),
        *(f"{name}={read[name]}" for name in sorted(read)),
    ]  # fmt: skip
    return digest("\n".join(parts))


def inputs(factory: Any) -> dict[str, str]:
    """Return the hash of the factory's code and of each value that it reaches, by name."""
    found: dict[str, list[str]] = {"": [_described(factory)]}
    for name, value in named(factory):
        found.setdefault(name, []).append(_described(value))
    return {name: digest("\n".join(words)) for name, words in found.items()}


def data(factory: Any) -> frozenset[str]:
    """Return the names of what is an input of the factory, also where the factory changes it.

    Tables and arrays, what holds one, and None, in whose place something is often loaded.
    """
    return frozenset(name for name, value in named(factory) if value is None or _holds_table(value))


def named(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function closes over and names, of its module and of the user's others.

    What those functions close over and name follows.
    """
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        current = _plain_function(waiting.pop())
        if not hasattr(current, "__code__") or id(current) in seen:
            continue
        seen.add(id(current))
        for name, value in _reached(current):
            yield name, value
            if _is_users(value):
                waiting.append(value)


def _plain_function(value: Any) -> Any:
    """Return what is behind a method, a partial or a cache."""
    for name in ("__func__", "func", "__wrapped__"):
        value = value if hasattr(value, "__code__") else getattr(value, name, value)
    return value


def _cells(function: Any) -> Iterator[tuple[str, Any]]:
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _reached(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of cells, of globals, and of the user's modules, by name."""
    names = _names(function.__code__)
    known = function.__globals__
    found = [*_cells(function), *((name, known[name]) for name in sorted(names & known.keys()))]
    found += [
        (name, sys.modules[name]) for name in sorted(names & sys.modules.keys() - known.keys())
    ]
    for name, value in found:
        if not isinstance(value, ModuleType):
            yield name, value
        elif is_users(value):
            inner = sorted(names & vars(value).keys())
            yield from ((f"{name}.{own}", vars(value)[own]) for own in inner)


def _names(code: CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(_names(own) for own in inner))


def _is_users(value: Any) -> bool:
    module = str(getattr(value, "__module__", ""))
    return hasattr(_plain_function(value), "__code__") and module.partition(".")[0] not in (
        "tradenb",
        "numpy",
        "pandas",
    )


def _described(value: Any, seen: tuple[int, ...] = ()) -> str:
    """Hash a value by all that is in it, however much that is."""
    import pandas as pd

    if id(value) in seen:
        return "itself"
    if not seen and isinstance(value, FunctionType):  # what it closes over comes by its name
        return fingerprint((value.__code__, value.__defaults__, value.__kwdefaults__))
    seen = (*seen, id(value))
    if isinstance(value, np.ndarray):
        return digest(
            repr(value.dtype) + hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        )
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        rows = pd.util.hash_pandas_object(value).to_numpy().tobytes()
        return digest(f"{getattr(value, 'columns', None)!r}" + hashlib.sha256(rows).hexdigest())
    if isinstance(value, dict):
        return digest(repr([(repr(key), _described(item, seen)) for key, item in value.items()]))
    if isinstance(value, list | tuple):
        return digest(repr([_described(item, seen) for item in value]))
    if isinstance(value, set | frozenset):
        return digest(repr(sorted(_described(item, seen) for item in value)))
    if hasattr(value, "__dict__") and not callable(value) and not isinstance(value, ModuleType):
        return digest(fingerprint(type(value)) + _described(vars(value), seen))
    return fingerprint(value)


def _holds_table(value: Any, seen: tuple[int, ...] = ()) -> bool:
    import pandas as pd

    if isinstance(value, np.ndarray | pd.DataFrame | pd.Series | pd.Index):
        return True
    if id(value) in seen or isinstance(value, ModuleType) or callable(value):
        return False
    inner = value if isinstance(value, list | tuple | dict) else getattr(value, "__dict__", ())
    items = inner.values() if isinstance(inner, dict) else inner
    return any(_holds_table(item, (*seen, id(value))) for item in items)
