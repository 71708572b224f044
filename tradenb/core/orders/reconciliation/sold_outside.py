"""A balance below what is held: somebody else sold, and what the trades of others show of it."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Final

from tradenb.core.orders.answers import Overview
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO, Ending, Fill, Order
from tradenb.core.orders.snapshots import unexplained
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time

_FINEST: Final = Decimal("1e-16")


def against_balance(
    ledger: OrderLedger,
    overview: Overview,
    foreign: list[Fill],
    venue: Venue,
    market: OrderMarket,
    now: Time,
) -> OrderLedger:
    """Follow a balance below what is held: somebody sold; seen twice, since balances come late."""
    held = {signal: held_quantity(ledger, signal, market) for signal in ledger.signals()}
    everything = sum(held.values(), ledger.dust)
    missing = everything - overview.base
    moving = any(order.is_in_doubt for order in ledger.orders)
    guessed = any(order.known < order.filled for order in ledger.orders if order.role == "entry")
    if missing <= (market.size_step if guessed else ZERO) or moving:
        return ledger._replace(short_at=None)
    if ledger.short_at is None or ledger.short_held != everything:
        return ledger._replace(short_at=overview.asked_at, short_held=everything)
    if overview.asked_at < ledger.short_at + venue.balance_ms:
        return ledger
    ledger = ledger._replace(short_at=None)
    from_dust = min(ledger.dust, missing)
    ledger, missing = ledger._replace(dust=ledger.dust - from_dust), missing - from_dust
    for signal, pieces in held.items():
        lost = min(pieces, missing)
        if lost > 0:
            ledger = _sold_outside(ledger, signal, lost, foreign, now)
            missing -= lost
    return ledger


def _sold_outside(
    ledger: OrderLedger, signal: str, lost: Decimal, foreign: list[Fill], now: Time
) -> OrderLedger:
    """Book a sale by somebody else at the prices of its trades; what no trade shows is gone."""
    entries = ledger.of(signal, "entry")
    since = min((order.sent_at for order in entries), default=now)
    attempt = len(ledger.of(signal, "outside")) + 1
    sales = _part_of(
        [fill for fill in foreign if fill.side == "sell" and fill.at >= since], ledger, lost
    )
    ending: Ending = "filled"
    why, value = None, sum((fill.quantity * fill.price for fill in sales), ZERO)
    if not sales:
        sold = sum((order.filled for order in entries), ZERO)
        cost = sum((order.value for order in entries), ZERO)
        value = lost * cost / sold if sold else ZERO
        ending, why = "gone", _counted(lost, value)
        ledger = unexplained(
            ledger, f"{lost} pieces of {signal} are gone, and no trade shows where"
        )
    outside = Order(
        id=f"outside-{signal}-{attempt}", signal_id=signal, role="outside", attempt=attempt,
        side="sell", type="market", quantity=lost, filled=lost, value=value, state="done",
        ending=ending, why=why, done_at=now, sent_at=now, fills=sales,
    )  # fmt: skip
    return ledger.with_order(outside)


def _counted(lost: Decimal, value: Decimal) -> str:
    each = round(value / lost, 8).normalize()
    return (
        f"{lost.normalize():f} pieces are gone and no trade shows where; counted at {each:f} a "
        "piece, which is what they cost: nobody knows what they brought"
    )


def _part_of(sales: list[Fill], ledger: OrderLedger, lost: Decimal) -> tuple[Fill, ...]:
    """Return of sales by others the part that was `lost` pieces here; empty: they do not show it.

    The owner may have sold coins of his own in the same trades: of each the same share is taken,
    with that share of its fee, and of a trade only what no other position was booked with. A fee
    that was taken in pieces left the account too.
    """
    rest = []
    for fill in sales:
        there = _left_by(fill)
        used = sum(
            (
                _left_by(part)
                for order in (*ledger.past, *ledger.orders)
                if order.role == "outside"
                for part in order.fills
                if part.id == fill.id
            ),
            ZERO,
        )
        if there > used:
            rest.append((fill, there, there - used))
    gone = sum((free for _, _, free in rest), ZERO)
    if gone < lost:
        return ()
    parts, missing = [], lost
    for number, (fill, there, free) in enumerate(rest, 1):
        taken = missing if number == len(rest) else _digits(free * lost / gone)
        missing -= taken
        if taken > 0:
            parts.append(_share_of(fill, taken, there))
    return tuple(parts)


def _left_by(fill: Fill) -> Decimal:
    """Return the pieces that left an account by a sale."""
    return fill.quantity + (fill.fee if fill.fee_in == "base" else ZERO)


def _share_of(fill: Fill, pieces: Decimal, there: Decimal) -> Fill:
    """Return a sale as if `pieces` of those that left by it were all."""
    if pieces == there:
        return fill
    fee = _digits(fill.fee * pieces / there)
    worth = None if fill.fee_value is None else _digits(fill.fee_value * pieces / there)
    quantity = pieces - fee if fill.fee_in == "base" else pieces
    return fill._replace(quantity=quantity, fee=fee, fee_value=worth)


def _digits(value: Decimal) -> Decimal:
    """Round down to digits that no exchange has: sums of parts stay exact."""
    return value.quantize(_FINEST, rounding=ROUND_DOWN)
