"""P3: the orders of a run against what its lifecycle was told, and against the exchange.

Everything is compared as exact decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from tradenb.core.orders.answers import Overview
from tradenb.core.orders.client_ids import is_ours
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO, ExecutionReport, Fill, Order, fees_in
from tradenb.core.orders.snapshots import with_fills
from tradenb.core.orders.venue import OrderMarket
from tradenb.view.formatting import plural

_NEVER_SENT = ("dust", "outside")


class LedgerCheck(NamedTuple):
    """How the orders of a run agree with what an exchange has.

    Attributes
    ----------
    executions : int
        Trades of the exchange that the run knows.
    pieces, money : Decimal
        What they changed the balance by, fees in these currencies included.
    fees_other : Decimal
        Fees that were taken in a third coin, in pieces of it: in neither.
    fees_left_out : Decimal
        Those of them whose worth is not known: they are in no result.
    asked : bool
        Whether the exchange was asked for its own trades and balance.
    problems : tuple of str
        What does not agree, in words.
    notes : tuple of str
        What could not be compared.
    """

    executions: int
    pieces: Decimal
    money: Decimal
    fees_other: Decimal
    fees_left_out: Decimal
    asked: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether fills, fees and balance agree to the last digit, as far as they are known."""
        return not self.problems

    def __str__(self) -> str:
        changes = f"{_plain(self.pieces)} pieces, {_plain(self.money)} in quote currency"
        what = f"{plural(self.executions, 'execution')}, {changes}"
        if self.fees_other:
            what += f", fees of {_plain(self.fees_other)} in a third coin"
        if self.fees_left_out:
            what += f" ({_plain(self.fees_left_out)} in no result)"
        if self.problems:
            return f"orders do not agree ({what}): {'; '.join(self.problems)}"
        side = "agree with the exchange" if self.asked else "agree; the exchange was not asked"
        return f"orders {side}: {what}"


