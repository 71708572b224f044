"""Funding: what an open position pays or receives at fixed times."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.money.account import Account, Charges
from tradenb.core.rules import Rules
from tradenb.core.signal import Position
from tradenb.core.timeframe import HOUR, next_after

_EVERY: Final = 8 * HOUR


def charges(account: Account, symbol: str, since: int, until: int) -> Charges:
    """Return times and percents of the charges in (since, until]."""
    if account.funding is not None:
        known = account.funding.get(symbol, ())
        first = bisect_right(known, (since, float("inf")))
        return known[first : bisect_right(known, (until, float("inf")))]
    if not account.funding_percent:
        return ()
    times = range(next_after(since, _EVERY), until + 1, _EVERY)
    return tuple((at, account.funding_percent) for at in times)


class Charge(NamedTuple):
    """One charge: the close at which it is known, and what a position pays, quote currency."""

    at: int
    amount: float


def charge(
    position: Position, quantity: float, at: int, percent: float, candles: Candles, rules: Rules
) -> Charge:
    """Charge what is open at a moment.

    At the market price of the candle that it falls in; in missing minutes at the last one before,
    known at the next one.
    """
    row = candles.index(at)
    known = row if candles.ends_at(row) == at else row + 1
    if known > row and candles.starts_at(known) < at:
        row = known
    amount = quantity * prices.market_price(candles, row, rules) * percent / 100
    return Charge(candles.ends_at(known), amount if position == "long" else -amount)
