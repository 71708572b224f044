"""The gate: whether an entry may be sent now. It is asked last, and refuses what it cannot judge.

Protection, exits and queries never pass here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.order_records import ZERO, DesiredPosition
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.core.values import Problem

CHECK_AGE: Final = 600_000
"""A full reconciliation counts for so long, ms."""
COLLAR: Final = Decimal("0.02")
"""An entry may cost so much more than the last close, as a share of it."""
STOP_VALUE: Final = Decimal("0.9")
"""Share of the value at the stop that must still be enough for an order."""
RESERVE: Final = Decimal("1.005")
"""Free money an entry needs, in units of its cost: two fees and slippage."""
HOUR: Final = 3_600_000


PAPER: Final = "paper"
"""The account of runs without a broker, and of brokers in mode "paper"."""


def sends_orders(account: str) -> bool:
    """Tell whether the orders of an account reach an exchange, by its name.

    Examples
    --------
    >>> [sends_orders(name) for name in ("paper", "dry:binance:1a2b3c4d", "live:binance:1a2b3c4d")]
    [False, False, True]
    """
    return account.partition(":")[0] not in (PAPER, "dry")


class Arm(NamedTuple):
    """The permission to send entries, with its limits.

    Attributes
    ----------
    account : str
        Mode, exchange and key it is for.
    symbols, strategies : tuple of str
        Those it is for.
    max_order, max_total, max_daily_loss : Decimal
        Quote currency.
    max_open : int
        Positions at a time.
    orders_an_hour : int
    since, until : int
        ms UTC.
    by : str
        Who armed.
    tripped : str
        Why it holds no more; "" while it does.
    """

    account: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    max_order: Decimal
    max_total: Decimal
    max_daily_loss: Decimal
    max_open: int
    orders_an_hour: int
    since: Time
    until: Time
    by: str = ""
    tripped: str = ""


class AccountFacts(NamedTuple):
    """What is known of the account at the moment of an entry.

    Attributes
    ----------
    account : str
    symbol, strategy : str
    price : Decimal
        Last close.
    market : OrderMarket
    free : Decimal or None
        Quote currency that is not locked; None: the balance could not be read.
    invested : Decimal
        Cost of all open positions and entries that are on their way, quote currency.
    positions : int
        How many they are.
    day_result : Decimal
        Realised and open since midnight UTC, quote currency.
    sent : tuple of int
        When orders were sent, ms UTC.
    in_doubt : int
        Orders of the account whose outcome is unknown.
    checked_at : int or None
        Of the last good reconciliation.
    killed : bool
        The kill file is there, or could not be read.
    venue_checked : bool
    """

    account: str
    symbol: str
    strategy: str
    price: Decimal
    market: OrderMarket
    free: Decimal | None
    invested: Decimal = ZERO
    positions: int = 0
    day_result: Decimal = ZERO
    sent: tuple[Time, ...] = ()
    in_doubt: int = 0
    checked_at: Time | None = None
    killed: bool = False
    venue_checked: bool = False


def gate(
    arm: Arm | None, entry: DesiredPosition, facts: AccountFacts, now: Time
) -> tuple[Problem, ...]:
    """Return all reasons why an entry may not be sent now; empty: it may.

    Parameters
    ----------
    arm : Arm or None
        None: there is none, or it could not be read.
    entry : DesiredPosition
        With a limit.
    now : int
        ms UTC.
    """
    return (
        *_permission(arm, facts, now),
        *_knowledge(facts, now),
        *_order(entry, facts),
        *(() if arm is None else _limits(arm, entry, facts, now)),
    )


def _permission(arm: Arm | None, facts: AccountFacts, now: Time) -> Iterator[Problem]:
    if facts.killed:
        yield Problem("kill", "the kill switch is on; remove data/KILL to allow entries")
    yield from ended(arm, facts.account, now)
    if arm is not None and not is_for(arm, facts.symbol, facts.strategy):
        yield Problem("symbol", f"{facts.strategy} on {facts.symbol} is not armed")


def is_for(arm: Arm, symbol: str, strategy: str) -> bool:
    """Tell whether a permission is for a run."""
    return symbol in arm.symbols and strategy in arm.strategies


def ended(arm: Arm | None, account: str, now: Time) -> Iterator[Problem]:
    """Give all reasons why an account is disarmed now; none: it is armed."""
    if arm is None:
        yield Problem("armed", f"account {account} is not armed; arm it with tn.arm or tradenb arm")
        return
    if arm.account != account:
        yield Problem("armed", f"the arm is for {arm.account}, this is {account}")
    if arm.tripped:
        yield Problem("tripped", f"disarmed: {arm.tripped}; arm again with a new code")
    if not arm.since <= now < arm.until:
        yield Problem("expiry", f"armed until {iso(arm.until)}; arm again")


def _knowledge(facts: AccountFacts, now: Time) -> Iterator[Problem]:
    if facts.checked_at is None or now - facts.checked_at > CHECK_AGE:
        yield Problem("reconciled", "no reconciliation with the exchange in the last 10 minutes")
    if facts.in_doubt:
        yield Problem("in_doubt", f"the outcome of {facts.in_doubt} orders is unknown")
    if not facts.venue_checked:
        yield Problem("venue_check", "the exchange was not checked; run tradenb venue-check")


def _order(entry: DesiredPosition, facts: AccountFacts) -> Iterator[Problem]:
    limit, market = entry.limit or ZERO, facts.market
    if not limit > 0 or not entry.quantity > 0:
        yield Problem("order", f"quantity {entry.quantity} at {entry.limit} is not an order")
        return
    if limit > facts.price * (1 + COLLAR):
        yield Problem("collar", f"limit {limit} is more than 2 % above the price {facts.price}")
    if market.pieces(entry.quantity) < market.least(limit):
        few = f"{entry.quantity:.8g} pieces at {limit} are too few for an order; enter larger"
        yield Problem("min_value", few)
    elif entry.stop * entry.quantity * STOP_VALUE < market.min_value:
        worth, least = entry.stop * entry.quantity, market.min_value / STOP_VALUE
        few = f"worth {worth:.4g} at the stop, and a sale there needs {least:.4g}; enter larger"
        yield Problem("min_value", few)
    if facts.free is None:
        yield Problem("funds", "the balance could not be read")
    elif limit * entry.quantity * RESERVE > facts.free:
        yield Problem("funds", f"{limit * entry.quantity:.8g} needed, {facts.free:.8g} free")


def _limits(arm: Arm, entry: DesiredPosition, facts: AccountFacts, now: Time) -> Iterator[Problem]:
    cost = (entry.limit or ZERO) * entry.quantity
    if cost > arm.max_order:
        yield Problem("max_order", f"the order costs {cost:.8g}, max_order is {arm.max_order}")
    if facts.invested + cost > arm.max_total:
        total = f"{facts.invested + cost:.8g} would be invested, max_total is {arm.max_total}"
        yield Problem("max_total", total)
    if facts.positions >= arm.max_open:
        yield Problem(
            "max_open", f"{facts.positions} positions are open, max_open is {arm.max_open}"
        )
    if -facts.day_result >= arm.max_daily_loss:
        yield Problem(
            "daily_loss",
            f"{-facts.day_result} lost today, max_daily_loss is {arm.max_daily_loss}",
        )
    lately = sum(1 for at in facts.sent if at > now - HOUR)
    if lately >= arm.orders_an_hour:
        yield Problem(
            "orders_an_hour", f"{lately} orders in an hour, orders_an_hour is {arm.orders_an_hour}"
        )
