"""What is wrong with a candidate: all rules of the house that it breaks, with value and bound."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Integral, Real
from typing import Final, NamedTuple

from tradenb.core.candidate import (
    Candidate,
    is_position,
    plain_signal,
    reached,
    signal_of,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import Position, Refused, Signal
from tradenb.errors import shown

FIELDS: Final = Candidate._fields
# What a person calls half a percent passes, although 1.005 x price is mostly a hair below it.
TOLERANCE: Final = 1e-9
# Ids and notes are in the document, the journal and the log, again with every event.
ID_LIMIT: Final = 300
NOTE_LIMIT: Final = 2_000
_UNKNOWN_SHOWN: Final = 5


class Problem(NamedTuple):
    """One broken rule: its name, and a sentence with the value and the bound."""

    name: str
    words: str


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
    """Make the signal of a candidate of four plain numbers at market, as nearly all are."""
    position, minutes = candidate.position, candidate.minutes
    target, stop = candidate.take_profit, candidate.stop_loss
    if type(target) is not float or type(stop) is not float or type(minutes) is not int:
        return None
    if not (candidate.entry is candidate.id is candidate.note is candidate.size is None):
        return None
    if not keeps_rules(position, target, stop, minutes, price, rules):
        return None
    side: Position = "long" if position == "long" else "short"
    return plain_signal(id, symbol, strategy, side, price, target, stop, minutes, at)


def keeps_rules(
    position: object, target: float, stop: float, minutes: int, price: float, rules: Rules
) -> bool:
    """Tell at once whether numbers keep all rules at a price; `problems` says which they break."""
    if position == "long":
        ordered = 0 < stop < price < target < math.inf
    else:
        ordered = position == "short" and 0 < target < price < stop < math.inf
    loss = abs(price - stop) / price * 100
    return (
        ordered
        and abs(target - price) / price * 100 >= rules.min_take_profit_percent - TOLERANCE
        and rules.min_stop_loss_percent - TOLERANCE <= loss
        and loss <= rules.max_stop_loss_percent + TOLERANCE
        and 1 <= minutes <= rules.max_signal_minutes
    )


def as_candidate(reply: object) -> tuple[Candidate, list[Problem]]:
    """Read a strategy's answer, a `Candidate` or a mapping, and say what is wrong with its form."""
    if isinstance(reply, Candidate):
        return reply, []
    if not isinstance(reply, Mapping):
        words = "an answer must be None, tn.long(...), tn.short(...) or a mapping, was "
        return Candidate(), [Problem("candidate_type", words + shown(reply))]
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
    candidate: Candidate, *, price: float, rules: Rules, used: Collection[str] = ()
) -> list[Problem]:
    """Name every rule that a candidate breaks, in the order of the rule book.

    Parameters
    ----------
    price : float
        Market price, > 0.
    used : collection of str
        Ids that signals of this instance had already.

    Returns
    -------
    list of Problem
        Empty if the candidate is good. A test that has no meaning because its input is refused
        already is left out.
    """
    position = candidate.position if is_position(candidate.position) else None
    target, stop = _number(candidate.take_profit), _number(candidate.stop_loss)
    entry = None if candidate.entry is None else _number(candidate.entry)
    bad_entry = candidate.entry is not None and entry is None
    found: list[Problem] = []
    if position is None:
        words = f"position must be 'long' or 'short', was {shown(candidate.position)}"
        found.append(Problem("position", words))
    for name, value in (("take_profit", target), ("stop_loss", stop)):
        if value is None:
            found.append(_number_problem(name, getattr(candidate, name)))
    if bad_entry:
        found.append(_number_problem("entry", candidate.entry))
    if not bad_entry and position is not None:
        found += _side_problems(position, entry, target, stop, price)
    paid = _paid(position, entry, price)
    if not bad_entry and paid is not None:
        found += _distance_problems(target, stop, paid, rules)
    found += _minutes_problems(candidate.minutes, rules)
    return found + _label_problems(candidate, used)


def _number(value: object) -> float | None:
    if type(value) is float:  # nearly always; numbers of all other sorts cost a longer look
        return value if 0 < value < math.inf else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - too large, or a user's number that cannot be converted
        return None
    return number if math.isfinite(number) and number > 0 else None


