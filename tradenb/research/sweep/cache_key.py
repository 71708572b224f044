"""Whether two sweeps are the same: factory, what it reads, candles, period and rules.

Finished combinations are kept under this key. All that the factory reaches counts (`engine.reach`),
frames, arrays and objects included: where one of them changed, or tradenb did, nothing stale is
taken from disk.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

import tradenb
from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.engine.fingerprint import digest, fingerprint
from tradenb.engine.reach import all_reached, attributes_of, is_users
from tradenb.research.sweep.sweep_trial import Settings

_FORM = "4"


def candles_key(candles: Mapping[str, Candles]) -> str:
    """Hash candles by symbol, to the last bit."""
    found = hashlib.sha256()
    for symbol, own in candles.items():
        found.update(f"{symbol}:{own.start}:{own.step}".encode())
        if not own.regular:
            found.update(np.ascontiguousarray(own.time).data)
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
    candles : str
        Their key.
    memory : frozenset of str
        What the factory itself changes when it makes a strategy, such as a list of its calls:
        not an input.
    """
    # Its own code is always an input of it, also if it changes an object that it belongs to.
    read = {name: words for name, words in inputs(factory).items() if name not in memory - {""}}
    period = f"{settings.symbols} {settings.start} {settings.end}"
    parts = [
        _FORM, tradenb.__version__, candles, exchange, period, settings.rules.model_dump_json(),
        *(f"{name}={read[name]}" for name in sorted(read)),
    ]  # fmt: skip
    return digest("\n".join(parts))


def inputs(factory: Any) -> dict[str, str]:
    """Return the hash of the factory's code and of each value that it reaches, by name."""
    found: dict[str, list[str]] = {"": [_described(factory)]}
    for name, value in all_reached(factory):
        found.setdefault(name, []).append(_described(value))
    return {name: digest("\n".join(words)) for name, words in found.items()}


def data(factory: Any) -> frozenset[str]:
    """Return the names of what is an input of the factory, also where the factory changes it.

    Tables and arrays, what holds one, and None, in whose place something is often loaded.
    """
    found = all_reached(factory)
    return frozenset(name for name, value in found if value is None or _holds_table(value))


def _described(value: Any, seen: tuple[int, ...] = ()) -> str:
    """Hash a value by all that is in it, however much that is."""
    import pandas as pd

    if isinstance(value, str | bytes | int | float | complex | None):
        return fingerprint(value)
    if id(value) in seen:
        return "itself"
    if not seen and isinstance(value, FunctionType):  # what it reaches comes by its name
        return fingerprint(value.__code__)
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
    if isinstance(value, functools.partial):
        return _described([value.func, value.args, value.keywords], seen)
    if isinstance(value, MethodType):
        return _described([value.__func__, value.__self__], seen)
    if isinstance(value, type | ModuleType) or (callable(value) and not is_users(type(value))):
        return fingerprint(value)
    held = attributes_of(value)
    return digest(fingerprint(type(value)) + (_described(held, seen) if held else _text(value)))


def _text(value: Any) -> str:
    """Write down an object without attributes, such as a date; not where in memory it is."""
    text = repr(value)
    return "" if " at 0x" in text else text


def _holds_table(value: Any, seen: tuple[int, ...] = ()) -> bool:
    import pandas as pd

    if isinstance(value, np.ndarray | pd.DataFrame | pd.Series | pd.Index):
        return True
    if id(value) in seen or isinstance(value, ModuleType) or callable(value):
        return False
    inner = value if isinstance(value, list | tuple | dict) else getattr(value, "__dict__", ())
    items = inner.values() if isinstance(inner, dict) else inner
    return any(_holds_table(item, (*seen, id(value))) for item in items)
