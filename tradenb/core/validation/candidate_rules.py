"""What is wrong with a candidate: all rules of the house that it breaks, with value and bound."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from tradenb.core.candidate import (
    Candidate,
    is_ladder,
    is_position,
    plain_signal,
    rungs_of,
    signal_of,
)
from tradenb.core.offsets import Offset, level_of, target_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Position, Refused, Rungs, Signal
from tradenb.core.validation.levels import (
    TOLERANCE,
    distance_problems,
    entry_of,
    entry_problems,
    is_plain_ladder,
    ladder_problems,
    levels_of,
    number_problems,
    side_problems,
)
from tradenb.core.validation.price_steps import candidate_on_step
from tradenb.core.validation.terms import (
    ID_LIMIT,
    breakeven_problems,
    label_problems,
    minutes_problems,
    time_problems,
    trail_problems,
)
from tradenb.core.values import Problem
from tradenb.errors import shown

FIELDS: Final = Candidate._fields
_UNKNOWN_SHOWN: Final = 5


class Invalid(NamedTuple):
    """An answer that breaks rules: the little that is known of it, and which rules."""

    signal: Refused
    note: str


def check_reply(
    reply: object,
    symbol: str,
    strategy: str,
    at: int,
    *,
    price: float,
    rules: Rules,
    used: Collection[str],
    managed: bool = False,
    step: float | None = None,
) -> Signal | Invalid:
    """Make a signal of an answer that is not None, if it breaks no rule.

    Parameters
    ----------
    reply : object
        A `Candidate`, a mapping, or what is neither.
    at : int
        Close time of the candle on which it was decided, ms UTC.
    price : float
        Market price then, > 0.
    used : collection of str
        Ids that signals of this instance had already.
    managed : bool
        The strategy has a manage function.
    step : float, optional
        The price step of the market.
    """
    id = f"{strategy}-{symbol}-{at}"
    if type(reply) is Candidate and step is None and is_plain(reply, price, rules):
        return _plain(reply, id, symbol, strategy, at, price)
    candidate, found = as_candidate(reply)
    if not found or found[0].name != "candidate_type":
        candidate = resolved(candidate, price)
        found += problems(candidate, price=price, rules=rules, used=used, at=at, managed=managed)
        if step is not None and not found:
            candidate, found = candidate_on_step(candidate, price, step)
    if isinstance(candidate.id, str) and 0 < len(candidate.id) <= ID_LIMIT:
        id = str(candidate.id)
    if not found:
        made = signal_of(candidate, id=id, symbol=symbol, strategy=strategy, price=price, at=at)
        return made if step is None else made._replace(price_step=step)
    side: Position | None = None
    if is_position(candidate.position):
        side = "long" if candidate.position == "long" else "short"
    names = ",".join(problem.name for problem in found)
    return Invalid(Refused(id, side), f"{names} | " + "; ".join(item.words for item in found))


def is_plain(candidate: Any, price: float, rules: Rules) -> bool:
    """Tell whether a candidate of plain numbers at market, as nearly all are, breaks no rule."""
    (
        position, target, stop, minutes, entry, id, note, size, until, breakout, wait,
        trail, distance, after, breakeven, plus,
    ) = candidate  # fmt: skip
    if not (
        entry is id is note is size is until is breakout is wait is None
        and trail is distance is after is breakeven is plus is None
        and type(stop) is float
        and (minutes is None or type(minutes) is int)
    ):
        return False
    if target is not None and type(target) is not float:
        if not is_plain_ladder(target, position):
            return False
        target = target[0][0]  # all others are farther away
    return keeps_rules(position, target, stop, minutes, price, rules)


def _plain(candidate: Any, id: str, symbol: str, strategy: str, at: int, price: float) -> Signal:
    """Make the signal of a plain candidate."""
    position, target, stop, minutes = candidate[:4]
    side: Position = "long" if position == "long" else "short"
    rungs: Rungs = ()
    if target is not None and type(target) is not float:
        rungs = rungs_of(target)
        target = rungs[-1][0]
    return plain_signal(id, symbol, strategy, side, price, target, stop, minutes, at, rungs)


def resolved(candidate: Candidate, price: float) -> Candidate:
    """Return a candidate whose levels are prices, wherever they can be.

    Parameters
    ----------
    price : float
        Market price, > 0. A level is counted from the price that will be paid.
    """
    target, stop = candidate.take_profit, candidate.stop_loss
    offsets = isinstance(stop, Offset) or isinstance(target, Offset) or is_ladder(target)
    if not offsets or not is_position(candidate.position):
        return candidate
    _, paid, _ = entry_of(candidate, price)
    if paid is None:
        return candidate
    sign = 1 if candidate.position == "long" else -1
    return candidate._replace(
        take_profit=target_of(target, paid, sign), stop_loss=level_of(stop, paid, -sign)
    )


def keeps_rules(
    position: object,
    target: float | None,
    stop: float,
    minutes: int | None,
    price: float,
    rules: Rules,
) -> bool:
    """Tell at once whether numbers keep all rules at a price; `problems` says which they break."""
    long, longest = position == "long", rules.max_signal_minutes
    if not (0 < stop < price if long else position == "short" and price < stop < math.inf):
        return False
    loss = abs(price - stop) / price * 100
    if (
        not rules.min_stop_loss_percent - TOLERANCE
        <= loss
        <= rules.max_stop_loss_percent + TOLERANCE
    ):
        return False
    if not (longest is None if minutes is None else 1 <= minutes <= (longest or minutes)):
        return False
    if target is None:
        return not rules.require_take_profit
    gain = abs(target - price) / price * 100
    ordered = price < target < math.inf if long else 0 < target < price
    return ordered and gain >= rules.min_take_profit_percent - TOLERANCE


def as_candidate(reply: object) -> tuple[Candidate, list[Problem]]:
    """Read a strategy's answer, a `Candidate` or a mapping, and say what is wrong with its form."""
    if isinstance(reply, Candidate):
        return reply, []
    if not isinstance(reply, Mapping):
        words = "an answer must be None, tn.long(...), tn.short(...) or a mapping, of a manage "
        words += f"function also tn.close(...) and the like or a list of them, was {shown(reply)}"
        return Candidate(), [Problem("candidate_type", words)]
    try:
        unknown = [key for key in reply if key not in FIELDS]
        found = Candidate(**{key: reply[key] for key in FIELDS if key in reply})
    except Exception as error:  # noqa: BLE001 - a user's mapping
        words = f"the mapping could not be read: {type(error).__name__}: {error!s:.80}"
        return Candidate(), [Problem("candidate_type", words)]
    if not unknown:
        return found, []
    words = f"unknown field {', '.join(shown(key) for key in unknown[:_UNKNOWN_SHOWN])}"
    if len(unknown) > _UNKNOWN_SHOWN:
        words += f" and {len(unknown) - _UNKNOWN_SHOWN:,} more"
    return found, [Problem("unknown_field", f"{words}; the fields are {', '.join(FIELDS)}")]


