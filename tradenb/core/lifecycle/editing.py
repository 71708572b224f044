"""One position while things happen to it at one close: parts, entries and moves, and their events.

An `Editing` is made for one candle (opened.py) or one answer (managing.py) and gives the state that
follows. It is the only thing in the machine that changes in place, and nobody keeps it. What one
candle does to it, in the order of the law, is `meet`.
"""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.holding import (
    StopBy,
    added,
    costs,
    exit_percent,
    part_of,
    plan_of,
    received,
    without,
)
from tradenb.core.lifecycle.missing import open_alone
from tradenb.core.lifecycle.state import State, holding_of, idle_after, remember
from tradenb.core.lifecycle.trailing import better, beyond, breakeven_trigger, tighter, trail_level
from tradenb.core.money.market import stop_on_step
from tradenb.core.money.position_money import (
    Booked,
    Grant,
    PositionMoney,
    entered,
    left,
    with_money,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Signal, Trade, closed_trade


class Editing:
    """A position at one close time.

    Parameters
    ----------
    state : State
        It is open.
    price : float
        The market price.

    Attributes
    ----------
    signal, holding
        As they are now.
    events : list of Event
    trade : Trade or None
        Of the position, once it is closed.
    """

    def __init__(
        self, state: State, signal: Signal, opened_at: int, at: int, price: float, rules: Rules
    ) -> None:
        self.state = state
        self.at = at
        self.price = price
        self.rules = rules
        self.opened_at = opened_at
        self.signal = signal
        self.holding = holding_of(state, signal, rules)
        self.events: list[Event] = []
        self.trade: Trade | None = None

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do to it."""
        return self.trade is not None

    def sell(
        self,
        cost: float,
        price: float,
        reason: ExitReason,
        *,
        limit: bool = False,
        note: str | None = None,
    ) -> None:
        """Close a part of that cost, or all that is left."""
        holding, signal = self.holding, self.signal
        cost = part_of(holding, cost)
        percent = exit_percent(signal.position, holding, price, self.rules, limit=limit)
        rest = without(holding, cost, percent)
        whole, quantity, money = rest.cost == 0.0, None, holding.money
        if money is not None:
            booked = self._leave(money, cost, price, whole=whole, limit=limit)
            money, quantity = booked.money, booked.quantity
            rest = rest._replace(money=money)
        self.holding = rest
        if whole:
            percent = rest.realised / rest.invested
            trade = closed_trade(
                signal,
                self.opened_at,
                self.at,
                price,
                reason,
                percent,
                entries=rest.entries,
                exits=rest.exits,
                invested=rest.invested,
            )
            self.trade = with_money(trade, money)
        self._note(
            "closed" if whole else "partial",
            price=price,
            exit_reason=reason,
            pnl_percent=percent,
            fraction=cost,
            quantity=quantity,
            note=note,
        )

    def _leave(
        self, money: PositionMoney, cost: float, price: float, *, whole: bool, limit: bool
    ) -> Booked:
        """Book the exit of a part."""
        position = self.signal.position
        slip, fee = costs(self.rules, limit=limit)
        booked = left(
            money,
            position,
            1.0 if whole else cost / self.holding.cost,
            price=price,
            received=received(position, price, slip),
            fee_percent=fee,
            market=self.state.market,
        )
        self.state = self.state._replace(earned=self.state.earned + booked.change)
        return booked

    def sell_all(self, price: float, reason: ExitReason) -> None:
        """Close all that is left, at market."""
        self.sell(self.holding.cost, price, reason)

    def sell_rung(
        self, price: float | None = None, *, limit: bool = True, note: str | None = None
    ) -> bool:
        """Close what the nearest rung closes; at its own price, if no other is given.

        False: it is not closed here.
        """
        holding = self.holding
        (level, fraction), *others = holding.rungs
        cost = min(fraction * holding.invested, holding.cost)
        if holding.full and not others:
            cost = holding.cost
        self.holding = holding._replace(rungs=tuple(others))
        self.sell(cost, level if price is None else price, "take_profit", limit=limit, note=note)
        return True

    def add(self, cost: float, note: str | None = None, given: object = None) -> None:
        """Enter once more at the market price, with what an account gives, if there is one."""
        self.signal, self.holding = added(self.signal, self.holding, self.price, cost, self.rules)
        quantity = None
        if isinstance(given, Grant):
            _, fee = costs(self.rules, limit=False)
            money, change, quantity = entered(self.holding.money, given, fee)
            self.holding = self.holding._replace(money=money)
            self.state = self.state._replace(earned=self.state.earned + change)
        self._note("added", price=self.price, fraction=cost, quantity=quantity, note=note)

    def stop_at(self, level: float, by: StopBy, note: str | None = None) -> None:
        """Put the stop somewhere else; with a note there is an event."""
        self.signal = self.signal._replace(stop_loss=level)
        self.holding = self.holding._replace(stop_by=by)
        if note is not None:
            self.moved(note)

    def moved(self, note: str | None) -> None:
        """Make the event of a stop, a target or a time that was changed."""
        self._note("moved", price=self.price, note=note)

    def milestones(self) -> None:
        """Fire the levels that the market price has reached."""
        state = self.state
        plan = plan_of(self.signal, self.holding)
        reached = prices.milestones_at(self.price, plan, gained=state.gained, lost=state.lost)
        for level in reached:
            self._note("milestone", price=self.price, level=level)
        if reached:
            gained, lost = max(state.gained, *reached), max(state.lost, -min(reached))
            self.state = state._replace(gained=gained, lost=lost)

    def result(self) -> State:
        """Return the state that follows; the cursor of an open position stays."""
        if self.trade is not None:
            return idle_after(self.state, remember(self.state.trades, self.trade))
        return self.state._replace(signal=self.signal, holding=self.holding)

    def _note(self, kind: str, **columns: object) -> None:
        event = event_of(self.state, self.at, kind, self.signal, **columns)  # type: ignore[arg-type]
        self.events.append(event)


def meet(editing: Editing, extremes: prices.Extremes, *, flattened: bool, expired: bool) -> None:
    """Let one candle do to a position what it does, in the order of the law (section 7)."""
    rules = editing.rules
    if rules.same_candle == "target_first":
        _meet_rungs(editing, extremes)
    if not editing.over and prices.stop_touched(editing.signal, extremes):
        price = prices.stop_fill(editing.signal, extremes, rules)
        editing.sell_all(price, editing.holding.stop_by)
    if not editing.over and flattened:
        editing.sell_all(editing.price, "flattened")
    _meet_rungs(editing, extremes)
    if not editing.over and expired:
        editing.sell_all(editing.price, "time_expired")
    if not editing.over:
        editing.milestones()
        _move_stop(editing, extremes)


def meet_open(editing: Editing, candles: Candles, row: int, reason: ExitReason) -> None:
    """End a position at the open of a candle before which it came due."""
    opened, _, _ = candles.extremes_at(row)
    here = open_alone(candles, row, editing.rules)
    if here is not None:
        if editing.rules.same_candle == "target_first":
            _meet_rungs(editing, here)
        if not editing.over and prices.stop_touched(editing.signal, here):
            price = prices.stop_fill(editing.signal, here, editing.rules)
            editing.sell_all(price, editing.holding.stop_by)
        _meet_rungs(editing, here)
    if not editing.over:
        editing.sell_all(opened, reason)


def _meet_rungs(editing: Editing, extremes: prices.Extremes) -> None:
    """Close what the rungs close that a candle touches, nearest first."""
    position = editing.signal.position
    while not editing.over and editing.holding.rungs:
        level, _ = editing.holding.rungs[0]
        if not prices.beyond(position, level, extremes) or not editing.sell_rung():
            return


def _move_stop(editing: Editing, extremes: prices.Extremes) -> None:
    """Let the breakeven, then the trail put the stop where it stands from the next candle on."""
    signal = editing.signal
    peak = better(signal, editing.holding.peak, extremes)
    editing.holding = editing.holding._replace(peak=peak)
    trigger = breakeven_trigger(signal, editing.holding)
    if trigger is not None and prices.beyond(signal.position, trigger, extremes):
        editing.holding = editing.holding._replace(secured=True)
        level = beyond(signal, signal.breakeven_plus or 0.0)
        level = stop_on_step(level, signal.price_step, long=signal.position == "long")
        if tighter(signal, level):
            editing.stop_at(level, "breakeven", "breakeven")
    trailed = trail_level(editing.signal, peak)
    if trailed is not None and tighter(editing.signal, trailed):
        first = not editing.holding.trailed
        editing.holding = editing.holding._replace(trailed=True)
        editing.stop_at(trailed, "trailing_stop", "trail" if first else None)
