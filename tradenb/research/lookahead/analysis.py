"""The runs of a look-ahead analysis, and what changes between them."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.backtest.plan import Plan, check_markets
from tradenb.backtest.trial import Market
from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import floor_to, timeframe_ms
from tradenb.engine.call import is_async
from tradenb.engine.reach import all_reached
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import TradenbError
from tradenb.research.lookahead.blame import (
    AsyncFollower,
    Follower,
    Line,
    first_difference,
    known_until,
    line_of,
)
from tradenb.research.lookahead.decisions import Replies, answer_of, differing, replies_of
from tradenb.research.lookahead.isolate import Copier
from tradenb.research.lookahead.noise import Noise, Spoiler, noisy_candles
from tradenb.research.lookahead.readers import OUTSIDE

_MANY: Final = 100


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


class Analysis:
    """Runs of one strategy, with the true future and with noise for it.

    Parameters
    ----------
    seed : int
        Of the moments and the noise.
    """

    def __init__(self, spec: StrategySpec, plan: Plan, seed: int) -> None:
        self.spec = spec
        self.plan = plan
        self.seed = seed
        self.opened: set[str] = set()
        self.names: frozenset[str] = frozenset()
        self.candles: dict[str, Candles] = {}
        for symbol in plan.symbols:
            self._load(symbol)

    def run(self, after: int | None, noise: Noise | None, follow: _Follow | None = None) -> Replies:
        """Run up to a moment, with noise for what comes after it."""
        # Only what was decided up to `after` is compared, so each run may end there.
        candles, until = self.candles, after
        if after is not None and noise is not None:
            candles = {
                symbol: noisy_candles(own, after, noise, self.seed)
                for symbol, own in candles.items()
            }

        def load_other(symbol: str) -> Candles:
            """Load what is only read; from then on its future is replaced like any other."""
            own = self._load(symbol)
            if after is None or noise is None:
                return own
            return noisy_candles(own, after, noise, self.seed)

        market = Market(self.plan.source.name, candles, load_other)
        copier = Copier(Spoiler(after or 0, noise, self.candles), market)
        spec = copier.spec(self.spec)
        if follow is not None:
            spec = follow.attached(spec)

        plan = replace(self.plan, strategies=(spec,), source=market)
        try:
            return replies_of(plan, until=until)
        finally:
            self.opened |= copier.readers.opened
            self.names |= copier.names

    def _load(self, symbol: str) -> Candles:
        if symbol not in self.candles:
            check_markets(self.plan.source, (self.plan.symbols[0], symbol))
            self.candles[symbol] = self.plan.source.load(self.plan.request(symbol)).candles
        return self.candles[symbol]

    def moments(self, base: Replies, samples: int, events: int | None) -> list[int]:
        """Choose after which moments all is to be noise."""
        if not base:
            return []
        first, last = min(key[0] for key in base), max(key[0] for key in base)
        random = np.random.default_rng(self.seed)
        # Moments by chance find what is decided between answers; those of answers, what decides.
        sampled = [floor_to(int(at)) for at in random.integers(first, last + 1, max(0, samples))]
        answered = sorted({key[0] for key, reply in base.items() if reply is not None})
        if events is not None and len(answered) > events:
            places = np.linspace(0, len(answered) - 1, events).round().astype(int)
            answered = [answered[place] for place in places]
        return sorted({*sampled, *answered})

    def leak(self, base: Replies, after: int, noise: Noise) -> Leak | None:
        """Return the first decision up to a moment that noise after it changes; see `line`."""
        try:
            noisy = self.run(after, noise)
        except TradenbError as error:
            if noise == "cut":
                return None  # too few candles fail in a live run as well: not a leak
            # It cannot even be computed without the true future.
            noisy = dict.fromkeys(base, answer_of(error))
        for key in sorted({*base, *noisy}):
            at, symbol, name = key
            if at > after:
                break
            changed = differing(base.get(key), noisy.get(key))
            if changed:
                field, known, became = changed[0]
                return Leak(at, symbol, name, field, known, became, after, self._beginning)
        return None

    def line(self, leak: Leak, noise: Noise) -> Line:
        """Follow the functions in both runs, and return the first line that differs."""
        # Followed as far as both runs may know the same, the first difference is where the future
        # came in, not where it made itself felt.
        runs = []
        for shown in (None, noise):
            follow = _Follow(leak.at, Spoiler(leak.after, None, self.candles), self.candles)
            with suppress(TradenbError):
                self.run(leak.after, shown, follow)
            runs.append(follow)
        for one, other in zip(*(run.followers for run in runs), strict=True):
            found = first_difference(one.moments, other.moments)
            if found is not None:
                return found
        return self._beginning

    @property
    def _beginning(self) -> Line:
        function: Any = self.spec.function
        return line_of(getattr(function, "__code__", None) or function.func.__code__)

    def notes(self) -> list[str]:
        """Name what the functions reach that knows more than the first moment, or may."""
        start = self.plan.start
        first = min(own.start for own in self.candles.values()) if start is None else start
        spoiler = Spoiler(first, None, self.candles)
        functions = [self.spec.function, *(item.function for item in self.spec.declared)]
        functions += [rule.function for rule in self.spec.risk]
        if self.spec.manager is not None:
            functions.append(self.spec.manager.function)
        found = set()
        for function in functions:
            for name, value in all_reached(function):
                words = _words(name, value, spoiler)
                found |= {words} if words else set()
        outside = ", ".join(sorted(self.names & OUTSIDE))
        if outside:
            found.add(f"it reads from outside ({outside}); that data was not replaced by noise")
        return sorted(found) + [
            f"it opens the file {name!r}; its content was not replaced by noise"
            for name in sorted(self.opened)
        ]


def _words(name: str, value: Any, spoiler: Spoiler) -> str:
    import pandas as pd

    future = spoiler.future(value)
    table = isinstance(value, pd.DataFrame | pd.Series)
    if table and future is not None and future.any():
        return (
            f"it uses the table {name!r}, which has rows of the future; they were replaced by "
            "noise as well"
        )
    kind = "table" if table else _kind(value)
    known = future if kind in ("table", "array") else kind and spoiler.value(value)
    if kind and known is None and len(value) > _MANY:
        return (
            f"it uses the {kind} {name!r} ({len(value):,} rows), whose times are unknown; it was "
            "not replaced by noise"
        )
    return ""


def _kind(value: Any) -> str:
    """Name a value that may hold rows; a list of words or of objects does not."""
    if isinstance(value, np.ndarray):
        return "array" if value.ndim else ""
    if isinstance(value, list | tuple | deque) and value:
        rows = isinstance(value[0], int | float | list | tuple | dict)
        return type(value).__name__ if rows else ""
    return ""


class _Follow:
    """Followers of the functions of a strategy, in the order in which they are called."""

    def __init__(self, at: int, spoiler: Spoiler, candles: dict[str, Candles]) -> None:
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
