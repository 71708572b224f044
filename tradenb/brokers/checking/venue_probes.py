"""What an exchange does with orders, tried with the smallest orders it takes.

The order machine stands on these rules; each is tried once, on the user's own testnet or on
loopback. The orders carry a tag of their own, so that no run takes them for its own, and whatever
a probe leaves is cancelled and sold in the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.brokers.checking.probe_account import (
    FAR,
    NEAR,
    NO_POSITION,
    Failed,
    ProbeAccount,
    seen,
)
from tradenb.brokers.closing.close_orders import Closed
from tradenb.core.orders.answers import NotFound, OrderSnapshot, Refused, Shown, Unclear
from tradenb.core.orders.order_records import ZERO, Order, fees_in
from tradenb.core.orders.venue import stepped
from tradenb.exchanges.orders.order_port import OrderPort


class ProbeResult(NamedTuple):
    """One rule.

    Attributes
    ----------
    name : str
    passed : bool or None
        None: it was not tried.
    words : str
    """

    name: str
    passed: bool | None
    words: str


NOT_TRIED: Final = (
    ProbeResult("partial_target", None, "a list whose target fills in part cannot be forced"),
    ProbeResult("lost_answer", None, "an answer that is lost cannot be forced"),
)


class VenueProbes:
    """The probes of one symbol.

    Parameters
    ----------
    at : ProbeAccount
    late : OrderPort
        The same way with a clock that is 10 s behind: its requests are too late.
    """

    def __init__(self, at: ProbeAccount, late: OrderPort) -> None:
        self._at, self._late = at, late
        self._entry: Order | None = None
        self._bought: OrderSnapshot | None = None
        self._resting: Order | None = None
        self._list: Order | None = None

    async def run(self) -> tuple[ProbeResult, ...]:
        """Try all of them, and clean up; nothing is raised for what the exchange does."""
        found = []
        for name, probe in self._probes():
            try:
                found.append(ProbeResult(name, True, await probe()))
            except Failed as error:
                words = str(error)
                passed = None if words == NO_POSITION else False
                found.append(ProbeResult(name, passed, words))
        found += NOT_TRIED
        return (*found, _left(await self._at.clean()))

    def _probes(self) -> tuple[tuple[str, Callable[[], Awaitable[str]]], ...]:
        return (
            ("place", self._place),
            ("query", self._query),
            ("unknown_id", self._unknown_id),
            ("trades", self._trades),
            ("order_test", self._order_test),
            ("too_small", self._too_small),
            ("wrong_step", self._wrong_step),
            ("late", self._too_late),
            ("duplicate_open", self._duplicate_open),
            ("cancel", self._cancel),
            ("cancel_after_fill", self._cancel_after_fill),
            ("protection_list", self._protection_list),
            ("locked", self._locked),
            ("cancel_list", self._cancel_list),
            ("would_trigger", self._would_trigger),
            ("duplicate_after_end", self._duplicate_after_end),
            ("exit", self._exit),
        )

    async def _place(self) -> str:
        market = self._at.port.market
        wanted = 2 * market.least(self._at.price * (1 - 2 * NEAR)) + 2 * market.size_step
        quantity = stepped(wanted / (1 - market.taker), market.size_step, up=True)
        limit = stepped(self._at.price * Decimal("1.005"), market.price_step, up=True)
        entry = self._at.order("place", "buy", "ioc", quantity, limit)
        answer = await self._at.port.submit(entry)
        if not isinstance(answer, Shown) or answer.order.filled == 0:
            raise Failed(f"nothing was bought: {seen(answer)}")
        self._entry = entry
        self._bought = answer.order
        if sum((fill.quantity for fill in answer.order.fills), ZERO) != answer.order.filled:
            raise Failed("the answer does not show the trades of the order")
        return f"{answer.order.filled:f} of {quantity:f} pieces were bought"

    async def _query(self) -> str:
        entry, bought = self._position()
        answer = await self._at.port.query(entry)
        if not isinstance(answer, Shown) or answer.order.filled != bought.filled:
            raise Failed(f"the entry is not shown by its client id: {seen(answer)}")
        return "the entry is shown by its client id"

    async def _unknown_id(self) -> str:
        answer = await self._at.port.query(self._at.order("unknown", "sell", "market", Decimal(1)))
        if not isinstance(answer, NotFound):
            raise Failed(f"an id that was never sent is answered with {seen(answer)}")
        return "an id that was never sent is not found"

    async def _trades(self) -> str:
        entry, bought = self._position()
        found = await self._at.overview()
        if entry.id not in {order.id for order in found.orders}:
            raise Failed("the list of orders does not show the client id of the entry")
        fills = {fill.id: fill for fill in found.fills if fill.exchange_id == bought.exchange_id}
        if sum((fill.quantity for fill in fills.values()), ZERO) != bought.filled:
            raise Failed("the list of trades does not add up to the entry")
        fees = {fill.fee_in: fill.fee for fill in fills.values()}
        rate = fees.get("base", ZERO) / bought.filled
        if rate > self._at.port.market.taker * 2:
            raise Failed(
                f"a fee of {rate:.4%} was taken, {self._at.port.market.taker:.4%} expected"
            )
        return f"{len(fills)} trades with ids; the fee is taken in {' and '.join(sorted(fees))}"

    async def _order_test(self) -> str:
        answer = await self._at.port.check(self._at.order("test", "buy", "market", self._at.least))
        if answer is not None:
            raise Failed(f"a good order does not pass the check: {seen(answer)}")
        return "an order can be checked without being placed"

    async def _too_small(self) -> str:
        order = self._at.order("small", "sell", "market", self._at.port.market.size_step / 2)
        return await self._refused(order, "an order below the least size")

    async def _wrong_step(self) -> str:
        price = self._at.near(FAR) + self._at.port.market.price_step / 3
        order = self._at.order("step", "buy", "ioc", self._at.least, price)
        return await self._refused(order, "a price between two steps")

    async def _too_late(self) -> str:
        now = self._late.client.now()
        order = self._at.order("late", "buy", "ioc", self._at.least, self._at.near(FAR))
        order = order._replace(sent_at=now, dies_at=now + self._at.port.venue.window_ms)
        answer = await self._late.submit(order)
        if not isinstance(answer, Refused):
            raise Failed(f"a request that is 10 s late is answered with {seen(answer)}")
        return f"a request that is 10 s late is refused: {answer.why}"

    async def _duplicate_open(self) -> str:
        order = self._at.stop("duplicate", self._at.pieces(self._held() / 2))
        first = await self._at.port.submit(order)
        if not isinstance(first, Shown) or first.order.ending is not None:
            raise Failed(f"a stop does not rest: {seen(first)}")
        self._resting = order
        second = await self._at.port.submit(order)
        found = await self._at.overview()
        count = sum(each.id == order.id for each in found.orders)
        if isinstance(second, Shown) or count != 1:
            raise Failed(f"{count} orders rest with one client id: {seen(second)}")
        return f"the client id of a resting order is refused: {seen(second)}"

    async def _cancel(self) -> str:
        if self._resting is None:
            raise Failed(NO_POSITION)
        await self._at.port.cancel(self._resting)
        return await self._at.cancelled(self._resting)

    async def _cancel_after_fill(self) -> str:
        entry, bought = self._position()
        await self._at.port.cancel(entry)
        answer = await self._at.port.query(entry)
        if not isinstance(answer, Shown) or answer.order.ending != bought.ending:
            raise Failed(f"after a cancel a filled order is shown as {seen(answer)}")
        return "a cancel of an order that has filled changes nothing"

    async def _protection_list(self) -> str:
        if not self._at.port.venue.lists:
            return "the market has no lists; stops rest alone"
        order = self._pair("list", 1 - NEAR)
        answer = await self._at.port.submit(order)
        if not isinstance(answer, Shown) or not _both_open(answer):
            raise Failed(f"stop and target do not rest as one order: {seen(answer)}")
        self._list = order
        asked = await self._at.port.query(order)
        if not isinstance(asked, Shown) or not _both_open(asked):
            raise Failed(f"the legs of a list are not shown by their ids: {seen(asked)}")
        return "stop and target rest as one order, and both legs are shown"

    async def _locked(self) -> str:
        if self._list is None:
            raise Failed(NO_POSITION)
        free = await self._at.free()
        above = self._at.near(2 - FAR)  # far enough above to fill nothing, were it accepted
        order = self._at.order("locked", "sell", "ioc", self._at.pieces(free + self._held()), above)
        answer = await self._at.port.submit(order)
        if not isinstance(answer, Refused):
            raise Failed(f"pieces that a list locks are on sale again: {seen(answer)}")
        return f"what a list locks cannot be sold again: {answer.why}"

    async def _cancel_list(self) -> str:
        if self._list is None:
            raise Failed(NO_POSITION)
        await self._at.port.cancel(self._list)
        return await self._at.cancelled(self._list)

    async def _would_trigger(self) -> str:
        if not self._at.port.venue.lists:
            return "the market has no lists"
        answer = await self._at.port.submit(self._pair("trigger", 1 + NEAR / 2))
        if not isinstance(answer, Refused) or not answer.would_trigger:
            raise Failed(f"a stop above the price is answered with {seen(answer)}")
        return f"a stop above the price is refused: {answer.why}"

    async def _duplicate_after_end(self) -> str:
        entry, _ = self._position()
        again = entry._replace(price=self._at.near(FAR), **self._at.dates())
        answer = await self._at.port.submit(again)
        if isinstance(answer, Shown) and answer.order.filled == 0:
            return "a client id may be used again once its order has ended"
        if isinstance(answer, Refused | Unclear):
            return f"a client id is refused for ever: {seen(answer)}"
        raise Failed(f"a client id that was used is answered with {seen(answer)}")

    async def _exit(self) -> str:
        held = self._held()
        answer = await self._at.port.submit(self._at.order("exit", "sell", "market", held))
        if not isinstance(answer, Shown) or answer.order.filled != held:
            raise Failed(f"{held:f} pieces were not sold: {seen(answer)}")
        return f"{held:f} pieces were sold"

    def _position(self) -> tuple[Order, OrderSnapshot]:
        if self._entry is None or self._bought is None:
            raise Failed(NO_POSITION)
        return self._entry, self._bought

    def _held(self) -> Decimal:
        """Return the pieces that were bought, less their fee."""
        entry, bought = self._position()
        fee = fees_in(entry._replace(fills=bought.fills), "base")
        return self._at.pieces(bought.filled - fee)

    def _pair(self, name: str, stop: Decimal) -> Order:
        """Return a list over what is held, with its stop at a share of the price."""
        order = self._at.order(name, "sell", "list", self._held(), self._at.near(1 + NEAR))
        legs = self._at.id(f"{name} stop"), self._at.id(f"{name} target")
        return order._replace(trigger=self._at.near(stop), leg_ids=legs)

    async def _refused(self, order: Order, what: str) -> str:
        answer = await self._at.port.submit(order)
        if not isinstance(answer, Refused):
            raise Failed(f"{what} is answered with {seen(answer)}")
        return f"{what} is refused: {answer.why}"


def _both_open(answer: Shown) -> bool:
    return [leg.open for leg in answer.order.legs] == [True, True]


def _left(left: Closed) -> ProbeResult:
    if left.is_flat:
        return ProbeResult("clean", True, f"nothing rests; {left.held:f} pieces are left over")
    words = "; ".join((*(f"order {id} rests" for id in left.resting), *left.problems))
    return ProbeResult("clean", False, words)
