"""A backtest whose every decision is recorded, up to a moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tradenb.backtest.assembly import assemble, histories_of, load_period, prepare
from tradenb.backtest.driver import drive
from tradenb.backtest.plan import Plan
from tradenb.core.candidate import Candidate
from tradenb.engine.call import Call, Pump
from tradenb.engine.session.pump import Session
from tradenb.engine.session.signal_table import Table

_RISK: Final = "risk rule "
Replies = dict[tuple[int, str, str], Any]


def replies_of(plan: Plan, *, until: int | None = None) -> Replies:
    """Run a backtest up to a moment and return what was decided.

    Parameters
    ----------
    plan : Plan
        Its candles may reach beyond `until`: that is what is looked for.
    until : int, optional
        Close time, ms UTC; default the end.

    Returns
    -------
    dict of (at, symbol, who) to the answer
        In the order of asks; who is a strategy, or "risk rule" and its name. A vectorised strategy
        answers for every candle.

    Raises
    ------
    TradenbError
        What ended it.
    """
    replies: Replies = {}
    drive(_pump(plan, until, replies), plan.rules.signal_timeout_seconds)
    return replies


def _pump(plan: Plan, until: int | None, replies: Replies) -> Pump:
    period = load_period(plan)
    instances = assemble(plan, period, histories_of(plan, period))
    session = Session(instances)
    yield from prepare(instances, period.ends)
    last = period.end if until is None else until
    for instance in instances:
        if instance.signals is not None:
            key = instance.state.symbol, instance.spec.name
            _record_table(instance.signals.table, key, instance.state.cursor, last, replies)
    yield from _recording(session.pump(last), replies)


def _recording(pump: Pump, replies: Replies) -> Pump:
    """Pass the calls of a pump on, and record what comes back."""
    reply: Any = None
    failure: Exception | None = None
    while True:
        try:
            call = pump.throw(failure) if failure else pump.send(reply)
        except StopIteration:
            return
        failure = None
        try:
            reply = yield call._replace(again=None)  # each answer comes by here
        except Exception as error:  # noqa: BLE001 - the user's code; it is an answer too
            failure = error
        if call.asks or call.what.startswith(_RISK):
            _record(call, failure or reply, replies)


def _record(call: Call, reply: Any, replies: Replies) -> None:
    asked = call.args[0]  # a context, or a book: both know the moment
    name = call.what.removeprefix("strategy ")
    replies.setdefault((asked.now, call.symbol, name), answer_of(reply))


def _record_table(
    table: Table, key: tuple[str, str], start: int, until: int, replies: Replies
) -> None:
    for row in range(len(table.position)):
        at = table.time_of(row)
        if start < at <= until:
            replies[(at, *key)] = table.answer(row)


def answer_of(reply: Any) -> Any:
    """Return an answer as plain values that can be compared."""
    if reply is None:
        return None
    if isinstance(reply, Exception):
        return {"error": f"{type(reply).__name__}: {reply}"}
    if isinstance(reply, Candidate):
        return {name: value for name, value in reply._asdict().items() if value is not None}
    if isinstance(reply, Mapping):
        return {str(name): value for name, value in reply.items() if value is not None}
    return {"answer": reply}


def differing(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """Name the fields in which two answers differ, with both values."""
    if before is None or after is None:
        return [] if before is after else [("answer", _short(before), _short(after))]
    names = list(dict.fromkeys([*before, *after]))
    return [
        (name, before.get(name), after.get(name))
        for name in names
        if not _same(before.get(name), after.get(name))
    ]


def _short(answer: Any) -> Any:
    return None if answer is None else answer.get("position", next(iter(answer.values()), None))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - arrays and tables have no truth value, and are not answers
        return repr(a) == repr(b)
