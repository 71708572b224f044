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

from tradenb.engine.notebook_cells import Statement, Statements
from tradenb.engine.ports import CandleSource
from tradenb.engine.reach import all_reached
from tradenb.engine.slices import imported_in, slice_of
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exchanges.candles_function import candles_until
from tradenb.research.lookahead.noise import Spoiler
from tradenb.research.lookahead.readers import watching
from tradenb.research.lookahead.repeatable import is_refused

BUDGET_S: Final = 15.0
"""For all moments together."""
_FEWEST: Final = 3
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
    seconds : float
        How long it takes once.
    tried : int
        How many moments it was made again for.
    """

    def __init__(self, functions: Iterable[Any], cut_off: Callable[[int], Spoiler]) -> None:
        self.names: dict[str, Made] = {}
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
        return {name: found[name] for name in self.names}

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
        reached = [pair for function in functions for pair in all_reached(function)]
        users = [item for item in functions if isinstance(item, FunctionType)]
        if not users:
            return {}
        self.namespace = users[0].__globals__
        names = {name for name, value in reached if _is_data(value)} & self.namespace.keys()
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
            if binds and _of_candles(several) and not refused:
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

    def _goes_on(self, value: Any, after: int) -> bool:
        future = self._cut_off(after).later(value)
        return future is not None and bool(future.any())

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


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same data."""
    import pandas as pd

    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=_is_float(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN
    try:
        return bool(one == other) or _state(one) == _state(other) != None  # noqa: E711
    except Exception:  # noqa: BLE001 - objects of libraries compare as they like
        return False


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
    if isinstance(value, list | np.ndarray) and isinstance(remade, list | np.ndarray):
        count = min(len(value), len(remade))
        return None if same(value[:count], remade[:count]) else ""
    return None if same(value, remade) else ""


def _is_data(value: Any) -> bool:
    """Tell whether a value is made of something, and is no function, module, source or text."""
    if isinstance(value, str | bytes | bool | type | ModuleType | FunctionType | None):
        return False
    return not (isinstance(value, StrategySpec | CandleSource) or callable(value))


def _of_candles(several: list[Statement]) -> bool:
    return any("candles(" in item.text for item in several)