def problems(
    candidate: Candidate,
    *,
    price: float,
    rules: Rules,
    used: Collection[str] = (),
    at: int = 0,
    managed: bool = False,
) -> list[Problem]:
    """Name every rule that a candidate breaks, in the order of the rule book.

    Parameters
    ----------
    candidate : Candidate
        Its levels are prices: `resolved` made them of percents and distances.
    price : float
        Market price, > 0.
    used : collection of str
        Ids that signals of this instance had already.
    at : int
        Close time of the candle on which it was decided, ms UTC.
    managed : bool
        A manage function may close what has no target.

    Returns
    -------
    list of Problem
        Empty if the candidate is good. A test that has no meaning because its input is refused
        already is left out.
    """
    levels = levels_of(candidate, price)
    found: list[Problem] = []
    if levels.position is None:
        words = f"position must be 'long' or 'short', was {shown(candidate.position)}"
        if candidate.position is None:
            words += "; return tn.long(...) or tn.short(...), a bracket as tn.long(**bracket)"
        found.append(Problem("position", words))
    left_by_stop = candidate.trail is None and candidate.trail_distance is None and not managed
    needed = rules.require_take_profit and left_by_stop
    found += number_problems(candidate, levels, target_needed=needed)
    found += side_problems(candidate, levels, price)
    found += distance_problems(levels, rules)
    found += minutes_problems(candidate, rules)
    found += label_problems(candidate, used)
    found += entry_problems(candidate)
    found += ladder_problems(candidate.take_profit, levels.position)
    found += time_problems(candidate, rules, at)
    found += trail_problems(candidate)
    return found + breakeven_problems(candidate)
