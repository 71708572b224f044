"""How orders of one account meet a moving price: fills, triggers, expiry, locks and fees.

The price is given; nobody else's orders are simulated. What a taker pays is in `market_state.py`; a
resting limit order trades at its own price once the price reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tradenb.testing.venue.market_state import MarketState, fits
from tradenb.testing.venue.venue_balances import VenueBalances, VenueFees
from tradenb.testing.venue.venue_filters import floored, rises
from tradenb.testing.venue.venue_records import (
    WITH_PRICE,
    ZERO,
    OrderStatus,
    VenueList,
    VenueMarket,
    VenueOrder,
    VenueRefusal,
    VenueTrade,
)


class VenueBook:
    """Orders, lists, trades and balances of one account, and what a price does to them."""

    def __init__(
        self,
        markets: Iterable[VenueMarket],
        balances: Mapping[str, Decimal],
        *,
        fees: VenueFees,
        spread_ticks: int,
        level_quantity: Decimal | None,
        touch_fills: bool,
    ) -> None:
        self.states = {
            market.symbol: MarketState(market, spread_ticks, level_quantity) for market in markets
        }
        self.balances = VenueBalances(balances)
        self.fees = fees
        self.orders: dict[int, VenueOrder] = {}
        self.by_client_id: dict[tuple[str, str], int] = {}
        self.lists: dict[int, VenueList] = {}
        self.trades: list[VenueTrade] = []
        self._touch_fills = touch_fills

    def state(self, symbol: str) -> MarketState:
        """Return the state of a market."""
        try:
            return self.states[symbol]
        except KeyError:
            raise VenueRefusal(-1121, "Invalid symbol.") from None

    # --- orders ------------------------------------------------------------------------------

    def need(self, order: VenueOrder) -> tuple[str, Decimal]:
        """Return the asset that an order locks, and how much of it."""
        market = self.states[order.symbol].market
        if order.side == "SELL":
            return market.base, order.remaining
        price = order.price or order.stop_price
        return market.quote, order.remaining * price * self.fees.reserve()

    def add(self, order: VenueOrder) -> None:
        """Take a new order: lock what it needs."""
        self.orders[order.order_id] = order
        self.by_client_id[order.symbol, order.client_id] = order.order_id
        self.states[order.symbol].live[order.order_id] = None
        if order.type != "MARKET":
            self._lock(order)

    def start(self, order: VenueOrder, at: int) -> None:
        """Match an order that works from now on with what there is."""
        state = self.states[order.symbol]
        if order.time_in_force == "FOK" and not state.can_fill(order):
            self.end(order.order_id, "EXPIRED", at)
            return
        self._take(state, order.order_id, at)
        order = self.orders[order.order_id]
        if order.is_live and (order.type not in WITH_PRICE or order.time_in_force != "GTC"):
            self.end(order.order_id, "EXPIRED", at)

    def end(
        self, order_id: int, status: OrderStatus, at: int, cancel_id: str | None = None
    ) -> None:
        """End a live order; what it locked is free again."""
        order = self.orders[order_id]
        ended = order._replace(status=status, updated_at=at, is_working=False, cancel_id=cancel_id)
        self._store(ended)
        self._lock(ended)

    # --- prices ------------------------------------------------------------------------------

    def move(
        self, symbol: str, price: Decimal, at: int, *, jump: bool, available: Decimal | None
    ) -> None:
        """Let the price go somewhere: step by step, or over everything between at once."""
        state = self.states[symbol]
        if not state.market.is_trading:
            return
        state.available = available
        if state.last is None:
            state.last = price
        met: set[tuple[int, bool]] = set()
        if not jump:
            self._go(state, state.last, at, met, jump=False)  # new room, and the price is there
        self._go(state, price, at, met, jump=jump)
        state.last = price

    def _go(
        self, state: MarketState, price: Decimal, at: int, met: set[tuple[int, bool]], *, jump: bool
    ) -> None:
        while (hit := self._nearest(state, price, met)) is not None:
            order, level = hit
            met.add((order.order_id, order.is_working))
            last = state.last or price
            if jump:
                state.last = price
            elif min(last, price) <= level <= max(last, price):
                state.last = level
            self._reached(state, order, at)

    def _nearest(
        self, state: MarketState, price: Decimal, met: set[tuple[int, bool]]
    ) -> tuple[VenueOrder, Decimal] | None:
        """Return the order that the price reaches first on its way, and where."""
        found: tuple[VenueOrder, Decimal] | None = None
        least: Decimal | None = None
        last = state.last or price
        for order_id in state.live:
            order = self.orders[order_id]
            if (order_id, order.is_working) in met:
                continue
            waits = not order.is_working
            level = order.stop_price if waits else order.price
            upwards = rises(order.type if waits else "LIMIT", order.side)
            if not (price >= level if upwards else price <= level):
                continue
            if not waits and not self._touch_fills and price == level:
                continue
            distance = max(ZERO, level - last if upwards else last - level)
            if least is None or distance < least:
                found, least = (order, level), distance
        return found

    def _reached(self, state: MarketState, order: VenueOrder, at: int) -> None:
        if order.is_working:
            self.fill(order.order_id, state.room(order.remaining), order.price, at, is_maker=True)
            return
        self._end_sibling(order, at)
        order = order._replace(is_working=True, updated_at=at)
        self.orders[order.order_id] = order
        self.start(order, at)

    # --- fills -------------------------------------------------------------------------------

    def fill(
        self, order_id: int, quantity: Decimal, price: Decimal, at: int, *, is_maker: bool
    ) -> None:
        """Fill a part of a live order, or all of it; nothing if the quantity is zero."""
        if not quantity:
            return
        order = self.orders[order_id]
        state, value = self.states[order.symbol], quantity * price
        if state.available is not None:
            state.available -= quantity
        self._end_sibling(order, at)
        executed = order.executed + quantity
        status: OrderStatus = "FILLED" if executed == order.quantity else "PARTIALLY_FILLED"
        order = order._replace(
            executed=executed,
            spent=order.spent + value,
            status=status,
            updated_at=at,
            is_working=status != "FILLED",
        )
        self._store(order)
        if order.type != "MARKET":
            self._lock(order)
        sign = 1 if order.side == "BUY" else -1
        self.balances.add(state.market.base, sign * quantity)
        self.balances.add(state.market.quote, -sign * value)
        fee, asset = self.balances.fee_of(
            self.fees, state.market, order.side, quantity, value, is_maker=is_maker
        )
        self.balances.add(asset, -fee)
        self.trades.append(
            VenueTrade(
                trade_id=len(self.trades) + 1,
                order_id=order_id,
                list_id=order.list_id,
                symbol=order.symbol,
                side=order.side,
                price=price,
                quantity=quantity,
                fee=fee,
                fee_asset=asset,
                at=at,
                is_maker=is_maker,
            )
        )

    def _take(self, state: MarketState, order_id: int, at: int) -> None:
        order = self.orders[order_id]
        limit = order.price if order.type in WITH_PRICE else None
        price, tick = state.taker_price(order.side), state.market.tick_size
        while order.remaining and price > 0 and (limit is None or fits(order.side, price, limit)):
            room = state.room(order.remaining)
            if state.level_quantity is not None:
                room = min(room, state.level_quantity)
            if limit is None and order.side == "BUY":
                room = min(room, self._affordable(state, order, price))
            if not room:
                return
            self.fill(order_id, room, price, at, is_maker=False)
            order = self.orders[order_id]
            price += tick if order.side == "BUY" else -tick

    def _affordable(self, state: MarketState, order: VenueOrder, price: Decimal) -> Decimal:
        """Return how much the account can pay for, with what the order has locked."""
        key = order.order_id if order.list_id < 0 else -order.list_id
        funds = self.balances.free_of(state.market.quote) + self.balances.locked_by(key)
        return max(ZERO, floored(funds / (price * self.fees.reserve()), state.market.step_size))

    def _end_sibling(self, order: VenueOrder, at: int) -> None:
        """End the other leg of a list: one of the two has triggered or been filled."""
        if order.list_id < 0:
            return
        for other in self.lists[order.list_id].order_ids:
            if other != order.order_id and self.orders[other].is_live:
                ended = self.orders[other]._replace(
                    status="EXPIRED", updated_at=at, is_working=False
                )
                self._store(ended)

    def _store(self, order: VenueOrder) -> None:
        """Keep a changed order; a list ends with its last live leg."""
        self.orders[order.order_id] = order
        if not order.is_live:
            self.states[order.symbol].live.pop(order.order_id, None)
        if order.list_id < 0:
            return
        held = self.lists[order.list_id]
        is_live = any(self.orders[leg].is_live for leg in held.order_ids)
        self.lists[order.list_id] = held._replace(is_live=is_live, updated_at=order.updated_at)

    def _lock(self, order: VenueOrder) -> None:
        """Lock what an order needs; the two legs of a list have one lock."""
        asset, needed = self.need(order)
        if order.list_id < 0:
            self.balances.lock(order.order_id, asset, needed if order.is_live else ZERO)
            return
        legs = (
            self.orders[leg] for leg in self.lists[order.list_id].order_ids if leg in self.orders
        )
        amounts = [self.need(leg)[1] for leg in legs if leg.is_live]
        self.balances.lock(-order.list_id, asset, max(amounts, default=ZERO))
