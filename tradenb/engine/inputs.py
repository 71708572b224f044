"""What a function takes for its inputs: the hash of its code and of each value that it reaches.

A sweep keeps finished combinations under them, a live run notes them when it starts: what has
another hash today has changed. All that is reached counts (`engine.reach`), frames, arrays and
objects included. A fingerprint asks less: it says whether a cell was run again unchanged.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import pickle
import sys
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tradenb.engine.fingerprint import digest, fingerprint
from tradenb.engine.reach import all_reached, attributes_of, is_users

_Left = Iterator[int]
Memo = dict[int, tuple[Any, str]]
"""Values and their hashes, by id; good for one moment only, since values change."""


def inputs(
    factory: Any,
    most: int | None = None,
    without: type | None = None,
    memo: Memo | None = None,
) -> dict[str, str]:
    """Return the hash of the factory's code and of each value that it reaches, by name.

    Parameters
    ----------
    most : int, optional
        How many values are looked at.
    without : type, optional
        Whose objects do not count.
    memo : dict, optional
        Shared by several calls at one moment: what they all reach is looked at once.

    Raises
    ------
    OverflowError
        When there are more.
    """
    left: _Left = itertools.repeat(0) if most is None else iter(range(most))
    memo = {} if memo is None else memo
    found: dict[str, list[str]] = {"": [_described(factory, left, memo)]}
    for name, value in all_reached(factory):
        if without is not None and isinstance(value, without):
            continue
        known = memo.get(id(value))
        words = _described(value, left, memo) if known is None else known[1]
        memo[id(value)] = (value, words)
        found.setdefault(name, []).append(words)
    return {name: digest("\n".join(words)) for name, words in found.items()}


def data(factory: Any) -> frozenset[str]:
    """Return the names of what is an input of the factory, also where the factory changes it.

    Tables and arrays, what holds one, and None, in whose place something is often loaded.
    """
    found = all_reached(factory)
    return frozenset(name for name, value in found if value is None or _holds_table(value))


def _described(value: Any, left: _Left, memo: Memo, seen: tuple[int, ...] = ()) -> str:
    """Hash a value by all that is in it, however much that is."""
    if next(left, None) is None:
        raise OverflowError
    if isinstance(value, str | bytes | int | float | complex | None):
        return fingerprint(value)
    if id(value) in seen:
        return "itself"
    if not seen and isinstance(value, FunctionType):  # what it reaches comes by its name
        return fingerprint(value.__code__)
    seen = (*seen, id(value))
    table = _table_words(value, left, memo, seen)
    if table is not None:
        return table
    if isinstance(value, dict):
        return digest(
            repr([(repr(key), _described(item, left, memo, seen)) for key, item in value.items()])
        )
    if isinstance(value, list | tuple):
        return digest(repr([_described(item, left, memo, seen) for item in value]))
    if isinstance(value, set | frozenset):
        return digest(repr(sorted(_described(item, left, memo, seen) for item in value)))
    if isinstance(value, functools.partial):
        return _described([value.func, value.args, value.keywords], left, memo, seen)
    if isinstance(value, MethodType):
        return _described([value.__func__, value.__self__], left, memo, seen)
    if isinstance(value, type | ModuleType) or (callable(value) and not is_users(type(value))):
        return _once(value, memo)
    held = attributes_of(value)
    words = _described(held, left, memo, seen) if held else _text(value)
    return digest(_once(type(value), memo) + words)


def _table_words(value: Any, left: _Left, memo: Memo, seen: tuple[int, ...]) -> str | None:
    """Hash a table or an array by all its cells; None: it is none."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return digest(repr(value.dtype) + _hashed(np.ascontiguousarray(value).tobytes()))
    if isinstance(value, np.ndarray):  # its bytes are addresses
        return digest(repr(value.dtype) + _described(value.tolist(), left, memo, seen))
    if _is_frame(value):
        try:
            rows = sys.modules["pandas"].util.hash_pandas_object(value).to_numpy().tobytes()
            words = _hashed(rows)
        except TypeError:  # lists in its cells
            cells = [value.to_numpy(dtype=object), getattr(value, "index", None)]
            words = _described(cells, left, memo, seen)
        return digest(f"{getattr(value, 'columns', None)!r}" + words)
    return _hashed(pickle.dumps(value)) if is_arrow(value) else None


def _once(value: Any, memo: Memo) -> str:
    """Take the fingerprint of a class, a module or a function of somebody else's."""
    key = -id(value)  # apart from what `_described` says of it
    if key not in memo:
        memo[key] = (value, fingerprint(value))
    return memo[key][1]


def _text(value: Any) -> str:
    """Write down an object without attributes, such as a date; not where in memory it is."""
    text = repr(value)
    return "" if " at 0x" in text else text


def _is_frame(value: Any) -> bool:
    """Tell whether a value is of pandas, which is not imported for that: nobody has one before."""
    pandas = sys.modules.get("pandas")
    kinds = (getattr(pandas, name, None) for name in ("DataFrame", "Series", "Index"))
    return isinstance(value, tuple(kind for kind in kinds if kind is not None))


def is_arrow(value: Any) -> bool:
    """Tell whether a value is a table or a column of polars, pyarrow and others like them."""
    names = ("__arrow_c_stream__", "__arrow_c_array__")
    return not isinstance(value, type) and any(hasattr(value, name) for name in names)


def _hashed(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _holds_table(value: Any, seen: set[int] | None = None) -> bool:
    seen = set() if seen is None else seen
    if isinstance(value, np.ndarray) or _is_frame(value) or is_arrow(value):
        return True
    if id(value) in seen or isinstance(value, ModuleType) or callable(value):
        return False
    seen.add(id(value))
    inner = value if isinstance(value, list | tuple | dict) else getattr(value, "__dict__", ())
    items = inner.values() if isinstance(inner, dict) else inner
    return any(_holds_table(item, seen) for item in items)
