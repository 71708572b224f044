"""The account of a session: what it has at a moment, and what an entry is given of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.lifecycle.holding import costs, paid_for
from tradenb.core.lifecycle.state import EXITS, NeedClearance, State, Step
from tradenb.core.money.account import Account
from tradenb.core.money.funding import charge, charges
from tradenb.core.money.funds import Funds, grant
from tradenb.core.money.position_money import Charged, Grant, PositionMoney
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Position, Signal, Trade
from tradenb.engine.account_view import AccountPosition, AccountView
from tradenb.engine.session.books import Peer
from tradenb.errors import StateError


class Holder(Protocol):
    """An instance that shares the account."""

    state: State
    charged: Charged
    rules: Rules
    account: Account | None

    @property
    def candles(self) -> Candles:
        """History and the candles to be consumed."""

    @property
    def place(self) -> int:
        """Its place in the run."""

    def share(self, money: AccountBook | None) -> None:
        """Share an account with others."""


class AccountBook:
    """The money of all instances of a session that share an account.

    The balance is the cash, and what each of them changed it by, in their order: so it is the same
    however the candles come. Sums are added one by one in that order, which `accumulate` does.

    Parameters
    ----------
    holders : sequence of Holder
        In their order of place.

    Attributes
    ----------
    paid : dict of (str, str) to list of (int, float)
        Funding by strategy and symbol: at which close, and how much, quote currency.
    """

    def __init__(self, holders: Sequence[Holder], account: Account) -> None:
        self._holders = holders
        self._account = account
        self._funded = account.has_funding
        self._peers: tuple[Peer, ...] = ()
        self._unknown = ""
        self.paid: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self.cut: list[float] = []  # of entries for which too little was free
        self.look()

    def look(self) -> None:
        """Look anew at what all have booked and hold."""
        # In the order of places, in the session or not: so the sum keeps every digit.
        members: list[Holder | Peer] = [*self._holders, *self._peers]
        self._members = sorted(members, key=lambda each: each.place)
        self._slots = {
            each.place: slot
            for slot, each in enumerate(self._members)
            if not isinstance(each, Peer)
        }
        count = len(self._members)
        self._terms = np.zeros((4, count + 1))
        self._changed = self._terms[0]
        self._changed[:] = [self._account.cash, *map(_changed, self._members)]
        self._side, self._quantity, self._cost, self._marks = np.zeros((4, count))
        self._open: list[int] = []  # slots, in their order
        self._now = -1
        self._known: Funds | None = None
        for slot in range(count):
            self._hold(slot)

    def _hold(self, slot: int) -> None:
        """Note what a member holds."""
        state = self._members[slot].state
        money, signal = _money(state), state.signal
        place = bisect_left(self._open, slot)
        known = place < len(self._open) and self._open[place] == slot
        if money is None or signal is None:
            if known:
                del self._open[place]
            self._side[slot] = self._quantity[slot] = self._cost[slot] = 0.0
            return
        if not known:
            self._open.insert(place, slot)
            self._marks[slot] = self._mark(slot, self._now)
        self._side[slot] = 1.0 if signal.position == "long" else -1.0
        self._quantity[slot], self._cost[slot] = money.quantity, money.cost

    def include(self, peers: Sequence[Peer]) -> None:
        """Count what runs outside of the session have booked and hold."""
        name = self._account.name
        self._peers = tuple(peer for peer in peers if peer.account == name)
        self._unknown = ""
        self.look()

    def lose(self, words: str) -> None:
        """Show nothing until it is known again what other runs have booked."""
        self._unknown = words

    def funds(self, now: int) -> Funds:
        """Return what it has at a close: all before it is booked, all open at the market price."""
        if self._known is not None and now == self._now:
            return self._known
        self._go_to(now)
        worth = self._quantity * self._marks
        self._terms[1:, 1:] = (
            self._cost / self._account.leverage,
            self._side * (worth - self._cost),
            worth,
        )
        self._known = funds_of(self._terms)
        return self._known

    def view(self, now: int) -> AccountView:
        """Return what a strategy sees of it.

        Raises
        ------
        StateError
            When it is not known what other runs have booked.
        """
        if self._unknown:
            raise StateError(f"the account is not known now: {self._unknown}")
        balance, equity, free, exposure = self.funds(now)
        positions = []
        for slot in self._open:
            state, value = self._members[slot].state, self._quantity[slot] * self._marks[slot]
            side: Position = "long" if self._side[slot] > 0 else "short"
            positions.append(AccountPosition(state.symbol, state.strategy, side, float(value)))
        return AccountView(balance, equity, free, exposure, tuple(positions))

    def _go_to(self, now: int) -> None:
        """Charge and mark what is open, as of a close."""
        if now == self._now:
            return
        self._now, self._known = now, None
        for slot in self._open:
            each = self._members[slot]
            if self._funded and not isinstance(each, Peer):
                self._charge(each, _closed_by(each, now))
            self._marks[slot] = self._mark(slot, now)

    def _mark(self, slot: int, now: int) -> float:
        """Return the market price of a member's symbol: of its last candle by a close."""
        each = self._members[slot]
        if not isinstance(each, Peer):
            return _price(each, now) if now >= 0 else 0.0
        if each.price is None and each.state.signal is not None:
            return each.state.signal.entry
        return each.price or 0.0

    def clear(self, holder: Holder, need: NeedClearance) -> Grant | Refusal | None:
        """Give an entry its money, or refuse it; None where the signal only waits so far."""
        account, signal, rules = holder.account, need.signal, holder.rules
        if account is None or not self._fills(holder, need):
            return None
        slip, fee = costs(rules, limit=need.activation and not signal.breakout)
        money = _money(holder.state) if signal.add is not None else None
        given = grant(
            account,
            signal,
            self.funds(need.at),
            paid=paid_for(signal.position, signal.entry, slip),
            fee_percent=fee,
            market=holder.state.market,
            first=None if money is None else money.first,
        )
        if isinstance(given, Grant) and given.is_cut:
            self.cut.append(given.share)
        return given

    def _fills(self, holder: Holder, need: NeedClearance) -> bool:
        if need.activation or need.signal.add is not None:
            return True
        return need.signal.entry == _price(holder, need.at)

    def before(self, holder: Holder, step: Step) -> None:
        """Charge funding before a step takes effect: at its open, or once its exits are done."""
        if self._funded:
            candles = holder.candles
            opens = candles.starts_at(candles.index(step.at))
            self._charge(holder, opens if step.phase == EXITS else step.at)

    def after(self, holder: Holder, before: State) -> None:
        """Note what a step has booked; begin to count the funding of a position that was opened."""
        state = holder.state
        if state.earned == before.earned and state.holding is before.holding:
            return
        opened_at = state.opened_at
        if self._funded and opened_at is not None and _id(before) != _id(state):
            holder.charged = Charged(opened_at, holder.charged.paid)
        self._note(holder)
        self._hold(self._slots[holder.place])

    def _note(self, holder: Holder) -> None:
        self._changed[1 + self._slots[holder.place]] = _changed(holder)
        self._known = None

    def closed(self, holder: Holder, trade: Trade) -> Trade:
        """Return a trade with the funding that its position paid."""
        own = holder.charged.of_position
        if not self._funded or trade.pnl is None or not own:
            return trade
        holder.charged = holder.charged._replace(of_position=0.0)
        return trade._replace(pnl=trade.pnl - own)

    def rest(self, until: int) -> None:
        """Charge all funding up to a close."""
        if not self._funded:
            return
        for slot in self._open:
            each = self._members[slot]
            if not isinstance(each, Peer):
                self._charge(each, _closed_by(each, until))

    def _charge(self, holder: Holder, until: int) -> None:
        state, money = holder.state, _money(holder.state)
        if not self._funded or money is None or until <= holder.charged.until:
            return
        signal: Signal | None = state.signal
        if signal is not None:
            found = charges(self._account, state.symbol, holder.charged.until, until)
            _, paid, own = holder.charged
            for at, percent in found:
                due = charge(
                    signal.position, money.quantity, at, percent, holder.candles, holder.rules
                )
                paid, own = paid + due.amount, own + due.amount
                known = self.paid.setdefault((state.strategy, state.symbol), [])
                known.append((due.at, due.amount))
            holder.charged = Charged(until, paid, own)
            self._note(holder)


