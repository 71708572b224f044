"""`crash_test`: a live run is killed again and again, and must have the events of the backtest."""

from __future__ import annotations

from dataclasses import dataclass

from tradenb import backtest
from tradenb.call_errors import readable
from tradenb.core.events import Event
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import MINUTE, TimeLike, floor_to, iso, to_ms
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.testing.world.comparable_events import comparable, first_difference
from tradenb.testing.world.simulated_world import World

_AFTER_MS = 3_000


@dataclass(frozen=True)
class CrashReport:
    """What a crash test did.

    Attributes
    ----------
    start, end : int
        The period, ms UTC.
    kills : int
        How often the process was killed and started again.
    operations : int
        Operations of the disk in an undisturbed run: the moments at which it can be killed.
    events : int
        Events of each run, and of the backtest.
    """

    strategy: str
    symbol: str
    start: int
    end: int
    kills: int
    operations: int
    events: int

    def __repr__(self) -> str:
        return (
            f"<crash test of {self.strategy} on {self.symbol}, {iso(self.start)} to "
            f"{iso(self.end)}: killed at {self.kills} of {self.operations} disk operations, "
            f"{self.events} events each time>"
        )


@readable
def crash_test(
    strategy: StrategySpec | str,
    *,
    exchange: CandleSource,
    symbol: str = "BTCUSDT",
    start: TimeLike,
    end: TimeLike,
    kills: int | None = 20,
    rules: Rules | None = None,
) -> CrashReport:
    """Run a strategy live over recorded candles, killed at disk operations and started again.

    The real live loop runs on a fake disk and in virtual time. Each run must have the events of
    the backtest: none lost, none twice, none different. A strategy that keeps its memory elsewhere
    than in `ctx.state` fails here.

    Parameters
    ----------
    strategy : StrategySpec or str
    exchange : exchange
        One that has recorded candles, with at least one before `start`.
    symbol : str, default "BTCUSDT"
    start, end : int, str, datetime or Timestamp
        The period; an hour or two is enough.
    kills : int or None, default 20
        At how many operations, evenly spread; None: at every one.
    rules : Rules, optional

    Returns
    -------
    CrashReport

    Raises
    ------
    AssertionError
        With the first event in which a run and the backtest differ.
    UsageError
        When the period is empty.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("dip-twice", every="5m")
    ... def dip_twice(ctx):
    ...     return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=30)
    >>> walk = tn.testing.random_walk(seed=1, days=1, start="2024-01-01")
    >>> tn.testing.crash_test(
    ...     dip_twice, exchange=walk, start="2024-01-01 06:00", end="2024-01-01 06:10", kills=2
    ... )
    <crash test of dip-twice on BTCUSDT, ...: killed at 2 of ... disk operations, ... events ...>
    """
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    test = _Test(
        spec, canonical(symbol), resolve_candle_source(exchange), start, end, checked_rules(rules)
    )
    return test.run(kills)


class _Test:
    def __init__(
        self,
        spec: StrategySpec,
        symbol: str,
        source: CandleSource,
        start: TimeLike,
        end: TimeLike,
        rules: Rules,
    ) -> None:
        self._spec, self._symbol, self._source, self._rules = spec, symbol, source, rules
        self._start = floor_to(to_ms(start, "start"))
        self._end = floor_to(to_ms(end, "end"))
        if self._end <= self._start + MINUTE:
            raise UsageError(
                f"the period must be longer than a minute; it ends at {iso(self._end)}"
            )

    def run(self, kills: int | None) -> CrashReport:
        """Run once undisturbed, then once for each kill."""
        result = backtest.run(
            self._symbol,
            strategy=self._spec,
            exchange=self._source,
            start=self._start,
            end=self._end,
            rules=self._rules,
        )
        expected = result.event_list
        world = self._world()
        world.live(self._end + _AFTER_MS)
        self._check(world, expected, "undisturbed")
        count = len(world.disk.operations)
        points = spread(count, kills)
        for at in points:
            self._kill(at, expected)
        return CrashReport(
            self._spec.name,
            self._symbol,
            self._start,
            self._end,
            len(points),
            count,
            len(expected),
        )

    def _world(self) -> World:
        runs = [(self._symbol, self._spec)]
        return World(self._source, start=self._start, runs=runs, rules=self._rules)

    def _kill(self, at: int, expected: list[Event]) -> None:
        world = self._world()
        world.disk.crash(at)
        if not world.live(self._end + _AFTER_MS):
            world.live(max(self._end, world.clock.true_now()) + _AFTER_MS)
        operation = world.disk.operations[at]
        self._check(
            world, expected, f"killed at operation {at} ({operation.name} {operation.path})"
        )

    def _check(self, world: World, expected: list[Event], when: str) -> None:
        events = world.events(world.wanted[0])
        found = first_difference(comparable(events), comparable(expected))
        if found:
            raise AssertionError(f"{self._spec.name}, {when}: {found[0]}")


def spread(count: int, wanted: int | None) -> list[int]:
    """Return places in a row of `count`, evenly spread: all of them, or as many as wanted."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return [number * count // wanted for number in range(wanted)]
