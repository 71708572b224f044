"""Asks of manage functions, about what is open or waits.

While nothing happens to a position and the function answers None, it is asked again and again
without a look at the candles in between; see `QuietSpan`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from tradenb.core.lifecycle.machine import answer
from tradenb.core.lifecycle.state import ASKS, NOT_ASKED, NeedCandidate, NeedCandles, Step
from tradenb.engine.call import Call
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.notices import SkipReason
from tradenb.engine.session.queues import EventQueue, Schedule
from tradenb.engine.session.quiet_span import QuietSpan

Asks = Generator[Call, Any, Step | None]


class Asking(Protocol):
    """What the asks need of a session."""

    now: int
    fresh_from: int
    schedule: Schedule
    event_queue: EventQueue

    def reason_to_skip(self, instance: Instance, at: int) -> SkipReason | None:
        """Say why a function is not asked, if there is a reason."""

    def skip(self, instance: Instance, at: int, last: int, reason: SkipReason) -> None:
        """Make one event for a whole row of asks that are skipped."""

    def failed_ask(
        self, instance: Instance, at: int, error: Exception, *, managed: bool = False
    ) -> object:
        """Make the event of an ask that failed; return what it counts as."""

    def put(self, instance: Instance, step: Step) -> Step | None:
        """Return a step if it is due now, else put it into the schedule."""


def ask_manager(
    session: Asking, instance: Instance, step: Step, need: NeedCandidate, *, alone: bool
) -> Asks:
    """Ask the manage function, if it may be asked; return the step that follows now."""
    if instance.quiet is not None:
        return _ask_in(session, instance, instance.quiet, alone=alone)
    return _ask_once(session, instance, step, need)


def _ask_once(session: Asking, instance: Instance, step: Step, need: NeedCandidate) -> Asks:
    """Ask a manage function after a look at the candles."""
    state = instance.state = step.state
    at, row = session.now, instance.row
    reply: object = NOT_ASKED
    reason = session.reason_to_skip(instance, at)
    if reason is not None:
        session.skip(instance, at, session.fresh_from, reason)
    elif not _says_nothing(instance, at):
        instance.skipping = False
        row.begin(at, at, state.every, instance.candles, state)
        reply, failure = yield from row.ask(instance.manage)
        if failure is not None:
            reply = session.failed_ask(instance, at, failure, managed=True)
        # How often a table is looked at that says nothing depends on how candles come.
        elif reply is not None or instance.signals is None:
            instance.asks.note_reply(at, reply, managed=True)
        if instance.signals is not None:
            instance.follow_table(instance.signals)
    return _answered(instance, need, reply)


def quiet_span_of(instance: Instance, until: int, fresh_from: int) -> QuietSpan | None:
    """Return the quiet span that begins now; None if each ask needs a look at the candles."""
    state, signal, every = instance.state, instance.state.signal, instance.state.manage_every
    if signal is None or every is None or not state.is_open or instance.signals is not None:
        return None
    if state.warming or state.commands or state.tested or state.cursor < fresh_from:
        return None
    if state.is_sending:
        return None
    if instance.halted or instance.busy is not None:
        return None
    if instance.books and not signal.trail is signal.trail_distance is None:
        return None  # risk rules look at the stop in force
    return QuietSpan(state, signal, every, instance.candles, instance.rules, until)


def go_through(session: Asking, instance: Instance, quiet: QuietSpan, at: int) -> Step | None:
    """Ask next at `at`, if nothing happens to the position before; else that is next."""
    if at <= quiet.last:
        instance.quiet, need = quiet, NeedCandidate(at, at, managed=True)
        session.schedule.add(at, ASKS, instance.place, Step(at, ASKS, quiet.state, (), need))
        return None
    instance.quiet, step = None, quiet.next_step(at)
    if type(step.need) is NeedCandles and step.state.cursor == quiet.state.cursor:
        return None  # no candle closes up to there
    return session.put(instance, step)


def _ask_in(session: Asking, instance: Instance, quiet: QuietSpan, *, alone: bool) -> Asks:
    """Ask a manage function while it answers None and nothing happens to its position."""
    last, row, candles = session.now, instance.row, instance.candles
    if alone:
        others = session.schedule.first()
        last = quiet.last if others is None else min(quiet.last, others - 1)
    instance.skipping = False
    row.begin(session.now, last, quiet.every, candles, quiet.state, quiet)
    reply, failure = yield from row.ask(instance.manage)
    at = session.now = row.at
    nones, until = (row.before()[0] + 1, at) if row.over else row.before()
    if nones:
        instance.asks.note(row.first, "none", managed=True, last=until, count=nones)
    if failure is not None:
        reply = session.failed_ask(instance, at, failure, managed=True)
    elif reply is None:
        return go_through(session, instance, quiet, candles.next_due(at, quiet.every))
    else:
        instance.asks.note_reply(at, reply, managed=True)
    instance.quiet, step = None, quiet.until(at)
    session.event_queue.note_all(step.events, step.phase, instance.place)
    instance.state = step.state
    return _answered(instance, NeedCandidate(at, at, managed=True), reply)


def _answered(instance: Instance, need: NeedCandidate, reply: object) -> Step:
    return answer(instance.state, need, reply, instance.candles, instance.rules)


def _says_nothing(instance: Instance, at: int) -> bool:
    """Tell whether a table says nothing about what is open; go on where it says something."""
    state, signals = instance.state, instance.signals
    if signals is None or state.signal is None:
        return False
    following = signals.first(at, state.signal.position) or at
    if following > at:
        instance.state = state._replace(manage_from=following)
    return following > at
