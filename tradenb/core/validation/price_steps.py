"""Levels put on the price step of a market, and what is wrong with them then."""

from __future__ import annotations

from typing import Any

from tradenb.core.actions import Action
from tradenb.core.candidate import Candidate, is_ladder
from tradenb.core.money.market import in_order, on_step, stop_on_step, target_on_step
from tradenb.core.signal import Signal
from tradenb.core.validation.levels import entry_of, pairs_of
from tradenb.core.values import Problem, positive


def candidate_on_step(
    candidate: Candidate, price: float, step: float
) -> tuple[Candidate, list[Problem]]:
    """Put the levels of a good candidate on the step: stop and targets nearer, no better entry.

    Returns
    -------
    Candidate
        Whether its entry is reached has to be looked at again.
    list of Problem
        `price_step` where stop, entry and targets are not above 0 and in their order any more.
    """
    given: Any = candidate
    long = given.position == "long"
    changed: dict[str, Any] = {"stop_loss": _stop(given.stop_loss, step, long=long)}
    if given.entry is not None:
        changed["entry"] = on_step(float(given.entry), step, up=not long)
    if given.breakout is not None:
        changed["breakout"] = on_step(float(given.breakout), step, up=long)
    changed["take_profit"] = _target(candidate.take_profit, step, long=long)
    found = candidate._replace(**changed)
    base, paid, at_once = entry_of(found, price)
    stop, rungs = changed["stop_loss"], _prices(changed["take_profit"])
    good = base is not None and in_order(long, stop, base, *rungs)
    if good and at_once and paid is not None:
        good = in_order(long, stop, paid, *rungs)
    return found, [] if good else [_problem(step, [stop, base, *rungs])]


def move_on_step(action: Action, signal: Signal) -> tuple[Action, list[Problem]]:
    """Put the levels of a good move on the step of its signal."""
    step, long = signal.price_step, signal.position == "long"
    if action.do != "move" or step is None:
        return action, []
    values = dict(action.values)
    levels: list[Any] = []
    if positive(values.get("stop_loss")) is not None:
        values["stop_loss"] = _stop(values["stop_loss"], step, long=long)
        levels.append(values["stop_loss"])
    if values.get("take_profit") is not None:
        values["take_profit"] = _target(values["take_profit"], step, long=long)
        levels += _prices(values["take_profit"])
    good = in_order(long, *levels)
    return Action(action.do, values), [] if good else [_problem(step, levels)]


def _stop(level: Any, step: float, *, long: bool) -> float:
    return stop_on_step(float(level), step, long=long)


def _target(given: Any, step: float, *, long: bool) -> Any:
    if given is None:
        return None
    pairs = pairs_of(given) if is_ladder(given) else None
    if pairs is None:
        return target_on_step(float(given), step, long=long)
    return [(target_on_step(float(level), step, long=long), part) for level, part in pairs]


def _prices(target: Any) -> list[float]:
    if target is None:
        return []
    return [level for level, _ in target] if is_ladder(target) else [target]


def _problem(step: float, levels: list[Any]) -> Problem:
    listed = ", ".join(f"{level:.12g}" for level in levels)
    words = (
        f"on price steps of {step:g} the levels are {listed}: they must be above 0, with the entry "
        "between stop and targets"
    )
    return Problem("price_step", words)
