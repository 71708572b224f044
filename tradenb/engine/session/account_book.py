"""The account of a session: what it has at a moment, and what an entry is given of it."""

from __future__ import annotations

import functools
import operator
from bisect import insort
from collections.abc import Iterator, Sequence
from typing import Protocol

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.holding import costs, paid_for
from tradenb.core.lifecycle.state import EXITS, NeedClearance, State, Step
from tradenb.core.money.account import Account
from tradenb.core.money.funding import charge, charges
from tradenb.core.money.funds import Funds, grant
from tradenb.core.money.position_money import Charged, Grant, PositionMoney, unrealised_money
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal, Trade
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
    however the candles come.

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
        self._funded = bool(account.funding_percent) or account.funding is not None
        self._now = -1
        self._marks: dict[int, float] = {}
        self._known: Funds | None = None
        self._changed: dict[tuple[float, int], float] = {}
        self._open: list[Holder] = []
        self._peers: tuple[Peer, ...] = ()
        self._unknown = ""
        self.look()
        self.paid: dict[tuple[str, str], list[tuple[int, float]]] = {}

    def look(self) -> None:
        """Look anew at what all have booked and hold."""
        own = [((holder.place, 0), _changed(holder)) for holder in self._holders]
        others = [
            ((peer.place, place), peer.state.earned - peer.state.charged.paid)
            for place, peer in enumerate(self._peers)
        ]
        # In the order of places, in the session or not: so the sum keeps every digit.
        self._changed = dict(sorted([*own, *others]))
        self._open = [holder for holder in self._holders if _money(holder.state) is not None]
        self._known = None

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
        self._begin(now)
        bound = unrealised = value = 0.0
        for _, signal, money, mark in self._held(now):
            bound += money.cost / self._account.leverage
            unrealised += unrealised_money(money, signal.position, mark)
            value += money.quantity * mark
        changed = self._changed.values()
        balance = functools.reduce(operator.add, changed, self._account.cash)
        equity = balance + unrealised
        self._known = Funds(
            balance=balance,
            equity=equity,
            free=balance - bound + min(0.0, unrealised),
            exposure=value / equity if equity else 0.0,
        )
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
        positions = tuple(
            AccountPosition(state.symbol, state.strategy, signal.position, money.quantity * mark)
            for state, signal, money, mark in self._held(now)
        )
        return AccountView(balance, equity, free, exposure, positions)

    def _held(self, now: int) -> Iterator[tuple[State, Signal, PositionMoney, float]]:
        """Yield what is open at a close, in the order of places, with its market price."""
        held: list[Holder | Peer] = [*self._open]
        if self._peers:
            held += [peer for peer in self._peers if _money(peer.state) is not None]
            held.sort(key=lambda each: each.place)
        for each in held:
            if isinstance(each, Peer):
                price = each.price
            else:
                self._charge(each, _closed_by(each, now))
                price = self._mark(each, now)
            money, signal = _money(each.state), each.state.signal
            if money is not None and signal is not None:
                yield each.state, signal, money, signal.entry if price is None else price

    def clear(self, holder: Holder, need: NeedClearance) -> Grant | Refusal | None:
        """Give an entry its money, or refuse it; None where the signal only waits so far."""
        account, signal, rules = holder.account, need.signal, holder.rules
        if account is None or not self._fills(holder, need):
            return None
        slip, fee = costs(rules, limit=need.activation and not signal.breakout)
        money = _money(holder.state) if signal.add is not None else None
        return grant(
            account,
            signal,
            self.funds(need.at),
            paid=paid_for(signal.position, signal.entry, slip),
            fee_percent=fee,
            market=holder.state.market,
            first=None if money is None else money.first,
        )

    def _fills(self, holder: Holder, need: NeedClearance) -> bool:
        if need.activation or need.signal.add is not None:
            return True
        return need.signal.entry == self._mark(holder, need.at)

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
        opened_at, money = state.opened_at, _money(state)
        if self._funded and opened_at is not None and _id(before) != _id(state):
            holder.charged = Charged(opened_at, holder.charged.paid)
        self._note(holder)
        if (money is None) != (_money(before) is None):
            self._open = [own for own in self._open if own is not holder]
            if money is not None:
                insort(self._open, holder, key=lambda own: own.place)

    def _note(self, holder: Holder) -> None:
        self._changed[holder.place, 0] = _changed(holder)
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
        for holder in self._open:
            self._charge(holder, _closed_by(holder, until))

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

    def _mark(self, holder: Holder, now: int) -> float:
        """Return the market price of a holder's symbol: of its last candle by a close."""
        self._begin(now)
        found = self._marks.get(holder.place)
        if found is None:
            row = _last_row(holder.candles, now)
            found = prices.market_price(holder.candles, row, holder.rules)
            self._marks[holder.place] = found
        return found

    def _begin(self, now: int) -> None:
        if now != self._now:
            self._now, self._known = now, None
            self._marks.clear()


def _changed(holder: Holder) -> float:
    """Return what an instance has changed the balance by."""
    return holder.state.earned - holder.charged.paid


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
