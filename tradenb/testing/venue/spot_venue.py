"""`SpotVenue`: a spot exchange of one account, pure: time and prices are arguments.

What orders do is in `venue_book.py`, what is refused by filters in `venue_filters.py`; here each
request finds its answer or its refusal, as Binance gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, assert_never

from tradenb.core.timeframe import MINUTE
from tradenb.testing.venue.candle_path import candle_path
from tradenb.testing.venue.venue_balances import VenueFees
from tradenb.testing.venue.venue_book import VenueBook
from tradenb.testing.venue.venue_lookup import (
    cancel_list,
    cancel_order,
    list_answer,
    query_list,
    query_order,
)
from tradenb.testing.venue.venue_placement import check_test_order, place_list, place_order
from tradenb.testing.venue.venue_queries import orders_page, trades_page
from tradenb.testing.venue.venue_records import (
    AccountAnswer,
    Answer,
    KeyAnswer,
    Side,
    VenueMarket,
    VenueOrder,
    VenueRefusal,
    VenueTrade,
)
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    NewList,
    NewOrder,
    QueryAccount,
    QueryAllOrders,
    QueryKey,
    QueryList,
    QueryOpenLists,
    QueryOpenOrders,
    QueryOrder,
    QueryTrades,
    VenueRead,
    VenueRequest,
)

USUAL_WINDOW: Final = 5000
LARGEST_WINDOW: Final = 60_000
_AHEAD: Final = 1000


class SpotVenue:
    """A spot exchange with one account, as Binance behaves; it knows no clock.

    Parameters
    ----------
    markets : iterable of VenueMarket
    balances : dict of str to Decimal
        What the account holds at the beginning, by asset.
    fees : VenueFees, optional
    spread_ticks : int, default 0
        By how much a taker's price is worse than the last one.
    level_quantity : Decimal, optional
        How much is traded at a price before the next tick; None: all.
    touch_fills : bool, default True
        Whether a limit order is filled that the price touches and does not pass.

    Examples
    --------
    >>> venue = SpotVenue([VenueMarket("BTCUSDT", "BTC", "USDT")], {"USDT": Decimal(1000)})
    >>> venue.set_price("BTCUSDT", Decimal(100), at=0)
    >>> bought = venue.handle(NewOrder("BTCUSDT", "BUY", "MARKET", Decimal(2), "my-id"), at=1)
    >>> bought.order.status, venue.total("BTC"), venue.total("USDT")
    ('FILLED', Decimal('1.99800000'), Decimal('800.00'))
    """

    def __init__(
        self,
        markets: Iterable[VenueMarket],
        balances: Mapping[str, Decimal],
        *,
        fees: VenueFees | None = None,
        spread_ticks: int = 0,
        level_quantity: Decimal | None = None,
        touch_fills: bool = True,
    ) -> None:
        self.book = VenueBook(
            markets,
            balances,
            fees=fees or VenueFees(),
            spread_ticks=spread_ticks,
            level_quantity=level_quantity,
            touch_fills=touch_fills,
        )
        self.key = KeyAnswer()

    # --- what there is: for judges, not for clients ----------------------------------------------

    @property
    def orders(self) -> dict[int, VenueOrder]:
        """All orders by their exchange id, oldest first."""
        return self.book.orders

    @property
    def trades(self) -> list[VenueTrade]:
        """All trades, oldest first."""
        return self.book.trades

    def market(self, symbol: str) -> VenueMarket:
        """Return a market as it is now."""
        return self.book.state(symbol).market

    def last(self, symbol: str) -> Decimal | None:
        """Return the last price."""
        return self.book.state(symbol).last

    def live_orders(self, symbol: str) -> tuple[VenueOrder, ...]:
        """Return the live orders of a symbol, oldest first."""
        return tuple(self.orders[order_id] for order_id in self.book.state(symbol).live)

    def total(self, asset: str) -> Decimal:
        """Return what the account holds of an asset, free and locked."""
        return self.book.balances.total(asset)

    def free(self, asset: str) -> Decimal:
        """Return what no order has locked."""
        return self.book.balances.free_of(asset)

    # --- prices and the rest of the world --------------------------------------------------------

    def set_price(
        self, symbol: str, price: Decimal, *, at: int, available: Decimal | None = None
    ) -> None:
        """Let the price jump; what lies between is triggered or filled, but not traded through.

        `available` limits what can be traded until the price changes again; None: anything.
        """
        self.book.move(symbol, price, at, jump=True, available=available)

    def move_price(
        self, symbol: str, price: Decimal, *, at: int, available: Decimal | None = None
    ) -> None:
        """Let the price go somewhere through all prices between."""
        self.book.move(symbol, price, at, jump=False, available=available)

    def play_candle(
        self,
        symbol: str,
        prices: tuple[Decimal, Decimal, Decimal, Decimal],
        *,
        opened_at: int,
        available: Decimal | None = None,
        step: int = MINUTE,
    ) -> None:
        """Let the price go along a candle: open, the nearer extreme, the farther one, close.

        Parameters
        ----------
        symbol : str
        prices : tuple of Decimal
            Open, high, low, close. The open is a jump from the last price.
        opened_at : int
            ms; the four are reached in equal parts of `step`.
        available : Decimal, optional
            What can be traded in the whole candle, a quarter of it in each part; None: anything.
        step : int, default a minute
        """
        quarter = None if available is None else available / 4
        for place, (price, part) in enumerate(candle_path(*prices)):
            at = opened_at + int(part * (step - 1))
            self.book.move(symbol, price, at, jump=not place, available=quarter)

    def change_market(self, symbol: str, **fields: Any) -> None:
        """Change filters, or `is_trading`; live orders stay as they are."""
        state = self.book.state(symbol)
        state.market = state.market._replace(**fields)

    def trade_by_hand(self, symbol: str, side: Side, quantity: Decimal, *, at: int) -> VenueOrder:
        """Buy or sell at the market as the account's owner does on the web page."""
        request = NewOrder(symbol, side, "MARKET", quantity, f"web_{len(self.orders) + 1}")
        return place_order(self.book, request, at).order

    def cancel_by_hand(self, order_id: int, *, at: int) -> None:
        """Cancel an order, and its list with it, as the account's owner does on the web page."""
        order = self.orders[order_id]
        cancel_order(self.book, CancelOrder(order.symbol, order_id=order_id, cancel_id="web"), at)

    # --- requests --------------------------------------------------------------------------------

    def handle(
        self,
        request: VenueRequest,
        *,
        at: int,
        sent_at: int | None = None,
        window: int = USUAL_WINDOW,
    ) -> Any:
        """Answer a request, or refuse it.

        Parameters
        ----------
        request : VenueRequest
        at : int
            When it arrives, ms of the venue's clock.
        sent_at : int, optional
            Its timestamp; what arrives later than `window` ms after it is refused.
        window : int, default 5000

        Returns
        -------
        OrderAnswer, ListAnswer, AccountAnswer, KeyAnswer, TestAnswer or a tuple of records

        Raises
        ------
        VenueRefusal
            With Binance's code and text.
        """
        check_window(at, sent_at, window)
        match request:
            case NewOrder(is_test=True):
                return check_test_order(self.book, request)
            case NewOrder():
                return place_order(self.book, request, at)
            case NewList():
                return place_list(self.book, request, at)
            case CancelOrder():
                return cancel_order(self.book, request, at)
            case CancelList():
                return cancel_list(self.book, request, at)
        return self._read(request, at)

    def _read(self, request: VenueRead, at: int) -> Answer:
        match request:
            case QueryOrder():
                return query_order(self.book, request)
            case QueryList():
                return query_list(self.book, request)
            case QueryOpenOrders(symbol=symbol):
                symbols = self.book.states if symbol is None else [symbol]
                return tuple(order for each in symbols for order in self.live_orders(each))
            case QueryOpenLists():
                live = (each for each in self.book.lists.values() if each.is_live)
                return tuple(list_answer(self.book, each) for each in live)
            case QueryAllOrders():
                self.book.state(request.symbol)
                return orders_page(self.orders.values(), request)
            case QueryTrades():
                self.book.state(request.symbol)
                return trades_page(self.trades, request)
            case QueryAccount():
                fees = self.book.fees
                return AccountAnswer(self.book.balances.listed(), fees.maker, fees.taker, at)
            case QueryKey():
                return self.key
        assert_never(request)


def check_window(at: int, sent_at: int | None, window: int) -> None:
    """Refuse a request that arrives too late, or before it was sent."""
    if window > LARGEST_WINDOW:
        raise VenueRefusal(-1131, "recvWindow must be less than 60000")
    if sent_at is None:
        return
    if sent_at >= at + _AHEAD:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise VenueRefusal(-1021, text)
    if at - sent_at > window:
        raise VenueRefusal(-1021, "Timestamp for this request is outside of the recvWindow.")
