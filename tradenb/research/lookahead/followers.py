"""Followers in the place of all functions of a strategy, to compare two runs line by line."""

from __future__ import annotations

from typing import Any

from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import timeframe_ms
from tradenb.engine.call import is_async
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.lookahead.blame import AsyncFollower, Follower, known_until, plain_known
from tradenb.research.lookahead.noise import Spoiler


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