def check_ledger(
    ledger: OrderLedger,
    reports: Iterable[ExecutionReport],
    overview: Overview | None = None,
    market: OrderMarket | None = None,
    *,
    earlier: Iterable[Order] = (),
) -> LedgerCheck:
    """Compare orders with reports and, where it was asked, with the exchange.

    Parameters
    ----------
    reports : iterable of ExecutionReport
        All that the lifecycle was told.
    overview, market
        What the exchange shows since the oldest of the orders, and the steps of the symbol.
    earlier : iterable of Order
        Of positions that are over and are not in the ledger any more.
    """
    ledger = ledger._replace(past=(*earlier, *ledger.past))
    every = [_completed(order, overview) for order in (*ledger.past, *ledger.orders)]
    orders = [order for order in every if order.role not in _NEVER_SENT]
    fills = [fill for order in orders for fill in order.fills]
    third = [fill for fill in fills if fill.fee_in == "other"]
    lacking = {order.signal_id for order in orders if order.known < order.filled}
    problems, notes = [*_not_adding_up(orders)], [*_untold(orders)]
    for signal, told in _by_signal((*reports, *ledger.reports)).items():
        guessed = any(report.estimated for report in told)
        known = every if guessed else (*ledger.past, *ledger.orders)
        wrong = [*_told_otherwise(known, signal, told)]
        if not (guessed and signal in lacking):  # else a note says that its trades are not known
            (notes if guessed else problems).extend(wrong)
    if overview is not None and market is not None:
        problems += _not_at_exchange(ledger, orders, overview)
        problems += _balance_too_small(ledger, overview, market)
    return LedgerCheck(
        executions=len(fills),
        pieces=sum((_pieces(fill) for fill in fills), ZERO),
        money=sum((_money(fill) for fill in fills), ZERO),
        fees_other=sum((fill.fee for fill in third), ZERO),
        fees_left_out=sum((fill.fee for fill in third if fill.fee_value is None), ZERO),
        asked=overview is not None,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _completed(order: Order, overview: Overview | None) -> Order:
    """Return an order of which the run never learnt the trades with those that the exchange has."""
    if overview is None or order.known >= order.filled:
        return order
    own = tuple(fill for fill in overview.fills if fill.exchange_id in order.trading_ids)
    return with_fills(order, own)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _pieces(fill: Fill) -> Decimal:
    """Return what a trade changed the balance of pieces by."""
    traded = fill.quantity if fill.side == "buy" else -fill.quantity
    return traded - (fill.fee if fill.fee_in == "base" else ZERO)


def _money(fill: Fill) -> Decimal:
    """Return what a trade changed the balance of quote currency by."""
    value = fill.quantity * fill.price
    traded = -value if fill.side == "buy" else value
    return traded - (fill.fee if fill.fee_in == "quote" else ZERO)


def _not_adding_up(orders: Iterable[Order]) -> Iterator[str]:
    for order in orders:
        value = sum((fill.quantity * fill.price for fill in order.fills), ZERO)
        if order.known > order.filled:
            known = f"{_plain(order.filled)}, its trades are {_plain(order.known)}"
            yield f"order {order.id}: filled {known}"
        elif order.known == order.filled and value != order.value:
            yield f"order {order.id}: worth {_plain(order.value)}, its trades are {_plain(value)}"


def _untold(orders: Iterable[Order]) -> Iterator[str]:
    lacking = [order for order in orders if order.known < order.filled]
    if lacking:
        which = ", ".join(order.id for order in lacking)
        yield f"the trades of {plural(len(lacking), 'order')} are not known: {which}"


def _by_signal(reports: Iterable[ExecutionReport]) -> dict[str, list[ExecutionReport]]:
    """Return reports by signal, each once."""
    found: dict[str, dict[int, ExecutionReport]] = {}
    for report in reports:
        found.setdefault(report.signal_id, {})[report.seq] = report
    return {id: [own[seq] for seq in sorted(own)] for id, own in found.items()}


def _told_otherwise(
    every: Iterable[Order], signal: str, told: Iterable[ExecutionReport]
) -> Iterator[str]:
    """Say what the lifecycle was told of a signal that its orders do not show."""
    told = [*told]
    orders = [order for order in every if order.signal_id == signal and order.role != "dust"]
    if not orders:
        return  # it was over long ago, its orders are not kept
    entered = [report for report in told if report.kind == "entered"]
    left = [report for report in told if report.kind in ("reduced", "exited")]
    if entered:
        bought = [order for order in orders if order.side == "buy"]
        yield from _sums_differ(signal, "entered", entered, bought, pieces=False)
    if any(report.kind == "exited" for report in left):
        sold = [order for order in orders if order.side == "sell"]
        yield from _sums_differ(signal, "exited", left, sold, pieces=True)


def _sums_differ(
    signal: str,
    what: str,
    told: list[ExecutionReport],
    orders: list[Order],
    *,
    pieces: bool,
) -> Iterator[str]:
    sums = {
        "worth": (sum(each.value for each in told), sum(order.value for order in orders)),
        "fees": (
            sum(each.fees for each in told),
            sum(fees_in(order, "quote") for order in orders),
        ),
    }
    if pieces:
        sums["pieces"] = (
            sum(each.quantity for each in told),
            sum(order.filled for order in orders),
        )
    for name, (one, other) in sums.items():
        if one != other:
            has = f"{_plain(Decimal(one))} as told, {_plain(Decimal(other))} by its orders"
            yield f"{signal}: {what} with {name} {has}"


def _not_at_exchange(ledger: OrderLedger, orders: list[Order], overview: Overview) -> Iterator[str]:
    """Compare each trade with the exchange's own, in both directions."""
    known = {fill.id: fill for order in orders for fill in order.fills}
    shown = {fill.id: fill for fill in overview.fills}
    owners = {id for order in orders for id in order.trading_ids}
    for id, fill in known.items():
        own = shown.get(id)
        if own is None and fill.at >= overview.since:
            yield f"trade {id} is not at the exchange"
        elif own is not None and _compared(own) != _compared(fill):
            yield f"trade {id}: {_compared(own)} at the exchange, {_compared(fill)} here"
    ours = {order.exchange_id: order.id for order in overview.orders if is_ours(order.id)}
    for id, fill in shown.items():
        mine = fill.exchange_id in owners or fill.exchange_id in ours
        if mine and id not in known:
            order = ours.get(fill.exchange_id, fill.exchange_id)
            yield f"trade {id} of order {order} is not in {ledger.run}"


def _compared(fill: Fill) -> str:
    return (
        f"{fill.side} {_plain(fill.quantity)} at {_plain(fill.price)}, "
        f"fee {_plain(fill.fee)} {fill.fee_in}"
    )


def _balance_too_small(
    ledger: OrderLedger, overview: Overview, market: OrderMarket
) -> Iterator[str]:
    held = sum((held_quantity(ledger, id, market) for id in ledger.signals()), ledger.dust)
    if overview.base < held:
        yield f"{_plain(held)} pieces are held, the account has {_plain(overview.base)}"
