"""What was made beforehand, made again with the candles of a moment.

A table above a strategy (`df["x"] = df.close.shift(-30)`) may know the future in rows that look
past. Where its making can be followed, the statements that make it are run again on candles that
end at the moment: that is what a live run would have had. Only what is made of `tn.candles` alone
can be followed, and only what comes out the same when nothing is cut.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import time
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.engine.inputs import is_arrow
from tradenb.engine.notebook_cells import Statement, Statements
from tradenb.engine.ports import CandleSource
from tradenb.engine.reach import attributes_of, functions_of, is_users
from tradenb.engine.slices import imported_in, slice_of
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exchanges.candles_function import candles_until
from tradenb.research.lookahead.holders import (
    Reached,
    data_of,
    held_in,
    is_object,
    parts_of,
    reached_data,
)
from tradenb.research.lookahead.noise import Spoiler
from tradenb.research.lookahead.readers import watching
from tradenb.research.lookahead.repeatable import is_refused

BUDGET_S: Final = 15.0
"""For all moments together."""
_FEWEST: Final = 3
_DEPTH: Final = 4
_PLAIN: Final = (str, bytes, int, float, complex)  # two of them may be one object by chance
_KEPT: Final = ("__name__", "__file__", "__package__", "__builtins__")


class Made(NamedTuple):
    """A name of a cell or a file, its value, and the statements that make it."""

    name: str
    value: Any
    places: frozenset[int]


class Remaker:
    """Makes again what functions name of their cells or file.

    Attributes
    ----------
    names : dict of str to Made
        What can be followed.
    lost : set of str
        Numbers and words that were computed of candles, and cannot be followed.
    seconds : float
        How long it takes once.
    tried : int
        How many moments it was made again for.
    """

    def __init__(self, functions: Iterable[Any], cut_off: Callable[[int], Spoiler]) -> None:
        self.names: dict[str, Made] = {}
        self.lost: set[str] = set()
        self.namespace: Mapping[str, Any] = {}
        self.seconds = 0.0
        self._cut_off = cut_off
        self._statements: list[Statement] = []
        self.tried = 0
        self._asked = 0
        wanted = self._find(functions)
        if wanted:
            began = time.perf_counter()
            with watching() as opened:
                whole = self._run(None)
            whole = None if opened else whole
            self.seconds = time.perf_counter() - began
            self.names = {
                name: made
                for name, made in wanted.items()
                if whole is not None and name in whole and same(whole[name], made.value)
            }
            self.names = self.names if self._asked else {}
        self.lost -= self.names.keys()

    def most_moments(self) -> int | None:
        """Return for how many moments there is time; None: for all."""
        if not self.names:
            return None
        return max(_FEWEST, int(BUDGET_S / max(self.seconds, 1e-3)))

    def as_of(self, after: int) -> dict[str, Any] | None:
        """Return the values by name as they would have been at a moment, ms UTC.

        A value that goes on beyond the moment was not made of candles alone; it is left out, and
        followed no longer. None where the statements fail at that moment.
        """
        if not self.names:
            return {}
        found = self._run(after)
        if found is None:
            return None
        self.tried += 1
        beyond = {name for name, value in found.items() if self._goes_on(value, after)}
        for name, made in list(self.names.items()):
            parts = frozenset().union(*(self._statements[place].binds for place in made.places))
            if name not in found or parts & beyond:
                del self.names[name]
        return self._classes(found) | {name: found[name] for name in self.names}

    def made_of(self, item: Reached) -> Made | None:
        """Return what a value that functions reach is made again as, or lies in."""
        if isinstance(item.root, _PLAIN):
            made = self.names.get(item.name)
            return made if made is not None and made.value is item.root else None
        wanted = {id(item.root), id(item.root if isinstance(item.value, _PLAIN) else item.value)}
        return next((made for made in self.names.values() if id(made.value) in wanted), None)

    def changed(self, after: int, values: Mapping[str, Any]) -> list[str]:
        """Name what has other rows before a moment than it would have had, and its statement."""
        spoiler, words = self._cut_off(after), []
        for name, value in values.items():
            made = self.names.get(name)
            found = None if made is None else _different(made.value, value, spoiler)
            if made is not None and found is not None:
                column = f"[{found!r}]" if found else ""
                words.append(
                    f"rows of {name}{column} know what came later; they are made by: "
                    f"{self._line(made, found)}"
                )
        return words

    def _find(self, functions: Iterable[Any]) -> dict[str, Made]:
        """Return the data that functions name of the namespace of the first of them."""
        functions = list(functions)
        reached = [item for function in functions for item in reached_data(function)]
        users = [item for item in functions if isinstance(item, FunctionType)]
        users = users or [own for item in functions for own in functions_of(item)]
        if not users:
            return {}
        self.namespace = users[0].__globals__
        known = {id(item.value) for item in reached if not isinstance(item.value, _PLAIN)}
        names = {item.name for item in reached} & self.namespace.keys()
        names |= {name for name, value in self.namespace.items() if id(value) in known}
        names = {name for name in names if _is_data(self.namespace[name])}
        try:
            self._statements = list(Statements(self.namespace))
        except SyntaxError:  # a cell of another language
            return {}
        imported = imported_in(self._statements)
        found = {}
        for name in sorted(names):
            places = frozenset(slice_of(self._statements, {name}, imported))
            several = [self._statements[place] for place in places]
            binds = any(name in item.binds for item in several)
            refused = any(is_refused(item, self.namespace, imported) for item in several)
            if binds and _of_candles(several):
                self.lost |= {name} if isinstance(self.namespace[name], _PLAIN) else set()
                if not refused:
                    found[name] = Made(name, self.namespace[name], places)
        self._places = sorted(frozenset().union(*(made.places for made in found.values())))
        return found

    def _run(self, after: int | None) -> dict[str, Any] | None:
        """Run the statements in a namespace of their own; None where one fails."""
        space = {name: self.namespace[name] for name in _KEPT if name in self.namespace}
        silent = io.StringIO()
        with (
            registry.aside(),
            candles_until(after) as asked,
            contextlib.redirect_stdout(silent),
            contextlib.redirect_stderr(silent),
        ):
            for place in self._places:
                statement = self._statements[place]
                code = compile(
                    ast.Module([statement.node], []), statement.cell.label, "exec",
                    dont_inherit=True,
                )  # fmt: skip
                try:
                    exec(code, space)  # noqa: S102 - the user's own cell
                except Exception:  # noqa: BLE001 - it cannot be made at that moment
                    return None
        self._asked = len(asked)
        return space

    def _classes(self, space: Mapping[str, Any]) -> dict[str, Any]:
        """Return the classes that were made again: objects of them are of no others."""
        return {
            name: value
            for name, value in space.items()
            if isinstance(value, type) and value is not self.namespace.get(name, value)
        }

    def _goes_on(self, value: Any, after: int) -> bool:
        later = self._cut_off(after).later
        several = [value, *(item.value for item in held_in("", value))]
        return any(future is not None and bool(future.any()) for future in map(later, several))

    def _line(self, made: Made, column: str) -> str:
        """Return the statement that made a column, or else the last that made the name."""
        several = [self._statements[place] for place in sorted(made.places)]
        own = [item for item in several if column and column in item.text]
        own = own or [item for item in several if made.name in item.binds] or several
        return " ".join(own[-1].text.split())[:160]


def fresh(value: Any) -> Any:
    """Return a copy that a run may change."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - what cannot be copied is shared
        return value


