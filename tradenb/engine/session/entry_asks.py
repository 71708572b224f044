"""Asks of strategies that hold nothing, in their order.

What comes of an answer is the machine's business. While that is known to be nothing (None, or what
a risk rule refuses again), strategies that are asked at one moment go on to the next one together,
until somebody else has a turn.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from tradenb.core.lifecycle.machine import answer
from tradenb.core.lifecycle.state import ASKS, NOT_ASKED, Need, NeedCandidate, Step
from tradenb.core.timeframe import WEEK
from tradenb.engine.call import Call
from tradenb.engine.context import begin_ask, keep_state
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.manager_asks import Asking, Asks
from tradenb.engine.session.queues import Waiting
from tradenb.engine.session.vectorised import Signals


class Turns(Asking, Protocol):
    """What the asks need of a session."""

    instances: Sequence[Instance]

    def refuses_again(self, instance: Instance, reply: object, at: int) -> bool:
        """Count a candidate that is refused as the one before it; False if that is not known."""


def is_entry_ask(need: Need | None) -> bool:
    """Tell whether a strategy is to be asked that holds nothing."""
    return type(need) is NeedCandidate and not need.managed


def ask_alone(
    session: Turns, instance: Instance, step: Step, need: NeedCandidate, *, alone: bool
) -> Asks:
    """Ask a strategy, if it may be asked; return the step that follows now, if there is one.

    While it answers None and no other instance has a turn, it is asked again and again.
    """
    asks, following = _begun(session, instance, step, need)
    if not asks:
        return following
    row, state, last = instance.row, step.state, session.now
    if alone and not state.warming:
        last = int(min(need.last, _others(session) - 1))
    row.begin(session.now, last, state.every, instance.candles)
    reply, failure = yield from row.ask(instance.ask_on)
    session.now = row.at
    nones, until = row.before()
    if nones:
        instance.asks.note(row.first, "none", last=until, count=nones)
    next_at = _next_ask(session, instance, step, need, reply, failure)
    if next_at:
        session.schedule.add(next_at, ASKS, instance.place, step)
        return None
    reply, failure = _noted(session, instance, reply, failure), None
    return _following(session, instance, step, need, reply)


def ask_in_turn(
    session: Turns, waiting: Sequence[Waiting], number: int, *, undisturbed: bool
) -> Generator[Call, Any, tuple[int, Step | None]]:
    """Ask those who wait, beginning with a number, up to the first of whom something comes.

    If nothing comes of any, all are asked again, while no other instance has a turn.

    Parameters
    ----------
    undisturbed : bool
        No callback is due before the next ask.

    Returns
    -------
    int, Step or None
        Its number, and what takes effect now.
    """
    schedule, instances = session.schedule, session.instances
    others = _others(session) if undisturbed and number == 0 else 0
    in_a_row = False
    while True:
        at, due, again = session.now, 0, []
        for now_asked, each in enumerate(waiting[number:], number):
            place, step = each
            instance = instances[place]
            need: Any = step.need  # which `_begun` looks at
            asks, following = (True, None) if in_a_row else _begun(session, instance, step, need)
            if asks:
                failure: Exception | None = None
                reply: object = None
                begin_ask(instance.context, at)
                try:
                    reply = yield instance.ask
                    if instance.context.remembers:
                        keep_state(instance.context)
                except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                    failure = error
                next_at = _next_ask(session, instance, step, need, reply, failure)
                if next_at:
                    due = due or next_at
                    if next_at == due:
                        again.append(each)
                    else:
                        schedule.add(next_at, ASKS, place, step)
                    continue
                reply, failure = _noted(session, instance, reply, failure), None
                following = _following(session, instance, step, need, reply)
            if following is not None:
                schedule.add_all(due, ASKS, again)
                return now_asked, following
        if len(again) < len(waiting) or due >= others:
            schedule.add_all(due, ASKS, again)
            return len(waiting), None
        in_a_row, session.now = True, due


def _begun(
    session: Turns, instance: Instance, step: Step, need: Need | None
) -> tuple[bool, Step | None]:
    """Tell whether a strategy is to be asked now; if not, what takes effect instead."""
    if type(need) is not NeedCandidate or need.managed:
        return False, step
    at = session.now
    instance.state = step.state
    if at < session.fresh_from or instance.halted or instance.busy is not None:
        reason = session.reason_to_skip(instance, at)
        if reason is not None:
            session.skip(instance, at, need.last, reason)
            return False, _following(session, instance, step, need, NOT_ASKED)
    instance.skipping = False
    if instance.signals is not None and _goes_on(session, instance, instance.signals, step, need):
        return False, None
    return True, None


def _goes_on(
    session: Turns, instance: Instance, signals: Signals, step: Step, need: NeedCandidate
) -> bool:
    """Go to the next answer of a table that is not None; tell whether that is a later one."""
    at, state, last = session.now, step.state, need.last
    next_reply = signals.first(at) or at
    if next_reply > at:
        candles = instance.candles
        before = candles.ends_at(candles.index(at) - 1)
        asks = candles.dues(before, min(last, next_reply - 1), state.every)
        instance.asks.note(at, "none", last=int(asks[-1]), count=len(asks))
    if next_reply > last:
        done = step._replace(at=last, state=state.moved(last), need=None)
        session.schedule.add(last, ASKS, instance.place, done)
    elif next_reply > at:
        session.schedule.add(next_reply, ASKS, instance.place, step)
    return next_reply > at


def _next_ask(
    session: Turns,
    instance: Instance,
    step: Step,
    need: NeedCandidate,
    reply: object,
    failure: Exception | None = None,
) -> int:
    """Return when a strategy is asked next if nothing comes of its answer, else 0."""
    state, at = step.state, session.now
    if failure is not None or state.warming or instance.signals is not None:
        return 0
    every, candles = state.every, instance.candles
    regular = candles.regular and every != WEEK
    following = at + every if regular else candles.next_due(at, every)
    if following > need.last:
        return 0
    if reply is None:
        instance.asks.note_again(at, "none")
        return following
    return following if session.refuses_again(instance, reply, at) else 0


def _noted(session: Turns, instance: Instance, reply: object, failure: Exception | None) -> object:
    """Note an ask; return its answer, or what a failure counts as."""
    if failure is not None:
        reply = session.failed_ask(instance, session.now, failure)
    else:
        instance.asks.note_reply(session.now, reply)
    if instance.signals is not None:
        instance.follow_table(instance.signals)
    return reply


def _following(
    session: Turns, instance: Instance, step: Step, need: NeedCandidate, reply: object
) -> Step | None:
    """Return the step that follows now from an answer; a later one is put into the schedule."""
    at, state = session.now, step.state
    if reply is None and not state.warming:
        # The machine would say the same, at ten times the price.
        next_at = instance.candles.next_due(at, state.every)
        if next_at <= need.last:
            session.schedule.add(next_at, ASKS, instance.place, step)
            return None
    need = NeedCandidate(at, need.last)
    following = answer(instance.state, need, reply, instance.candles, instance.rules)
    if following.at > at:
        session.schedule.add(following.at, ASKS, instance.place, following)
        return None
    return following


def _others(session: Turns) -> float:
    """Return when somebody else has a turn."""
    first = session.schedule.first()
    return math.inf if first is None else first
