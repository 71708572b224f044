"""Whether two functions do the same: what a notebook's cell defines when it is run again.

Code, defaults, closed-over values, and of a method its class and its object; not names of variables
in the module, comments, annotations or places. A value that cannot be compared counts by its type.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import linecache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from tradenb.engine.reach import is_users, package_of

_MOST: Final = 100_000  # values that are taken apart; the others count by their type
_LARGE: Final = 1_000  # a longer collection is data; it counts by its size
_PLAIN: Final = (str, bytes, int, float, complex, bool, type(None), type(...))

_METACLASSES: Final = frozenset({"builtins", "abc", "enum", "typing", "tradenb"})


class Seen:
    """What encloses a value, by id, and how many values may still be taken apart.

    Values that are reached in many ways are described each time: without a bound, a few dozen
    objects that share others could take for ever.
    """

    def __init__(self, above: frozenset[int] = frozenset(), left: list[int] | None = None) -> None:
        self.above = above
        self._left = [_MOST] if left is None else left

    def within(self, value: object) -> Seen:
        """Return the same, one value deeper."""
        return Seen(self.above | {id(value)}, self._left)

    def is_enough(self) -> bool:
        """Count a value, and tell whether it is one too many."""
        self._left[0] -= 1
        return self._left[0] < 0


def identity_of(function: object) -> tuple[str, str]:
    """Return module and qualified name of a function, a method's class or an object's class."""
    if isinstance(function, functools.partial):
        return identity_of(function.func)
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        named = function if hasattr(function, "__qualname__") else type(function)
        return _name(named)
    module, name = _name(owner if inspect.isclass(owner) else type(owner))
    return module, f"{name}.{getattr(function, '__name__', '')}"


def code_of(function: Any) -> CodeType | None:
    """Return the code of a function, without what is wrapped around it; None of what has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def held_by(function: object) -> str:
    """Hash what a partial, a bound method or an object holds; empty of a plain function."""
    if inspect.isfunction(function):
        return ""
    held: list[object] = []
    while isinstance(function, functools.partial):
        held += [function.args, function.keywords]
        function = function.func
    if not inspect.isfunction(function):
        owner = getattr(function, "__self__", function)
        held.append(None if inspect.isclass(owner) else getattr(owner, "__dict__", None))
    return digest(repr(_all(held, Seen())))


def made_in(function: Any) -> str:
    """Return the name of the function in which a function was made; empty at the top of a file."""
    name = getattr(inspect.unwrap(function), "__qualname__", "")
    return str(name).rpartition("<locals>")[0]


def are_two(one: Any, other: Any, *, scope: str = "") -> bool:
    """Tell whether functions of one name are two: their file has both, or a loop made them.

    `scope` is the function that makes all anew whenever it is called: there a loop made them, too.
    """
    new, old = code_of(one), code_of(other)
    if new is None or old is None or new.co_filename != old.co_filename:
        return False
    if new is old:  # what a function makes may be made again by a second call
        function = inspect.unwrap(one)
        looped = inspect.isfunction(function) and made_in(function) in ("", scope)
        looped = looped and function is not inspect.unwrap(other)
        return looped and fingerprint(one) != fingerprint(other)
    return _place(new) != _place(old) and {_place(new), _place(old)} <= _places_in(new.co_filename)


def _place(code: CodeType) -> tuple[object, ...]:
    return code.co_name, code.co_firstlineno, *code.co_positions()


def _places_in(file: str) -> set[tuple[object, ...]]:
    """Return the places of all functions in a file or a cell, as its text is now."""
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file))
    try:
        left = [compile(text, file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)]
    except (SyntaxError, ValueError):
        return set()
    for code in left:
        left += [each for each in code.co_consts if isinstance(each, CodeType)]
    return {_place(code) for code in left}


def fingerprint(function: object) -> str:
    """Hash what a function does."""
    return digest(repr(_described(function, Seen())))


def digest(text: str) -> str:
    """Return a short hash of a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _described(value: Any, seen: Seen) -> object:
    """Take a value apart into what can be written down and compared."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if id(value) in seen.above:
        return "itself"
    if seen.is_enough():
        return "some", _name(type(value))
    seen = seen.within(value)
    match value:
        case CodeType():
            return _code(value, seen)
        case CellType():
            return _cell(value, seen)
        case tuple() | list() | dict() | set() | frozenset():
            return _collection(value, seen)
        case functools.partial() | functools.partialmethod():
            return "partial", _all((value.func, value.args, value.keywords), seen)
        case type():
            return "class", _name(value), _class(value, seen)
    if inspect.isfunction(value):
        parts = (value.__code__, value.__defaults__, value.__kwdefaults__, value.__closure__)
        return "function", _all(parts, seen)
    if inspect.ismethod(value):
        owner = value.__self__
        whole = _described(owner, seen) if inspect.isclass(owner) else _object(owner, seen)
        return "method", _described(value.__func__, seen), whole
    return _layered(value, seen)


def _layered(value: Any, seen: Seen) -> object:
    """Describe what has functions inside: descriptors, wrappers, objects."""
    match value:
        case property():
            return "property", _all((value.fget, value.fset, value.fdel), seen)
        case functools.cached_property():
            return "cached", _described(value.func, seen)
        case functools.singledispatchmethod():
            return "dispatch", _described(value.dispatcher, seen)
    if isinstance(value, staticmethod | classmethod) or hasattr(value, "__wrapped__"):
        return "wrapped", _described(value.__wrapped__, seen)
    if hasattr(type(value), "__get__") and is_users(type(value)):
        return _object(value, seen)
    if inspect.isroutine(value):
        return "builtin", identity_of(value)
    return _object(value, seen) if callable(value) else ("some", _name(type(value)))


def _object(value: object, seen: Seen) -> object:
    return "object", _all((type(value), getattr(value, "__dict__", None)), seen)


def _all(values: Any, seen: Seen) -> list[object]:
    return [_described(value, seen) for value in values]


def _collection(value: Any, seen: Seen) -> object:
    kind = type(value).__name__
    if len(value) > _LARGE:
        return kind, len(value)
    if isinstance(value, dict):
        return kind, [_all(item, seen) for item in value.items()]
    found = _all(value, seen)
    return kind, sorted(map(repr, found)) if isinstance(value, set | frozenset) else found


def _code(code: CodeType, seen: Seen) -> object:
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars)
    return shape, code.co_code, code.co_exceptiontable, names, _all(code.co_consts, seen)


def _cell(cell: CellType, seen: Seen) -> object:
    try:
        return _described(cell.cell_contents, seen)
    except ValueError:
        return "empty"


def _class(kind: type, seen: Seen) -> object:
    """Describe the classes that a user wrote: their functions, and plain values."""
    above = [owner for owner in inspect.getmro(type(kind)) if package_of(owner) not in _METACLASSES]
    own = [owner for owner in (*kind.__mro__, *above) if package_of(owner) != "tradenb"]
    return [
        (name, _described(value, seen))
        for owner in own
        if owner.__module__ != "builtins"
        for name, value in sorted(vars(owner).items())
        if not name.startswith("__")
        or isinstance(value, FunctionType | classmethod | staticmethod | property)
    ]


def _name(named: Any) -> tuple[str, str]:
    return str(getattr(named, "__module__", "")), str(getattr(named, "__qualname__", ""))
