"""`FaultyVenue`: a venue and the wire to it, with everything that goes wrong on the way.

It is as pure as the venue: what a client sees is a `VenueReply`, which the loopback server writes
as HTTP, and which a simulator reads as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from tradenb.core.orders.client_ids import own_role
from tradenb.testing.venue.late_views import LateViews
from tradenb.testing.venue.spot_venue import USUAL_WINDOW, SpotVenue
from tradenb.testing.venue.venue_events import happen, lose_the_race
from tradenb.testing.venue.venue_faults import REPLIES, VenueFault, VenueReply
from tradenb.testing.venue.venue_filters import floored
from tradenb.testing.venue.venue_lookup import find_order
from tradenb.testing.venue.venue_records import (
    ZERO,
    ListAnswer,
    OrderAnswer,
    VenueOrder,
    VenueRefusal,
)
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    NewList,
    NewOrder,
    QueryAccount,
    QueryList,
    QueryOrder,
    VenueRequest,
)

_STATUSES = {-2015: 401, -2014: 401, -1003: 429}


class VenueCall(NamedTuple):
    """A request that was made: when, what, which fault it met, and what the client saw."""

    at: int
    request: VenueRequest
    fault: VenueFault | None
    reply: VenueReply


class _Waiting(NamedTuple):
    due: int
    request: VenueRequest
    sent_at: int | None
    window: int


class FaultyVenue:
    """A venue as clients see it; faults meet requests, the first that fits, one a request.

    Parameters
    ----------
    venue : SpotVenue
    faults : iterable of VenueFault
    role_of : callable, optional
        From a client id to its role, such as "entry"; None: nobody's. Default: of our own ids.
    draw : callable, optional
        Called with (request, role, at) when none of `faults` fits; returns a fault or None.

    Attributes
    ----------
    venue
    faults : list of VenueFault
    calls : list of VenueCall
        Oldest first.
    """

    def __init__(
        self,
        venue: SpotVenue,
        faults: Iterable[VenueFault] = (),
        *,
        role_of: Callable[[str], str | None] = own_role,
        draw: Callable[[VenueRequest, str | None, int], VenueFault | None] | None = None,
    ) -> None:
        self.venue = venue
        self.faults = list(faults)
        self.calls: list[VenueCall] = []
        self._role_of, self._draw = role_of, draw
        self._views = LateViews(venue)
        self._waiting: list[_Waiting] = []
        self._closed_until = 0
        self._resumes: dict[str, int] = {}

    @property
    def changed_trades(self) -> Mapping[int, Decimal]:
        """The prices by id with which trades are shown that had others."""
        return self._views.changed

    @property
    def next_due(self) -> int | None:
        """When the next late request arrives, or a halt ends; ms, None: never."""
        if not self._waiting and not self._resumes:
            return None
        return min((*(each.due for each in self._waiting), *self._resumes.values()))

    def advance(self, at: int) -> None:
        """Let what is late arrive; call it before the price moves, each call does it itself."""
        while (due := self.next_due) is not None and due <= at:
            for symbol in [each for each, until in self._resumes.items() if until == due]:
                del self._resumes[symbol]
                self.venue.change_market(symbol, is_trading=True)
            arrived = [each for each in self._waiting if each.due == due]
            self._waiting = [each for each in self._waiting if each.due != due]
            for each in arrived:
                self._execute(each.request, due, each.sent_at, each.window)

    def call(
        self,
        request: VenueRequest,
        *,
        at: int,
        sent_at: int | None = None,
        window: int = USUAL_WINDOW,
    ) -> VenueReply:
        """Send a request, and return what the client sees of it; arguments as of the venue."""
        self.advance(at)
        fault = None
        if at < self._closed_until:
            reply = REPLIES["503"]
        else:
            fault = self._met(request, at)
            reply = self._reply(request, fault, at, sent_at, window)
        self.calls.append(VenueCall(at, request, fault, reply))
        return reply

    def role(self, request: VenueRequest) -> str | None:
        """Return the role of a request, by the client id that it names."""
        match request:
            case NewOrder() | QueryList() | CancelList():
                client_id = request.client_id
            case NewList():
                client_id = request.client_id or request.above.client_id
            case QueryOrder() | CancelOrder():
                order = find_order(self.venue.book, request) if request.order_id else None
                client_id = order.client_id if order is not None else request.client_id
            case _:
                return None
        return None if client_id is None else self._role_of(client_id)

    def _met(self, request: VenueRequest, at: int) -> VenueFault | None:
        role = self.role(request) if self.faults or self._draw is not None else None
        fault = next((each for each in self.faults if each.fits(request, role)), None)
        if fault is None and self._draw is not None:
            fault = self._draw(request, role, at)
            if fault is not None and not fault.fits(request, role):
                return None
        if fault is not None:
            fault.met += 1
        return fault

    def _reply(
        self,
        request: VenueRequest,
        fault: VenueFault | None,
        at: int,
        sent_at: int | None,
        window: int,
    ) -> VenueReply:
        if fault is None:
            return self._execute(request, at, sent_at, window)
        if fault.kind == "drop":
            return REPLIES[fault.answer or "silence"]
        if fault.kind == "late":
            self._waiting.append(_Waiting(at + fault.ms, request, sent_at, window))
            return REPLIES[fault.answer or "silence"]
        self._before(fault, request, at)
        reply = self._execute(request, at, sent_at, window, fault)
        if fault.kind == "twice":
            self._waiting.append(_Waiting(at + fault.ms, request, sent_at, window))
            self.advance(at)
        if fault.kind == "maintenance":
            self._closed_until = at + fault.ms
        name = fault.answer or ("silence" if fault.kind == "accept" else None)
        if name is None:
            return reply
        return REPLIES[name]._replace(answer=reply.answer)

    def _execute(
        self,
        request: VenueRequest,
        at: int,
        sent_at: int | None,
        window: int,
        fault: VenueFault | None = None,
    ) -> VenueReply:
        try:
            if fault is not None and fault.kind == "partial" and isinstance(request, NewOrder):
                answer = self._handled_in_part(request, fault, at, sent_at, window)
            else:
                answer = self.venue.handle(request, at=at, sent_at=sent_at, window=window)
            if fault is not None:
                self._after(fault, answer, at)
            return VenueReply(answer=self._views.seen(request, answer, at))
        except VenueRefusal as error:
            status = _STATUSES.get(error.code, 400)
            return VenueReply(status=status, code=error.code, text=error.text)

    def _handled_in_part(
        self, request: NewOrder, fault: VenueFault, at: int, sent_at: int | None, window: int
    ) -> OrderAnswer:
        state = self.venue.book.state(request.symbol)
        before, quantity = state.available, request.quantity
        if quantity is None:
            quantity = state.quantity_for(request.quote_quantity or ZERO)
        state.available = floored(quantity * fault.share, state.market.step_size)
        try:
            answer: OrderAnswer = self.venue.handle(request, at=at, sent_at=sent_at, window=window)
        finally:
            state.available = before
        return answer

    def _before(self, fault: VenueFault, request: VenueRequest, at: int) -> None:
        """Let happen what happens before the request."""
        if fault.kind == "balance_late":
            if not self._views.is_balance_late(at):  # the older one stays until its end
                self._views.balance = (self.venue.handle(QueryAccount(), at=at), at + fault.ms)
        elif fault.kind == "trade_twice":
            self._views.doubled_until = at + 1
        elif fault.kind == "trade_changed":
            self._views.change_newest(at)
        elif fault.kind == "cancel_race" and isinstance(request, CancelOrder | CancelList):
            lose_the_race(self.venue, request, at)
        else:
            symbol = getattr(request, "symbol", None) or next(iter(self.venue.book.states))
            happen(self.venue, fault, symbol, at)
            if fault.kind == "halted":
                self._resumes[symbol] = at + fault.ms

    def _after(self, fault: VenueFault, answer: object, at: int) -> None:
        """Remember what is shown late from now on."""
        orders: tuple[VenueOrder, ...] = ()
        if isinstance(answer, OrderAnswer):
            orders = (answer.order,)
        elif isinstance(answer, ListAnswer):
            orders = answer.orders
        for order in orders:
            until = at + fault.ms
            if fault.kind == "invisible":
                self._views.hidden[order.order_id] = until
            elif fault.kind == "status_late":
                self._views.statuses[order.order_id] = until
            elif fault.kind == "trades_late":
                self._views.trades[order.order_id] = until
            elif fault.kind == "not_found" and order.executed and not order.is_live:
                raise VenueRefusal(-2013, "Order does not exist.")
