"""The risk book of one rule while a session runs."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from tradenb.core.lifecycle.state import REMEMBERED, State
from tradenb.core.risk import (
    Earned,
    Held,
    Ledger,
    RiskBook,
    RiskFunction,
    closing_key,
    earned_by,
)
from tradenb.core.signal import Trade, signal_of_trade


class Member(Protocol):
    """A member of a book: an instance of the session, or a run outside of it."""

    @property
    def place(self) -> float:
        """The order of members that close at the same time."""

    @property
    def state(self) -> State:
        """What it holds now, and the trades it closed."""


class Peer(NamedTuple):
    """A run that shares rules with a session without being pumped by it.

    Attributes
    ----------
    place : float
        Where it stands among the instances, which count from 0.
    state : State
        As far as it is known.
    rules : tuple of str
        Names of its risk rules.
    start : int
        Close time from which its candles count, ms UTC.
    account : str or None
        Name of its account.
    price : float or None
        Market price when it was saved, quote currency.
    """

    place: float
    state: State
    rules: tuple[str, ...]
    start: int
    account: str | None = None
    price: float | None = None


class Peers(NamedTuple):
    """Who else takes part in the books of a session.

    Attributes
    ----------
    since : dict of str to int
        For each rule: the drawdown is that of trades that closed later, ms UTC.
    """

    peers: tuple[Peer, ...]
    since: Mapping[str, int]


class Book:
    """The risk book of one rule: who takes part, and what they closed.

    Parameters
    ----------
    name : str
        Of the rule; each instance asks its own function by this name.
    instances : sequence of Member
        The instances of the session that name the rule.

    Attributes
    ----------
    refusing : set of callable
        Functions of the rule that are known to refuse all who hold nothing.
    """

    def __init__(self, name: str, instances: Sequence[Member]) -> None:
        self.name = name
        self._instances = instances
        self.include((), since=0)

    def include(self, peers: Sequence[Peer], *, since: int) -> None:
        """Make the book anew, with what others hold and closed.

        Parameters
        ----------
        peers : sequence of Peer
            Those that do not name the rule are left out.
        since : int
            The drawdown is that of trades that closed later, ms UTC.
        """
        sharing = [item for item in peers if self.name in item.rules]
        self._since = since
        self._members: Sequence[Member] = [*self._instances, *sharing]
        # Most sessions of a live run last for a candle, and nobody looks at the book.
        self._before = [(item.place, item.state.trades) for item in self._members]
        self._sorted: _Closed | None = None
        self._numbers = {id(member): number for number, member in enumerate(self._members)}
        self._holding: dict[int, Held] = {}
        for member in self._members:
            self.look_at(member)

    def look_at(self, member: Member) -> None:
        """Look anew at what a member holds: it has begun or ended a signal, or opened it."""
        number, held = self._numbers[id(member)], member.state.held
        if held is None:
            self._holding.pop(number, None)
        else:
            self._holding[number] = held
        self._held: tuple[Held, ...] | None = None
        self.refusing: set[RiskFunction] = set()

    def add(self, place: float, trade: Trade) -> None:
        """Enter a closed trade of a member; of each instance the last 1,000 are kept.

        The order of trades that closed together is that of `include`, which knows their members
        alone: a book that is made anew after a restart shows the same.
        """
        self._closed.add(place, trade)

    def note_refusal(self, function: RiskFunction, seen: RiskBook) -> None:
        """Know of a rule, whose refusals hold, that it refuses all until something here changes."""
        if seen.ledger is self._closed.ledger and seen.signals is self._held:
            self.refusing.add(function)

    def at(self, now: int, asking: Member) -> RiskBook:
        """Return the book as it is now, without the signal of the one who asks.

        A position of a member that is ahead, and closed later, is shown as open.
        """
        holding = self._holding
        if self._held is None:
            self._held = tuple([holding[number] for number in sorted(holding)])
        held = self._held
        if asking.state.signal is not None:
            own = self._numbers[id(asking)]
            held = tuple([holding[number] for number in sorted(holding) if number != own])
        trades = self._closed.trades
        if trades and trades[-1].closed_at > now:
            return self._earlier(now, held)
        return RiskBook(now, held, self._closed.ledger)

    def _earlier(self, now: int, held: tuple[Held, ...]) -> RiskBook:
        trades = self._closed.trades
        ahead = [trade for trade in trades if trade.opened_at <= now < trade.closed_at]
        held_then = (Held(signal_of_trade(trade), trade.opened_at) for trade in ahead)
        closed = tuple(trade for trade in trades if trade.closed_at <= now)
        return RiskBook(now, (*held, *held_then), Ledger(closed, since=self._since))

    @property
    def _closed(self) -> _Closed:
        if self._sorted is None:
            closed = [(place, trade) for place, trades in self._before for trade in trades]
            self._sorted = _Closed(closed, self._since)
        return self._sorted


class _Closed:
    """Closed trades of members in the order of closing.

    Attributes
    ----------
    trades : list of Trade
    """

    def __init__(self, closed: list[tuple[float, Trade]], since: int) -> None:
        closed.sort(key=lambda item: closing_key(*item))
        self.trades = [trade for _, trade in closed]
        self._keys = [closing_key(*item) for item in closed]
        self._counts = Counter(map(_whose, self.trades))
        self._since = since
        self._earned: Earned | None = earned_by(self.trades, since=since)
        self._ledger: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """What rules see of them; another one after each that is added."""
        if self._ledger is None:
            self._ledger = Ledger(self.trades, self._earned, since=self._since)
        return self._ledger

    def add(self, place: float, trade: Trade) -> None:
        """Add a trade; of each instance the last 1,000 are kept."""
        key = closing_key(place, trade)
        where = bisect_right(self._keys, key)
        is_last = where == len(self._keys)
        self._keys.insert(where, key)
        if not is_last:
            self.trades = [*self.trades]  # ledgers made before have the list
        self.trades.insert(where, trade)
        if self._earned is not None:
            newest = earned_by((trade,), self._earned, since=self._since)
            self._earned = newest if is_last else earned_by(self.trades, since=self._since)
        self._ledger = None
        whose = _whose(trade)
        self._counts[whose] += 1
        if self._counts[whose] > REMEMBERED:
            self._counts[whose] -= 1
            oldest = next(i for i, kept in enumerate(self.trades) if _whose(kept) == whose)
            del self._keys[oldest]
            self.trades = self.trades[:oldest] + self.trades[oldest + 1 :]
            self._earned = None  # a sum of floats cannot lose its first term: it is made anew


def _whose(trade: Trade) -> tuple[str, str]:
    return trade.symbol, trade.strategy
