"""What Binance says of an account and of the key that asks: balances and rights."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.spot_answers import Unreadable, number_of, rows_of, text_of


class SpotAccount(NamedTuple):
    """An account now.

    Attributes
    ----------
    free : dict of str to Decimal
        What is not locked, by asset.
    can_trade : bool
    """

    free: Mapping[str, Decimal]
    can_trade: bool


async def read_account(client: OrderClient) -> SpotAccount | None:
    """Read the account of a client; None: it could not be read."""
    answer = (await client.read("private_get_account", {})).answer
    if not isinstance(answer, dict):
        return None
    try:
        rows = rows_of(answer.get("balances"))
        free = {text_of(row, "asset"): number_of(row, "free") for row in rows}
    except Unreadable:
        return None
    return SpotAccount(free, answer.get("canTrade") is True)


async def read_key_may_withdraw(client: OrderClient) -> bool | None:
    """Ask whether the key may take money out; None: the exchange does not say (a testnet)."""
    answer: Any = (await client.read("sapi_get_account_apirestrictions", {})).answer
    found = answer.get("enableWithdrawals") if isinstance(answer, dict) else None
    return found if isinstance(found, bool) else None
