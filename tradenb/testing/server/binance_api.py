"""What Binance's public REST API answers, made of recorded candles; pure: no socket, no clock.

Its numbers are text with eight decimals where that says the same, its candles include the one that
is forming, and a page begins at `startTime` or ends now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.core.timeframe import DAY, MINUTE
from tradenb.testing.venue.venue_records import VenueMarket

QUOTES: Final = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR", "BTC", "ETH", "BNB", "TRY")
USUAL_LIMIT: Final = 500
LARGEST_LIMIT: Final = 1000
WEIGHTS: Final[dict[str, int]] = {
    "ping": 1,
    "time": 1,
    "exchangeInfo": 20,
    "klines": 2,
    "ticker/24hr": 2,
    "ticker/price": 2,
    "ticker/bookTicker": 2,
    "depth": 5,
}
"""What a request costs of the 6,000 a minute, by its path."""


class Refused(Exception):
    """A request that Binance answers with an error of its own."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.body = {"code": code, "msg": words}


class Market(NamedTuple):
    """A symbol and its candles, each time once; also those that are still to come."""

    symbol: str
    base: str
    quote: str
    rows: Rows


def market_of(symbol: str, rows: Rows) -> Market:
    """Take a symbol apart, by the slash or by the quote currencies that are known."""
    base, _, quote = symbol.partition("/")
    if not quote:
        quote = next((item for item in QUOTES if symbol.endswith(item)), symbol[-3:])
        base = symbol.removesuffix(quote)
    return Market(base + quote, base, quote, rows)


def visible_rows(market: Market, now: int) -> Rows:
    """Return the candles that have begun; the last one is still forming."""
    rows = market.rows
    count = int(np.searchsorted(rows.time, now, side="right"))
    seen = rows.take(np.arange(count))
    if not count or seen.time[-1] + MINUTE <= now:
        return seen
    part = (now - int(seen.time[-1])) / MINUTE
    open_, close = seen.open[-1], seen.close[-1]
    price = open_ + (close - open_) * part
    seen.high[-1], seen.low[-1] = max(open_, price), min(open_, price)
    seen.close[-1], seen.volume[-1] = price, seen.volume[-1] * part
    return seen


def page_of(rows: Rows, query: Mapping[str, str]) -> Rows:
    """Return the rows that a request for candles is answered with, if it is valid."""
    if query.get("interval") != "1m":
        raise Refused(-1120, "Invalid interval.")
    limit = min(_whole(query, "limit", USUAL_LIMIT), LARGEST_LIMIT)
    first = int(np.searchsorted(rows.time, _whole(query, "startTime", 0)))
    last = int(np.searchsorted(rows.time, _whole(query, "endTime", 2**60), side="right"))
    if "startTime" in query:
        last = min(last, first + limit)
    else:
        first = max(first, last - limit)
    return rows.part(first, last)


def klines(rows: Rows) -> list[list[Any]]:
    """Return rows as Binance writes candles."""
    answer = []
    for time, *values in zip(*(column.tolist() for column in rows), strict=True):
        open_, high, low, close, volume = map(number, values)
        end = time + MINUTE - 1
        answer.append([time, open_, high, low, close, volume, end, "0", 0, "0", "0", "0"])
    return answer


def exchange_info(markets: Iterable[VenueMarket], now: int) -> dict[str, Any]:
    """Return what is traded, and in which steps."""
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            }
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_info(market) for market in markets],
    }


class Quote(NamedTuple):
    """What a market trades at: the last price, and what who does not wait gets."""

    last: float
    bid: float
    ask: float


def ticker(market: Market, now: int, quote: Quote | None = None) -> dict[str, Any]:
    """Return prices, if they are not given those of the candles, and the last 24 hours."""
    rows = visible_rows(market, now)
    day = rows.part(int(np.searchsorted(rows.time, now - DAY)), len(rows.time))
    if not len(day.time):
        raise Refused(-1121, "Invalid symbol.")
    first, close = float(day.open[0]), float(day.close[-1])
    last, bid, ask = quote or Quote(close, close, close)
    text = {
        "priceChange": last - first,
        "priceChangePercent": (last / first - 1) * 100,
        "lastPrice": last,
        "price": last,
        "bidPrice": bid,
        "bidQty": 1.0,
        "askPrice": ask,
        "askQty": 1.0,
        "openPrice": first,
        "highPrice": float(day.high.max()),
        "lowPrice": float(day.low.min()),
        "volume": float(day.volume.sum()),
    }
    answer: dict[str, Any] = {name: number(value) for name, value in text.items()}
    return {"symbol": market.symbol, **answer, "openTime": int(day.time[0]), "closeTime": now}


def depth(prices: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return a book of one price on each side, from a ticker."""
    sides = ("bids", "bidPrice", "bidQty"), ("asks", "askPrice", "askQty")
    found = {side: [[prices[price], prices[size]]] for side, price, size in sides}
    return {"lastUpdateId": now, **found}


def number(value: float | None) -> str | None:
    """Write a number as Binance does; reading it gives the same float.

    Examples
    --------
    >>> number(42283.58), number(1e-9)
    ('42283.58000000', '0.000000001')
    """
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return None
    text = f"{value:.8f}"
    return text if float(text) == value else f"{Decimal(repr(value)):f}"


def venue_market(market: Market) -> VenueMarket:
    """Return a market with the steps that its candles show, as a venue takes it.

    A step of the quantity is worth one unit of the quote currency at most, as it is on exchanges:
    else the fee in pieces would leave a quarter of a small position behind.
    """
    amount = Decimal(_step(market.rows.volume))
    price = float(market.rows.close[0]) if len(market.rows.close) else 1.0
    amount = min(amount, Decimal(1).scaleb(-min(8, max(0, math.ceil(math.log10(price))))))
    return VenueMarket(
        market.symbol,
        market.base,
        market.quote,
        tick_size=Decimal(_step(market.rows.close)),
        step_size=amount,
        min_quantity=amount,
        max_quantity=Decimal(90_000_000),
    )


def _symbol_info(market: VenueMarket) -> dict[str, Any]:
    price, amount = f"{market.tick_size:f}", f"{market.step_size:f}"
    least, most = f"{market.min_quantity:f}", f"{market.max_quantity:f}"
    return {
        "symbol": market.symbol,
        "status": "TRADING" if market.is_trading else "BREAK",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": list(market.order_types),
        "ocoAllowed": market.has_lists,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": price, "maxPrice": "0", "tickSize": price},
            {"filterType": "LOT_SIZE", "minQty": least, "maxQty": most, "stepSize": amount},
            {"filterType": "NOTIONAL", "minNotional": f"{market.min_notional:.8f}"},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }


def _step(column: Any) -> str:
    """Return the smallest step in which a column is quoted, as far as its beginning shows."""
    exponents = [Decimal(repr(value)).as_tuple().exponent for value in column[:200].tolist()]
    places = [-item for item in exponents if isinstance(item, int)]
    return f"{Decimal(1).scaleb(-min(8, max([0, *places]))):f}"


def _whole(query: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(query.get(name, usual))
    except ValueError:
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'.") from None
