"""What Binance says of a spot market, with the exact steps: no number goes through a float."""

from __future__ import annotations

from typing import Any, NamedTuple

from tradenb.core.orders.venue import OrderMarket
from tradenb.exchanges.orders.spot_answers import Unreadable, number_of, rows_of, text_of


class SpotMarket(NamedTuple):
    """A market as it is now.

    Attributes
    ----------
    symbol, base, quote : str
        As the exchange writes them.
    market : OrderMarket
        Its fee is the one of the account.
    lists : bool
        Stop and target can rest as one order.
    is_trading : bool
    """

    symbol: str
    base: str
    quote: str
    market: OrderMarket
    lists: bool
    is_trading: bool


def spot_market(symbol: str, exchange_info: Any, account: Any) -> SpotMarket:
    """Return a market of the answers about the exchange and the account.

    Raises
    ------
    Unreadable
        When a step, or something else that orders need, is not in them.
    """
    if not isinstance(exchange_info, dict) or not isinstance(account, dict):
        raise Unreadable("the answer shows no markets")
    found = [row for row in rows_of(exchange_info.get("symbols")) if row.get("symbol") == symbol]
    if len(found) != 1:
        raise Unreadable(f"the answer shows {len(found)} markets {symbol}")
    (told,) = found
    filters = {text_of(row, "filterType"): row for row in rows_of(told.get("filters"))}
    prices, sizes = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    values = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    steps = number_of(prices, "tickSize"), number_of(sizes, "stepSize")
    if min(steps) <= 0:
        raise Unreadable(f"{symbol} has no steps")
    rates = account.get("commissionRates")
    market = OrderMarket(
        price_step=steps[0],
        size_step=steps[1],
        min_size=number_of(sizes, "minQty"),
        min_value=number_of(values, "minNotional"),
        taker=number_of(rates if isinstance(rates, dict) else {}, "taker"),
        stop_market="STOP_LOSS" in (told.get("orderTypes") or ()),
    )
    return SpotMarket(
        symbol=symbol,
        base=text_of(told, "baseAsset"),
        quote=text_of(told, "quoteAsset"),
        market=market,
        lists=told.get("ocoAllowed") is True,
        is_trading=told.get("status") == "TRADING" and told.get("isSpotTradingAllowed") is True,
    )
