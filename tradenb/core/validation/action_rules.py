"""What is wrong with an action on a position: the rules by name, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tradenb.core.actions import FIELDS, Action
from tradenb.core.candidate import is_ladder
from tradenb.core.offsets import level_of, target_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Rungs, Signal
from tradenb.core.timeframe import MINUTE
from tradenb.core.validation.levels import (
    TOLERANCE,
    ladder_problems,
    outside_problems,
    pairs_of,
)
from tradenb.core.validation.terms import longest_of, note_problems, until_problems
from tradenb.core.values import (
    Problem,
    limit_of,
    moment,
    not_negative,
    number_problem,
    positive,
    whole,
)
from tradenb.errors import shown


class Holds(NamedTuple):
    """What an action finds.

    Attributes
    ----------
    signal : Signal
        Open or scheduled.
    opened_at : int or None
        None: it is scheduled.
    rungs : tuple of (float, float)
        Targets left, nearest first.
    entries : int
    average : float
        Average entry after one more for the amount of the action; the entry as it is for others.
    """

    signal: Signal
    opened_at: int | None
    rungs: Rungs
    entries: int
    average: float


def action_problems(
    action: Action, held: Holds, *, price: float, at: int, rules: Rules
) -> list[Problem]:
    """Name every rule that an action breaks; `resolved_move` made its levels prices."""
    known = FIELDS.get(action.do) if isinstance(action.do, str) else None
    if known is None:
        words = f"an action must be one of {', '.join(FIELDS)}, was {shown(action.do)}"
        return [Problem("action_type", words)]
    if action.do == "cancel":
        if held.opened_at is not None:
            return [Problem("nothing_scheduled", "there is no signal that waits to be cancelled")]
    elif held.opened_at is None:
        return [Problem("nothing_open", f"there is no open position to {action.do}")]
    values = action.values
    unknown = [key for key in values if key not in known and key != "note"]
    found = []
    if unknown:
        words = f"unknown field {shown(unknown[0])}; {action.do} takes {_listed(known)}"
        found.append(Problem("unknown_field", words))
    match action.do:
        case "close":
            found += _fraction_problems(values.get("fraction", 1.0))
        case "move":
            found += _move_problems(values, held, at=at, rules=rules)
        case "breakeven":
            found += _plus_problems(values.get("plus", 0.0))
        case "add":
            found += _add_problems(values.get("amount", 1.0), held, price=price, rules=rules)
    return found + note_problems(values.get("note"))


def resolved_move(action: Action, signal: Signal) -> Action:
    """Return a move whose levels are prices, wherever they can be; they count from the entry."""
    if action.do != "move":
        return action
    values, sign = dict(action.values), 1 if signal.position == "long" else -1
    if "take_profit" in values:
        values["take_profit"] = target_of(values["take_profit"], signal.entry, sign)
    if "stop_loss" in values:
        values["stop_loss"] = level_of(values["stop_loss"], signal.entry, -sign)
    return Action(action.do, values)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join([*names, "note"])


def _fraction_problems(given: object) -> list[Problem]:
    fraction = positive(given)
    if fraction is not None and fraction <= 1:
        return []
    words = f"fraction must be above 0 and at most 1, was {shown(given)}"
    return [Problem("fraction_range", words)]


def _move_problems(
    values: Mapping[object, object], held: Holds, *, at: int, rules: Rules
) -> list[Problem]:
    if not any(name in values for name in FIELDS["move"]):
        return [
            Problem("move_empty", f"move must name at least one of {', '.join(FIELDS['move'])}")
        ]
    found = []
    stop, target = values.get("stop_loss"), values.get("take_profit")
    if "stop_loss" in values and positive(stop) is None:
        found.append(number_problem("stop_loss", stop))
    if target is not None and not _target_is_number(target):
        found.append(number_problem("take_profit", target))
    found += ladder_problems(target, held.signal.position)
    found += _life_problems(values, held, at=at, rules=rules)
    level = positive(stop)
    if level is not None and rules.loosen_stop:
        found += _stop_problems(level, held.signal, held.signal.entry, rules, looser=True)
    return found


def _target_is_number(target: object) -> bool:
    if not is_ladder(target):
        return positive(target) is not None
    pairs = pairs_of(target)
    return pairs is None or all(positive(price) is not None for price, _ in pairs)


def _life_problems(
    values: Mapping[object, object], held: Holds, *, at: int, rules: Rules
) -> list[Problem]:
    """Say what is wrong with minutes and until: minutes count from the opening."""
    found, longest = [], rules.max_signal_minutes
    given, opened_at = values.get("minutes"), held.opened_at or at
    if given is not None:
        minutes = whole(given)
        if minutes is None:
            words = f"minutes must be a whole number or None, was {shown(given)}"
            found.append(Problem("minutes_int", words))
        elif minutes < 1 or (longest is not None and minutes > longest):
            bound = "at least 1" if longest is None else f"1 to {longest}"
            words = f"minutes must be {bound}, was {shown(given)}{longest_of(rules)}"
            found.append(Problem("minutes_range", words))
    elif "minutes" in values or ("until" in values and values["until"] is None):
        left = values.get("until", held.signal.until) or values.get("minutes", held.signal.minutes)
        if left is None and longest is not None:
            words = f"minutes or until is needed, at most {longest} minutes, was None"
            words += longest_of(rules)
            found.append(Problem("minutes_int", words))
    if values.get("until") is not None:
        found += until_problems(values["until"], rules, at, opened_at)
    return found


def _stop_problems(
    stop: float, signal: Signal, entry: float, rules: Rules, *, looser: bool
) -> list[Problem]:
    """Say so where a stop on the losing side of the entry is too far from it."""
    long = signal.position == "long"
    if looser and not (stop < signal.stop_loss if long else stop > signal.stop_loss):
        return []
    if not (stop < entry if long else stop > entry):
        return []
    percent = abs(entry - stop) / entry * 100
    if percent <= rules.max_stop_loss_percent + TOLERANCE:
        return []
    bound = f"at most {rules.max_stop_loss_percent:g} % away from the average entry {entry!r}"
    words = f"stop_loss must be {bound}, was {percent:.4f} %{limit_of('max_stop_loss_percent')}"
    return [Problem("max_stop_loss", words)]


def _plus_problems(given: object) -> list[Problem]:
    if not_negative(given) is not None:
        return []
    words = f"plus must be a finite number of at least 0 (percent), was {shown(given)}"
    return [Problem("plus_number", words)]


def _add_problems(amount: object, held: Holds, *, price: float, rules: Rules) -> list[Problem]:
    signal, found = held.signal, []
    number = positive(amount)
    if number is not None:
        found += _stop_problems(signal.stop_loss, signal, held.average, rules, looser=False)
    else:
        words = f"amount must be a finite number above 0, was {shown(amount)}"
        found.append(Problem("add_number", words))
    if held.entries >= rules.max_entries:
        words = f"the position has {held.entries} entries, at most {rules.max_entries}"
        words += limit_of("max_entries")
        found.append(Problem("max_entries", words))
    rungs = [level for level, _ in held.rungs]
    return found + outside_problems(signal.position, signal.stop_loss, rungs, price)


def minutes_reached(minutes: int | None, opened_at: int, at: int) -> bool:
    """Tell whether a position has lasted so many minutes."""
    return minutes is not None and at - opened_at >= minutes * MINUTE


def until_of(given: object) -> int | None:
    """Return a checked moment in ms, or None."""
    return None if given is None else moment(given)