def _number_problem(name: str, value: object) -> Problem:
    return Problem(f"{name}_number", f"{name} must be a finite number above 0, was {shown(value)}")


def _side_problems(
    position: object, entry: float | None, target: float | None, stop: float | None, price: float
) -> list[Problem]:
    up = position == "long"
    base = price if entry is None else entry
    name = f"the market price {price!r}" if entry is None else f"entry {entry!r}"
    found = []
    if target is not None and not (target > base if up else target < base):
        side = "above" if up else "below"
        words = f"take_profit must be {side} {name} for a {position}, was {target!r}"
        found.append(Problem("take_profit_side", words))
    if stop is not None and not (stop < base if up else stop > base):
        side = "below" if up else "above"
        words = f"stop_loss must be {side} {name} for a {position}, was {stop!r}"
        found.append(Problem("stop_loss_side", words))
    at_market = entry is None or reached("long" if up else "short", entry, price)
    if not at_market or target is None or stop is None:
        return found
    if not (stop < price < target if up else target < price < stop):
        between = f"stop_loss {stop!r} and take_profit {target!r}"
        words = f"the market price {price!r} must lie between {between}"
        found.append(Problem("market_price_outside", words))
    return found


def _paid(position: object, entry: float | None, price: float) -> float | None:
    if entry is None:
        return price
    if position is None:
        return None
    return price if reached("long" if position == "long" else "short", entry, price) else entry


def _distance_problems(
    target: float | None, stop: float | None, paid: float, rules: Rules
) -> list[Problem]:
    found = []
    if target is not None:
        percent = abs(target - paid) / paid * 100
        if percent < rules.min_take_profit_percent - TOLERANCE:
            bound = f"at least {rules.min_take_profit_percent:g} %"
            found.append(_distance("min_take_profit", "take_profit", bound, paid, percent))
    if stop is not None:
        percent = abs(paid - stop) / paid * 100
        if percent < rules.min_stop_loss_percent - TOLERANCE:
            bound = f"at least {rules.min_stop_loss_percent:g} %"
            found.append(_distance("min_stop_loss", "stop_loss", bound, paid, percent))
        if percent > rules.max_stop_loss_percent + TOLERANCE:
            bound = f"at most {rules.max_stop_loss_percent:g} %"
            found.append(_distance("max_stop_loss", "stop_loss", bound, paid, percent))
    return found


def _distance(name: str, field: str, bound: str, paid: float, percent: float) -> Problem:
    words = f"{field} must be {bound} away from the price paid {paid!r}, was {percent:.4f} %"
    return Problem(name, words)


def _minutes_problems(minutes: object, rules: Rules) -> list[Problem]:
    if isinstance(minutes, bool) or not isinstance(minutes, Integral):
        return [Problem("minutes_int", f"minutes must be a whole number, was {shown(minutes)}")]
    if 1 <= int(minutes) <= rules.max_signal_minutes:
        return []
    bound = f"minutes must be 1 to {rules.max_signal_minutes}"
    return [Problem("minutes_range", f"{bound}, was {shown(minutes)}")]


def _label_problems(candidate: Candidate, used: Collection[str]) -> list[Problem]:
    found = []
    id, note, size = candidate.id, candidate.note, candidate.size
    if id is not None:
        if not isinstance(id, str) or not id or _half(id):
            found.append(Problem("id_string", f"id must be a non-empty string, was {shown(id)}"))
        elif len(id) > ID_LIMIT:
            found.append(_length_problem("id", id, ID_LIMIT))
        elif id in used:
            words = f"id {shown(id)} was used by an earlier signal; choose another"
            found.append(Problem("id_used", words))
    if note is not None and not isinstance(note, str):
        found.append(Problem("note_string", f"note must be a string, was {shown(note)}"))
    elif note is not None and len(note) > NOTE_LIMIT:
        found.append(_length_problem("note", note, NOTE_LIMIT))
    if size is not None and _number(size) is None:
        found.append(_number_problem("size", size))
    return found


def _length_problem(name: str, text: str, limit: int) -> Problem:
    words = f"{name} must be at most {limit:,} characters, was {len(text):,}: {shown(text)}"
    return Problem(f"{name}_length", words)


def _half(text: str) -> bool:
    """Tell whether a text holds half of a surrogate pair: no file and no screen can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
