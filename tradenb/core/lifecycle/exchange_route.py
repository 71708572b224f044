"""The lifecycle of a signal that orders fill: what is wanted at the exchange, what it reports.

Candles decide as they do on paper, and here they decide what is *wanted*: to enter, to hold so many
pieces behind a stop, to exit. The machine of orders (`core/orders`) follows that and makes reports,
which come back as commands do: each acts on the first candle that closes after it, and once.

state      on                                       becomes    event
--------   --------------------------------------   --------   ----------------------------------
idle       a candidate or touched entry, cleared    entering   entering
entering   report entered                           open       opened, at the average of the fills
           report not_entered                       idle       rejected
           flatten, cancel                          entering, to be left at once
open       stop, expiry, flatten, close             exiting    exiting
           report reduced                           open       partial
           report exited                            idle       closed
exiting    report exited                            idle       closed
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast, get_args

from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.editing import Editing
from tradenb.core.lifecycle.holding import DUST, Holding, ladder_of, opened, part_of, without
from tradenb.core.lifecycle.state import Command, State, idle_after, remember
from tradenb.core.money.position_money import Grant, PositionMoney, with_money
from tradenb.core.orders.order_records import (
    FLAT,
    ZERO,
    DesiredPosition,
    Execution,
    ExecutionReport,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Signal, closed_trade

ALMOST: Final = 1 - 1e-6
"""The largest part; the rest of a position ends with the report that it is gone."""
MAX_ENTRY_SLIPPAGE: Final = 0.002
"""An entry may cost so much more than the price that was decided on, as a share of it."""


class RoutedEditing(Editing):
    """A position at an exchange: what would be sold on paper is wanted to be sold here."""

    @property
    def over(self) -> bool:
        """Whether all of it is to be sold."""
        return self._execution.want == "exit"

    @property
    def _execution(self) -> Execution:
        return self.state.execution or Execution()

    def sell(
        self,
        cost: float,
        price: float,
        reason: ExitReason,
        *,
        limit: bool = False,
        note: str | None = None,
    ) -> None:
        """Want a part of that cost to be sold, or all that is left."""
        del limit
        if self.over:
            return
        execution, money = self._execution, self.holding.money
        pieces = 0.0 if money is None else money.quantity
        keeps = execution.quantity or pieces
        share = part_of(self.holding, cost) / self.holding.cost
        keeps -= pieces * share
        wanted = execution._replace(since=self.at, reason=reason)
        if keeps <= DUST * pieces:
            self.state = self.state._replace(execution=wanted._replace(want="exit", quantity=0.0))
            self._note("exiting", price=price, exit_reason=reason, note=note)
        else:
            self.state = self.state._replace(execution=wanted._replace(quantity=keeps))

    def sell_rung(
        self, price: float | None = None, *, limit: bool = True, note: str | None = None
    ) -> bool:
        """Want what the nearest rung closes; the one that rests at the exchange is left to it."""
        if limit and rests(self.signal, self.holding.rungs):
            return False
        return super().sell_rung(self.price if price is None else price, limit=limit, note=note)


def editing_of(
    state: State, signal: Signal, opened_at: int, at: int, price: float, rules: Rules
) -> Editing:
    """Make the editing of an open position, on paper or at an exchange."""
    kind = Editing if state.execution is None else RoutedEditing
    return kind(state, signal, opened_at, at, price, rules)


def rests(signal: Signal, rungs: tuple[tuple[float, float], ...]) -> bool:
    """Tell whether the target left rests at the exchange, beside the stop: one for all."""
    return len(rungs) == 1 and not signal.targets


def entering(state: State, signal: Signal, at: int, given: object) -> tuple[State, Event]:
    """Want a signal that was cleared to be entered; return the state and the event.

    Parameters
    ----------
    given : Grant
        What the account gives.
    """
    pieces = given.quantity if isinstance(given, Grant) else 0.0
    heard = 0 if state.execution is None else state.execution.heard
    execution = Execution(
        heard=heard,
        want="enter",
        since=at,
        quantity=pieces,
        limit=signal.entry * (1 + MAX_ENTRY_SLIPPAGE),
    )
    after = state._replace(
        signal=signal, opened_at=None, gained=0, lost=0, holding=None, execution=execution,
        tested=False,
    )  # fmt: skip
    event = event_of(
        after, at, "entering", signal, price=signal.entry, note=signal.note, quantity=pieces
    )
    return after, event


def leave_entering(state: State) -> State:
    """Want what is on its way in, or out, to be gone as soon as it is known."""
    execution = state.execution
    if execution is None or execution.want != "enter":
        return state
    return state._replace(execution=execution._replace(want="exit", reason="flattened"))


def leave_without_candle(state: State) -> State:
    """Want what is held, or on its way in, to be gone; the same state where it is leaving."""
    execution = state.execution
    if execution is None or execution.want == "exit":
        return state
    wanted = execution._replace(want="exit", since=state.cursor, quantity=0.0, reason="abandoned")
    return state._replace(execution=wanted)


def hear(
    state: State, command: Command, at: int, price: float, rules: Rules
) -> tuple[State, tuple[Event, ...]]:
    """Let a report act at a close; each acts once, and those of another signal do nothing."""
    report, execution = report_of(command.values or {}), state.execution
    if execution is None or report.seq <= execution.heard:
        return state, ()
    state = state._replace(execution=execution._replace(heard=report.seq))
    signal = state.signal
    if signal is None or signal.id != report.signal_id:
        return state, ()
    match report.kind:
        case "entered":
            return _entered(state, signal, report, at, rules) if not state.is_open else (state, ())
        case "not_entered":
            if state.is_open:
                return state, ()
            event = event_of(
                state, at, "rejected", signal, price=price, exit_reason=report.reason,
                note=report.words or None,
            )  # fmt: skip
            return idle_after(state, state.trades), (event,)
        case _:
            return _left(state, signal, report, at, price) if state.is_open else (state, ())


def _entered(
    state: State, signal: Signal, report: ExecutionReport, at: int, rules: Rules
) -> tuple[State, tuple[Event, ...]]:
    """Open a position at what its fills cost."""
    pieces, value, fees = float(report.quantity), float(report.value), float(report.fees)
    average = float(report.average or 0) or signal.entry
    paid = (value + fees) / pieces if value and pieces else average
    signal = signal._replace(entry=average)
    taken = fees + float(report.fee_in_pieces)
    money = PositionMoney(value, value, pieces, pieces, value, -fees, taken)
    holding = opened(signal, rules, limit=False)._replace(paid=paid, fee=0.0, money=money)
    execution = (state.execution or Execution())._replace(quantity=0.0, limit=0.0)
    if execution.want == "enter":
        execution = execution._replace(want="hold", since=at)
    after = state._replace(
        signal=signal, opened_at=at, gained=0, lost=0, holding=holding, execution=execution,
        earned=state.earned - fees,
    )  # fmt: skip
    event = event_of(
        after, at, "opened", signal, price=average, note=signal.note, fraction=1.0, quantity=pieces
    )
    return after, (event,)


def _left(
    state: State, signal: Signal, report: ExecutionReport, at: int, price: float
) -> tuple[State, tuple[Event, ...]]:
    """Book what was sold of a position, or all that was left of it."""
    holding = state.holding
    money = None if holding is None else holding.money
    opened_at = state.opened_at
    if holding is None or money is None or opened_at is None:
        return state, ()
    sold = _sold(holding, money, report)
    rest, money = sold.rest, sold.money
    got = float(report.average) if report.average else price
    said = report.reason if report.reason in get_args(ExitReason) else "flattened"
    reason = cast(ExitReason, holding.stop_by if said == "stop_loss" else said)
    state = state._replace(earned=state.earned + sold.change)
    if report.kind != "exited":
        execution = state.execution or Execution()
        if money.quantity <= execution.quantity * (1 + DUST):
            execution = execution._replace(quantity=0.0, reason="")
        event = event_of(
            state, at, "partial", signal, price=got, exit_reason=reason, pnl_percent=sold.percent,
            fraction=sold.cost, quantity=sold.pieces, note=report.words or None,
        )  # fmt: skip
        return state._replace(holding=rest, execution=execution), (event,)
    percent = rest.realised / rest.invested
    trade = closed_trade(
        signal, opened_at, at, got, reason, percent,
        entries=rest.entries, exits=rest.exits, invested=rest.invested,
    )  # fmt: skip
    event = event_of(
        state, at, "closed", signal, price=got, exit_reason=reason, pnl_percent=percent,
        fraction=sold.cost, quantity=float(report.quantity), note=report.words or None,
    )  # fmt: skip
    return idle_after(state, remember(state.trades, with_money(trade, money))), (event,)


class _Sold(NamedTuple):
    """What was sold of a position: its part of the cost, its pieces, and what is left after it."""

    cost: float
    pieces: float
    percent: float
    change: float
    rest: Holding
    money: PositionMoney


def _sold(holding: Holding, money: PositionMoney, report: ExecutionReport) -> _Sold:
    """Take from a position what a report says was sold of it; `exited` takes all that is left."""
    whole = report.kind == "exited"
    sold, value, fees = float(report.quantity), float(report.value), float(report.fees)
    pieces = money.quantity if whole else min(sold, money.quantity)
    share = 1.0 if whole or not money.quantity else min(pieces / money.quantity, ALMOST)
    cost = holding.cost if whole else holding.cost * share
    paid = holding.paid * pieces
    percent = (value - fees - paid) / paid * 100 if paid > DUST * money.invested else 0.0
    rest = without(holding, cost, percent)
    if not sold:
        rest = rest._replace(exits=max(holding.exits, 1))
    change = value - money.cost * share - fees
    money = money._replace(
        cost=0.0 if whole else money.cost - money.cost * share,
        quantity=0.0 if whole else money.quantity - pieces,
        earned=money.earned + change,
        fees=money.fees + fees,
    )
    return _Sold(cost, pieces, percent, change, rest._replace(money=money), money)


def desired_position(state: State) -> DesiredPosition:
    """Return what a state wants held at the exchange; it must be one that is on disk."""
    execution, signal = state.execution, state.signal
    if execution is None or signal is None or execution.want == "flat":
        return FLAT
    rungs = ladder_of(signal)[0] if state.holding is None else state.holding.rungs
    target = rungs[0][0] if rests(signal, rungs) else None
    return DesiredPosition(
        want=execution.want,
        signal_id=signal.id,
        since=execution.since,
        quantity=_exact(execution.quantity),
        limit=_exact(execution.limit) if execution.limit else None,
        stop=_exact(signal.stop_loss),
        target=None if target is None else _exact(target),
        reason=execution.reason,
    )


def report_command(report: ExecutionReport) -> Command:
    """Return the command by which a report acts; its numbers are text, so they stay exact."""
    values = {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in report._asdict().items()
        if name != "at"
    }
    return Command(at=report.at, kind="report", values=values)


def report_of(values: Mapping[str, Any]) -> ExecutionReport:
    """Return the report that a command brings; its `at` is the command's, here 0."""
    exact = {
        name: None if values.get(name) is None else Decimal(values[name])
        for name in ("quantity", "average", "value", "fees", "carried")
    }
    named = ("seq", "kind", "signal_id", "reason", "words", "estimated")
    known = {name: values[name] for name in named if name in values}
    average = exact.pop("average")
    numbers = {name: ZERO if value is None else value for name, value in exact.items()}
    return ExecutionReport(at=0, average=average, **known, **numbers)  # type: ignore[arg-type]


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
