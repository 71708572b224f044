"""What an `ExchangeServer` answers anybody: candles, markets, prices and the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradenb.testing.server import binance_api as binance
from tradenb.testing.server.server_account import ServerAccount
from tradenb.testing.server.server_troubles import ServerTrouble, page_spoiled, spoiled
from tradenb.testing.venue.venue_records import VenueMarket


class PublicAnswers:
    """The public half of the API; steps and last prices are those of the account, if there is one.

    Parameters
    ----------
    markets : dict of str to Market
    account : ServerAccount or None
    """

    def __init__(
        self, markets: Mapping[str, binance.Market], account: ServerAccount | None
    ) -> None:
        self._markets, self._account = markets, account

    def body(self, path: str, query: dict[str, str], active: list[ServerTrouble], now: int) -> Any:
        """Return the JSON of a path, spoiled by the active troubles."""
        match path:
            case "ping":
                return {}
            case "time":
                return {"serverTime": now}
            case "exchangeInfo":
                return binance.exchange_info(self._market_rules(now), now)
            case "klines":
                rows = spoiled(binance.visible_rows(self._market(query), now), active, now)
                return binance.klines(page_spoiled(binance.page_of(rows, query), active))
            case "ticker/24hr" | "ticker/price" | "ticker/bookTicker":
                market = self._market(query)
                return binance.ticker(market, now, self._last_price(market.symbol, now))
        raise binance.Refused(-1000, f"{path} is not served here.")

    def _market_rules(self, now: int) -> list[VenueMarket]:
        if self._account is None:
            return [binance.venue_market(market) for market in self._markets.values()]
        self._account.advance(now)
        return [self._account.venue.venue.market(symbol) for symbol in self._markets]

    def _last_price(self, symbol: str, now: int) -> float | None:
        """Return the price that the account trades at, if there is an account."""
        if self._account is None:
            return None
        self._account.advance(now)
        last = self._account.venue.venue.last(symbol)
        return None if last is None else float(last)

    def _market(self, query: Mapping[str, str]) -> binance.Market:
        try:
            return self._markets[query.get("symbol", "")]
        except KeyError:
            raise binance.Refused(-1121, "Invalid symbol.") from None
