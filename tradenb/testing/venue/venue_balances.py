"""What an account holds of each asset, free and locked by live orders, and what fills cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Final, Literal, NamedTuple

from tradenb.testing.venue.venue_records import ZERO, AssetBalance, Side, VenueMarket

FeeAsset = Literal["received", "quote", "BNB"]
_UNIT: Final = Decimal("1e-8")


class VenueFees(NamedTuple):
    """What trades cost.

    Attributes
    ----------
    maker, taker : Decimal
        Shares of what is traded, such as 0.001.
    paid_in : {"received", "quote", "BNB"}
        The asset: what a trade brings, as on Binance; always quote; or BNB as long as it lasts,
        and then what a trade brings.
    bnb_price : Decimal
        Quote currency for one BNB.
    """

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    paid_in: FeeAsset = "received"
    bnb_price: Decimal = Decimal(600)

    def reserve(self) -> Decimal:
        """Return by which factor a purchase locks more than its value."""
        return 1 + max(self.maker, self.taker) if self.paid_in == "quote" else Decimal(1)


class VenueBalances:
    """Assets of one account; each live order or list has one lock, by a key of its own."""

    def __init__(self, free: Mapping[str, Decimal]) -> None:
        self.free = {asset: Decimal(amount) for asset, amount in free.items()}
        self.locked: dict[str, Decimal] = {}
        self._locks: dict[int, tuple[str, Decimal]] = {}

    def free_of(self, asset: str) -> Decimal:
        """Return what no order has locked."""
        return self.free.get(asset, ZERO)

    def total(self, asset: str) -> Decimal:
        """Return what is held, free and locked."""
        return self.free.get(asset, ZERO) + self.locked.get(asset, ZERO)

    def add(self, asset: str, amount: Decimal) -> None:
        """Change what is free; negative takes away."""
        self.free[asset] = self.free.get(asset, ZERO) + amount

    def lock(self, key: int, asset: str, amount: Decimal) -> None:
        """Let the lock of a key be so large; the difference moves from or to what is free."""
        _, before = self._locks.get(key, (asset, ZERO))
        if amount:
            self._locks[key] = (asset, amount)
        else:
            self._locks.pop(key, None)
        self.locked[asset] = self.locked.get(asset, ZERO) + amount - before
        self.add(asset, before - amount)

    def locked_by(self, key: int) -> Decimal:
        """Return the lock of a key."""
        return self._locks.get(key, ("", ZERO))[1]

    def fee_of(
        self,
        fees: VenueFees,
        market: VenueMarket,
        side: Side,
        quantity: Decimal,
        value: Decimal,
        *,
        is_maker: bool,
    ) -> tuple[Decimal, str]:
        """Return what a fill costs, and in which asset."""
        rate = fees.maker if is_maker else fees.taker
        if fees.paid_in == "BNB":
            amount = _cut(value * rate / fees.bnb_price)
            if amount <= self.free_of("BNB"):
                return amount, "BNB"
        if fees.paid_in == "quote" or side == "SELL":
            return _cut(value * rate), market.quote
        return _cut(quantity * rate), market.base

    def listed(self) -> tuple[AssetBalance, ...]:
        """Return what is held of each asset, by name."""
        names = sorted({*self.free, *self.locked})
        return tuple(
            AssetBalance(name, self.free_of(name), self.locked.get(name, ZERO)) for name in names
        )


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(_UNIT, rounding=ROUND_DOWN)
