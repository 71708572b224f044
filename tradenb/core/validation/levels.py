"""Rules for the prices of a candidate: entry, stop, and the rungs of its ladder of targets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tradenb.core.candidate import Candidate, is_ladder, is_position, reached
from tradenb.core.offsets import target_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Position
from tradenb.core.values import Problem, limit_of, number_problem, positive
from tradenb.errors import shown

# What a person calls half a percent passes, although 1.005 x price is mostly a hair below it.
TOLERANCE: Final = 1e-9
# Fractions such as three thirds add up to a hair more or less than 1.
FULL: Final = 1e-9
RUNGS: Final = 20


class Levels(NamedTuple):
    """The prices of a candidate, as far as they are numbers.

    Attributes
    ----------
    position : {"long", "short"} or None
    base : float or None
        What sides are tested on: entry or breakout as given, else the market price; None: refused.
    paid : float or None
        The price that will be paid, as known at the ask.
    at_once : bool
        It opens at once, at the market price.
    stop : float or None
    rungs : list of float, or None
        Prices of the targets; none at all without a target; None: refused.
    """

    position: Position | None
    base: float | None
    paid: float | None
    at_once: bool
    stop: float | None
    rungs: list[float] | None


def levels_of(candidate: Candidate, price: float) -> Levels:
    """Read the prices of a candidate at a market price."""
    position = _position(candidate.position)
    base, paid, at_once = entry_of(candidate, price)
    return Levels(
        position, base, paid, at_once, positive(candidate.stop_loss), _rungs(candidate.take_profit)
    )


def _position(value: object) -> Position | None:
    if not is_position(value):
        return None
    return "long" if value == "long" else "short"


def entry_of(candidate: Candidate, price: float) -> tuple[float | None, float | None, bool]:
    """Return what sides are tested on, what will be paid, and whether it opens at once."""
    if candidate.entry is None and candidate.breakout is None:
        return price, price, True
    if candidate.entry is not None and candidate.breakout is not None:
        return None, None, False
    breaks = candidate.breakout is not None
    base, position = positive(candidate.breakout if breaks else candidate.entry), candidate.position
    if base is None or not is_position(position):
        return base, None, False
    at_once = reached("long" if position == "long" else "short", base, price, breakout=breaks)
    return base, price if at_once else base, at_once


def _rungs(given: object) -> list[float] | None:
    if given is None:
        return []
    prices = [given]
    if is_ladder(given):
        pairs = pairs_of(given)
        if pairs is None:
            return None
        prices = [price for price, _ in pairs]
    found = [positive(price) for price in prices]
    return None if None in found else found  # type: ignore[return-value]


def pairs_of(ladder: object) -> list[tuple[Any, Any]] | None:
    """Return the pairs of a ladder; None where it is not a list of 1 to 20 pairs."""
    if not isinstance(ladder, list | tuple) or not 1 <= len(ladder) <= RUNGS:
        return None
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in ladder):
        return None
    return [(price, fraction) for price, fraction in ladder]


def number_problems(candidate: Candidate, levels: Levels, *, target_needed: bool) -> list[Problem]:
    """Say which of target, stop and entry are not numbers."""
    found = []
    target = candidate.take_profit
    if target is None:
        if target_needed:
            words = number_problem("take_profit", None).words
            words += "; rules=tn.Rules(require_take_profit=True) asks for one"
            found.append(Problem("take_profit_number", words))
    elif levels.rungs is None and (not is_ladder(target) or pairs_of(target) is not None):
        found.append(_level_problem("take_profit", target, levels))
    if levels.stop is None:
        problem = _level_problem("stop_loss", candidate.stop_loss, levels)
        if candidate.stop_loss is None:
            words = "; a stop is always needed: one far away is stop_loss=tn.percent(90) with"
            words += " rules=tn.Rules(max_stop_loss_percent=90)"
            problem = problem._replace(words=problem.words + words)
        found.append(problem)
    if candidate.entry is not None and positive(candidate.entry) is None:
        found.append(number_problem("entry", candidate.entry))
    return found


def _level_problem(field: str, given: object, levels: Levels) -> Problem:
    problem = number_problem(field, given)
    if None not in (levels.position, levels.base) or _rungs(target_of(given, 1.0, 1)) is None:
        return problem
    words = f"{field} {shown(given)} is a distance from an entry, and the entry or side is refused"
    return problem._replace(words=words)


def side_problems(candidate: Candidate, levels: Levels, price: float) -> list[Problem]:
    """Say which levels are on the wrong side of the entry, or of the market price."""
    position, base, stop, rungs = levels.position, levels.base, levels.stop, levels.rungs
    if position is None or base is None:
        return []
    up = position == "long"
    name = f"the market price {price!r}"
    for field in ("entry", "breakout"):
        if getattr(candidate, field) is not None:
            name = f"{field} {base!r}"
    found = []
    wrong = [rung for rung in rungs or () if not (rung > base if up else rung < base)]
    if wrong:
        side = "above" if up else "below"
        words = f"take_profit must be {side} {name} for a {position}, was {wrong[0]!r}"
        found.append(Problem("take_profit_side", words))
    if stop is not None and not (stop < base if up else stop > base):
        side = "below" if up else "above"
        words = f"stop_loss must be {side} {name} for a {position}, was {stop!r}"
        found.append(Problem("stop_loss_side", words))
    if levels.at_once and stop is not None and rungs is not None:
        found += outside_problems(position, stop, rungs, price)
    return found


def outside_problems(
    position: Position, stop: float, rungs: Sequence[float], price: float
) -> list[Problem]:
    """Say so where the market price does not lie between the stop and the nearest rung."""
    up = position == "long"
    nearest = (min if up else max)(rungs, default=None)
    inside = stop < price if up else price < stop
    if nearest is not None:
        inside = inside and (price < nearest if up else nearest < price)
    if inside:
        return []
    between = f"stop_loss {stop!r} and take_profit {nearest!r}"
    if nearest is None:
        words = f"the market price {price!r} has reached stop_loss {stop!r}"
    else:
        words = f"the market price {price!r} must lie between {between}"
    return [Problem("market_price_outside", words)]


def distance_problems(levels: Levels, rules: Rules) -> list[Problem]:
    """Say which levels are too near to the price paid, or too far away."""
    paid, stop = levels.paid, levels.stop
    if paid is None:
        return []
    found = []
    percents = [abs(rung - paid) / paid * 100 for rung in levels.rungs or ()]
    if percents and min(percents) < rules.min_take_profit_percent - TOLERANCE:
        bound = f"at least {rules.min_take_profit_percent:g} %"
        found.append(_distance("min_take_profit", "take_profit", bound, paid, min(percents)))
    if stop is None:
        return found
    percent = abs(paid - stop) / paid * 100
    if percent < rules.min_stop_loss_percent - TOLERANCE:
        bound = f"at least {rules.min_stop_loss_percent:g} %"
        found.append(_distance("min_stop_loss", "stop_loss", bound, paid, percent))
    if percent > rules.max_stop_loss_percent + TOLERANCE:
        bound = f"at most {rules.max_stop_loss_percent:g} %"
        problem = _distance("max_stop_loss", "stop_loss", bound, paid, percent)
        if stop < min(paid / 2, 100):
            words = f"; {stop:g} is a price, a stop {stop:g} % away is tn.percent({stop:g})"
            problem = problem._replace(words=problem.words + words)
        found.append(problem)
    return found


def _distance(name: str, field: str, bound: str, paid: float, percent: float) -> Problem:
    words = f"{field} must be {bound} away from the price paid {paid!r}, was {percent:.4f} %"
    return Problem(name, words + limit_of(f"{name}_percent"))


def entry_problems(candidate: Candidate) -> list[Problem]:
    """Say what is wrong with a stop entry."""
    found = []
    if candidate.breakout is None:
        return []
    if candidate.entry is not None:
        words = "give entry (this price or better) or breakout (this price or beyond), not both"
        found.append(Problem("entry_both", words))
    if positive(candidate.breakout) is None:
        found.append(number_problem("breakout", candidate.breakout))
    return found


def is_plain_ladder(ladder: object, position: object) -> bool:
    """Tell whether a ladder of plain prices keeps all rules but those about its distance."""
    pairs = pairs_of(ladder)
    if pairs is None or not is_position(position):
        return False
    plain = all(type(price) is float and positive(price) is not None for price, _ in pairs)
    return plain and not ladder_problems(ladder, _position(position))


def ladder_problems(ladder: object, position: Position | None) -> list[Problem]:
    """Say what is wrong with the shape, the fractions and the order of a ladder of targets."""
    if not is_ladder(ladder):
        return []
    pairs = pairs_of(ladder)
    if pairs is None:
        words = f"a ladder must be 1 to {RUNGS} pairs (price, fraction), was {shown(ladder)}"
        return [Problem("targets_shape", words)]
    found = []
    fractions = [positive(fraction) for _, fraction in pairs]
    total = 0.0
    for fraction in fractions:
        total += 2.0 if fraction is None or fraction > 1 else fraction
    if total > 1 + FULL:
        words = "the fractions of a ladder must lie above 0 and add up to at most 1, were "
        found.append(Problem("targets_fraction", words + shown([own for _, own in pairs])))
    prices = [positive(price) for price, _ in pairs]
    if position is None or None in prices:
        return found
    sign = 1 if position == "long" else -1
    away = [sign * price for price in prices if price is not None]
    if any(second <= first for first, second in itertools.pairwise(away)):
        words = f"the prices of a ladder must go away from the entry, were {shown(prices)}"
        found.append(Problem("targets_order", words))
    return found
