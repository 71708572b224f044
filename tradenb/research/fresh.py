"""A strategy as if it had just been declared: copies of its functions and of what they close over.

A function may keep things in lists and frames outside itself. Each run of an analysis gets copies
of them, with noise for a future; the originals, which a live run may be using, are not touched.
"""

from __future__ import annotations

import copy
import functools
import inspect
from types import CellType, CodeType, FunctionType
from typing import Any

from tradenb.engine.ports import CandleSource
from tradenb.engine.specs import StrategySpec
from tradenb.research.noise import Spoiler

_DEPTH = 4


class Copier:
    """Copies functions with all that they reach, once each.

    Parameters
    ----------
    spoiler : Spoiler
        What becomes of tables and arrays.
    market : object
        In place of every exchange.
    """

    def __init__(self, spoiler: Spoiler, market: Any) -> None:
        self._spoiler = spoiler
        self._market = market
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # keeps what was copied alive: its id must not be given again

    def spec(self, spec: StrategySpec) -> StrategySpec:
        """Copy a strategy with its indicators and risk rules."""
        risk = tuple(
            rule.model_copy(update={"function": self.value(rule.function)}) for rule in spec.risk
        )
        changes = {"function": self.value(spec.function), "risk": risk, "callbacks": {}}
        found = spec.model_copy(update=changes)
        found._indicators = tuple(
            item._replace(function=self.value(item.function)) for item in spec.declared
        )
        return found

    def value(self, value: Any, depth: int = 0) -> Any:
        """Copy a value; what cannot be changed or is none of the user's stays itself."""
        if id(value) in self._made:
            return self._made[id(value)]
        self._kept.append(value)
        spoiled = self._spoiler.value(value)
        if spoiled is not None:
            found = spoiled
        elif isinstance(value, FunctionType) and _is_users(value):
            return self._function(value)
        elif inspect.ismethod(value):
            owner = self.value(value.__self__, depth)
            found = getattr(owner, value.__name__)
        elif isinstance(value, functools.partial):
            args = [self.value(item, depth + 1) for item in value.args]
            keywords = {key: self.value(item, depth + 1) for key, item in value.keywords.items()}
            found = functools.partial(self.value(value.func), *args, **keywords)
        elif hasattr(value, "cache_clear") and hasattr(value, "__wrapped__"):
            found = self.value(value.__wrapped__)
        elif isinstance(value, CandleSource) and not inspect.isclass(value):
            found = self._market
        else:
            found = self._container(value, depth)
        self._made[id(value)] = found
        return found

    def _container(self, value: Any, depth: int) -> Any:
        if depth >= _DEPTH or inspect.isclass(value) or inspect.ismodule(value):
            return value
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(item, depth + 1) for item in value)
        if type(value) is dict:
            return {key: self.value(item, depth + 1) for key, item in value.items()}
        if not hasattr(value, "__dict__") and not hasattr(value, "__deepcopy__"):
            try:
                return copy.deepcopy(value)
            except Exception:  # noqa: BLE001 - a user's object that cannot be copied is shared
                return value
        if _module(type(value)) in _FOREIGN or not _is_users(type(value)):
            return value
        found = copy.copy(value)
        for name, item in vars(value).items():
            object.__setattr__(found, name, self.value(item, depth + 1))
        return found

    def _function(self, function: FunctionType) -> FunctionType:
        globals_ = self._made.get(id(function.__globals__))
        if globals_ is None:
            globals_ = self._made[id(function.__globals__)] = dict(function.__globals__)
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(
            function.__code__, globals_, function.__name__, function.__defaults__, cells or None
        )
        made.__kwdefaults__ = function.__kwdefaults__
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__dict__.update(function.__dict__)
        self._made[id(function)] = made  # before what it names: it may name itself
        made.__defaults__ = self._defaults(function.__defaults__)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.value(original.cell_contents)
            except ValueError:  # not filled yet
                continue
        for name in names_of(function.__code__):
            if name in function.__globals__:
                globals_[name] = self.value(function.__globals__[name])
        return made

    def _defaults(self, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(self.value(item) for item in values)


def names_of(code: CodeType) -> set[str]:
    """Return the names of globals and attributes in a code and in those inside it."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*(names_of(own) for own in inner))


_FOREIGN = frozenset({"tradenb", "numpy", "pandas", "builtins", "pyarrow", "plotly"})


def _module(value: Any) -> str:
    return str(getattr(value, "__module__", "")).partition(".")[0]


def _is_users(value: Any) -> bool:
    """Tell whether the user wrote it: neither a package that was installed nor the library."""
    if _module(value) in _FOREIGN:
        return False
    try:
        file = inspect.getfile(value)
    except (TypeError, OSError):
        return True
    return "site-packages" not in file and not _is_library(file)


def _is_library(file: str) -> bool:
    import sysconfig

    return file.startswith(sysconfig.get_paths()["stdlib"])
