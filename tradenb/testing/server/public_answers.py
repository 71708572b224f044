"""What an `ExchangeServer` answers anybody: candles, markets, prices and the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradenb.testing.server import binance_api as binance
from tradenb.testing.server.server_account import ServerAccount
from tradenb.testing.server.server_troubles import ServerTrouble, page_spoiled, spoiled
from tradenb.testing.venue.venue_records import Side, VenueMarket

# Bids are what a seller gets at once, asks what a buyer pays.
SIDES: Final[tuple[Side, Side]] = ("SELL", "BUY")


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
                if "symbol" in query:
                    return self._ticker(self._market(query), now)
                return [self._ticker(market, now) for market in self._markets.values()]
            case "depth":
                return binance.depth(self._ticker(self._market(query), now), now)
        raise binance.Refused(-1000, f"{path} is not served here.")

    def _market_rules(self, now: int) -> list[VenueMarket]:
        if self._account is None:
            return [binance.venue_market(market) for market in self._markets.values()]
        self._account.advance(now)
        return [self._account.venue.venue.market(symbol) for symbol in self._markets]

    def _ticker(self, market: binance.Market, now: int) -> dict[str, Any]:
        """Return a ticker, with the prices that the account trades at, if there is an account."""
        if self._account is None:
            return binance.ticker(market, now)
        self._account.advance(now)
        book = self._account.venue.venue.book
        state = book.state(market.symbol)
        if state.last is None:
            return binance.ticker(market, now)
        bid, ask = (float(state.taker_price(side)) for side in SIDES)
        return binance.ticker(market, now, binance.Quote(float(state.last), bid, ask))

    def _market(self, query: Mapping[str, str]) -> binance.Market:
        try:
            return self._markets[query.get("symbol", "")]
        except KeyError:
            raise binance.Refused(-1121, "Invalid symbol.") from None
