"""Copies of iterators and generators, at the same position, over copies of their items."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CellType, FunctionType, GeneratorType
from typing import Any


def copied_stream(value: Any, copied: Callable[[Any], Any]) -> Any:
    """Copy an iterator of what is built in, or a generator that has not begun; None: all else.

    Parameters
    ----------
    copied : callable
        Makes the copy of what it goes over.
    """
    if isinstance(value, GeneratorType):
        return _generator(value, copied)
    if type(value).__module__ != "builtins" or not isinstance(value, Iterator):
        return None
    again: Any = value.__reduce__()
    make, args, *state = again
    found = make(*map(copied, args))
    if state and state[0] is not None:
        found.__setstate__(state[0])
    return found


def _generator(value: GeneratorType[Any, Any, Any], copied: Callable[[Any], Any]) -> Any:
    """Call its function again; one that has begun cannot be copied, its position is unknown."""
    code, frame = value.gi_code, value.gi_frame
    if frame is None or inspect.getgeneratorstate(value) != inspect.GEN_CREATED:
        return None
    # What it names is copied as if it were a function that is named.
    cells = tuple(CellType(frame.f_locals[name]) for name in code.co_freevars)
    made = copied(FunctionType(code, frame.f_globals, code.co_name, None, cells or None))
    given = [copied(frame.f_locals[name]) for name in code.co_varnames[: code.co_argcount]]
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    return made(*given, **{name: copied(frame.f_locals[name]) for name in named})
