"""Tables that share risk books or an account, followed together in the order of the machine.

Where a risk rule or funds refuse a candidate, the strategy stays idle and comes with its next one.
What a rule refuses until something ends is not asked for again before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from tradenb.backtest.fast.exits import Exit
from tradenb.backtest.fast.rounds import phase_of
from tradenb.backtest.fast.walked_account import WalkedAccount
from tradenb.backtest.fast.walker import Walker
from tradenb.core.lifecycle.state import ASKS
from tradenb.core.money.account import Account
from tradenb.core.signal import Signal
from tradenb.engine.session.books import Book
from tradenb.engine.session.clearance import share_books
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import Table

Turn = tuple[int, int, int]
"""When something happens: its close, its phase, and the place of the walker."""


class SharedWalk:
    """Tables on their way.

    Parameters
    ----------
    instances : sequence of Instance
        In the order of places; their risk rules are known to take no time.
    """

    def __init__(
        self, instances: Sequence[Instance], tables: Sequence[Table], account: Account | None
    ) -> None:
        pairs = enumerate(zip(instances, tables, strict=True))
        self.walkers = [Walker(place, *pair) for place, pair in pairs]
        self._account = None if account is None else WalkedAccount(self.walkers, account)
        share_books(self.walkers)
        # Who waits for something in a book to end.
        self._waiting: dict[Book, list[Walker]] = {
            book: [] for walker in self.walkers for book in walker.books
        }
        self._turns: list[Turn] = []

    def follow(self) -> None:
        """Let everything happen."""
        turns = self._turns
        for walker in self.walkers:
            if walker.comes_at is not None:
                turns.append((walker.comes_at, int(ASKS), walker.place))
        heapify(turns)
        while turns:
            at, phase, place = heappop(turns)
            walker = self.walkers[place]
            if walker.held is not None:
                self._leave(walker, walker.held, at, phase)
            else:
                self._enter(walker, at)

    def _enter(self, walker: Walker, at: int) -> None:
        signal = walker.signal(at)
        if walker.books and self._is_refused(walker, signal, at):
            return
        if self._account is not None and not self._account.enter(walker, signal, at):
            walker.refuse()
            self._ask(walker)
            return
        walker.enter(signal, at)
        for book in walker.books:
            book.look_at(walker)
        held = walker.held
        if held is not None:
            ends_at = walker.instance.candles.ends_at(held.row)
            heappush(self._turns, (ends_at, phase_of(held.reason), walker.place))

    def _is_refused(self, walker: Walker, signal: Signal, at: int) -> bool:
        for rule, book in zip(walker.spec.risk, walker.books, strict=True):
            if rule.function(book.at(at, walker), signal) is None:
                continue
            if rule.holds:
                self._waiting[book].append(walker)
            else:
                walker.refuse()
                self._ask(walker)
            return True
        return False

    def _leave(self, walker: Walker, exit: Exit, at: int, phase: int) -> None:
        if self._account is not None:
            self._account.leave(walker, exit)
        trade = walker.leave(exit, at)
        for book in walker.books:
            book.look_at(walker)
            book.add(walker.place, trade)
            waiting, self._waiting[book] = self._waiting[book], []
            for other in waiting:
                # Asks come after exits; one of the same close and an earlier place has been.
                asked = phase == ASKS and other.place < walker.place
                other.refuse_until(at + 1 if asked else at)
                self._ask(other)
        self._ask(walker)

    def _ask(self, walker: Walker) -> None:
        """Let a walker come with its next candidate."""
        at = walker.comes_at
        if at is not None:
            heappush(self._turns, (at, int(ASKS), walker.place))
