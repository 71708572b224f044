"""Which line of the user's code first saw the future: two calls, followed line by line, compared.

Tables and arrays are compared only as far as they were known, so that a frame which holds the
future is no difference, and a value computed from it is.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import timeframe_ms
from tradenb.engine.call import is_async
from tradenb.engine.reach import is_users_file
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.lookahead.noise import Spoiler

_LONGEST = 20_000


class Line(NamedTuple):
    """A line of source code."""

    file: str
    number: int
    text: str


class Leak(NamedTuple):
    """A decision that changed with the future.

    Attributes
    ----------
    at : int
        Close time as of which it was taken, ms UTC.
    symbol, strategy : str
        Whose it was; of a risk rule "risk rule" and its name.
    field : str
        What changed: a field of the candidate, or "answer" where there was one and then none.
    known, noisy : object
        Its value with the true future, and with noise.
    after : int
        The moment after which all was noise, ms UTC; at or after `at`.
    line : Line
        Where the future was seen.
    """

    at: int
    symbol: str
    strategy: str
    field: str
    known: Any
    noisy: Any
    after: int
    line: Line


class Moment(NamedTuple):
    """The values of a function before it ran a line, or when it returned."""

    code: CodeType
    line: int
    seen: str
    ended: bool


class Follower:
    """Notes what a function, and what it calls of the user's code, do in its calls.

    Parameters
    ----------
    known : callable
        Writes down a value as far as it was known.
    wanted : callable
        Tells by its arguments whether a call is to be followed.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        known: Callable[[Any], str],
        wanted: Callable[..., bool],
    ) -> None:
        self.moments: list[Moment] = []
        self._function = function
        self._known = known
        self._wanted = wanted

    def __call__(self, *args: Any) -> Any:
        """Call the function, followed."""
        if not self._wanted(*args):
            return self._function(*args)
        with self._following():
            return self._function(*args)

    @contextmanager
    def _following(self) -> Iterator[None]:
        self.moments.clear()
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        del event, arg
        return self._line if is_users_file(frame.f_code.co_filename) else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event in ("line", "return") and len(self.moments) < _LONGEST:
            values = {name: self._known(value) for name, value in frame.f_locals.items()}
            if event == "return":
                values["return"] = self._known(arg)
            ended = event == "return"
            self.moments.append(Moment(frame.f_code, frame.f_lineno, repr(values), ended))
        return self._line


class AsyncFollower(Follower):
    """The same for an async function; what it waits for is not followed."""

    async def __call__(self, *args: Any) -> Any:
        """Call the function, followed."""
        if not self._wanted(*args):
            return await self._function(*args)
        with self._following():
            return await self._function(*args)


class Follow:
    """Followers of the functions of a strategy, in the order in which they are called."""

    def __init__(
        self, at: int, spoiler: Spoiler, candles: dict[str, Candles], *, only_values: bool = False
    ) -> None:
        self.only_values = only_values  # tables and collections are no difference
        self.at = at
        self.spoiler = spoiler
        self.candles = candles
        self.followers: list[Follower] = []

    def attached(self, spec: StrategySpec) -> StrategySpec:
        """Put followers in place of the functions."""
        indicators = tuple(
            item._replace(function=self._of_frame(item.function, item.timeframe))
            for item in spec.declared
        )
        if spec.vectorised:
            function: Any = self._of_frame(spec.function, spec.every)
        else:
            function = self._of_moment(spec.function)
        risk = tuple(
            rule.model_copy(update={"function": self._of_moment(rule.function)})
            for rule in spec.risk
        )
        return spec.replaced(function, self._of_moment, indicators, risk=risk)

    def _of_moment(self, function: Any) -> Follower:
        known = known_until(Spoiler(self.at, None, self.candles), 1 << 40)
        if self.only_values:
            known = plain_known
        form = AsyncFollower if is_async(function) else Follower
        made = form(function, known, lambda asked, *_: asked.now == self.at)
        self.followers.append(made)
        return made

    def _of_frame(self, function: Any, timeframe: str) -> Follower:
        first = min(own.start for own in self.candles.values())
        rows = (self.spoiler.after - first) // timeframe_ms(timeframe)
        made = Follower(function, known_until(self.spoiler, rows), lambda _df: True)
        self.followers.append(made)
        return made


def first_difference(before: list[Moment], after: list[Moment]) -> Line | None:
    """Return the line after which two calls first differ, or None."""
    # The line that made the difference is the one run before in the same function: values are
    # noted before a line runs, and functions that it calls come in between.
    running: dict[CodeType, int] = {}
    newest: Moment | None = None
    for one, other in zip_longest(before, after):
        current = one or other
        if one is None or other is None or one[1:] != other[1:]:
            if current is not None and current.code in running:
                return _of(current.code, running[current.code])
            at = newest or current  # it was entered with something else
            return None if at is None else _of(at.code, at.line)
        newest = one
        running[one.code] = one.line
        if one.ended:
            del running[one.code]
    return None


def known_until(spoiler: Spoiler, rows: int) -> Callable[[Any], str]:
    """Return a function that writes down what of a value was known at a moment.

    Parameters
    ----------
    spoiler : Spoiler
        Knows which rows of tables and arrays were not known.
    rows : int
        How many rows were known of an array that the spoiler knows nothing about.
    """
    import pandas as pd

    def known(value: Any) -> str:
        if isinstance(value, pd.DataFrame | pd.Series):
            future = spoiler.future(value)
            table = value if future is None or future.all() else value[~future]
            return str(int(pd.util.hash_pandas_object(table).sum()))
        if isinstance(value, np.ndarray):
            future = spoiler.future(value)
            part = value[:rows] if future is None and value.ndim else value
            part = part if future is None else part[~future]
            return repr(part.tolist()) if part.dtype.hasobject else _hashed(part)
        if isinstance(value, Mapping) and type(value) is dict:
            return repr({name: known(item) for name, item in value.items()})
        if isinstance(value, list | tuple):
            return repr([known(item) for item in value[: max(rows, 100)]])
        if isinstance(value, str | int | float | bool | np.generic | type(None)):
            return repr(value)
        return type(value).__name__

    return known


def plain_known(value: Any) -> str:
    """Write down single values; of tables and collections the kind."""
    if isinstance(value, str | int | float | bool | np.generic | type(None)):
        return repr(value)
    return type(value).__name__


def _hashed(array: Any) -> str:
    return str(hash(np.ascontiguousarray(array).tobytes()))


def line_of(code: CodeType) -> Line:
    """Return the line on which a function begins."""
    return _of(code, code.co_firstlineno)


def _of(code: CodeType, number: int) -> Line:
    return Line(code.co_filename, number, linecache.getline(code.co_filename, number).strip())
