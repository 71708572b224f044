"""The asks about what is open or scheduled, and what a manage function answered.

An answer is a list of actions and candidates that are done one after the other, each judged by what
the ones before it left. Where one needs clearance, the rest waits in the need. All act at the close
of the ask, at the market price, and are in force from the next candle on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tradenb.core import prices
from tradenb.core.actions import Action, action_of
from tradenb.core.candidate import is_ladder, rungs_of
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.editing import Editing
from tradenb.core.lifecycle.entering import SHORT_ON_SPOT, checked, enter, rejected, warm_up
from tradenb.core.lifecycle.exchange_route import editing_of
from tradenb.core.lifecycle.holding import added, is_full
from tradenb.core.lifecycle.scheduled import cancel
from tradenb.core.lifecycle.state import (
    ASKS,
    BY_HAND,
    WARM_UP,
    Command,
    NeedCandidate,
    NeedClearance,
    State,
    Step,
    refused,
)
from tradenb.core.lifecycle.trailing import beyond, tighter
from tradenb.core.money.market import stop_on_step
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Rungs, Signal
from tradenb.core.validation.action_rules import (
    Holds,
    action_problems,
    minutes_reached,
    resolved_move,
    until_of,
)
from tradenb.core.validation.candidate_rules import Invalid, as_candidate
from tradenb.core.validation.price_steps import move_on_step
from tradenb.core.values import Problem, positive

Events = Sequence[Event]


def after_tests(state: State, at: int, candles: Candles, rules: Rules) -> Step:
    """Say what comes after the tests of a candle: what a person does, and the ask."""
    by_hand = [each for each in state.commands if each.kind in BY_HAND and each.at < at]
    if by_hand:
        return _act_by_hand(state, by_hand, at, candles, rules)
    every = state.manage_every
    asked = (state.is_open or state.manage_waiting) and at >= state.manage_from
    if asked and every is not None and candles.next_due(state.cursor, every) == at:
        return Step(at, ASKS, state, (), NeedCandidate(at, at, managed=True))
    return Step(at, ASKS, state.moved(at), (), None)


def _act_by_hand(
    state: State, commands: Sequence[Command], at: int, candles: Candles, rules: Rules
) -> Step:
    """Do what a person asks for; what a person ended is not asked about on that candle."""
    left = tuple(each for each in state.commands if each not in commands)
    events: Events = ()
    state = state._replace(commands=left)
    for command in commands:
        if state.signal is None or not state.is_open:
            break
        action = Action(command.kind, command.values or {})
        state, found, _ = _act(state, state.signal, at, action, candles, rules, by="user")
        events = (*events, *found)
    asked = state.signal is not None and state.opened_at != at
    return Step(at, ASKS, state if asked else state.moved(at), events, None)


def follow_answers(
    state: State, need: NeedCandidate, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Follow what a manage function answered."""
    at = need.at
    if reply is WARM_UP:
        return warm_up(state, at)
    if state.warming:
        state = state._replace(warming=False)
    answers = tuple(reply) if type(reply) in (list, tuple) else (reply,)  # type: ignore[arg-type]
    return _go_on(state, at, answers, candles, rules)


