"""The lifecycle of one signal at a time, as a pure machine that is fed closed candles.

The machine never reads, sleeps, calls back or looks at a clock. It says what happens next and what
it needs; the session (engine/session/pump.py) provides that. One instance is one `State`, frozen;
there is no other memory. `state.cursor` is the close time of the last candle that is done with.

    advance(state, candles, rules, until)        what happens next, at most until then
    answer(state, need, reply, candles, rules)   what follows from a reply

Each returns a `Step`: *when* something takes effect (`at`, `phase`), the state and the events that
it leads to, and what is needed then. Nothing has happened until the session lets the step take
effect. It does so in the order of (at, phase, place in the run), so that several instances which
share a risk book see one order of events, however far ahead each of them was computed.

What an open and a scheduled signal lead to is in opened.py and scheduled.py, an idle instance is
below.

State       looks for, in the candles after the cursor       takes effect in, leads to
---------   ----------------------------------------------   ---------------------------------------
any         commands given before the candle closed          EXITS    see commands.py
sending     nothing: reports of orders are commands, too     EXITS    see exchange_route.py
open        stop, target (first touch of either)             EXITS    closed -> idle
            expiry                                           EXITS    closed -> idle
            levels on the way there                          EXITS    milestone
scheduled   opened beyond the stop                           EXITS    cancelled price_reject -> idle
            entry touched                                    ENTRIES  NeedClearance -> opened, or
                                                                      opened and closed at the stop,
                                                                      or rejected -> idle
            waited too long                                  EXITS    cancelled timeout -> idle
idle        next multiple of the interval                    ASKS     NeedCandidate -> rejected, or
                                                                      NeedClearance -> opened,
                                                                      scheduled, or rejected
done        nothing                                                   NeedCandles

An idle instance may be asked on the very candle on which it became idle. So a close at `c` leaves
the cursor on the candle *before* `c`: the candle is done with when it has been asked about. Only
where a user's command ended something is the cursor put on `c` itself, and no ask follows there.

Candles may be missing. The machine is fed those that are given, and nothing happens between them;
what came due there is done at the open of the next one (missing.py).

A `None` leaves no trace: the state is the same object and only `need.at` moves on. The gate of the
asks is arithmetic (a multiple of `every` since the candle before), so no restart shifts it.
"""

from __future__ import annotations

from typing import assert_never

from tradenb.core.actions import action_of
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.commands import obey
from tradenb.core.lifecycle.entering import consider, enter, warm_up
from tradenb.core.lifecycle.managing import after_tests, follow_answers, follow_clearance
from tradenb.core.lifecycle.opened import follow
from tradenb.core.lifecycle.scheduled import activate, wait
from tradenb.core.lifecycle.state import (
    ASKS,
    BY_HAND,
    EXITS,
    NEED_CANDLES,
    NOT_ASKED,
    WARM_UP,
    Need,
    NeedCandidate,
    NeedCandles,
    NeedClearance,
    State,
    Step,
)
from tradenb.core.money.position_money import Grant
from tradenb.core.rules import Rules


def advance(state: State, candles: Candles, rules: Rules, until: int | None = None) -> Step:
    """Find what happens next.

    Parameters
    ----------
    candles : Candles
        Those that are given: history, and at least those after the cursor that are to be looked at.
    until : int, optional
        Close time of the last candle to look at, ms UTC; default all.
    """
    row = candles.index(state.cursor) + 1
    last = len(candles) - 1 if until is None else min(candles.index(until), len(candles) - 1)
    if row > last:
        return Step(state.cursor, EXITS, state, (), NEED_CANDLES)
    if state.tested:
        return after_tests(state, candles.ends_at(row), candles, rules)
    if state.done:
        end = candles.ends_at(last)
        return Step(end, EXITS, state.moved(end), (), NEED_CANDLES)
    beyond: Need | None = NEED_CANDLES
    commands = state.commands
    if commands and state.signal is not None:
        commands = tuple(each for each in commands if each.kind not in BY_HAND)
    if commands:
        acting = max(candles.index(commands[0].at) + 1, row)
        if acting == row:
            return obey(state, candles, rules, row)
        if acting <= last:
            last, beyond = acting - 1, None
    end = candles.ends_at(last)
    if state.signal is None:
        return next_ask(state, candles, row, end, beyond)
    if state.is_sending:
        return Step(end, EXITS, state.moved(end), (), beyond)
    if state.opened_at is None:
        return wait(state, state.signal, candles, rules, end, beyond)
    return follow(state, state.signal, state.opened_at, candles, rules, end, beyond)


def answer(state: State, need: Need, reply: object, candles: Candles, rules: Rules) -> Step:
    """Say what follows from a reply.

    Parameters
    ----------
    state : State
        As it was when the need arose.
    reply : object
        To NeedCandidate the strategy's answer (None, a `Candidate`, a mapping; anything else is
        rejected), `WARM_UP` or `NOT_ASKED`; to NeedClearance None or a `Refusal`.
    candles, rules
        As for `advance`.
    """
    match need:
        case NeedCandidate():
            # No state change: the strategy returned None again, or is still warming up.
            unchanged = WARM_UP if state.warming else None
            if reply is unchanged or reply is NOT_ASKED:
                return ask_again(state, need, candles)
            if need.managed:
                return follow_answers(state, need, reply, candles, rules)
            return follow_reply(state, need, reply, candles, rules)
        case NeedClearance():
            if need.activation:
                return activate(state, need, reply, candles, rules)
            if need.managed:
                return follow_clearance(state, need, reply, candles, rules)
            return enter(state, need, reply, candles, rules)
        case NeedCandles():
            raise TypeError(f"only a candidate or a clearance can be answered, not {need!r}")
        case _ as unknown:
            assert_never(unknown)


def cleared(step: Step, candles: Candles, rules: Rules, given: Grant | None = None) -> Step:
    """Return the step that follows where no risk rule is asked, and any other as it is.

    Parameters
    ----------
    given : Grant, optional
        What an account gives.
    """
    match step.need:
        case NeedClearance() as need:
            return answer(step.state, need, given, candles, rules)
        case None | NeedCandles() | NeedCandidate():
            return step
        case _ as unknown:
            assert_never(unknown)


def next_ask(state: State, candles: Candles, row: int, end: int, beyond: Need | None) -> Step:
    """Find the next moment to ask at, from the candle of a row on and at most at `end`."""
    since = state.cursor if row == 0 else candles.ends_at(row - 1)
    at = candles.next_due(since, state.every)
    if at > end:
        return Step(end, EXITS, state.moved(end), (), beyond)
    before = candles.ends_at(candles.index(at) - 1)
    return Step(at, ASKS, state.moved(max(before, state.cursor)), (), NeedCandidate(at, end))


def ask_again(state: State, need: NeedCandidate, candles: Candles) -> Step:
    """Ask at the next moment; a `None` leaves no trace."""
    at = candles.next_due(need.at, state.every)
    if at <= need.last and not need.managed:
        return Step(at, ASKS, state, (), NeedCandidate(at, need.last))
    return Step(need.at, ASKS, state.moved(need.at), (), None)


def follow_reply(
    state: State, need: NeedCandidate, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Follow what a strategy answered that holds nothing."""
    at = need.at
    if reply is WARM_UP:
        return warm_up(state, at)
    if state.warming:
        state = state._replace(warming=False)
    if reply is None:
        return ask_again(state, need, candles)
    if state.manage_every is not None and action_of(reply) is not None:
        return ask_again(state, need, candles)  # there is nothing that it could act on
    return consider(state, at, reply, candles, rules)
