"""The steps of a parity report: the circumstances of a live run, left out one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from tradenb.core.candles.arrays import Candles
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.parity.evidence import Evidence, View, missed_asks
from tradenb.research.parity.replay import (
    Circumstances,
    Refusals,
    busy_asks,
    changed,
    failed_asks,
    with_fresh,
)


def steps(
    evidence: Evidence,
    views: list[View],
    fresh: Candles,
    today: StrategySpec,
    others: Callable[[str], Candles],
) -> Iterator[tuple[str, Circumstances]]:
    """Yield what is left out at each step, and the circumstances that remain."""
    spec = evidence.spec or today
    late, halted = _left_out(evidence, spec)
    failed = failed_asks(evidence.events, evidence.strategy)
    windows = any(item.window is not None for item in spec.declared)
    given = Circumstances(
        spec=spec,
        views=tuple(views),
        windowed=windows,
        muted=late | halted | failed,
        commands=tuple(evidence.commands),
        refusals=Refusals(evidence.events),
        others=others,
    )
    same_code = spec.fingerprint == evidence.code
    yield "unexplained" if same_code else "code changed", given
    if windows:
        given = replace(given, windowed=False)
        yield "indicator window", given
    for cause, seen in _candles_put_right(evidence, views, fresh):
        given = replace(given, views=seen)
        yield cause, given
    if late:
        given = replace(given, muted=halted | failed)
        yield "late tick", given
    if given.commands or halted:
        given = replace(given, commands=(), muted=failed)
        yield "user action", given
    if failed:
        given = replace(given, muted=frozenset())
        yield "error", given
    yield "refused by risk", replace(given, refusals=None)
    if today.fingerprint != spec.fingerprint:
        yield "code changed", replace(given, refusals=None, spec=today)


def _left_out(evidence: Evidence, spec: StrategySpec) -> tuple[frozenset[int], frozenset[int]]:
    """Return the moments of asks that came too late, and of those that the kill switch left out."""
    every = spec.every_ms
    if spec.manager is not None:
        every = math.gcd(every, spec.manager.every_ms)
    late, halted = (missed_asks(evidence.missed, why) for why in ("late", "halted"))
    return frozenset(late) | busy_asks(evidence.events, every), frozenset(halted)


def _candles_put_right(
    evidence: Evidence, views: list[View], fresh: Candles
) -> Iterator[tuple[str, tuple[View, ...]]]:
    """Yield what was wrong with the candles, and the candles without it."""
    differing = [changed(view.candles, fresh) for view in views]
    if any(len(missing) for missing, _ in differing):
        filled = [
            View(view.since, with_fresh(view.candles, fresh, missing, evidence.rules))
            for view, (missing, _) in zip(views, differing, strict=True)
        ]
        yield "candle missing", tuple(filled)
    if any(len(revised) for _, revised in differing):
        yield "candle revised", (View(evidence.start, fresh),)
