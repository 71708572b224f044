"""What functions reach, with what lies inside: the table of an object, of a class, of a partial."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import FunctionType, MemberDescriptorType, ModuleType, SimpleNamespace
from typing import Any, Final, NamedTuple

from tradenb.engine.reach import all_reached, attributes_of, is_users

_DEPTH: Final = 4
_MANY: Final = 100
_OF_CLASS: Final = (property, classmethod, functools.cached_property, MemberDescriptorType)


class Reached(NamedTuple):
    """A value that a function reaches: its name, itself, and the value that it lies in."""

    name: str
    value: Any
    root: Any


def reached_data(function: Any) -> list[Reached]:
    """Return what a function reaches, and what is held inside of that."""
    own = getattr(function, "__name__", type(function).__name__)
    found = held_in(own, function)
    for name, value in all_reached(function):
        found += [Reached(name, value, value), *held_in(name, value)]
    return found


def held_in(name: str, value: Any) -> list[Reached]:
    """Return what is held inside of a value, however deep; nothing of tables and functions."""
    found: list[Reached] = []
    seen = {id(value)}
    waiting = [(name, value, 0)]
    while waiting:
        path, current, depth = waiting.pop()
        for part, item in parts_of(current) if depth < _DEPTH else ():
            if id(item) in seen or isinstance(item, FunctionType | ModuleType):
                continue
            seen.add(id(item))
            found.append(Reached(path + part, item, value))
            waiting.append((path + part, item, depth + 1))
    return found


def is_object(value: Any) -> bool:
    """Tell whether it is an object of a class of the user's, or a namespace."""
    return isinstance(value, SimpleNamespace) or is_users(type(value))


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value holds, by the end of its name."""
    if isinstance(value, functools.partial):
        yield from ((f".args[{place}]", item) for place, item in enumerate(value.args))
        yield from ((f".{key}", item) for key, item in value.keywords.items())
    elif inspect.ismethod(value) or inspect.isbuiltin(value):
        yield "", value.__self__
    elif isinstance(value, type):
        yield from ((f".{key}", item) for key, item in data_of(value).items())
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f".{key}", item) for key, item in zip(value._fields, value, strict=True))
    elif isinstance(value, dict) and len(value) <= _MANY:
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif isinstance(value, list | tuple) and len(value) <= _MANY:
        yield from ((f"[{place}]", item) for place, item in enumerate(value))
    elif is_object(value):
        of_class = data_of(type(value))
        yield from ((f".{key}", item) for key, item in (of_class | attributes_of(value)).items())


def data_of(kind: type) -> dict[str, Any]:
    """Return what a class of the user's, and those that it is made of, hold beside functions."""
    return {
        name: item
        for owner in reversed(kind.__mro__)
        if is_users(owner)
        for name, item in vars(owner).items()
        if not (name.startswith("__") or callable(item) or isinstance(item, _OF_CLASS))
    }
