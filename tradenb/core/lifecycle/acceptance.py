"""What becomes of a strategy's answer: a signal, or words about the rules that it breaks."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from tradenb.core.candidate import Candidate, is_position, plain_signal, signal_of
from tradenb.core.lifecycle.validation import ID_LIMIT, TOLERANCE, as_candidate, problems
from tradenb.core.rules import Rules
from tradenb.core.signal import Position, Refused, Signal


class Invalid(NamedTuple):
    """An answer that breaks rules: the little that is known of it, and which rules."""

    signal: Refused
    note: str


def judge(
    reply: object,
    symbol: str,
    strategy: str,
    at: int,
    *,
    price: float,
    rules: Rules,
    used: Collection[str],
) -> Signal | Invalid:
    """Make a signal of an answer that is not None, if it breaks no rule.

    Parameters
    ----------
    reply : object
        A `Candidate`, a mapping, or what is neither.
    symbol, strategy : str
    at : int
        Close time of the candle on which it was decided, ms UTC.
    price : float
        Market price then, > 0.
    rules : Rules
    used : collection of str
        Ids that signals of this instance had already.
    """
    id = f"{strategy}-{symbol}-{at}"
    if type(reply) is Candidate:
        plain = _plain(reply, id, symbol, strategy, at, price, rules)
        if plain is not None:
            return plain
    candidate, found = as_candidate(reply)
    if not found or found[0].name != "candidate_type":
        found += problems(candidate, price=price, rules=rules, used=used)
    if isinstance(candidate.id, str) and 0 < len(candidate.id) <= ID_LIMIT:
        id = str(candidate.id)
    if not found:
        return signal_of(candidate, id=id, symbol=symbol, strategy=strategy, price=price, at=at)
    side: Position | None = None
    if is_position(candidate.position):
        side = "long" if candidate.position == "long" else "short"
    names = ",".join(problem.name for problem in found)
    return Invalid(Refused(id, side), f"{names} | " + "; ".join(item.words for item in found))


def _plain(
    candidate: Candidate, id: str, symbol: str, strategy: str, at: int, price: float, rules: Rules
) -> Signal | None:
    """Make the signal that nearly all become: of plain numbers, at market, and good.

    Of all others nothing is said.
    """
    position, minutes = candidate.position, candidate.minutes
    target, stop = candidate.take_profit, candidate.stop_loss
    if type(target) is not float or type(stop) is not float or type(minutes) is not int:
        return None
    if not candidate.is_plain:
        return None
    side: Position
    if position == "long":
        side, ordered = "long", 0 < stop < price < target < math.inf
    else:
        side, ordered = "short", position == "short" and 0 < target < price < stop < math.inf
    loss = abs(price - stop) / price * 100
    if (
        ordered
        and abs(target - price) / price * 100 >= rules.min_take_profit_percent - TOLERANCE
        and rules.min_stop_loss_percent - TOLERANCE <= loss
        and loss <= rules.max_stop_loss_percent + TOLERANCE
        and 1 <= minutes <= rules.max_signal_minutes
    ):
        return plain_signal(id, symbol, strategy, side, price, target, stop, minutes, at)
    return None
