"""A strategy as if it had just been declared: copies of its functions and of all that they reach.

A function may keep values in lists, frames, objects, classes and modules outside itself. Each run
of an analysis gets copies of them, with noise for a future. The originals are not touched: a live
run may be using them. Modules and the reading of files are in `readers.py`.
"""

from __future__ import annotations

import abc
import copy
import enum
import functools
import inspect
from collections.abc import Mapping
from types import (
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    ModuleType,
    SimpleNamespace,
)  # fmt: skip
from typing import Any, Final

from tradenb.engine.past_code import PastCode
from tradenb.engine.ports import CandleSource
from tradenb.engine.reach import attributes_of, is_users, names_of
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.lookahead.iterators import copied_stream
from tradenb.research.lookahead.noise import Spoiler
from tradenb.research.lookahead.readers import Readers, sent_by

_DEPTH: Final = 4
_COLLECTIONS: Final = frozenset({list, tuple, set, frozenset, dict})
_PLAIN: Final = (str, bytes, int, float, complex, bool, type(None), CodeType)
# Python makes these anew with each class.
_OF_CLASS: Final = frozenset({"__dict__", "__weakref__", "_abc_impl"})


class Copier:
    """Copies functions with all that they reach, once each.

    Parameters
    ----------
    spoiler : Spoiler
        What becomes of tables and arrays.
    market : object
        In place of every exchange.
    past : PastCode, optional
        What names stood for earlier; default what they stand for now.
    memo : dict, optional
        What files gave, for all runs of an analysis.

    Attributes
    ----------
    readers : Readers
        What the functions read by themselves.
    names : frozenset of str
        What all functions copied so far name.
    """

    def __init__(
        self,
        spoiler: Spoiler,
        market: Any,
        past: PastCode | None = None,
        memo: dict[Any, Any] | None = None,
    ) -> None:
        self.readers = Readers(spoiler, self._imported, memo)
        self._spoiler = spoiler
        self._market = market
        self._past = past
        self._made: dict[int, Any] = {}
        # Keeps what was copied alive: its id is the key of its copy, and must not be used again.
        self._kept: list[Any] = []
        self._reached: set[tuple[int, int]] = set()
        self.names: frozenset[str] = frozenset()
        self._swapped: dict[str, Any] = {}
        self._namespace: Mapping[str, Any] = {}

    def swap(self, namespace: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Put values in the place of those that a namespace has under their names."""
        self._namespace, self._swapped = namespace, dict(values)
        for name, value in values.items():
            if not isinstance(namespace[name], _PLAIN):
                self.replace(namespace[name], value)

    def replace(self, original: Any, value: Any) -> None:
        """Put a value in the place of another, wherever that is."""
        self._kept.append(original)
        self._made[id(original)] = value

    def spec(self, spec: StrategySpec) -> StrategySpec:
        """Copy a strategy with its indicators, risk rules, and callbacks that send nothing."""
        risk = tuple(
            rule.model_copy(update={"function": self.value(rule.function)}) for rule in spec.risk
        )
        indicators = [item._replace(function=self.value(item.function)) for item in spec.declared]
        function = self.value(spec.function)
        callbacks = {
            name: self.value(own) for name, own in spec.callbacks.items() if not sent_by(own)
        }
        return spec.replaced(function, self.value, indicators, risk=risk, callbacks=callbacks)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Copy a value; what cannot be changed or is not the user's stays itself."""
        if isinstance(value, _PLAIN):
            return value
        # One copy for each original: what two functions share before, they share afterwards.
        if id(value) in self._made:
            return self._made[id(value)]
        self._kept.append(value)
        if inspect.ismodule(value):
            return self._module(value)
        if inspect.isclass(value):
            return self._class(value)
        if isinstance(value, FunctionType) and is_users(value):
            return self._function(value)
        found = self.readers.of(value)
        if found is None:
            found = self._other(value, depth)
        self._made[id(value)] = found
        return found

    def _other(self, value: Any, depth: int) -> Any:
        # First of all: a table that is copied in any other way would keep its future.
        spoiled = self._spoiler.value(value)
        if spoiled is not None:
            return spoiled
        if type(value) in _COLLECTIONS:
            return self._container(value, depth)
        if inspect.ismethod(value) or _is_bound(value):
            owner = self.value(value.__self__, depth)
            return getattr(owner, value.__name__)
        stream = copied_stream(value, self.value)
        if stream is not None:
            return stream
        if isinstance(value, functools.partial):
            args = [self.value(item, depth + 1) for item in value.args]
            keywords = {key: self.value(item, depth + 1) for key, item in value.keywords.items()}
            return functools.partial(self.value(value.func), *args, **keywords)
        if hasattr(value, "cache_clear") and hasattr(value, "__wrapped__"):
            # Emptied with it: answers that were kept may come from the true future.
            return functools.cache(self.value(value.__wrapped__))
        if isinstance(value, CandleSource):
            return value if self._market is None else self._market
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        # Deeper than anybody keeps candles, and the end of structures that never end.
        if depth >= _DEPTH:
            return value
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(item, depth + 1) for item in value)
        if isinstance(value, tuple) and hasattr(value, "_make"):  # a named one
            return value._make(self.value(item, depth + 1) for item in value)
        if isinstance(value, dict):
            found = copy.copy(value)
            for key, item in value.items():
                found[key] = self.value(item, depth + 1)
            return found
        users = is_users(type(value)) or type(value) is SimpleNamespace
        if users and (hasattr(value, "__dict__") or attributes_of(value)):
            return self._object(value, depth)
        return _copied(value)

    def _object(self, value: Any, depth: int) -> Any:
        found = copy.copy(value)
        self._made[id(value)] = found  # before its content: it may hold itself
        for name, item in attributes_of(value).items():
            object.__setattr__(found, name, self.value(item, depth + 1))
        kind = self.value(type(value))
        if kind is not type(value):
            object.__setattr__(found, "__class__", kind)
        return found

    def _class(self, kind: type) -> type:
        """Copy a class that a user wrote: its functions see the copies, its tables are spoiled."""
        self._made[id(kind)] = kind
        special = type(kind) not in (type, abc.ABCMeta) or issubclass(kind, enum.Enum | tuple)
        if special or not is_users(kind):
            return kind
        space = {
            name: item
            for name, item in vars(kind).items()
            if name not in _OF_CLASS and not isinstance(item, MemberDescriptorType)
        }
        try:
            made = type(kind)(kind.__name__, tuple(map(self.value, kind.__bases__)), dict(space))
        except Exception:  # noqa: BLE001 - a class that cannot be made twice is shared
            return kind
        self._made[id(kind)] = made
        for name, item in space.items():
            # What a class says of itself (fields of a dataclass) is compared by identity.
            own = name.startswith("__") and not callable(item)
            changed = item if own else self._member(item)
            if changed is not item:
                setattr(made, name, changed)
        return made

    def _member(self, item: Any) -> Any:
        if isinstance(item, staticmethod | classmethod):
            return type(item)(self.value(item.__func__))
        if isinstance(item, property):
            get, put, drop = map(self.value, (item.fget, item.fset, item.fdel))
            return property(get, put, drop, item.__doc__)
        return self.value(item)

    def _module(self, module: ModuleType) -> ModuleType:
        """Copy a module of the user's; its content is copied by the functions that name it."""
        if is_users(module):
            return self._space(vars(module), module.__name__)
        return self.readers.of(module) or module

    def _imported(self, module: ModuleType) -> ModuleType:
        """Copy a module that a function imports when it is called."""
        found = self._module(module)
        if is_users(module):
            self._reach(self.names, vars(module), vars(found))
        return found

    def _space(self, original: dict[str, Any], name: str) -> ModuleType:
        """Return the copy of a module by its globals."""
        found: ModuleType | None = self._made.get(id(original))
        if found is None:
            found = self._made[id(original)] = ModuleType(name)
            found.__dict__.update(original)
            found.__dict__["__builtins__"] = self.readers.builtins
            self._kept.append(original)
        return found

    def _function(self, function: FunctionType) -> FunctionType:
        space = self._space(function.__globals__, str(function.__module__))
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(function.__code__, vars(space), function.__name__, None, cells or None)
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__dict__.update(function.__dict__)
        self._made[id(function)] = made  # before what it names: it may call itself
        made.__defaults__ = self.value(function.__defaults__)
        made.__kwdefaults__ = self.value(function.__kwdefaults__)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.value(self._held(original))
            except ValueError:  # not filled yet
                continue
        names = names_of(function.__code__)
        self.names |= names
        self._reach(names, function.__globals__, vars(space))
        return made

    def _held(self, cell: CellType) -> Any:
        return cell.cell_contents if self._past is None else self._past.of_cell(cell)

    def _reach(
        self, names: frozenset[str], original: dict[str, Any], found: dict[str, Any]
    ) -> None:
        """Copy what is named of a module, and of the modules that are named there."""
        # Modules import each other: without this two of them would be searched for ever.
        if (id(original), hash(names)) in self._reached:
            return
        self._reached.add((id(original), hash(names)))
        for name in names & original.keys():
            item = original[name] if self._past is None else self._past.of_global(original, name)
            swapped = original is self._namespace and name in self._swapped
            found[name] = self._swapped[name] if swapped else self.value(item)
            if inspect.ismodule(item) and is_users(item):
                self._reach(names, vars(item), vars(found[name]))


def _is_bound(value: Any) -> bool:
    """Tell whether it is a method of a built-in object, such as `get` of a dict."""
    owner = getattr(value, "__self__", None)
    return inspect.isbuiltin(value) and not (owner is None or inspect.ismodule(owner))


def _copied(value: Any) -> Any:
    """Copy an object of a library, such as a generator of random numbers, if it can be copied."""
    module = str(getattr(type(value), "__module__", "")).partition(".")[0]
    if callable(value) or (module in _SHARED and hasattr(value, "__dict__")):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - an object that cannot be copied is shared
        return value


_SHARED: Final = frozenset({"tradenb", "numpy", "pandas", "pyarrow", "plotly", "logging"})
