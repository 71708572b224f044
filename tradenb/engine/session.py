"""`Session.pump`: the machine, the user's functions and the risk books make events.

The only loop over the machine's needs, for backtest and live alike. It is a generator: where a user
function has to be called it yields a `Call` and gets the result sent back (or the exception thrown
in). So it knows no threads, no deadlines and no event loop; the driver has those.

Steps of all instances wait in one heap and take effect in the order of (at, phase, place), however
far ahead each was computed. A risk book is read when a step takes effect, so it shows what was
true at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Final

from tradenb.core import touch
from tradenb.core.events import Event, Kind, numbered
from tradenb.core.machine import advance, answer
from tradenb.core.signal import Trade
from tradenb.core.state import NOT_ASKED, WARM_UP, NeedCandidate, NeedClearance, Refusal, Step
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.book import Company
from tradenb.engine.call import Call, Pump, StrategyTimeout, words_of
from tradenb.engine.context import begin_ask, keep_state, saved_state
from tradenb.engine.instance import Instance, share_books
from tradenb.engine.specs import CALLBACKS
from tradenb.errors import NotEnoughCandles, UsageError

BOOK: Final = "the book of the risk rules"
_NOTE_LIMIT: Final = 500
_LEFT_OUT: Final = {
    "late": "no new decisions in the past",
    "halted": "the kill switch is on",
    "busy": "the strategy has not come back from an earlier ask",
}
Callback = tuple[Callable[[Event], Any], Event]
Waiting = tuple[int, int, int, int, "Step | Event"]


class Session:
    """Instances that are pumped together because they share candles, risk books or a clock.

    Parameters
    ----------
    instances : sequence of Instance
        In their order of place, which counts from 0.
    defer_callbacks : bool
        Leave the callbacks to the driver, which calls `call_back` when the events are on disk.
    consult : callable, optional
        Called before rules are asked; says who else takes part in their books.

    Attributes
    ----------
    events : list of Event
        What has happened; the driver takes them from here.
    trades : list of Trade
    now : int
        Close time that has been reached.
    fresh_from : int
        Closes before it are late: what was decided earlier takes its course, nobody is asked.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        *,
        defer_callbacks: bool = False,
        consult: Callable[[], Company] | None = None,
    ) -> None:
        self.instances = instances
        self.events: list[Event] = []
        self.trades: list[Trade] = []
        self.now = 0
        self.fresh_from = 0
        self.timeouts = 0
        self._defers = defer_callbacks
        self._consult = consult
        self._pending: list[Callback] = []
        self._heap: list[Waiting] = []
        # Nobody else's events come between those of one step, and nobody is called about them.
        self._alone = len(instances) == 1 and not instances[0].callbacks
        share_books(instances)

    def pump(self, until: int) -> Pump:
        """Let everything happen up to a close time.

        Parameters
        ----------
        until : int
            Close time of the last candle to be consumed, ms UTC.

        Yields
        ------
        Call
            A user function; send its result, or throw what it raised.
        """
        heap, instances = self._heap, self.instances
        for instance in instances:
            self._look(instance, until)
        heapify(heap)
        while heap:
            at, _, place, _, item = heap[0]
            if self._pending and at > self.now and not self._defers:
                yield from self.call_back()
            self.now = at
            instance = instances[place]
            if isinstance(item, Event):
                heappop(heap)
                self._emit(instance, item)
            elif type(item.need) is NeedCandidate:
                need, instance.state = item.need, item.state
                reason = self._left_out(instance, at)
                if reason is not None:
                    self._skip(instance, need, reason)
                    reply: object = NOT_ASKED
                else:
                    need, reply = yield from self._ask(instance, need)
                step = answer(instance.state, need, reply, instance.candles, instance.rules)
                heapreplace(heap, (step.at, step.phase, place, 0, step))
            else:
                heappop(heap)
                self._take_effect(instance, item)
                if type(item.need) is NeedClearance:
                    reply = yield from self._clear(instance, item.need)
                    step = answer(
                        instance.state, item.need, reply, instance.candles, instance.rules
                    )
                    self._take_effect(instance, step)  # at once: at, phase and place are the same
                self._look(instance, until)
        if not self._defers:
            yield from self.call_back()

    def _ask(
        self, instance: Instance, need: NeedCandidate
    ) -> Generator[Call, Any, tuple[NeedCandidate, object]]:
        """Ask a strategy, again and again while it has nothing and nobody else's turn comes."""
        at, every, context = need.at, instance.state.every, instance.context
        alone_until = self._alone_until(need)
        instance.skipping = False
        if instance.signals is not None:
            first = instance.signals.first(at) or at
            last = at + max(0, -((at - alone_until) // every)) * every
            if first > last:
                self.now = last
                return NeedCandidate(last, need.last), None
            at = max(at, first)
        while True:
            begin_ask(context, at)
            try:
                reply = yield instance.ask
                if context.remembers:
                    keep_state(context)
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                reply = self._failed_ask(instance, at, error)
                break
            if reply is not None or at >= alone_until:
                break
            at += every  # None leaves no trace
            self.now = at
        return need if at == need.at else NeedCandidate(at, need.last), reply

    def _alone_until(self, need: NeedCandidate) -> int:
        """Return the last moment before which asks may follow each other without a look around."""
        heap = self._heap
        state = self.instances[heap[0][2]].state
        if self._pending or state.warming:
            return need.at
        last = need.last
        for item in heap[1:3]:  # one of these two is the next after the first
            last = min(last, item[0] - 1)
        return last - state.every + 1

    def _look(self, instance: Instance, until: int) -> None:
        """Find what happens next to an instance, and let it wait for its turn."""
        if instance.state.cursor >= min(until, instance.candles.end):
            return
        bound = until
        if self._pings(instance):
            bound = min(until, instance.state.cursor + MINUTE)
        self._wait(instance.place, advance(instance.state, instance.candles, instance.rules, bound))

    def _wait(self, place: int, step: Step) -> None:
        order = 0
        if step.events and not self._alone:
            for event in step.events:
                if event.at < step.at:
                    heappush(self._heap, (event.at, step.phase, place, order, event))
                    order += 1
        heappush(self._heap, (step.at, step.phase, place, order, step))

    def _take_effect(self, instance: Instance, step: Step) -> None:
        before, instance.state = instance.state, step.state
        if step.events:
            now = [event for event in step.events if event.at == step.at or self._alone]
            self._emit(instance, *now)
        if step.state.trades is not before.trades and step.state.trades:
            self._enter_trade(instance, step.state.trades[-1])
        if self._pings(instance):
            waited = before.signal is step.state.signal and step.state.cursor > before.cursor
            if waited:
                self._ping(instance, step.at)

    def _enter_trade(self, instance: Instance, trade: Trade) -> None:
        if trade.closed_at < self.fresh_from:
            trade = trade._replace(late=True)
            trades = (*instance.state.trades[:-1], trade)
            instance.state = instance.state._replace(trades=trades)
        self.trades.append(trade)
        for book in instance.books:
            book.add(trade)

    def _pings(self, instance: Instance) -> bool:
        state = instance.state
        asked_for = "ping" in instance.callbacks
        return asked_for and state.signal is not None and state.opened_at is None

    def _ping(self, instance: Instance, at: int) -> None:
        state, candles = instance.state, instance.candles
        price = touch.market_price(candles, candles.index(at), instance.rules)
        event = Event(0, at, state.symbol, state.strategy, "ping", state.signal, price)
        mode = instance.context.mode
        (event,) = numbered((event,), 0, fresh_from=self.fresh_from, mode=mode)
        self._pending.append((instance.callbacks["ping"], event))

    def _emit(self, instance: Instance, *events: Event) -> None:
        first = instance.numbering.last + 1
        instance.numbering.last += len(events)
        mode = instance.context.mode
        placed = numbered(events, first, fresh_from=self.fresh_from, mode=mode)
        self.events += placed
        if instance.callbacks:
            for event in placed:
                callback = instance.callbacks.get(event.kind)
                if callback is not None:
                    self._pending.append((callback, event))

    def _left_out(self, instance: Instance, at: int) -> str | None:
        """Say why an ask is left out, or None: too late, halted, or its strategy is still busy."""
        if at < self.fresh_from:
            return "late"
        if instance.halted:
            return "halted"
        if instance.busy is not None and not instance.busy():
            instance.busy = None
        return None if instance.busy is None else "busy"

    def _skip(self, instance: Instance, need: NeedCandidate, reason: str) -> None:
        """Say once for a row of asks that they are left out."""
        if instance.skipping:
            return
        instance.skipping = True
        last = min(need.last, floor_to(max(self.fresh_from - 1, need.at), instance.state.every))
        count = (last - need.at) // instance.state.every + 1
        note = f"{count} left out, {iso(need.at)} to {iso(last)}: {_LEFT_OUT[reason]}"
        event = self._event(instance, need.at, "skipped", note)
        self._emit(instance, event._replace(exit_reason=reason))

    def _failed_ask(self, instance: Instance, at: int, error: Exception) -> object:
        if isinstance(error, NotEnoughCandles):
            instance.asks_lost += 1
            return WARM_UP
        self._fail(instance, at, instance.ask.what, error)
        return None

    def _clear(
        self, instance: Instance, need: NeedClearance
    ) -> Generator[Call, Any, Refusal | None]:
        """Ask the risk rules; the first refusal ends it. What is no clear answer refuses."""
        if instance.books and self._consult is not None:
            refusal = yield from self._admit(instance, need, self._consult)
            if refusal is not None:
                return refusal
        for rule, book in zip(instance.spec.risk, instance.books, strict=True):
            name = rule.name
            seen = book.at(need.at, instance)
            what = f"risk rule {name}"
            call = Call(rule.function, (seen, need.signal), what, instance.state.symbol)
            try:
                verdict = yield call
                if verdict is None:
                    continue
                if isinstance(verdict, str) and verdict:
                    return Refusal(name, verdict)
                raise UsageError(
                    f"a risk rule must return None or a non-empty string, was {verdict!r:.80}"
                )
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                self._fail(instance, need.at, what, error)
                return Refusal(name, f"failed: {words_of(error)}")
        return None

    def _admit(
        self, instance: Instance, need: NeedClearance, consult: Callable[[], Company]
    ) -> Generator[Call, Any, Refusal | None]:
        """Let others take part in the books; while it is not known who does, nothing is opened."""
        try:
            company = yield Call(consult, (), BOOK, instance.state.symbol)
        except Exception as error:  # noqa: BLE001 - becomes an event
            self._fail(instance, need.at, BOOK, error)
            return Refusal(instance.books[0].name, f"failed: {words_of(error)}")
        for book in instance.books:
            book.admit(company.outsiders, since=company.since[book.name])
        return None

    def take_callbacks(self) -> list[Callback]:
        """Hand the callbacks of what has happened to the driver, to be called with `call_back`."""
        pending, self._pending = self._pending, []
        return pending

    def call_back(self, callbacks: Sequence[Callback] | None = None) -> Pump:
        """Call callbacks: those given, or those of what happened at the last moment."""
        for function, event in self.take_callbacks() if callbacks is None else callbacks:
            what = f"callback {CALLBACKS[event.kind]} of {event.strategy}"
            try:
                yield Call(function, (event,), what, event.symbol)
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                instance = self._instance_of(event)
                self._fail(instance, event.at, what, error)

    def _instance_of(self, event: Event) -> Instance:
        return next(
            instance
            for instance in self.instances
            if (instance.state.symbol, instance.state.strategy) == (event.symbol, event.strategy)
        )

    def _fail(self, instance: Instance, at: int, what: str, error: Exception) -> None:
        """Make the `error` event of a user function that raised or hung."""
        if isinstance(error, StrategyTimeout):
            self.timeouts += 1
            instance.renew(saved_state(instance.context))
            instance.busy = error.busy
        self._emit(instance, self._event(instance, at, "error", f"{what}: {words_of(error)}"))

    def _event(self, instance: Instance, at: int, kind: Kind, note: str) -> Event:
        state = instance.state
        return Event(0, at, state.symbol, state.strategy, kind, note=note[:_NOTE_LIMIT])
