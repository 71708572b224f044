"""The steps of a parity report: the circumstances of a live run, left out one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from tradenb.core.candles.arrays import Candles
from tradenb.engine.past_code import names_reached
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.parity.evidence import Evidence
from tradenb.research.parity.ran_code import (
    RanCode,
    changed_names,
    codes_of,
    differing,
    words_of_rules,
)
from tradenb.research.parity.recorded_lines import RulesGiven, missed_asks
from tradenb.research.parity.replay import (
    Circumstances,
    Refusals,
    busy_asks,
    changed,
    failed_asks,
    with_fresh,
)
from tradenb.research.parity.seen_candles import View

EXECUTION: Final = "execution"
"""The step of a run that sends orders from what was filled to what candles fill."""


class Step(NamedTuple):
    """What is left out, and the circumstances that remain.

    `named` gives the cause, and what has changed, once the period was gone through.
    """

    given: Circumstances
    named: Callable[[], tuple[str, str]]


def steps(
    evidence: Evidence,
    views: list[View],
    fresh: Candles,
    today: StrategySpec,
    others: Callable[[str], Candles],
) -> Iterator[Step]:
    """Yield what is left out at each step, and the circumstances that remain."""
    codes, known = codes_of(evidence, today)
    spec = evidence.past.spec if evidence.past else today
    late, halted = _left_out(evidence, spec)
    failed = failed_asks(evidence.events, evidence.strategy)
    windows = any(item.window is not None for item in spec.declared)
    given = _as_it_was(
        evidence, codes, views, others, windowed=windows, muted=late | halted | failed
    )
    yield Step(given, lambda: _unexplained(evidence, codes, known))
    if given.reports is not None:
        given = replace(given, reports=None)
        yield _plain(EXECUTION, given)
    if windows:
        given = replace(given, windowed=False)
        yield _plain("indicator window", given)
    for cause, seen in _candles_put_right(evidence, views, fresh):
        given = replace(given, views=seen)
        yield _plain(cause, given)
    if late:
        given = replace(given, muted=halted | failed)
        yield _plain("late tick", given)
    if given.commands or halted:
        given = replace(given, commands=(), muted=failed)
        yield _plain("user action", given)
    if failed:
        given = replace(given, muted=frozenset())
        yield _plain("error", given)
    given = replace(given, refusals=None)
    yield _plain("refused by risk", given)
    yield from _as_today(evidence, codes, today, given)


def _as_it_was(
    evidence: Evidence,
    codes: list[RanCode],
    views: list[View],
    others: Callable[[str], Candles],
    *,
    windowed: bool,
    muted: frozenset[int],
) -> Circumstances:
    """Return the circumstances of the run, of which nothing is left out."""
    return Circumstances(
        codes=tuple(codes),
        ruled=tuple(evidence.ruled),
        views=tuple(views),
        windowed=windowed,
        muted=muted,
        commands=tuple(evidence.commands),
        refusals=Refusals(evidence.events),
        others=others,
        account=evidence.account,
        market=evidence.market,
        reports=evidence.reports,
        earned=evidence.earned,
    )


def _as_today(
    evidence: Evidence, codes: list[RanCode], today: StrategySpec, given: Circumstances
) -> Iterator[Step]:
    """Yield the last steps: the rules of today, then the code of today."""
    rules = words_of_rules(evidence.ruled, evidence.rules)
    if rules:
        latest = RulesGiven(evidence.start, evidence.rules, evidence.rules)
        given = replace(given, ruled=(latest,))
        yield _plain("rules changed", given, rules)
    names = _changed_since(codes, today)
    if names is not None:
        given = replace(given, codes=(RanCode(evidence.start, today),))
        yield _plain("code changed", given, names)


def _unexplained(evidence: Evidence, codes: list[RanCode], known: bool) -> tuple[str, str]:
    """Name what differs with nothing left out: code that is not what ran, or nothing known."""
    names = ", ".join(changed_names(evidence.coded, codes))
    return ("unexplained", "") if known and not names else ("code changed", names)


def _plain(cause: str, given: Circumstances, what: str = "") -> Step:
    return Step(given, lambda: (cause, what))


def _changed_since(codes: list[RanCode], today: StrategySpec) -> str | None:
    """Name what is another today than at a start; None where it is all the same."""
    now = names_reached(today)
    changed = False
    found: set[str] = set()
    for code in codes:
        code.note_memory()
        names = {*differing(code.names, now)} - code.memory
        found |= names
        changed = changed or bool(names) or code.fingerprint != today.fingerprint
    return ", ".join(sorted(found)) if changed else None


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
