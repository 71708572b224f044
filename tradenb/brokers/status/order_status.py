"""`OrderStatus`: how the orders of one run are, as its ledger tells it. Words for people are here.

Panel, card, report, command line and doctor show the same record; the ledger is that of the run, or
that of its document, so another process says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tradenb.core.orders.ledger import OrderLedger, held_quantity, is_flat
from tradenb.core.orders.order_alarms import UNPROTECTED, Alarm, alarms
from tradenb.core.orders.order_records import Balance, Order
from tradenb.core.orders.protection import covering, uncovered_since
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.core.timeframe import DAY, iso
from tradenb.view.formatting import price

SEEN_MS: Final = 60_000
"""A run looks at its protection every 15 s: after so long nobody does."""
DONE_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Shield:
    """What protects one position.

    Attributes
    ----------
    held : Decimal
        Pieces.
    stop : Decimal or None
        Price of the stop at the exchange; None: no stop covers it.
    since : int or None
        Since when none does, ms UTC.
    seen_at : int or None
        When the exchange last showed the stop, ms UTC.
    at : int
        Of what moment this is, ms UTC.
    """

    held: Decimal
    stop: Decimal | None
    since: Time | None
    seen_at: Time | None
    at: Time

    @property
    def level(self) -> str:
        """good, doubt or bad."""
        if self.since is not None:
            return "bad" if self.at - self.since >= UNPROTECTED else "doubt"
        seen = self.seen_at is not None and self.at - self.seen_at <= SEEN_MS
        return "good" if seen else "doubt"

    @property
    def head(self) -> str:
        """What protects it, or since when nothing does; the same words as long as it lasts."""
        if self.since is not None:
            return f"NOT protected since {iso(self.since)[11:]} UTC"
        words = f"protected by a stop at {price(float(self.stop or 0))}"
        if self.seen_at is None or self.level == "good":
            return words
        seen = iso(self.seen_at // 1_000 * 1_000)
        same_day = self.seen_at // DAY == self.at // DAY
        return f"{words}, last seen {seen[11:] if same_day else seen} UTC"

    def __str__(self) -> str:
        if self.since is not None:
            return f"{self.head} ({age(self.at - self.since)})"
        if self.seen_at is None or self.level == "good":
            return self.head
        return f"{self.head} ({age(self.at - self.seen_at)} ago)"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """How the orders of one run are.

    Attributes
    ----------
    account : str
        Mode, exchange and key: "sandbox:loopback:1a2b3c4d".
    shields : tuple of Shield
        Of what it holds.
    alarms : tuple of Alarm
        Those that are on.
    in_doubt : tuple of Order
        Orders whose outcome is unknown.
    orders : tuple of Order
        Those that live, then the last that are done, the newest first.
    balances : tuple of Balance
        Of the account, at `checked_at`.
    checked_at : int or None
        When the last good full reconciliation began, ms UTC.
    at : int
        Of what moment this is, ms UTC.
    sold : bool
        It had orders, and nothing of them is left at the exchange; the run may not have heard yet.
    """

    account: str
    shields: tuple[Shield, ...]
    alarms: tuple[Alarm, ...]
    in_doubt: tuple[Order, ...]
    orders: tuple[Order, ...]
    balances: tuple[Balance, ...]
    checked_at: Time | None
    at: Time
    sold: bool = False

    @property
    def trouble(self) -> str:
        """The first alarm with what to do; empty while there is none."""
        return self.alarms[0].text if self.alarms else ""

    @property
    def level(self) -> str:
        """good, doubt or bad: the worst of alarms, shields and doubts."""
        if self.alarms:
            return "bad"
        levels = {shield.level for shield in self.shields} | {"doubt" for _ in self.in_doubt}
        return next((level for level in ("bad", "doubt") if level in levels), "good")

    @property
    def words(self) -> tuple[str, ...]:
        """Shields, unknown outcomes with their age, and the last full reconciliation."""
        doubts = (
            f"{order.role} order unknown for {age(self.at - order.sent_at)}"
            for order in self.in_doubt
        )
        return (*map(str, self.shields), *doubts, self.checked)

    @property
    def checked(self) -> str:
        """When the last good full reconciliation was."""
        if self.checked_at is None:
            return "not reconciled yet"
        ago = age(self.at - self.checked_at)
        return f"reconciled {iso(self.checked_at)[11:]} UTC ({ago} ago)"


def order_status(
    account: str, ledger: OrderLedger | None, at: Time, own: Iterable[Alarm] = ()
) -> OrderStatus:
    """Return how the orders of a ledger are.

    Parameters
    ----------
    at : int
        ms UTC.
    own : iterable of Alarm
        What its order manager tells beside those of the ledger.
    """
    ledger = OrderLedger("") if ledger is None else ledger
    market = ledger.market
    found = () if market is None else alarms(ledger, market, at)
    every = {each.key: each for each in (*found, *own)}
    done = [*ledger.past, *(order for order in ledger.orders if order.is_done)]
    live = [order for order in ledger.orders if not order.is_done]
    return OrderStatus(
        account=account,
        shields=() if market is None else tuple(_shields(ledger, market, at)),
        alarms=tuple(every.values()),
        in_doubt=tuple(order for order in live if order.is_in_doubt),
        orders=(*reversed(live), *reversed(done[-DONE_SHOWN:])),
        balances=ledger.balances,
        checked_at=ledger.checked_at,
        at=at,
        sold=bool(ledger.orders) and is_flat(ledger, None),
    )


def _shields(ledger: OrderLedger, market: OrderMarket, at: Time) -> Iterator[Shield]:
    for signal in ledger.signals():
        held = held_quantity(ledger, signal, market)
        if held < market.size_step:
            continue
        cover = covering(ledger, signal, held, market)
        if cover is None:
            since = uncovered_since(ledger, signal, held, market, of_process=False)
            yield Shield(held, None, since, None, at)
        else:
            yield Shield(held, cover.trigger, None, cover.seen_at, at)


def age(ms: int) -> str:
    """Write how long something lasts.

    Examples
    --------
    >>> age(40_000), age(125_000), age(7_500_000)
    ('40 s', '2 min', '2 h')
    """
    seconds = max(ms, 0) // 1_000
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"
