"""Whether two sweeps are the same: factory, what it reads, candles, period and rules.

Finished combinations are kept under this key. It follows the factory's code into the functions and
values of its module that it names, frames, arrays and objects included: where one of them changed,
or tradenb did, nothing stale is taken from disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from types import CodeType, ModuleType
from typing import Any

import numpy as np

import tradenb
from tradenb.core.candles import NAMES, Candles
from tradenb.engine.fingerprint import digest, fingerprint
from tradenb.research.task import Settings

_FORM = "1"


def candles_key(candles: Mapping[str, Candles]) -> str:
    """Hash candles by symbol, to the last bit."""
    found = hashlib.sha256()
    for symbol, own in candles.items():
        found.update(f"{symbol}:{own.start}".encode())
        for name in NAMES:
            found.update(np.ascontiguousarray(getattr(own, name)).data)  # no copy
    return found.hexdigest()[:16]


def sweep_key(factory: Any, candles: str, exchange: str, settings: Settings) -> str:
    """Hash all that the figures of a combination depend on."""
    read = sorted(f"{name}={_described(value)}" for name, value in named(factory))
    period = f"{settings.symbols} {settings.start} {settings.end}"
    parts = [
        _FORM,
        tradenb.__version__,
        fingerprint(factory),
        candles,
        exchange,
        period,
        settings.rules.model_dump_json(),
    ]
    return digest("\n".join([*parts, *read]))


def named(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of its module that a function names, and those that they name."""
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        current = waiting.pop()
        current = getattr(current, "__func__", getattr(current, "func", current))
        code = getattr(current, "__code__", None)
        if code is None or id(current) in seen:
            continue
        seen.add(id(current))
        for cell in current.__closure__ or ():
            try:
                waiting.append(cell.cell_contents)
            except ValueError:  # not filled yet
                continue
        for name in sorted(_names(code)):
            if name in current.__globals__ and not isinstance(
                current.__globals__[name], ModuleType
            ):
                value = current.__globals__[name]
                yield name, value
                if _is_users(value):
                    waiting.append(value)


def _names(code: CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(_names(own) for own in inner))


def _is_users(value: Any) -> bool:
    module = str(getattr(value, "__module__", ""))
    return hasattr(value, "__code__") and module.partition(".")[0] not in (
        "tradenb",
        "numpy",
        "pandas",
    )


def _described(value: Any, seen: tuple[int, ...] = ()) -> str:
    """Hash a value by all that is in it, however much that is."""
    import pandas as pd

    if id(value) in seen:
        return "itself"
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
