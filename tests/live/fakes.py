"""One strategy in a small world: what the tests of faults are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tradenb as tn
from tests.sources import T0, Row, candles, flat, minute
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.testing.world.comparable_events import COMPARED, comparable
from tradenb.testing.world.simulated_world import World

SYMBOL = "BTCUSDT"
HISTORY = 5


def world_of(
    function: Callable[[Any], Any],
    rows: Sequence[Row],
    *,
    every: str = "1m",
    rules: tn.Rules | None = None,
    **callbacks: Callable[[Any], Any],
) -> World:
    """A world in which minute 0 is the start: five flat candles come before the rows."""
    spec = StrategySpec(name="a", function=function, every=every, callbacks=callbacks)
    first = T0 - HISTORY * 60_000
    grid = candles([*flat(HISTORY), *rows], first)
    return World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec)], rules=rules)


def once(at: int, **candidate: Any) -> Callable[[Any], Any]:
    """A strategy that buys once, after so many minutes."""
    values = {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 600}

    def asked(ctx: Any) -> Mapping[str, Any] | None:
        return {**values, **candidate} if ctx.now == minute(at) else None

    return asked


def until(count: int) -> int:
    """The moment at which the candle that closes so many minutes after the start has been fed."""
    return minute(count) + 3_000


def told(world: World) -> list[tuple[Any, ...]]:
    """The journal, in short: minute, kind, price, reason, late."""
    return [
        ((e.at - T0) // 60_000, e.kind, e.price, e.exit_reason, e.late)
        for e in world.events(world.wanted[0])
    ]


def kinds(world: World) -> list[str]:
    return [event.kind for event in world.events(world.wanted[0])]


def as_undisturbed(world: World, other: World) -> bool:
    """Whether two worlds have the same events, in the columns that modes share."""
    assert COMPARED
    ours, theirs = (comparable(w.events(w.wanted[0])) for w in (world, other))
    return ours == theirs
