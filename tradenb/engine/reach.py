"""What a function reaches, and whether it is the user's own.

Reached are the values that it closes over, has for defaults, or names: globals, and what is in the
user's modules. Export, sweeps and the look-ahead analysis ask here, so that they agree. A
fingerprint asks less: it is the same when only a global changed.

Two questions sound alike. `is_users`: may this code change under our feet? `is_installed`: does a
script find the module when it runs by itself? A package that was installed for editing is both.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, Final

_WORD: Final = re.compile(r"[^\W\d]\w*")
_LIBRARY: Final = os.path.dirname(os.__file__)  # noqa: PTH120 - compared with the files of code
_FOREIGN: Final = frozenset({"tradenb", "numpy", "pandas", "builtins", "pyarrow", "plotly"})
_VERSIONED: Final = frozenset({"tradenb", "numpy", "pandas"})
"""Packages whose functions are never followed; there is too much behind them."""
_LOOKS_UP: Final = frozenset(
    {"__dict__", "attrgetter", "eval", "exec", "getattr", "globals", "import_module"}
    | {"methodcaller", "query", "vars", "__import__"}
)
"""Functions and methods that find a name by its text."""
_BY_TEXT: Final = frozenset({"eval", "exec", "getattr", "globals", "import_module", "vars"})
_FIND: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
_FIND_S: Final = 60
_HOLDERS: Final = frozenset({"builtins", "functools", "tradenb"})
"""Packages whose objects may hold a function of the user's: static methods, caches, specs."""
_OF_OBJECTS: Final = frozenset({"__dict__", "__weakref__"})
_DEEPEST: Final = 20
_LARGE: Final = 1_000  # a longer collection is data

Named = tuple[str, Any]
Names = Callable[[CodeType], frozenset[str]]


def package_of(value: object) -> str:
    """Return the top package of the module in which a value was defined; "" if there is none."""
    named = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
    return str(named).partition(".")[0]


def is_users(value: Any) -> bool:
    """Tell whether the user wrote it: it is neither in an installed package nor in the library."""
    if package_of(value) in _FOREIGN:
        return False
    try:
        file = inspect.getfile(value)
    except (TypeError, OSError):
        # A cell of a notebook has no file; a builtin module has none either.
        return not (inspect.ismodule(value) and value.__name__ in sys.builtin_module_names)
    return is_users_file(file)


@functools.cache
def is_users_file(file: str) -> bool:
    """Tell whether a file is of the user's own code."""
    import tradenb

    return not (
        "site-packages" in file
        or "dist-packages" in file
        or file.startswith((_LIBRARY, "<frozen", "<string>", tradenb.__path__[0]))
    )


@functools.lru_cache(maxsize=1_024)
def is_installed(module: str) -> bool:
    """Tell whether `python -I` finds a module: it does not look beside a notebook."""
    import subprocess

    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top in _VERSIONED:
        return True
    if top == "__main__":
        return False
    command = [sys.executable, "-I", "-c", _FIND, top]
    ran = subprocess.run(command, timeout=_FIND_S, check=False, capture_output=True)  # noqa: S603
    return ran.returncode == 0


def function_of(value: Any) -> FunctionType | None:
    """Return the innermost function of a spec, an exchange, a method or a decorated function.

    A partial is not its function: it holds arguments as well.
    """
    for _ in range(_DEEPEST):
        if isinstance(value, FunctionType) and not hasattr(value, "__wrapped__"):
            return value
        if isinstance(value, type):
            return None
        value = _wrapped(value)
    return None


def cells_of(function: FunctionType) -> dict[str, Any]:
    """Return what a function closes over, by name; a cell that is not filled yet is left out."""
    found = {}
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def defaults_of(function: FunctionType) -> dict[str, Any]:
    """Return the defaults of a function, by parameter."""
    code, values = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    return dict(zip(names, values, strict=True)) | (function.__kwdefaults__ or {})


@functools.cache
def names_in(code: CodeType) -> frozenset[str]:
    """Return the names of globals and attributes in a code, and in those inside it."""
    return frozenset(code.co_names).union(*map(names_in, _inner(code)))


@functools.cache
def names_of(code: CodeType) -> frozenset[str]:
    """Return all that a code may name: `getattr(module, "TABLE")` reaches TABLE, too."""
    texts = (const for const in code.co_consts if isinstance(const, str))
    words = {word for text in texts for word in _WORD.findall(text)}
    return frozenset(code.co_names).union(words, *map(names_of, _inner(code)))


