"""What fees in a third coin were worth: at the open of the minute in which they were taken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from tradenb.core.orders.order_records import Fill
from tradenb.core.signal import Time
from tradenb.core.timeframe import floor_to
from tradenb.exchanges.orders.order_client import OrderClient

WAIT_S: Final = 1.0
"""So long an order waits for all its prices: only an entry that is told is protected."""
MOST: Final = 20
"""So many prices are asked for at a time, those of the newest trades."""


class FeeValues:
    """The prices of third coins in one quote currency, each asked for once.

    Parameters
    ----------
    client : OrderClient
    quote : str
    """

    def __init__(self, client: OrderClient, quote: str) -> None:
        self._client, self._quote = client, quote
        self._prices: dict[tuple[str, Time], Decimal] = {}

    async def valued(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """Return trades with what their fees were worth; where that is not known, as they are."""
        found = tuple(fills)
        third = [fill for fill in found if fill.fee_in == "other"]
        if not third:
            return found
        wanted = dict.fromkeys((fill.fee_asset, floor_to(fill.at)) for fill in third)
        missing = [each for each in wanted if each not in self._prices][-MOST:]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._ask(missing)
        return tuple(self._valued(fill) for fill in found)

    async def _ask(self, missing: Iterable[tuple[str, Time]]) -> None:
        for asset, minute in missing:
            price = await self._price(asset, minute)
            if price is None:
                return  # the next overview asks again
            self._prices[asset, minute] = price

    def _valued(self, fill: Fill) -> Fill:
        price = self._prices.get((fill.fee_asset, floor_to(fill.at)))
        if fill.fee_in != "other" or price is None:
            return fill
        return fill._replace(fee_value=fill.fee * price)

    async def _price(self, asset: str, minute: Time) -> Decimal | None:
        params = {
            "symbol": asset + self._quote, "interval": "1m", "startTime": str(minute), "limit": "1",
        }  # fmt: skip
        reply = await self._client.read("public_get_klines", params)
        return _open_of(reply.answer, minute)


def _open_of(answer: Any, minute: Time) -> Decimal | None:
    """Return the first price of a minute; None: the answer does not have it."""
    row = answer[0] if isinstance(answer, list) and answer else None
    if not isinstance(row, list) or len(row) < 2 or row[0] != minute:
        return None
    try:
        price = Decimal(str(row[1]))
    except ArithmeticError:
        return None
    return price if price.is_finite() and price > 0 else None