def funds_of(terms: Floats) -> Funds:
    """Return what an account has, added one by one in the order of places.

    Parameters
    ----------
    terms : (4, n + 1) float64 array
        The cash, and what each member changed the balance by; then, from the second column on, what
        it binds, its unrealised profit and its value.
    """
    balance, bound, unrealised, value = np.add.accumulate(terms, axis=1)[:, -1].tolist()
    equity = balance + unrealised
    return Funds(
        balance=balance,
        equity=equity,
        free=balance - bound + min(0.0, unrealised),
        exposure=value / equity if equity else 0.0,
    )


def _changed(member: Holder | Peer) -> float:
    """Return what an instance has changed the balance by."""
    charged = member.state.charged if isinstance(member, Peer) else member.charged
    return member.state.earned - charged.paid


def _price(holder: Holder, now: int) -> float:
    """Return the market price of a holder's symbol, of its last candle by a close."""
    return prices.market_price(holder.candles, _last_row(holder.candles, now), holder.rules)


def _money(state: State) -> PositionMoney | None:
    return None if state.holding is None else state.holding.money


def _id(state: State) -> tuple[str | None, int | None]:
    return (None if state.signal is None else state.signal.id), state.opened_at


def _closed_by(holder: Holder, now: int) -> int:
    """Return the close of a holder's last candle by a moment."""
    return holder.candles.ends_at(_last_row(holder.candles, now))


def _last_row(candles: Candles, now: int) -> int:
    """Return the row of the last candle by a moment; those of a symbol may end before it."""
    return min(candles.index(now), len(candles) - 1)


def share_accounts(holders: Sequence[Holder]) -> list[AccountBook]:
    """Give the instances that name one account one book; return the books."""
    several: dict[str, list[Holder]] = {}
    for holder in holders:
        if holder.account is not None:
            several.setdefault(holder.account.name, []).append(holder)
    books = []
    for sharing in several.values():
        account = sharing[0].account
        if account is not None:
            books.append(AccountBook(sharing, account))
            for holder in sharing:
                holder.share(books[-1])
    return books