def attributes_of(value: object) -> dict[str, Any]:
    """Return the attributes that an object holds itself, those in slots included."""
    slots = (
        name
        for owner in type(value).__mro__
        for name, item in vars(owner).items()
        if isinstance(item, MemberDescriptorType) and name not in _OF_OBJECTS
    )
    found = dict(getattr(value, "__dict__", {}))
    return found | {name: getattr(value, name) for name in slots if hasattr(value, name)}


def all_reached(value: Any) -> list[Named]:
    """Return what a callable reaches, and what the functions reach that it reaches.

    Functions of installed packages are followed as well, except those that are too large: a new
    version of theirs may give other values. That a text is a name counts if any of the functions
    looks names up by text: mostly a text is the name of a column.
    """
    found, by_text, _ = _walk(value, names_in)
    return _walk(value, names_of)[0] if by_text else found


def functions_of(value: Any) -> list[FunctionType]:
    """Return the user's functions among a callable and what it reaches, methods included."""
    _, by_text, seen = _walk(value, names_in)
    if by_text:
        seen = _walk(value, names_of)[2]
    return [item for item in seen if isinstance(item, FunctionType) and is_users(item)]


def looks_up(value: Any) -> frozenset[str]:
    """Return by which functions a callable, or what it reaches, finds names by their text.

    A name that is computed (`globals()[name]`, `getattr(module, f"K{n}")`) is not followed.
    """
    functions = [value, *(item for _, item in all_reached(value))]
    codes = [item.__code__ for item in functions if isinstance(item, FunctionType)]
    return frozenset().union(*(_BY_TEXT & names_in(code) for code in codes))


def _walk(value: Any, names: Names) -> tuple[list[Named], bool, list[Any]]:
    """Return what is reached, whether a function looks names up by text, and all on the way."""
    found: list[Named] = []
    seen: dict[int, Any] = {}  # keeps them alive: no other value may get the id of one of them
    by_text = False
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen[id(current)] = current
        if not isinstance(current, FunctionType):
            waiting += _parts(current)
        elif package_of(current) not in _VERSIONED:
            by_text = by_text or not _LOOKS_UP.isdisjoint(names_in(current.__code__))
            reached = list(_reached(current, names(current.__code__)))
            found += reached
            waiting += [item for _, item in reached]
    return found, by_text, [*seen.values()]


def _reached(function: FunctionType, names: frozenset[str]) -> Iterator[Named]:
    """Yield what one function reaches, by name; what is in a module as `module.name`."""
    known = function.__globals__
    found = [*cells_of(function).items(), *defaults_of(function).items()]
    found += [(name, known[name]) for name in sorted(names & known.keys())]
    # What it imports when it is called; "a.b" of `import a.b` is a name here as well.
    imported = sorted(names & sys.modules.keys() - known.keys())
    found += [(name, sys.modules[name]) for name in imported]
    seen: set[int] = set()
    for name, value in found:
        if isinstance(value, ModuleType):
            yield from _inside(name, value, names, seen)
        else:
            yield name, value


def _parts(value: Any) -> Iterable[Any]:
    """Return what may be or hold a function in a value that is none itself."""
    match value:
        case dict() if len(value) <= _LARGE:
            return value.values()
        case list() | tuple() | set() | frozenset() if len(value) <= _LARGE:
            return value
        case functools.partial() | functools.partialmethod():
            return value.func, value.args, value.keywords
        case functools.cached_property():
            return (value.func,)
        case functools.singledispatchmethod():
            return value.dispatcher, *value.dispatcher.registry.values()
        case property():
            return value.fget, value.fset, value.fdel
        case type():
            own = [owner for owner in value.__mro__ if is_users(owner)]
            return [item for owner in own for item in vars(owner).values()]
    if inspect.ismethod(value):
        return value.__func__, value.__self__
    if is_users(type(value)):
        return type(value), *attributes_of(value).values()
    return [_wrapped(value)] if package_of(type(value)) in _HOLDERS else ()


def _wrapped(value: Any) -> Any:
    """Return what is one layer further inside, or None."""
    inner = (getattr(value, name, None) for name in ("__wrapped__", "function", "__func__"))
    return next((item for item in inner if item is not None), None)


def _inside(
    name: str, module: ModuleType, names: frozenset[str], seen: set[int]
) -> Iterator[Named]:
    """Yield what is named of a module of the user's, and of the modules named there."""
    if id(module) in seen or not is_users(module):
        return
    seen.add(id(module))
    for own in sorted(names & vars(module).keys()):
        value = vars(module)[own]
        if isinstance(value, ModuleType) and is_users(value):
            yield from _inside(f"{name}.{own}", value, names, seen)
        else:
            yield f"{name}.{own}", value


def _inner(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]