def same(one: Any, other: Any, depth: int = 0) -> bool:
    """Tell whether two values are the same data."""
    import pandas as pd

    if depth > _DEPTH or not _is_same_kind(type(one), type(other)):
        return False
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index) or is_arrow(one):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=_is_float(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key], depth) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            same(*pair, depth) for pair in zip(one, other, strict=True)
        )
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN
    if isinstance(one, type):
        return same(data_of(one), data_of(other), depth + 1)
    if is_object(one) and same(attributes_of(one), attributes_of(other), depth + 1):
        return same(data_of(type(one)), data_of(type(other)), depth + 1)
    try:
        return bool(one == other) or _state(one) == _state(other) != None  # noqa: E711
    except Exception:  # noqa: BLE001 - objects of libraries compare as they like
        return False


def _is_same_kind(one: type, other: type) -> bool:
    """Tell whether two classes are one, or made by the same statement of the user's."""
    names = ("__module__", "__qualname__")
    made = all(getattr(one, name) == getattr(other, name) for name in names)
    return one is other or (made and is_users(one))


def _state(value: Any) -> Any:
    held = getattr(value, "__dict__", None)
    return None if not held else sorted((name, _text(item)) for name, item in held.items())


def _text(value: Any) -> str:
    return value.tobytes().hex() if isinstance(value, np.ndarray) else repr(value)


def _is_float(array: Any) -> bool:
    return array.dtype.kind in "fc"


def _different(value: Any, remade: Any, spoiler: Spoiler) -> str | None:
    """Return where known rows differ: a column, or ""; None if they do not."""
    import pandas as pd

    if isinstance(value, pd.DataFrame) and isinstance(remade, pd.DataFrame):
        for name in value.columns.intersection(remade.columns):
            if _different(value[name], remade[name], spoiler) is not None:
                return str(name)
        return None
    if isinstance(value, pd.Series) and isinstance(remade, pd.Series):
        future = spoiler.future(value)
        if future is None:
            return None if same(value, remade) else ""
        known = value[~future]
        common = known.index.intersection(remade.index)
        return None if known.loc[common].equals(remade.loc[common]) else ""
    if isinstance(value, dict) and isinstance(remade, dict):
        shared = [key for key in remade if key in value]
        return None if all(same(value[key], remade[key]) for key in shared) else ""
    if is_object(value) or isinstance(value, type):
        pairs = zip(parts_of(value), parts_of(remade), strict=False)
        found = (_different(one, other, spoiler) for (_, one), (_, other) in pairs)
        return next((part for part in found if part is not None), None)
    if isinstance(value, list | np.ndarray) and isinstance(remade, list | np.ndarray):
        count = min(len(value), len(remade))
        return None if same(value[:count], remade[:count]) else ""
    return None if same(value, remade) else ""


def _is_data(value: Any) -> bool:
    """Tell whether a value is made of something, and is no function, module or source."""
    if isinstance(value, bytes | ModuleType | FunctionType | StrategySpec | CandleSource | None):
        return False
    if isinstance(value, type):
        return bool(data_of(value))
    return is_object(value) or not callable(value)


def _of_candles(several: list[Statement]) -> bool:
    return any("candles(" in item.text for item in several)
