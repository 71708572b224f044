"""`EntryGate`: what a run knows at the moment of an entry, judged by its account; and its trips."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Protocol

from tradenb.brokers.arming.account_share import RunShare, share_of
from tradenb.brokers.arming.armed_account import ArmedAccount
from tradenb.brokers.arming.permission import Permission, permission_of
from tradenb.brokers.arming.trips import Findings, unprotected_since
from tradenb.brokers.broker import Broker
from tradenb.core.orders.gate import AccountFacts, is_for
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import ZERO, DesiredPosition
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.values import Problem
from tradenb.errors import StateWriteError
from tradenb.store.control import take_accepted
from tradenb.store.paths import Key

_MOST_UNKNOWN = 100


class JudgedRun(Protocol):
    """What the gate needs of a live run."""

    symbol: str
    strategy: str
    storage: Any

    @property
    def last_price(self) -> float | None:
        """Market price at the cursor."""

    def day_result(self, now: int) -> float:
        """Return what it made since midnight UTC, realised and open, quote currency."""


class Exchange(Protocol):
    """What the gate asks the exchange."""

    def now(self) -> int:
        """Return the time of the exchange."""

    @property
    def clock_off_ms(self) -> int:
        """How far this machine's clock is ahead of the exchange's, at least; negative: behind."""

    async def free(self) -> Decimal | None:
        """Return the money that is not locked."""


class EntryGate:
    """Asks the account of a run for entries, and tells it what the run has.

    Parameters
    ----------
    run : JudgedRun
    broker : Broker
    exchange : Exchange
    """

    def __init__(self, run: JudgedRun, broker: Broker, exchange: Exchange) -> None:
        self._run, self._broker, self._exchange = run, broker, exchange
        self._key = Key(run.strategy, run.symbol)
        self._account = ArmedAccount(run.storage.filesystem, run.storage.files, broker.id)
        self._unknown: deque[tuple[str, int]] = deque(maxlen=_MOST_UNKNOWN)
        self._shared: RunShare | None = None

    def killed(self) -> bool:
        """Tell whether the kill switch is on; one that cannot be read is."""
        return self._account.killed()

    @asynccontextmanager
    async def judged(
        self, wanted: DesiredPosition, before: OrderLedger, after: OrderLedger, market: OrderMarket
    ) -> AsyncIterator[tuple[Problem, ...]]:
        """Give all reasons why an entry may not be sent; the account is held until it is on disk.

        Parameters
        ----------
        before, after : OrderLedger
            Without and with the entry.

        Raises
        ------
        StateLocked
            When another process has the run.
        """
        async with self._account.deciding(self._key) as decision:
            free, now = await self._exchange.free(), self._exchange.now()
            share, price = self._share(before, market, now), self._run.last_price
            facts = AccountFacts(
                account=self._broker.id,
                symbol=self._run.symbol,
                strategy=self._run.strategy,
                price=ZERO if price is None else Decimal(repr(price)),
                market=market,
                free=free,
                invested=share.invested,
                positions=share.positions,
                day_result=share.day_result,
                sent=share.sent,
                in_doubt=share.in_doubt,
                checked_at=before.checked_at,
            )
            problems = decision.problems(wanted, facts, now)
            if not problems:
                self._run.storage.lock.refuse_lost()
                try:
                    decision.reserve(self._share(after, market, now))
                except StateWriteError as error:
                    problems = (Problem("account_book", str(error)),)
            yield problems

    def permission(self) -> Permission:
        """Return whether entries of the run are permitted now."""
        found = permission_of(self._account.reading(), self._broker.id, self._exchange.now())
        symbol, strategy = self._run.symbol, self._run.strategy
        if found.since is None or found.arm is None or is_for(found.arm, symbol, strategy):
            return found
        return found._replace(
            why=f"{strategy} on {symbol} is not armed; arm it with tn.arm or tradenb arm"
        )

    def accepted(self) -> tuple[str, ...]:
        """Take the words that a person has accepted of what nobody could explain."""
        storage = self._run.storage
        return take_accepted(storage.filesystem, storage.files, self._key)

    def note(self, ledger: OrderLedger, market: OrderMarket) -> None:
        """Leave what the run has for the others of its account, and disarm it if that says so.

        Raises
        ------
        StateLocked
            When another process has the run, and leaves what it has.
        """
        self._run.storage.lock.refuse_lost()
        now = self._exchange.now()
        known = {id for id, _ in self._unknown}
        self._unknown += [
            (order.id, now)
            for order in ledger.orders
            if order.state == "unknown" and order.id not in known
        ]
        share = self._share(ledger, market, now)
        if self._shared is None or self._shared._replace(at=now) != share:
            self._account.share(self._key, share)
            self._shared = share
        findings = Findings(
            day_result=share.day_result,
            sent=share.sent,
            unknown=share.unknown,
            refusals=ledger.refusals,
            stops=ledger.stops,
            clock_off_ms=self._exchange.clock_off_ms,
            window_ms=self._broker.venue.window_ms,
            unprotected_since=unprotected_since(ledger, market),
        )
        self._account.check(self._key, findings, now)

    def _share(self, ledger: OrderLedger, market: OrderMarket, now: int) -> RunShare:
        day = Decimal(repr(round(self._run.day_result(now), 8)))
        times = [at for _, at in self._unknown]
        return share_of(ledger, market, now, day_result=day, unknown=times)
