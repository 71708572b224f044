"""What an exchange can do and how fast it is sure of it; and the steps of a market in decimals."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.order_records import ZERO

ABSENCE_MARGIN: Final = 1_000
"""So long after the death of a request, ms, "not found" begins to prove that it never arrived."""


class Venue(NamedTuple):
    """One exchange and kind of market.

    Attributes
    ----------
    name : str
    window_ms : int
        A request is refused by the exchange so long after it was signed.
    visible_ms : int
        An order that was accepted is found by queries so long afterwards, at the latest.
    balance_ms : int
        Balances are as new as that.
    lists : bool
        Stop and target can rest as one order.
    refused : frozenset of str
        Codes by which it says for certain that an order was not accepted.
    exists, would_trigger : frozenset of str
        Codes, or words, by which it says that the order was accepted before, and that its stop or
        target is beyond the price already.
    not_found : frozenset of str
        Codes by which it says that it does not know an order.
    no_key : frozenset of str
        Codes by which it says that the key is not valid, or may not do this.
    """

    name: str
    window_ms: int = 3_000
    visible_ms: int = 1_000
    balance_ms: int = 10_000
    lists: bool = True
    refused: frozenset[str] = frozenset()
    exists: frozenset[str] = frozenset()
    would_trigger: frozenset[str] = frozenset()
    not_found: frozenset[str] = frozenset()
    no_key: frozenset[str] = frozenset()


BINANCE_SPOT: Final = Venue(
    name="binance",
    refused=frozenset(
        {
            "-1003", "-1013", "-1015", "-1021", "-1022", "-1102", "-1111", "-1121",
            "-2010", "-2014", "-2015",
        }
    ),
    exists=frozenset({"-4116", "Duplicate order sent"}),
    would_trigger=frozenset({"would trigger immediately", "relationship of the prices"}),
    not_found=frozenset({"-2013", "-2018"}),
    no_key=frozenset({"-2014", "-2015"}),
)  # fmt: skip
"""Binance spot. A code that is not listed proves nothing (section "What an answer means")."""


class OrderMarket(NamedTuple):
    """Steps, minima and fees of one symbol, as exact decimals.

    Attributes
    ----------
    price_step, size_step : Decimal
    min_size, min_value : Decimal
        Least pieces, and least value in quote currency, of an order.
    taker : Decimal
        Fraction of a fill taken as its fee, at most: 0.001.
    fee_in_base : bool
        Of purchases the fee is taken in pieces.
    stop_market : bool
        A stop may sell at market; else its limit lies `stop_gap` below the trigger.
    stop_gap : Decimal
        Fraction of the trigger.
    """

    price_step: Decimal
    size_step: Decimal
    min_size: Decimal = ZERO
    min_value: Decimal = ZERO
    taker: Decimal = Decimal("0.001")
    fee_in_base: bool = True
    stop_market: bool = True
    stop_gap: Decimal = Decimal("0.02")

    def pieces(self, wanted: Decimal) -> Decimal:
        """Return the most pieces on the step, at most so many."""
        return stepped(wanted, self.size_step)

    def least(self, price: Decimal) -> Decimal:
        """Return the fewest pieces an order at this price may have."""
        fewest = max(self.min_size, self.size_step)
        if price > 0 and self.min_value > 0:
            fewest = max(fewest, stepped(self.min_value / price, self.size_step, up=True))
        return fewest


def stepped(value: Decimal, step: Decimal, *, up: bool = False) -> Decimal:
    """Return the multiple of a step at or below a number, or at or above it."""
    count = (value / step).to_integral_value(rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return count * step
