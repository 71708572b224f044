"""The records of orders: one order is one client id and one request that creates it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from tradenb.core.signal import Time

Role = Literal["entry", "protection", "part", "exit", "outside", "dust"]
"""What an order is for; a `part` sells some of the position, an `exit` all of it. `outside` and
`dust` were never sent: a sale by somebody else, and pieces too few to sell, which the next position
carries along."""
OrderType = Literal["ioc", "market", "stop", "stop_limit", "list"]
"""`ioc`: limit order that fills at once or not at all. `list`: stop and target as one (OCO)."""
OrderState = Literal["sending", "unknown", "working", "cancelling", "done"]
Ending = Literal[
    "filled", "cancelled", "expired", "refused", "would_trigger", "absent", "not_sent", "gone"
]
"""How an order that is done ended; each may have filled in part. `would_trigger`: refused, because
the price is beyond the stop or the target already. `gone`, of `outside`: no trade shows where the
pieces went."""
LegName = Literal["stop", "target"]
Side = Literal["buy", "sell"]
FeeIn = Literal["base", "quote", "other"]

ZERO: Final = Decimal(0)


class Balance(NamedTuple):
    """What an account has of one asset.

    Attributes
    ----------
    asset : str
    free, locked : Decimal
        Pieces, or money; locked is what resting orders hold.
    """

    asset: str
    free: Decimal
    locked: Decimal = ZERO


class Leg(NamedTuple):
    """One of the two orders of a list.

    Attributes
    ----------
    name : {"stop", "target"}
    exchange_id : str
    open : bool
        It rests at the exchange.
    filled, value : Decimal
        Pieces, and what they brought in quote currency.
    """

    name: LegName
    exchange_id: str
    open: bool
    filled: Decimal = ZERO
    value: Decimal = ZERO


class Fill(NamedTuple):
    """One trade of the exchange.

    Attributes
    ----------
    id : str
        Trade id of the exchange.
    exchange_id : str
        Order it belongs to.
    at : int
        ms UTC.
    side : {"buy", "sell"}
    quantity, price : Decimal
    fee : Decimal
        In the currency below.
    fee_in : {"base", "quote", "other"}
        Pieces, money, or a third coin.
    fee_asset : str
        That coin.
    fee_value : Decimal or None
        What a fee in a third coin was worth, quote currency; None: nobody knows, so it is in no
        result.
    """

    id: str
    exchange_id: str
    at: Time
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO
    fee_in: FeeIn = "quote"
    fee_asset: str = ""
    fee_value: Decimal | None = None

    def is_same(self, other: Fill) -> bool:
        """Tell whether the exchange shows the same trade, whatever time it gives to it.

        What a fee is worth it does not show.
        """
        apart: dict[str, Any] = {"at": 0, "fee_asset": "", "fee_value": None}
        return self._replace(**apart) == other._replace(**apart)


class Order(NamedTuple):
    """An order as the ledger knows it.

    Attributes
    ----------
    id : str
        Client id, 32 hexadecimal digits.
    signal_id : str
    role : {"entry", "protection", "part", "exit", "outside", "dust"}
    attempt : int
        1, 2, 3 ... of this signal and role.
    side : {"buy", "sell"}
    type : {"ioc", "market", "stop", "stop_limit", "list"}
    quantity : Decimal
        Pieces ordered.
    price : Decimal or None
        Limit: of an ioc the worst price, of a list the target.
    trigger : Decimal or None
        Price of the stop.
    state : {"sending", "unknown", "working", "cancelling", "done"}
    ending : str or None
        How it ended, once it is done.
    sent_at, dies_at : int
        Exchange time at which it was signed, and after which it cannot be accepted any more, ms.
    exchange_id : str or None
    leg_ids : tuple of str
        Of a list: client ids of its stop and its target.
    legs : tuple of Leg
        Of a list that the exchange has shown.
    filled, value : Decimal
        Pieces filled and their worth in quote currency, as far as is known.
    fills : tuple of Fill
        Its trades, as far as they are known; fees are known of these alone.
    reason : str
        Of a part and an exit: why, an exit_reason.
    why : str or None
        Words of the exchange, if it refused; of pieces that are gone how they are counted.
    misses : int
        Queries that proved nothing is there: two seconds apart or more, all after `dies_at`.
    missed_at : int or None
    queries, queried_at : int, int or None
        Queries in a row that changed nothing, and when the last of them was.
    query_due : bool
        It is queried before anything else is sent.
    seen_at : int or None
        When the exchange last told its state.
    working_at, done_at : int or None
        When it was first known to rest, and to be done.
    cancelled_at : int or None
        When its cancel was last asked for.
    cancels : int
        How often in a row it was asked for.
    """

    id: str
    signal_id: str
    role: Role
    attempt: int
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    state: OrderState = "sending"
    ending: Ending | None = None
    sent_at: Time = 0
    dies_at: Time = 0
    exchange_id: str | None = None
    leg_ids: tuple[str, ...] = ()
    legs: tuple[Leg, ...] = ()
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    why: str | None = None
    misses: int = 0
    missed_at: Time | None = None
    queries: int = 0
    queried_at: Time | None = None
    query_due: bool = False
    seen_at: Time | None = None
    working_at: Time | None = None
    done_at: Time | None = None
    cancelled_at: Time | None = None
    cancels: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing more can come of it."""
        return self.state == "done"

    @property
    def is_in_doubt(self) -> bool:
        """Whether the exchange may have it or not."""
        return self.state in ("sending", "unknown")

    @property
    def is_unsettled(self) -> bool:
        """Whether the exchange has to be asked for it before anything else is done."""
        if self.is_done:
            return False
        return self.is_in_doubt or self.state == "cancelling" or self.query_due or self.misses > 0

    @property
    def stands(self) -> bool:
        """Whether it is known to rest and nobody asked for its cancel."""
        return self.state == "working"

    @property
    def stop_is_open(self) -> bool:
        """Whether it protects: it rests, and so does its stop."""
        if not self.stands or self.role != "protection":
            return False
        return not self.legs or any(leg.name == "stop" and leg.open for leg in self.legs)

    @property
    def trading_ids(self) -> tuple[str, ...]:
        """Exchange ids that its trades name: a list does not trade, its legs do."""
        if self.type == "list":
            return tuple(leg.exchange_id for leg in self.legs)
        return () if self.exchange_id is None else (self.exchange_id,)

    @property
    def known(self) -> Decimal:
        """Pieces of which the trades are known."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def rest(self) -> Decimal:
        """Pieces it may still fill; of an order in doubt all that is not known to be filled."""
        return ZERO if self.is_done else self.quantity - self.filled


def fees_in(order: Order, currency: FeeIn) -> Decimal:
    """Return the fees of an order in pieces or in money, of the trades that are known.

    A fee in a third coin is in money what it was worth.
    """
    fees = sum((fill.fee for fill in order.fills if fill.fee_in == currency), ZERO)
    if currency != "quote":
        return fees
    return fees + sum((fill.fee_value for fill in order.fills if fill.fee_value is not None), ZERO)


class DesiredPosition(NamedTuple):
    """What the lifecycle wants held now, read from its committed state.

    Attributes
    ----------
    want : {"flat", "enter", "hold", "exit"}
    signal_id : str
        "" while flat.
    since : int
        When that was decided, ms UTC.
    quantity : Decimal
        Pieces to enter with, or to hold; 0 while holding means all.
    limit : Decimal or None
        Worst price of the entry.
    stop : Decimal
        Where the position is protected.
    target : Decimal or None
        What rests beside the stop.
    reason : str
        Why it is left; an exit_reason.
    """

    want: Literal["flat", "enter", "hold", "exit"] = "flat"
    signal_id: str = ""
    since: Time = 0
    quantity: Decimal = ZERO
    limit: Decimal | None = None
    stop: Decimal = ZERO
    target: Decimal | None = None
    reason: str = ""


FLAT: Final = DesiredPosition()


class Execution(NamedTuple):
    """How far the lifecycle is with an exchange; part of the state of a run.

    Attributes
    ----------
    heard : int
        `seq` of the last report that acted.
    want : {"flat", "enter", "hold", "exit"}
    since : int
        Close at which that was decided, ms UTC.
    quantity : float
        Pieces to enter with; while holding what is to be kept, 0 for all.
    limit : float
        Worst price of the entry, quote currency.
    reason : str
        Why pieces are to be sold; an exit_reason.
    """

    heard: int = 0
    want: Literal["flat", "enter", "hold", "exit"] = "flat"
    since: Time = 0
    quantity: float = 0.0
    limit: float = 0.0
    reason: str = ""

    @property
    def is_sending(self) -> bool:
        """Whether candles do nothing now: an entry or an exit is on its way."""
        return self.want in ("enter", "exit")


ReportKind = Literal["entered", "not_entered", "reduced", "exited"]


class ExecutionReport(NamedTuple):
    """What the exchange did, as an input of the lifecycle.

    Attributes
    ----------
    seq : int
        1, 2, 3 ... within the run; each acts exactly once.
    at : int
        ms UTC; it acts on the first candle that closes after it.
    kind : {"entered", "not_entered", "reduced", "exited"}
    signal_id : str
    quantity : Decimal
        Pieces entered, or left since the report before.
    average : Decimal or None
        Average price of the fills, quote currency; None where nothing was filled.
    value : Decimal
        What these pieces cost or brought, without fees, quote currency.
    fees : Decimal
        Of these pieces in quote currency, as far as is known.
    reason : str
        not_entered: unfilled, refused, absent, not_sent, late, limits, flattened. reduced and
        exited: the exit_reason.
    words : str
        Why the gate sent no entry, or what the exchange said; of pieces that are gone how they are
        counted.
    estimated : bool
        The price is a guess: nobody showed the trades.
    carried : Decimal
        Of the pieces entered: those of positions before that were too few to sell.
    """

    seq: int
    at: Time
    kind: ReportKind
    signal_id: str
    quantity: Decimal = ZERO
    average: Decimal | None = None
    value: Decimal = ZERO
    fees: Decimal = ZERO
    reason: str = ""
    words: str = ""
    estimated: bool = False
    carried: Decimal = ZERO

    @property
    def fee_in_pieces(self) -> Decimal:
        """What the pieces taken as a fee of an entry are worth, quote currency."""
        bought = self.quantity - self.carried
        return max(self.value - bought * (self.average or ZERO), ZERO)
