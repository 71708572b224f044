"""`tn.testing.broker`: real orders of a rehearsal, on an exchange in memory with its faults."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from tradenb.brokers.broker import Broker
from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Candles
from tradenb.core.money.account import Account
from tradenb.core.orders.answers import Answer
from tradenb.core.orders.gate import Arm
from tradenb.core.orders.order_records import Order
from tradenb.core.timeframe import DAY
from tradenb.errors import UsageError, shown, unknown
from tradenb.live.stepped_clock import BesideClock, rows_of
from tradenb.testing.orders.fault_menu import Faults, drawn_from, shares_of
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.server.binance_api import market_of, venue_market
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_requests import route_of

if TYPE_CHECKING:
    import pandas as pd

_MANY: Final = 100_000
_AMOUNTS: Final = ("max_order", "max_total", "max_daily_loss")
_COUNTS: Final = ("max_open", "orders_an_hour")


@dataclass(frozen=True, repr=False)
class RehearsalBroker(Broker):
    """The broker of rehearsals; made by `tn.testing.broker`."""

    limits: Mapping[str, float] = field(default_factory=dict)
    wires: list[FaultyVenue] = field(default_factory=list, compare=False)

    def __repr__(self) -> str:
        words = ", ".join(f"{word} {share:g}" for word, share in self.options["faults"].items())
        return f"<broker for rehearsals, faults: {words or 'none'}>"

    def for_live(self) -> Broker:
        """Refuse to be the broker of a live run."""
        raise UsageError(
            "tn.testing.broker is for tn.live.rehearse; a live run takes tn.broker(...)"
        )

    def for_rehearsal(self, symbol: str, strategy: str, candles: Candles) -> Broker:
        """Return the broker of one rehearsal, with an exchange and an account of its own."""
        market = market_of(symbol, rows_of(candles))
        venue = SpotVenue(
            [venue_market(market)], {market.quote: Decimal(repr(float(self.account.cash)))}
        )
        wire = FaultyVenue(
            venue,
            draw=drawn_from(self.options["faults"], self.options["seed"]),
        )
        feed = PriceFeed(wire, {market.symbol: market.rows})

        def connect(_: str, clock: Any) -> RehearsedConnection:
            if wire not in self.wires:
                self.wires.append(wire)
            return RehearsedConnection(wire, feed, market.symbol, clock)

        run = blake2b(f"{symbol}:{strategy}".encode(), digest_size=4).hexdigest()
        id = f"{self.id}:{run}"
        permission = self._permission(id, symbol, strategy, candles)
        return Broker(self.exchange, self.mode, self.account, id, self.options, connect, permission)

    def calls(self) -> pd.DataFrame:
        """Return what its rehearsals sent to their exchanges, oldest first, one row a request.

        Left out are looks at what rests or could, up to four a minute, unless they met a fault.

        Returns
        -------
        DataFrame
            at, symbol, role (of the order), method, path, fault (kind, "" for none) and seen (what
            the client saw: "answer", a code of the exchange, or how the answer was lost).
        """
        import pandas as pd

        rows = [
            (
                pd.Timestamp(call.at, unit="ms", tz="UTC"),
                getattr(call.request, "symbol", None),
                wire.role(call.request) or "",
                *route_of(call.request),
                "" if call.fault is None else call.fault.kind,
                _seen(call.reply),
            )
            for wire in self.wires
            for call in wire.calls
        ]
        columns = ["at", "symbol", "role", "method", "path", "fault", "seen"]
        return pd.DataFrame(rows, columns=columns)

    def _permission(self, account: str, symbol: str, strategy: str, candles: Candles) -> Arm:
        """Return the permission of a rehearsal: it spends no money, so it needs no code."""
        cash = Decimal(repr(float(self.account.cash)))
        usual: dict[str, Any] = dict.fromkeys(_AMOUNTS, cash) | dict.fromkeys(_COUNTS, _MANY)
        given = {
            name: Decimal(repr(float(value))) if name in _AMOUNTS else int(value)
            for name, value in self.limits.items()
        }
        return Arm(
            account=account,
            symbols=(symbol,),
            strategies=(strategy,),
            since=candles.start,
            until=candles.end + DAY,
            by="a rehearsal",
            **usual | given,
        )


class RehearsedConnection(VenueConnection):
    """The way of a rehearsal to its venue, in the time of its clock."""

    def __init__(self, wire: FaultyVenue, feed: PriceFeed, symbol: str, clock: BesideClock) -> None:
        super().__init__(wire, feed, symbol, clock.now, sleep=clock.sleep)
        self._clock = clock

    async def open(self) -> VenueConnection | None:
        """Wait for the first turn, and return the open way."""
        await self._clock.wait(asyncio.Event(), self._clock.now())
        return await super().open()

    async def query(self, order: Order) -> Answer:
        """Ask for an order."""
        before = len(self._wire.calls)
        answer = await super().query(order)
        if order.state == "working":
            self._forget_look(before)
        return answer

    async def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        before = len(self._wire.calls)
        answer = await super().open_orders(trades=trades)
        self._forget_look(before)
        return answer

    def _forget_look(self, before: int) -> None:
        """Keep calls that were looks alone only if they met a fault."""
        calls = self._wire.calls
        if all(call.fault is None for call in calls[before:]):
            del calls[before:]


@explained("tn.testing.broker")
def broker(
    *,
    account: Account,
    faults: Faults = (),
    rate: float = 0.2,
    seed: int = 0,
    **limits: float,
) -> RehearsalBroker:
    """Rehearse real orders: each rehearsal gets an exchange in memory that follows its candles.

    Orders, protection, fills, fees and faults are those of the loopback exchange, in the time of
    the candles. A rehearsal is armed from its start, since it spends no money.

    Parameters
    ----------
    account : Account
        How large entries are; its cash is what the exchange holds for the run.
    faults : str, iterable of str, or dict of str to float, optional
        What goes wrong. lost_answers: an order is taken and the answer lost · lost_requests: a
        request never arrives · late_requests: an order arrives 2 or 8 s late · refusals: an order
        is refused · partial_fills: half of an order can be traded · late_views: orders, trades or
        balance are shown late · cancel_races: what is cancelled has just been filled · outages:
        maintenance for 20 s after an order · by_hand: the owner cancels the protection, or sells ·
        all. A dict gives each a share of its own.
    rate : float, default 0.2
        The share of the requests that meet a fault, of those that can.
    seed : int, default 0
        Another one gives other faults.
    **limits
        max_order, max_total, max_open, max_daily_loss, orders_an_hour, as for `tn.arm`; default
        what the cash allows.

    Returns
    -------
    RehearsalBroker
        For `tn.live.rehearse(..., broker=)`; `calls()` shows what went over the wire.

    Raises
    ------
    UsageError
        When a word or a limit is not known, or a value is not valid.

    Examples
    --------
    >>> import tradenb as tn
    >>> tn.testing.broker(account=tn.Account(cash=1_000, quote=200), faults="lost_answers")
    <broker for rehearsals, faults: lost_answers 0.2>
    """
    if not isinstance(account, Account):
        raise UsageError(f"account must be a tn.Account, was {shown(account)}")
    if account.leverage != 1:
        raise UsageError(f"account has leverage {account.leverage:g}, and spot has none; pass 1")
    for name, value in limits.items():
        _check_limit(name, value)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"seed must be a whole number, was {shown(seed)}")
    options = {"faults": shares_of(faults, rate), "seed": seed}
    return RehearsalBroker(
        "binance", "sandbox", account, "sandbox:rehearsal", options, limits=limits
    )


def _check_limit(name: str, value: Any) -> None:
    if name not in (*_AMOUNTS, *_COUNTS):
        raise unknown("limit", name, (*_AMOUNTS, *_COUNTS))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _COUNTS and not (number and value >= 1 and float(value).is_integer()):
        raise UsageError(f"{name} must be a whole number from 1 on, was {shown(value)}")
    if not (number and 0 < value < math.inf):
        raise UsageError(f"{name} must be a number above 0, was {shown(value)}")


def _seen(reply: Any) -> str:
    if reply.form != "whole":
        return str(reply.form)
    return "answer" if reply.code is None else str(reply.code)
