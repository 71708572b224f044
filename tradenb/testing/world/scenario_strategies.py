"""The strategies of a simulated scenario: what each answers follows from seed and moment."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tradenb.core.actions import add, breakeven, cancel, close, move
from tradenb.core.candidate import Candidate, long, short
from tradenb.core.events import Event
from tradenb.core.offsets import percent
from tradenb.engine.context import Context
from tradenb.engine.specs import risks
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.testing.world.inline_workers import Hang
from tradenb.testing.world.scenario import Scenario


def strategies_of(scenario: Scenario, on_call: Callable[[str, int], bool]) -> list[StrategySpec]:
    """Make the strategies of a scenario.

    `on_call` gets strategy and close time before each answer; False makes the answer None.
    """
    shared = (risks.max_open(1, name="sim-one"),) if scenario.shared else ()
    names = ("a", "b") if scenario.shared or scenario.seed % 3 == 0 else ("a",)
    found = [
        StrategySpec(
            name=name,
            function=_Strategy(scenario.seed, name, on_call),
            every="1m" if name == "a" else "3m",
            risk=shared,
            callbacks={"closed": _Callback(scenario.seed)},
        )
        for name in names
    ]
    random = Random(f"{scenario.seed}:managed")
    for spec in found:
        if random.random() < 0.6:
            manager = _Manager(scenario.seed, spec.name, on_call)
            spec.manage(every="1m", waiting=random.random() < 0.5)(manager)
    return found


class _Strategy:
    """Answers by chance, the same at the same moment; counts its calls in `ctx.state`."""

    __slots__ = ("_name", "_on_call", "_seed")  # a fingerprint of the whole world takes long

    def __init__(self, seed: int, name: str, on_call: Callable[[str, int], bool]) -> None:
        self._seed, self._name, self._on_call = seed, name, on_call

    def __call__(self, ctx: Context) -> Any:
        if not self._on_call(self._name, ctx.now):
            return None
        random = Random(f"{self._seed}:{self._name}:{ctx.now}")
        count = ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        chance = random.random()
        if chance < 0.04:
            raise ValueError("as the seed says")
        if chance < 0.06:
            raise Hang(200.0)
        if chance < 0.3:
            return None
        return _candidate(random, ctx.price, f"ask {count}")


class _Manager(_Strategy):
    """Looks after what is open or waits, by chance: parts, entries, moves and flips."""

    __slots__ = ()

    def __call__(self, ctx: Context) -> Any:
        if not self._on_call(self._name, ctx.now):
            return None
        random = Random(f"{self._seed}:{self._name}:{ctx.now}:manage")
        count = ctx.state["managed"] = ctx.state.get("managed", 0) + 1
        chance = random.random()
        if chance < 0.03:
            raise ValueError("as the seed says")
        if chance < 0.04:
            raise Hang(200.0)
        if chance < 0.5:
            return None
        answers: tuple[Any, ...] = (
            close(0.5),
            close(0.5),
            close(),
            breakeven(),
            move(stop_loss=ctx.price - random.choice((-1.0, 1.0))),
            add(0.5),
            [add(), move(take_profit=percent(1))],
            cancel(),
            _candidate(random, ctx.price, f"managed {count}"),
        )
        return random.choice(answers)


class _Callback:
    """Raises now and then."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, event: Event) -> None:
        if Random(f"{self._seed}:{event.at}").random() < 0.1:
            raise KeyError("a callback, as the seed says")


def _candidate(random: Random, price: float, note: str) -> Candidate:
    make, sign = random.choice(((long, 1), (short, -1)))
    entry = None
    base = price
    if random.random() < 0.5:
        entry = base = price - sign * random.choice((0.25, 0.5, 1.0))
    target = base + sign * random.choice((1.0, 1.5, 2.5))
    stop = base - sign * random.choice((1.0, 1.5, 2.5))
    minutes = random.choice((3, 10, 200))
    more = random.random()
    return make(
        take_profit=[(target, 0.5), (target + sign, 0.5)] if more < 0.2 else target,
        stop_loss=stop,
        minutes=minutes,
        entry=entry,
        note=note,
        trail=0.5 if 0.1 < more < 0.3 else None,
        breakeven=0.5 if 0.25 < more < 0.4 else None,
    )
