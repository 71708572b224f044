"""What a venue knows and answers: markets, orders, lists, trades, balances and refusals."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, NamedTuple

Side = Literal["BUY", "SELL"]
OrderType = Literal[
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
]
OrderStatus = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]
TimeInForce = Literal["GTC", "IOC", "FOK"]

ORDER_TYPES: Final[tuple[OrderType, ...]] = OrderType.__args__  # type: ignore[attr-defined]
STOPS: Final = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})
CONDITIONAL: Final = frozenset({*STOPS, "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
WITH_PRICE: Final = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
LIVE: Final = frozenset({"NEW", "PARTIALLY_FILLED"})
ZERO: Final = Decimal(0)


class VenueRefusal(Exception):
    """A request that the venue refuses, with Binance's code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class VenueMarket(NamedTuple):
    """A symbol of the venue, with its filters.

    Attributes
    ----------
    symbol, base, quote : str
        Such as "BTCUSDT", "BTC", "USDT".
    tick_size, step_size : Decimal
        Prices and quantities are multiples of them.
    min_quantity, max_quantity, min_notional : Decimal
    order_types : tuple of str
    has_lists : bool
        Whether it takes OCO lists.
    is_trading : bool
        False: halted; cancels work, orders are refused, and nothing is matched.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal = Decimal("0.01")
    step_size: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    max_quantity: Decimal = Decimal(9000)
    min_notional: Decimal = Decimal(5)
    order_types: tuple[OrderType, ...] = ORDER_TYPES
    has_lists: bool = True
    is_trading: bool = True


class VenueOrder(NamedTuple):
    """An order as the venue has it; a new record at each change."""

    order_id: int
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    quote_quantity: Decimal
    price: Decimal
    stop_price: Decimal
    list_id: int
    created_at: int
    updated_at: int
    status: OrderStatus = "NEW"
    executed: Decimal = ZERO
    spent: Decimal = ZERO
    is_working: bool = True
    cancel_id: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it can still be filled."""
        return self.status in LIVE

    @property
    def remaining(self) -> Decimal:
        """What is not filled, base currency."""
        return self.quantity - self.executed

    @property
    def average(self) -> Decimal | None:
        """The mean price of its fills."""
        return self.spent / self.executed if self.executed else None


class VenueTrade(NamedTuple):
    """One fill of an order of the account."""

    trade_id: int
    order_id: int
    list_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at: int
    is_maker: bool


class VenueList(NamedTuple):
    """An OCO list: two orders of which one can fill."""

    list_id: int
    client_id: str
    symbol: str
    order_ids: tuple[int, int]
    created_at: int
    updated_at: int
    is_live: bool = True


class OrderAnswer(NamedTuple):
    """What a new, queried or cancelled order is answered with; trades only when it is new."""

    order: VenueOrder
    trades: tuple[VenueTrade, ...] = ()


class ListAnswer(NamedTuple):
    """What a list is answered with."""

    list: VenueList
    orders: tuple[VenueOrder, VenueOrder]


class AssetBalance(NamedTuple):
    """What the account holds of an asset."""

    asset: str
    free: Decimal
    locked: Decimal


class AccountAnswer(NamedTuple):
    """The account: what it holds, and its fees as shares of what is traded."""

    balances: tuple[AssetBalance, ...]
    maker_fee: Decimal
    taker_fee: Decimal
    at: int


class KeyAnswer(NamedTuple):
    """What the key may do."""

    can_trade: bool = True
    can_withdraw: bool = False


class TestAnswer(NamedTuple):
    """A test order that a real one would not be refused for."""


Answer = (
    OrderAnswer
    | ListAnswer
    | AccountAnswer
    | KeyAnswer
    | TestAnswer
    | tuple[VenueOrder, ...]
    | tuple[VenueTrade, ...]
    | tuple[ListAnswer, ...]
)
