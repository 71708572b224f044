"""`Session.pump`: the machine, the user's functions and the risk books make events.

The only loop over the machine's needs, for backtest and live alike. It is a generator: where a user
function has to be called it yields a `Call` and gets the result sent back (or the exception thrown
in). So it knows no threads, no deadlines and no event loop; the driver has those.

Steps of all instances wait in the schedule and take effect in the order of (at, phase, place),
however far ahead each was computed. A risk book is read when a step takes effect, so it shows what
was true at that moment. Events come out in the same order, through the event queue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, assert_never

from tradenb.core.events import WITHOUT_EFFECT, AskRow, Event
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import (
    ASKS,
    EXITS,
    WARM_UP,
    NeedCandidate,
    NeedCandles,
    NeedClearance,
    Passage,
    Refusing,
    Step,
)
from tradenb.core.money.position_money import Grant
from tradenb.core.risk import Refusal
from tradenb.core.signal import Trade
from tradenb.engine.call import CALLBACKS, Call, Pump, StrategyTimeout, words_of
from tradenb.engine.context import saved_state
from tradenb.engine.session.account_book import share_accounts
from tradenb.engine.session.books import Peers
from tradenb.engine.session.clearance import ask_risk_rules, is_refused_again, share_books
from tradenb.engine.session.entry_asks import ask_alone, ask_in_turn, is_entry_ask
from tradenb.engine.session.instance import REASON, Instance
from tradenb.engine.session.manager_asks import ask_manager, go_through, quiet_span_of
from tradenb.engine.session.notices import SkipReason, failed, ping, skipped
from tradenb.engine.session.queues import Callback, CallbackQueue, EventQueue, Schedule, Taken
from tradenb.engine.session.refusal_rows import RefusalRows
from tradenb.errors import NotEnoughCandles

_CALLBACKS: Final = 4  # after the three phases of the machine


class Session:
    """Instances that are pumped together because they share candles, risk books or a clock.

    Parameters
    ----------
    instances : sequence of Instance
        In their order of place, which counts from 0.
    defer_callbacks : bool
        Leave the callbacks to the driver, which calls `call_back` when the events are on disk.
    find_peers : callable, optional
        Called before risk rules are asked; returns the runs outside that share their books.
    numbers : bool
        Events get their numbers. Without callbacks they may get them later: 1, 2, 3, ... in the
        order in which they took effect.

    Attributes
    ----------
    events : list of Event
        What had taken effect when `settle` was called last, at the latest at the end of a pump. The
        driver takes them from here; those without numbers it gets from `take_events`.
    callbacks : CallbackQueue
        The callbacks that are due, if they are deferred.
    now : int
        Close time of the turn; while a strategy is asked again and again, where that began.
    fresh_from : int
        Closes before it are late: signals are followed to their end, but no strategy is asked.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        *,
        defer_callbacks: bool = False,
        find_peers: Callable[[], Peers] | None = None,
        numbers: bool = True,
    ) -> None:
        self.instances = instances
        self.events: list[Event] = []
        self.trades: list[Trade] = []
        self._rows = RefusalRows()
        self.now = 0
        self.fresh_from = 0
        self.timeouts = 0
        self._find_peers = find_peers
        self._refused_by: str | None = None
        self.callbacks = CallbackQueue(instances)
        self._calls_at_once = self.callbacks.in_use and not defer_callbacks
        self.schedule = Schedule()
        self._phase: int = EXITS
        numbers = numbers or self.callbacks.in_use
        self.event_queue = EventQueue(instances, numbers=numbers)
        if any(item.spec.risk for item in instances):
            share_books(instances)
        shared = any(item.account is not None for item in instances)
        self.accounts = share_accounts(instances) if shared else []

    @property
    def reached(self) -> int:
        """The newest close that a strategy is asked about, or that a turn is at, ms UTC."""
        return max(self.now, *[instance.context.now for instance in self.instances])

    @property
    def refusals(self) -> list[tuple[str, str, Refusing]]:
        """Rows of refusals with symbol and strategy, in the order of their first."""
        states = [instance.state for instance in self.instances]
        return [
            (states[place].symbol, states[place].strategy, row)
            for (place, *_), row in self._rows.items()
        ]

    @property
    def asked(self) -> list[tuple[str, str, Sequence[AskRow]]]:
        """What the asks of each instance came to, with its symbol and strategy."""
        return [(item.state.symbol, item.state.strategy, item.asks.rows) for item in self.instances]

    def pump(self, until: int) -> Pump:
        """Let everything happen up to a close time, ms UTC.

        Yields the calls of user functions: send back the result, or throw in what was raised.
        """
        self._plan_first_steps(until)
        while (turn := self.schedule.take()) is not None:
            at, phase, waiting = turn
            if self._calls_at_once and at > self.now:
                yield from self._call_back_before(at)
            self.now, self._phase = at, phase
            # Strategies may be asked many times in a row while nobody else has a turn and no
            # callback is due, since a callback comes before the next ask.
            undisturbed = not (self._calls_at_once and self.event_queue)
            alone = undisturbed and len(waiting) == 1
            number = 0
            while number < len(waiting):
                place, step = waiting[number]
                following: Step | None = step
                if len(waiting) > 1 and is_entry_ask(step.need):
                    turns = ask_in_turn(self, waiting, number, undisturbed=undisturbed)
                    number, following = yield from turns
                    if following is None:
                        break
                    place = waiting[number][0]
                instance = self.instances[place]
                # What follows at the same close and phase comes before the next instance, whose
                # risk rules have to see it. Behind what a person does by hand that is an ask.
                while following is not None:
                    match following.need:
                        case NeedCandidate() as need:
                            ask = ask_manager if need.managed else ask_alone
                            following = yield from ask(self, instance, following, need, alone=alone)
                        case NeedClearance() as need:
                            self._apply(instance, following)
                            following = yield from self._clear(instance, need, until)
                        case None | NeedCandles():
                            self._apply(instance, following)
                            following = self._plan(instance, until)
                        case _ as unknown:
                            assert_never(unknown)
                number += 1
        if self._calls_at_once:
            yield from self._call_back_before(self.now + 1)
        # The last turn may be of an earlier phase than the turn before it, so all phases are
        # settled.
        self._phase = _CALLBACKS
        self.settle()
        self._rest(until)

    def _rest(self, until: int) -> None:
        """Leave in the states what the session keeps while it pumps."""
        for account in self.accounts:
            account.rest(until)
        for instance in self.instances:
            instance.rest()

    def _plan_first_steps(self, until: int) -> None:
        for account in self.accounts:
            account.look()
        for instance in self.instances:
            if instance.signals is not None:
                instance.follow_table(instance.signals)
            self._plan(instance, until)

    def _clear(
        self, instance: Instance, need: NeedClearance, until: int
    ) -> Generator[Call, Any, Step | None]:
        """Ask the risk rules, then for funds; return the step that follows now."""
        verdict: Grant | Refusal | None = None
        if instance.books or (instance.money is not None and self._find_peers is not None):
            verdict = yield from ask_risk_rules(instance, need, self._find_peers, self._fail)
        if verdict is None and instance.money is not None:
            verdict = instance.money.clear(instance, need)
        self._refused_by = verdict.name if isinstance(verdict, Refusal) else None
        if isinstance(verdict, Refusal) and self._is_told(instance, need, verdict, until):
            return None
        return answer(instance.state, need, verdict, instance.candles, instance.rules)

    def _is_told(
        self, instance: Instance, need: NeedClearance, refusal: Refusal, until: int
    ) -> bool:
        """Go on to the next ask after a refusal of which an event has told; else say False.

        The machine would come to the same, and make an event that is not wanted.
        """
        state, candles, at = instance.state, instance.candles, need.at
        if state.signal is not None or state.commands or self._phase != ASKS:
            return False
        row, last = (refusal.exit_reason, refusal.name), min(until, candles.end)
        following = candles.next_due(at, state.every)
        if following > last or not self._rows.knows(instance, *row):
            return False
        self._rows.count(instance, at, *row)
        instance.asks.reject(at, "refused", refusal.name)
        asking = Step(following, ASKS, state, (), NeedCandidate(following, last))
        self.schedule.add(following, ASKS, instance.place, asking)
        return True

    def settle(self) -> None:
        """Give numbers to the events that have taken effect, and add them to `events`."""
        if not self.event_queue.numbers:
            return
        taken = self.event_queue.take(self.now, self._phase, fresh_from=self.fresh_from)
        self.events += self.callbacks.add(taken) if self.callbacks.in_use else taken

    def take_events(self) -> Taken:
        """Take the events that have taken effect since the last time, at the end of a pump."""
        if not self.event_queue.numbers:
            return self.event_queue.take_all(self.now, self._phase)
        events, self.events = self.events, []
        return Taken.of(events)

    def refuses_again(self, instance: Instance, reply: object, at: int) -> bool:
        """Count a candidate that is refused as the one before it; False if that is not known."""
        row = instance.refusing
        if row is None or self._find_peers is not None:
            return False
        if not is_refused_again(instance, row, reply, at):
            return False
        self._rows.go_on(instance, at, row)
        instance.asks.note_again(at, "refused", row.name[:REASON])
        return True

    def _plan(self, instance: Instance, until: int) -> Step | None:
        """Find the next step of an instance; return it if it is due now, else schedule it."""
        state = instance.state
        candles = instance.candles
        if state.cursor >= min(until, candles.end):
            return None
        if state.manage_every is not None and not self._calls_at_once:
            quiet = quiet_span_of(instance, until, self.fresh_from)
            if quiet is not None:
                at = candles.next_due(state.cursor, state.manage_every)
                return go_through(self, instance, quiet, at)
        bound = until
        if self._pings(instance):
            bound = min(until, candles.ends_at(candles.index(state.cursor) + 1))
        step = advance(state, candles, instance.rules, bound)
        if step.state is state and type(step.need) is NeedCandles:
            return None  # no candle closes up to there
        following = step.state
        if following.tested and not step.events and following.signal is state.signal:
            # Nothing happened up to the next ask: go there at once.
            step = advance(following, candles, instance.rules)
        return self.put(instance, step)

    def put(self, instance: Instance, step: Step) -> Step | None:
        """Return a step if it is due now, else put it into the schedule."""
        events, at = step.events, step.at
        if type(events) is Passage:
            self.event_queue.note_passage(events, step.phase, instance.place)
        elif events:
            if instance.refusing is not None and "moved" in [event.kind for event in events]:
                instance.refusing = None
            # Milestones on the way to the step have their place in the order already.
            if events[-1].at == at:
                events = tuple([event for event in events if event.at < at])
            self.event_queue.note_all(events, step.phase, instance.place)
        if at == self.now and step.phase == self._phase:
            return step
        self.schedule.add(at, step.phase, instance.place, step)
        return None

    def _apply(self, instance: Instance, step: Step) -> None:
        """Let a step take effect: state, events and books."""
        before, state = instance.state, step.state
        if state is before and state.signal is None and not step.events:
            return
        if instance.money is not None:
            instance.money.before(instance, step)
        instance.state = state
        events = step.events
        for event in (events.closed,) if type(events) is Passage else events:
            if event.at == step.at:
                self._note(instance, event)
        if state.signal is not before.signal or state.opened_at != before.opened_at:
            for book in instance.books:
                book.look_at(instance)
        if state.trades is not before.trades and state.trades:
            self._enter_trade(instance, state.trades[-1])
        if instance.next_rules is not None:
            instance.take_next_rules()
        if instance.money is not None:
            instance.money.after(instance, before)
        waits_on = before.signal is state.signal and state.cursor > before.cursor
        if waits_on and self._pings(instance):
            self._note(instance, ping(instance, step.at))

    def _enter_trade(self, instance: Instance, trade: Trade) -> None:
        known = trade
        if trade.closed_at < self.fresh_from:
            trade = trade._replace(late=True)
        if instance.money is not None:
            trade = instance.money.closed(instance, trade)
        if trade is not known:
            trades = (*instance.state.trades[:-1], trade)
            instance.state = instance.state._replace(trades=trades)
        self.trades.append(trade)
        for book in instance.books:
            book.add(instance.place, trade)

    def _pings(self, instance: Instance) -> bool:
        return "ping" in instance.callbacks and instance.state.is_scheduled

    def _note(self, instance: Instance, event: Event) -> None:
        # What a callback raises ends no row: live it comes later than in a backtest.
        if event.kind not in WITHOUT_EFFECT and self._phase != _CALLBACKS:
            if event.kind == "rejected":
                self._note_rejected(instance, event)
            if event.exit_reason not in ("risk", "funds") or self._refused_by is None:
                instance.refusing = None
            else:
                row = event.exit_reason, self._refused_by
                known = self._rows.knows(instance, *row)
                self._rows.count(instance, event.at, *row)
                if known:
                    return
        self.event_queue.note(self.now, self._phase, instance.place, event)

    def _note_rejected(self, instance: Instance, event: Event) -> None:
        """Note what an ask came to that wanted what was rejected."""
        if event.exit_reason == "invalid":
            instance.asks.reject(self.now, "invalid", (event.note or "").split(" | ")[-1])
        else:
            instance.asks.reject(self.now, "refused", self._refused_by or event.exit_reason or "")

    def reason_to_skip(self, instance: Instance, at: int) -> SkipReason | None:
        """Say why a strategy is not asked, if there is a reason."""
        if at < self.fresh_from:
            return "late"
        if instance.halted:
            return "halted"
        if instance.busy is not None and not instance.busy():
            instance.busy = None
        return None if instance.busy is None else "busy"

    def skip(self, instance: Instance, at: int, last: int, reason: SkipReason) -> None:
        """Make one event for a whole row of asks that are skipped."""
        instance.asks.note(at, "skipped", reason, managed=instance.state.signal is not None)
        if instance.skipping:
            return
        instance.skipping = True
        manager = instance.state.manage_every if instance.state.signal is not None else None
        every, fresh_from = manager or instance.state.every, self.fresh_from
        self._note(instance, skipped(instance, at, last, every, reason, fresh_from=fresh_from))

    def failed_ask(
        self, instance: Instance, at: int, error: Exception, *, managed: bool = False
    ) -> object:
        """Make the event of an ask that failed; return what it counts as."""
        if isinstance(error, NotEnoughCandles):
            instance.asks.note(at, "skipped", "warm_up", managed=managed)
            return WARM_UP
        instance.asks.note(at, "error", words_of(error)[:REASON], managed=managed)
        self._fail(instance, at, (instance.manage if managed else instance.ask).what, error)
        return None

    def call_back(self, callbacks: Sequence[Callback]) -> Pump:
        """Call the given callbacks."""
        self._phase = _CALLBACKS
        for function, event in callbacks:
            what = f"callback {CALLBACKS[event.kind]} of {event.strategy}"
            try:
                yield Call(function, (event,), what, event.symbol)
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                self._fail(self.callbacks.instance_of(event), event.at, what, error)
                self.settle()  # at once, since the next to fail may have an earlier place

    def _call_back_before(self, at: int) -> Pump:
        """Call the callbacks of all events before a moment, one moment after the other."""
        while (moment := self.event_queue.first()) is not None and moment < at:
            self.now, self._phase = moment, _CALLBACKS
            self.settle()
            yield from self.call_back(self.callbacks.take())

    def _fail(self, instance: Instance, at: int, what: str, error: Exception) -> None:
        """Make the `error` event of a user function that raised or hung."""
        if isinstance(error, StrategyTimeout):
            self.timeouts += 1
            instance.renew(saved_state(instance.context))
            instance.busy = error.busy
        self._note(instance, failed(instance, at, what, error))
