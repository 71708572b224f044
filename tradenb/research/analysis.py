"""The runs of a look-ahead analysis, and what changes between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from tradenb.backtest.plan import Plan, make_plan
from tradenb.backtest.trial import Market
from tradenb.core.candles import Candles
from tradenb.core.timeframe import floor_to, timeframe_ms
from tradenb.engine.specs import StrategySpec
from tradenb.errors import TradenbError
from tradenb.research.culprit import Follower, Line, first_difference, known_until, line_of
from tradenb.research.fresh import Copier, names_of
from tradenb.research.noise import Noise, Spoiler, future_rows, noisy_candles
from tradenb.research.replay import Noted, answer_of, differing, replay


class Leak(NamedTuple):
    """A decision that changed with the future.

    Attributes
    ----------
    at : int
        Close time as of which it was taken, ms UTC.
    symbol, strategy : str
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
    spec : StrategySpec
    plan : Plan
    seed : int
        Of the moments and the noise.
    """

    def __init__(self, spec: StrategySpec, plan: Plan, seed: int) -> None:
        self.spec = spec
        self.plan = plan
        self.seed = seed
        self.candles: dict[str, Candles] = {
            symbol: plan.source.load(
                symbol, start=plan.start, end=plan.end, history=plan.history_ms, rules=plan.rules
            ).candles
            for symbol in plan.symbols
        }

    def run(self, after: int | None, noise: Noise | None, follow: _Follow | None = None) -> Noted:
        """Run up to a moment, with noise for what comes after it."""
        candles, until = self.candles, after
        if after is not None and noise is not None:
            candles = {
                symbol: noisy_candles(own, after, noise, self.seed)
                for symbol, own in candles.items()
            }
        market = Market(self.plan.source.name, candles)
        spec = Copier(Spoiler(after or 0, noise, self.candles), market).spec(self.spec)
        if follow is not None:
            spec = follow.attached(spec)

        def planned(on: Market) -> Plan:
            plan = self.plan
            return make_plan(plan.symbols, spec, on, plan.start, plan.end, plan.rules, ())

        return replay(planned, market, until=until)

    def moments(self, base: Noted, samples: int, events: int | None) -> list[int]:
        """Choose after which moments all is to be noise."""
        replies = base.replies
        if not replies:
            return []
        first, last = min(key[0] for key in replies), max(key[0] for key in replies)
        random = np.random.default_rng(self.seed)
        sampled = [floor_to(int(at)) for at in random.integers(first, last + 1, max(0, samples))]
        answered = sorted({key[0] for key, reply in replies.items() if reply is not None})
        if events is not None and len(answered) > events:
            places = np.linspace(0, len(answered) - 1, events).round().astype(int)
            answered = [answered[place] for place in places]
        return sorted({*sampled, *answered})

    def leak(self, base: Noted, after: int, noise: Noise) -> Leak | None:
        """Return the first decision up to a moment that noise after it changes."""
        try:
            noisy = self.run(after, noise).replies
        except TradenbError as error:
            # It cannot even be computed without the true future.
            noisy = dict.fromkeys(base.replies, answer_of(error))
        for key in sorted({*base.replies, *noisy}):
            at, symbol, strategy = key
            if at > after:
                break
            changed = differing(base.replies.get(key), noisy.get(key))
            if changed:
                name, known, became = changed[0]
                line = self._line(at, after, noise)
                return Leak(at, symbol, strategy, name, known, became, after, line)
        return None

    def _line(self, at: int, after: int, noise: Noise) -> Line:
        """Follow the functions in both runs, and return the first line that differs."""
        runs = []
        for shown in (None, noise):
            follow = _Follow(at, after, self.candles)
            with suppress(TradenbError):
                self.run(after, shown, follow)
            runs.append(follow)
        for one, other in zip(*(run.followers for run in runs), strict=True):
            found = first_difference(one.moments, other.moments)
            if found is not None:
                return found
        function: Any = self.spec.function
        return line_of(getattr(function, "__code__", None) or function.func.__code__)

    def frames_with_a_future(self) -> list[str]:
        """Name the tables that the functions reach and that know more than the first moment."""
        start = self.plan.start
        first = min(own.start for own in self.candles.values()) if start is None else start
        return sorted(
            {
                f"it reaches the table {name!r}, which has rows later than its clock; the future "
                "of that table was replaced by noise as well"
                for function in (self.spec.function, *(i.function for i in self.spec.declared))
                for name, value in _tables(function)
                if (future := future_rows(value, first)) is not None and future.any()
            }
        )


class _Follow:
    """Followers of the functions of a strategy, in the order in which they are called."""

    def __init__(self, at: int, after: int, candles: dict[str, Candles]) -> None:
        self.at = at
        self.after = after
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
            known = known_until(self.at, 1 << 40)
            function = Follower(spec.function, known, lambda ctx: ctx.now == self.at)
            self.followers.append(function)
        found = spec.model_copy(update={"function": function})
        found._indicators = indicators
        return found

    def _of_frame(self, function: Any, timeframe: str) -> Follower:
        first = min(own.start for own in self.candles.values())
        rows = (self.after - first) // timeframe_ms(timeframe)
        made = Follower(function, known_until(self.after, rows), lambda _df: True)
        self.followers.append(made)
        return made


def _tables(function: Any) -> Iterator[tuple[str, Any]]:
    import pandas as pd

    function = getattr(function, "__func__", getattr(function, "func", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    closed = zip(code.co_freevars, function.__closure__ or (), strict=True)
    reached = {name: function.__globals__.get(name) for name in names_of(code)}
    for name, cell in closed:
        try:
            reached[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name, value in reached.items():
        if isinstance(value, pd.DataFrame | pd.Series):
            yield name, value
