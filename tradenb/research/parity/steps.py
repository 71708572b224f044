"""The ladder of a parity report: the circumstances of a live run, left out one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from tradenb.core.candles.arrays import Candles
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.parity.evidence import Evidence, View, missed_asks
from tradenb.research.parity.replay import (
    Circumstances,
    busy_asks,
    changed,
    failed_asks,
    refused_by_risk,
    with_rows,
    without,
)


def steps(
    lived: Evidence, views: list[View], fresh: Candles, today: StrategySpec
) -> Iterator[tuple[str, Circumstances]]:
    """Yield what is left out at each step, and the circumstances that remain."""
    spec = lived.spec or today
    same_code = spec.fingerprint == lived.code
    every = spec.every_ms
    late = frozenset(missed_asks(lived.missed, every, "late")) | busy_asks(lived.events, every)
    halted = frozenset(missed_asks(lived.missed, every, "halted"))
    failed = failed_asks(lived.events, lived.strategy)
    windows = any(item.window is not None for item in spec.declared)
    given = Circumstances(
        spec=spec,
        views=tuple(views),
        windowed=windows,
        muted=late | halted | failed,
        commands=tuple(lived.commands),
        refusals=refused_by_risk(lived.events),
    )
    yield "unexplained" if same_code else "code changed", given
    if windows:
        given = without(given, windowed=False)
        yield "indicator window", given
    differing = [changed(view.candles, fresh) for view in views]
    if any(missing.any() for missing, _ in differing):
        filled = [
            View(view.since, with_rows(view.candles, fresh, missing))
            for view, (missing, _) in zip(views, differing, strict=True)
        ]
        given = without(given, views=tuple(filled))
        yield "candle missing", given
    if any(revised.any() for _, revised in differing):
        given = without(given, views=(View(lived.start, fresh),))
        yield "candle revised", given
    if late:
        given = without(given, muted=halted | failed)
        yield "late tick", given
    if given.commands or halted:
        given = without(given, commands=(), muted=failed)
        yield "user action", given
    if failed:
        given = without(given, muted=frozenset())
        yield "error", given
    yield "refused by risk", without(given, refusals=None)
    if today.fingerprint != spec.fingerprint:
        yield "code changed", without(given, refusals=None, spec=today)
