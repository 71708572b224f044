"""`Session.pump`: the machine, the user's functions and the risk books make events.

The only loop over the machine's needs, for backtest and live alike. It is a generator: where a user
function has to be called it yields a `Call` and gets the result sent back (or the exception thrown
in). So it knows no threads, no deadlines and no event loop; the driver has those.

Steps of all instances wait for their turn and take effect in the order of (at, phase, place),
however far ahead each was computed. A risk book is read when a step takes effect, so it shows what
was true at that moment. Events come out in the same order, through the timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

from tradenb.core import prices
from tradenb.core.events import Event, Kind, event_of
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import (
    ASKS,
    EXITS,
    NOT_ASKED,
    WARM_UP,
    NeedCandidate,
    NeedClearance,
    State,
    Step,
)
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.call import Call, Pump, StrategyTimeout, words_of
from tradenb.engine.context import begin_ask, keep_state, saved_state
from tradenb.engine.session.books import Peers
from tradenb.engine.session.clearance import Clearance
from tradenb.engine.session.instance import Instance, share_books
from tradenb.engine.session.queues import EventQueue, Schedule
from tradenb.engine.specs.strategy_spec import CALLBACKS
from tradenb.errors import NotEnoughCandles

_CALLBACKS: Final = 4  # after the three phases of the machine
_ERROR_LIMIT: Final = 500
_LEFT_OUT: Final = {
    "late": "no new decisions in the past",
    "halted": "the kill switch is on",
    "busy": "the strategy has not come back from an earlier ask",
}
Callback = tuple[Callable[[Event], Any], Event]


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
        What had happened when it was settled last, at the latest at the end of a pump; the driver
        takes them from here.
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
        consult: Callable[[], Peers] | None = None,
    ) -> None:
        self.instances = instances
        self.events: list[Event] = []
        self.trades: list[Trade] = []
        self.now = 0
        self.fresh_from = 0
        self.timeouts = 0
        self._clearance = Clearance(consult)
        self._instances = {(item.state.symbol, item.state.strategy): item for item in instances}
        self._heeded = any(item.callbacks for item in instances)
        self._calls_back = self._heeded and not defer_callbacks
        self._pending: list[Callback] = []
        self._turns = Schedule()
        self._phase: int = EXITS
        self._timeline = EventQueue(instances)
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
        for instance in self.instances:
            step = self._look(instance, until)
            if step is not None:
                self._turns.wait(step.at, step.phase, instance.place, step)
        while self._turns:
            at, phase, waiting = self._turns.take()
            if self._calls_back and at > self.now:
                yield from self._call_back_before(at)
            self.now, self._phase = at, phase
            alone = len(waiting) == 1 and not (self._calls_back and self._timeline)
            for place, step in waiting:
                instance = self.instances[place]
                following: Step | None = step
                if type(step.need) is NeedCandidate:
                    following = yield from self._ask(instance, step, step.need, alone=alone)
                while following is not None:
                    self._take_effect(instance, following)
                    need = following.need
                    if type(need) is NeedClearance:
                        reply = yield from self._clearance.of(instance, need, self._fail)
                        state, candles, rules = instance.state, instance.candles, instance.rules
                        self._take_effect(instance, answer(state, need, reply, candles, rules))
                    following = self._look(instance, until)
                    if following is not None and not self._is_now(following):
                        self._turns.wait(following.at, following.phase, place, following)
                        following = None
        if self._calls_back:
            yield from self._call_back_before(self.now + 1)
        # Behind all phases: the last turn may be of an earlier one than the turn before it.
        self._phase = _CALLBACKS
        self.settle()

    def _is_now(self, step: Step) -> bool:
        return step.at == self.now and step.phase == self._phase

    def settle(self) -> None:
        """Give numbers to what has taken effect by now, and let `events` show it."""
        taken = self._timeline.take(self.now, self._phase, fresh_from=self.fresh_from)
        if self._heeded:
            self._pending += self._callbacks_of(taken)
            taken = [event for event in taken if event.kind != "ping"]
        self.events += taken

    def _callbacks_of(self, events: Sequence[Event]) -> list[Callback]:
        found = [(self._instance_of(event).callbacks.get(event.kind), event) for event in events]
        return [(callback, event) for callback, event in found if callback is not None]

    def _ask(
        self, instance: Instance, step: Step, need: NeedCandidate, *, alone: bool
    ) -> Generator[Call, Any, Step | None]:
        """Ask a strategy, if it may be asked; return what follows now, if anything does.

        While it has nothing and nobody else's turn comes, it is asked again and again.
        """
        state = instance.state = step.state
        at, every, last, context = self.now, state.every, need.last, instance.context
        reason = self._left_out(instance, at)
        if reason is not None:
            self._skip(instance, NeedCandidate(at, last), reason)
            return self._answered(instance, step, at, last, NOT_ASKED)
        instance.skipping = False
        if instance.signals is not None:
            sought = min(instance.signals.first(at) or at, last)
            if sought > at:
                self._turns.wait(sought, ASKS, instance.place, step)
                return None
        alone_until = self._alone_until(state, last) if alone else at
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
        return self._answered(instance, step, at, last, reply)

    def _answered(
        self, instance: Instance, step: Step, at: int, last: int, reply: object
    ) -> Step | None:
        """Return what follows now from an answer; what follows later waits for its turn."""
        state = step.state
        if reply is None and not state.warming and at + state.every <= last:
            self._turns.wait(at + state.every, ASKS, instance.place, step)
            return None
        need = NeedCandidate(at, last)
        following = answer(state, need, reply, instance.candles, instance.rules)
        if following.at > at:
            self._turns.wait(following.at, ASKS, instance.place, following)
            return None
        return following

    def _alone_until(self, state: State, last: int) -> int:
        """Return the last moment before which asks may follow each other without a look around."""
        following = self._turns.first()
        if state.warming:
            return self.now
        return (last if following is None else min(last, following - 1)) - state.every + 1

    def _look(self, instance: Instance, until: int) -> Step | None:
        """Find what happens next to an instance, and note what happens to it on the way."""
        state = instance.state
        if state.cursor >= min(until, instance.candles.end):
            return None
        bound = min(until, state.cursor + MINUTE) if self._pings(instance) else until
        step = advance(state, instance.candles, instance.rules, bound)
        for event in step.events:
            if event.at < step.at:
                self._timeline.note(event.at, step.phase, instance.place, event)
        return step

    def _take_effect(self, instance: Instance, step: Step) -> None:
        before, state = instance.state, step.state
        instance.state = state
        for event in step.events:
            if event.at == step.at:
                self._note(instance, event)
        if state.signal is not before.signal or state.opened_at != before.opened_at:
            for book in instance.books:
                book.forget_held()
        if state.trades is not before.trades and state.trades:
            self._enter_trade(instance, state.trades[-1])
        if self._pings(instance):
            waited = before.signal is state.signal and state.cursor > before.cursor
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
        return "ping" in instance.callbacks and instance.state.is_scheduled

    def _ping(self, instance: Instance, at: int) -> None:
        state, candles = instance.state, instance.candles
        price = prices.market_price(candles, candles.index(at), instance.rules)
        self._note(instance, event_of(state, at, "ping", state.signal, price=price))

    def _note(self, instance: Instance, event: Event) -> None:
        self._timeline.note(self.now, self._phase, instance.place, event)

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
        self._note(instance, event._replace(exit_reason=reason))

    def _failed_ask(self, instance: Instance, at: int, error: Exception) -> object:
        if isinstance(error, NotEnoughCandles):
            instance.asks_lost += 1
            return WARM_UP
        self._fail(instance, at, instance.ask.what, error)
        return None

    def take_callbacks(self) -> list[Callback]:
        """Hand the callbacks of what has happened to the driver, to be called with `call_back`."""
        pending, self._pending = self._pending, []
        return pending

    def call_back(self, callbacks: Sequence[Callback]) -> Pump:
        """Call the given callbacks."""
        self._phase = _CALLBACKS
        for function, event in callbacks:
            what = f"callback {CALLBACKS[event.kind]} of {event.strategy}"
            try:
                yield Call(function, (event,), what, event.symbol)
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                self._fail(self._instance_of(event), event.at, what, error)
                self.settle()  # the next to fail may have an earlier place

    def _call_back_before(self, at: int) -> Pump:
        """Call back for all that takes effect before a moment, one moment after the other."""
        while (moment := self._timeline.first()) is not None and moment < at:
            self.now, self._phase = moment, _CALLBACKS
            self.settle()
            yield from self.call_back(self.take_callbacks())

    def _instance_of(self, event: Event) -> Instance:
        return self._instances[event.symbol, event.strategy]

    def _fail(self, instance: Instance, at: int, what: str, error: Exception) -> None:
        """Make the `error` event of a user function that raised or hung."""
        if isinstance(error, StrategyTimeout):
            self.timeouts += 1
            instance.renew(saved_state(instance.context))
            instance.busy = error.busy
        self._note(instance, self._event(instance, at, "error", f"{what}: {words_of(error)}"))

    def _event(self, instance: Instance, at: int, kind: Kind, note: str) -> Event:
        return event_of(instance.state, at, kind, note=note[:_ERROR_LIMIT])