def follow_clearance(
    state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Follow the verdict on what a manage function wants to enter or to add; then do the rest."""
    at, signal = need.at, need.signal
    if signal.add is None or state.signal is None:
        step = enter(state, need, reply, candles, rules)
        if step.state.signal is not None:
            return step
        return _go_on(step.state, at, need.rest, candles, rules, step.events)
    price = prices.price_at(candles, at, rules)
    if isinstance(reply, Refusal):
        event = refused(state, at, state.signal, price, reply)
        return _go_on(state, at, need.rest, candles, rules, (event,))
    editing = _editing(state, state.signal, at, price, rules)
    editing.add(signal.add, need.note, given=reply)
    return _go_on(editing.result(), at, need.rest, candles, rules, tuple(editing.events))


def _go_on(
    state: State,
    at: int,
    answers: tuple[object, ...],
    candles: Candles,
    rules: Rules,
    events: Events = (),
) -> Step:
    """Do answers until one needs clearance, or all are done."""
    state, found, need = _do(state, at, answers, candles, rules)
    if need is None:
        state = state.moved(at)
    return Step(at, ASKS, state, (*events, *found), need)


def _do(
    state: State,
    at: int,
    answers: tuple[object, ...],
    candles: Candles,
    rules: Rules,
) -> tuple[State, Events, NeedClearance | None]:
    events: Events = ()
    for place, answer in enumerate(answers):
        action = action_of(answer)
        if answer is None or (action is not None and state.signal is None):
            continue
        need: NeedClearance | None = None
        if action is not None and state.signal is not None:
            state, found, need = _act(state, state.signal, at, action, candles, rules)
        else:
            state, found, need = _propose(state, at, answer, candles, rules)
        events = (*events, *found)
        if need is not None:
            return state, events, need._replace(managed=True, rest=answers[place + 1 :])
    return state, events, None


def _act(
    state: State,
    signal: Signal,
    at: int,
    action: Action,
    candles: Candles,
    rules: Rules,
    by: Literal["strategy", "user"] = "strategy",
) -> tuple[State, Events, NeedClearance | None]:
    """Do one action on what is open or scheduled."""
    price = prices.price_at(candles, at, rules)
    action = resolved_move(action, signal)
    editing = _editing(state, signal, at, price, rules)
    problems = action_problems(
        action, _holds(state, editing, action, rules), price=price, at=at, rules=rules
    )
    if action.do == "add" and state.execution is not None and not problems:
        words = "a position at an exchange takes one entry; enter larger, or use paper"
        problems = [Problem("add_on_exchange", words)]
    if signal.price_step is not None and not problems:
        action, problems = move_on_step(action, signal)
    note: Any = action.values.get("note")
    if problems:
        names = ",".join(problem.name for problem in problems)
        words = f"{names} | " + "; ".join(problem.words for problem in problems)
        event = event_of(
            state, at, "rejected", signal, price=price, exit_reason="invalid", note=words
        )
        return state, (event,), None
    values: Any = action.values
    match action.do:
        case "cancel":
            step = cancel(state, signal, candles, rules, at, "strategy", note)
            return step.state, step.events, None
        case "add":
            if state.stopping:
                return state, (), None
            wanted = signal._replace(entry=price, add=float(values.get("amount", 1.0)))
            return state, (), NeedClearance(at, wanted, activation=False, note=note)
        case "close":
            part = float(values.get("fraction", 1.0)) * editing.holding.cost
            editing.sell(part, price, by, note=note)
        case "breakeven":
            _break_even(editing, float(values.get("plus", 0.0)), note)
        case _:
            _move(editing, values, note)
    return editing.result(), tuple(editing.events), None


def _editing(state: State, signal: Signal, at: int, price: float, rules: Rules) -> Editing:
    return editing_of(state, signal, state.opened_at or at, at, price, rules)


def _holds(state: State, editing: Editing, action: Action, rules: Rules) -> Holds:
    signal, holding = editing.signal, editing.holding
    average = signal.entry
    if action.do == "add" and (amount := positive(action.values.get("amount", 1.0))) is not None:
        average = added(signal, holding, editing.price, amount, rules)[0].entry
    return Holds(signal, state.opened_at, holding.rungs, holding.entries, average)


def _break_even(editing: Editing, plus: float, note: str | None) -> None:
    signal, long = editing.signal, editing.signal.position == "long"
    level = stop_on_step(beyond(signal, plus), signal.price_step, long=long)
    passed = editing.price > level if long else editing.price < level
    if passed and tighter(signal, level):
        editing.stop_at(level, "breakeven", f"{note}; breakeven" if note else "breakeven")


def _move(editing: Editing, values: Any, note: str | None) -> None:
    """Change what is named, and do at once what the market price has reached of it."""
    signal, holding, changed = editing.signal, editing.holding, set()
    stop = positive(values.get("stop_loss"))
    loosens = editing.rules.loosen_stop and stop != signal.stop_loss
    if stop is not None and (loosens or tighter(signal, stop)):
        changed.add("stop")
        signal = signal._replace(stop_loss=stop)
        holding = holding._replace(stop_by="stop_loss")
    if "take_profit" in values:
        moved, rungs = _retargeted(signal, values["take_profit"])
        if rungs != holding.rungs:
            changed.add("rungs")
            signal, full = moved, not rungs or is_full(rungs)
            holding = holding._replace(rungs=rungs, full=full)
    times = {"minutes": signal.minutes, "until": signal.until}
    if "minutes" in values:
        minutes = values["minutes"]
        times["minutes"] = None if minutes is None else int(minutes)
    if "until" in values:
        times["until"] = until_of(values["until"])
    if times != {"minutes": signal.minutes, "until": signal.until}:
        changed.add("times")
        signal = signal._replace(minutes=times["minutes"], until=times["until"])
    if not changed:
        return
    editing.signal, editing.holding = signal, holding
    editing.moved(note)
    _reached(editing, changed)


def _retargeted(signal: Signal, target: Any) -> tuple[Signal, Rungs]:
    """Return a signal with other targets, and these."""
    if target is None:
        return signal._replace(take_profit=None, targets=()), ()
    if not is_ladder(target):
        return signal._replace(take_profit=float(target), targets=()), ((float(target), 1.0),)
    rungs = rungs_of(target)
    return signal._replace(take_profit=rungs[-1][0], targets=rungs), rungs


def _reached(editing: Editing, changed: set[str]) -> None:
    """Do at the market price what a move put within its reach."""
    signal, price = editing.signal, editing.price
    here = prices.Extremes(price, price, price)
    if "stop" in changed and prices.stop_touched(signal, here):
        editing.sell_all(price, "stop_loss")
    while "rungs" in changed and not editing.over and editing.holding.rungs:
        if not prices.beyond(signal.position, editing.holding.rungs[0][0], here):
            break
        editing.sell_rung(price, limit=False)
    expired = minutes_reached(signal.minutes, editing.opened_at, editing.at)
    if "times" in changed and not editing.over and expired:
        editing.sell_all(price, "time_expired")


def _propose(
    state: State, at: int, answer: object, candles: Candles, rules: Rules
) -> tuple[State, Events, NeedClearance | None]:
    """Take a candidate: an entry, a flip, or another signal in place of the one that waits."""
    held = state.signal
    if held is None and state.stopping:
        return state, (), None
    if held is not None and state.is_open:
        candidate, _ = as_candidate(answer)
        if isinstance(candidate.position, str) and candidate.position == held.position:
            return state, (), None
    found = checked(state, at, answer, candles, rules)
    if isinstance(found, Invalid):
        events = rejected(state, at, found, candles, rules).events
        if held is None or not state.is_open or not found.note.startswith(SHORT_ON_SPOT):
            return state, events, None
        # The other way cannot be gone at an exchange; what is held is left all the same.
        editing = _editing(state, held, at, prices.price_at(candles, at, rules), rules)
        editing.sell_all(editing.price, "flipped")
        return editing.result(), (*editing.events, *events), None
    need = NeedClearance(at, found, activation=False)
    if held is None:
        return state, (), need
    if state.is_open:
        price = prices.price_at(candles, at, rules)
        editing = _editing(state, held, at, price, rules)
        editing.sell_all(price, "flipped")
        state, events = editing.result(), tuple(editing.events)
    elif _same(found, held):
        return state, (), None
    else:
        step = cancel(state, held, candles, rules, at, "replaced")
        state, events = step.state, step.events
    return state, events, None if state.done else need


def _same(one: Signal, other: Signal) -> bool:
    """Tell whether two signals say the same, but for id, note and size."""
    own = {"id": other.id, "note": other.note, "size": other.size, "at": other.at}
    return one._replace(**own) == other  # type: ignore[arg-type]
