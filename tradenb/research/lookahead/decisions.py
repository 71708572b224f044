"""A backtest whose every decision is noted, up to a moment, from the start or from a snapshot."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from tradenb.backtest.assembly import Work
from tradenb.backtest.job import Job
from tradenb.backtest.plan import Plan
from tradenb.backtest.trial import Market
from tradenb.bus import Bus
from tradenb.core.candidate import Candidate
from tradenb.core.events import Event
from tradenb.engine.call import Call, Pump
from tradenb.engine.session.vectorised import Table

RISK: Final = "risk rule "
Replies = dict[tuple[int, str, str], Any]


class Noted(NamedTuple):
    """What a replay did, up to its last moment.

    Attributes
    ----------
    replies : dict of (at, symbol, who) to the answer
        In the order of asks; who is a strategy, or "risk rule" and its name. A vectorised strategy
        answers for every candle.
    events : list of Event
    """

    replies: Replies
    events: list[Event]


class _Replay(Work):
    def __init__(self, plan: Plan, until: int | None) -> None:
        super().__init__(plan, Bus())
        self._until = until
        self.replies: Replies = {}

    def pump(self) -> Pump:
        """Let everything happen up to the moment; note each answer."""
        for symbol in self.plan.symbols:
            self._load(symbol)
        session = self.session = self._session()
        yield from self._prepare(session)
        until = self.end if self._until is None else self._until
        for instance in session.instances:
            if instance.signals is not None:
                key = instance.state.symbol, instance.spec.name
                self._note_table(instance.signals.table, key, instance.state.cursor, until)
        yield from self._noting(session.pump(until))
        self.events = session.events

    def _noting(self, pump: Pump) -> Pump:
        reply: Any = None
        failure: Exception | None = None
        while True:
            try:
                call = pump.throw(failure) if failure else pump.send(reply)
            except StopIteration:
                return
            failure = None
            try:
                reply = yield call
            except Exception as error:  # noqa: BLE001 - the user's code; it is an answer too
                failure = error
            if call.asks or call.what.startswith(RISK):
                self._note(call, failure or reply)

    def _note(self, call: Call, reply: Any) -> None:
        asked = call.args[0]  # a context, or a book: both know the moment
        name = call.what.removeprefix("strategy ")
        self.replies.setdefault((asked.now, call.symbol, name), answer_of(reply))

    def _note_table(self, table: Table, key: tuple[str, str], start: int, until: int) -> None:
        for row in range(len(table.position)):
            at = table.first + row * table.step
            if start < at <= until:
                self.replies[(at, *key)] = answer_of(table.candidate(row))


def replay(
    make_plan: Callable[[Market], Plan], market: Market, *, until: int | None = None
) -> Noted:
    """Run a backtest over a market up to a moment, and note what was decided.

    Parameters
    ----------
    make_plan : callable
        Makes the plan on the market.
    market : Market
        May reach beyond `until`: that is what is looked for.
    until : int, optional
        Close time, ms UTC; default the end.

    Raises
    ------
    TradenbError
        What ended it.
    """
    work = _Replay(make_plan(market), until)
    job = Job(work.plan, work)
    job.supervise()
    job.raise_if_failed()
    return Noted(work.replies, work.events)


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
    except Exception:  # noqa: BLE001 - arrays and tables have no truth, and are no answers
        return repr(a) == repr(b)
