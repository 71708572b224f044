"""The runs of a look-ahead analysis, and what changes between them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from tradenb.backtest.plan import Plan
from tradenb.backtest.trial import TrialCandles
from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import floor_to
from tradenb.engine.ports import check_markets, markets_of
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import TradenbError
from tradenb.research.lookahead.beforehand import (
    is_beforehand,
    is_candles,
    is_fitted,
    unproved_words,
    words_of,
)
from tradenb.research.lookahead.blame import (
    Follow,
    Leak,
    Line,
    first_difference,
    line_of,
)
from tradenb.research.lookahead.coarse_tables import coarse_tables, is_known_at_once
from tradenb.research.lookahead.decisions import Replies, answer_of, differing, replies_of
from tradenb.research.lookahead.future_ranks import evidence_of, only_column
from tradenb.research.lookahead.holders import Reached, reached_data
from tradenb.research.lookahead.isolate import Copier
from tradenb.research.lookahead.noise import NOISES, Noise, Spoiler, noisy_candles
from tradenb.research.lookahead.readers import OUTSIDE, sent_by
from tradenb.research.lookahead.remake import BUDGET_S, Remaker, fresh

_FEWEST = 10


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
        self.remaker = Remaker(self._functions(), lambda after: Spoiler(after, None, self.candles))
        self._as_of: tuple[int, dict[str, Any] | None] = (0, {})
        self.made: set[str] = set()
        self.unproved: set[str] = set()
        self.beforehand: dict[str, Any] = {}
        self.untried = 0
        self._memo: dict[Any, Any] = {}
        self._coarse = coarse_tables(self._functions(), self.candles, self.remaker.made_of)

    def run(
        self,
        after: int | None,
        noise: Noise | None,
        follow: Follow | None = None,
        without: tuple[Any, Any] | None = None,
        at_once: frozenset[int] = frozenset(),
    ) -> Replies:
        """Run up to a moment, with noise for what comes after it.

        Of `without` the second value takes the place of the first; of the tables `at_once` row t
        is taken for known at t.
        """
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

        market = TrialCandles(
            self.plan.source.name, candles, load_other, markets_of(self.plan.source)
        )
        spoiler = Spoiler(after or 0, noise, self.candles, self._coarse.at_once | at_once)
        copier = Copier(spoiler, market, memo=self._memo)
        if after is not None and noise is not None:
            remade = {name: fresh(value) for name, value in (self._remade(after) or {}).items()}
            copier.swap(self.remaker.namespace, remade)
        if without is not None:
            copier.replace(*without)
        spec = copier.spec(self.spec)
        if follow is not None:
            spec = follow.attached(spec)

        plan = replace(self.plan, strategies=(spec,), source=market)
        try:
            with copier.readers.watching():
                return replies_of(plan, until=until)
        finally:
            self.opened |= copier.readers.opened
            self.names |= copier.names

    def _remade(self, after: int) -> dict[str, Any] | None:
        """Return what was made beforehand as it would have been at a moment; kept for one.

        None where it could not be made then: the moment cannot be tried.
        """
        if self._as_of[0] != after:
            self._as_of = after, self.remaker.as_of(after)
        return self._as_of[1]

    def _functions(self) -> list[Any]:
        functions = [self.spec.function, *(item.function for item in self.spec.declared)]
        functions += [rule.function for rule in self.spec.risk]
        if self.spec.manager is not None:
            functions.append(self.spec.manager.function)
        return functions + list(self.spec.callbacks.values())

    def _load(self, symbol: str) -> Candles:
        if symbol not in self.candles:
            check_markets(self.plan.source, (self.plan.symbols[0], symbol))
            self.candles[symbol] = self.plan.source.load(self.plan.request(symbol)).candles
        return self.candles[symbol]

    def moments(self, base: Replies, samples: int, events: int | None, seconds: float) -> list[int]:
        """Choose after which moments all is to be noise; `seconds` is how long a run takes.

        Unless it is said how many are wanted, as many as take about `BUDGET_S`, evenly spread.
        """
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
        chosen = sorted({*sampled, *answered})
        most = self.remaker.most_moments() or len(chosen)
        if events is None:
            # On average a run goes up to the middle of the period.
            each = len(NOISES) * seconds / 2 + self.remaker.seconds
            most = min(most, max(_FEWEST, int(BUDGET_S / max(each, 1e-3))))
        if len(chosen) > most:
            self.untried = len(chosen) - most
            places = np.linspace(0, len(chosen) - 1, most).round().astype(int)
            chosen = [chosen[place] for place in places]
        return chosen

    def leak(self, base: Replies, after: int, noise: Noise) -> Leak | None:
        """Return the first decision up to a moment that noise after it changes; see `line`."""
        if self._remade(after) is None:
            return None  # it could not be made then
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
            if changed and self._is_clean_at_once(base, after, noise):
                return None
            if changed:
                self.made |= {*self.remaker.changed(after, self._remade(after) or {})}
                field, known, became = changed[0]
                return Leak(at, symbol, name, field, known, became, after, self._beginning)
        return None

    def _is_clean_at_once(self, base: Replies, after: int, noise: Noise) -> bool:
        """Tell whether nothing differs where row t of coarse tables is taken for known at t."""
        if not self._coarse.unclear:
            return False
        try:
            other = self.run(after, noise, at_once=frozenset(self._coarse.unclear.values()))
        except TradenbError:
            return False
        keys = {key for key in (*base, *other) if key[0] <= after}
        if any(differing(base.get(key), other.get(key)) for key in keys):
            return False
        names = ", ".join(sorted(self._coarse.unclear))
        self.unproved.add(f"clean if row t of {names} is known at t, and not when the next begins")
        return True

    def line(self, leak: Leak, noise: Noise) -> Line:
        """Follow the functions in both runs, and return the first line that differs."""
        # Followed as far as both runs may know the same, the first difference is where the future
        # came in, not where it made itself felt.
        runs = []
        for shown in (None, noise):
            follow = Follow(leak.at, Spoiler(leak.after, None, self.candles), self.candles)
            with suppress(TradenbError):
                self.run(leak.after, shown, follow)
            runs.append(follow)
        return self._first_line(*runs)

    def knowing(self, base: Replies) -> list[Leak]:
        """Return a decision for each value that was made of the future, as far as its rows show.

        Its rows go with what prices did after them, and the decisions change without it.
        """
        found = []
        for name, value in self.beforehand.items():
            shown = evidence_of(value, self.candles)
            if shown is None:
                continue
            noisy = Spoiler(0, "up", self.candles).value(value)
            swapped = value, only_column(value, noisy, shown.column)
            try:
                other = self.run(None, None, without=swapped)
            except TradenbError as error:
                other = dict.fromkeys(base, answer_of(error))
            leak = self._first(base, other)
            if leak is not None:
                column = f"[{shown.column!r}]" if shown.column else ""
                self.made.add(
                    f"rows of {name}{column} go with what prices do {shown.minutes} minutes after "
                    f"them (rank correlation {shown.correlation:.2f}): they are made of the future"
                )
                found.append(leak._replace(line=self._line_of_use(leak, swapped)))
        return found

    def _first(self, base: Replies, other: Replies) -> Leak | None:
        """Return the first decision that differs, as one that was taken at its own moment."""
        for key in sorted({*base, *other}):
            changed = differing(base.get(key), other.get(key))
            if changed:
                return Leak(key[0], key[1], key[2], *changed[0], key[0], self._beginning)
        return None

    def _line_of_use(self, leak: Leak, swapped: tuple[Any, Any]) -> Line:
        runs = []
        for without in (None, swapped):
            spoiler = Spoiler(leak.at, None, self.candles)
            follow = Follow(leak.at, spoiler, self.candles, only_values=True)
            with suppress(TradenbError):
                self.run(leak.at, None, follow, without)
            runs.append(follow)
        return self._first_line(*runs)

    def _first_line(self, base: Follow, other: Follow) -> Line:
        """Return the first line at which two runs differ; if none does, that of the function."""
        for one, two in zip(base.followers, other.followers, strict=True):
            found = first_difference(one.moments, two.moments)
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
        found = set()
        for function in self._functions():
            for item in reached_data(function):
                words = self._followed(item) or words_of(item.name, item.value, spoiler)
                found |= {words} if words else set()
                if not words or words.endswith("as well"):
                    self._judge(item.name, item.value, spoiler)
                elif not words.endswith("each moment"):
                    self.unproved.add(words)
        outside = ", ".join(sorted(self.names & OUTSIDE))
        if outside:
            found.add(f"it reads from outside ({outside}); that data was not replaced by noise")
        opened = [
            f"it opens the file {name!r}; its content was not replaced by noise"
            for name in sorted(self.opened)
        ]
        self.unproved |= {words for words in found if words.startswith("it reads from outside")}
        self.unproved |= {*opened}
        for name, own in self.spec.callbacks.items():
            if by := sent_by(own):
                self.unproved.add(f"the callback {name} sends something ({by}); it was not called")
        return sorted(found) + opened

    def _followed(self, item: Reached) -> str:
        """Say that a value was made again, if it was."""
        if item.name in self.remaker.lost and item.root is self.remaker.namespace[item.name]:
            return f"{item.name!r} was computed of candles beforehand, and could not be again"
        made = self.remaker.made_of(item)
        if made is None or not self.remaker.tried:
            return ""
        return f"{made.name!r} was made again, by the statements that made it, as of each moment"

    def _judge(self, name: str, value: Any, spoiler: Spoiler) -> None:
        """Note what was made beforehand and could not be followed."""
        if is_fitted(value):
            self.unproved.add(unproved_words(type(value).__name__, name))
        elif is_beforehand(value, spoiler) and not (
            is_candles(value, self.candles) or is_known_at_once(value, self.candles)
        ):
            kind = "table" if hasattr(value, "iloc") else type(value).__name__
            self.beforehand[name] = value
            self.unproved.add(unproved_words(kind, name))
