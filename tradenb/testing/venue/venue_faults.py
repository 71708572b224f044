"""What goes wrong between a client and a venue, and at the venue: the menu."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from tradenb.errors import unknown
from tradenb.testing.venue.venue_records import Answer
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    NewList,
    NewOrder,
    QueryOrder,
    QueryTrades,
    VenueRequest,
    route_of,
)

FaultKind = Literal[
    "drop",
    "accept",
    "late",
    "twice",
    "invisible",
    "not_found",
    "partial",
    "partial_target",
    "cancel_race",
    "maintenance",
    "status_late",
    "trades_late",
    "trade_twice",
    "balance_late",
    "manual_sale",
    "manual_cancel",
    "foreign_order",
    "foreign_trade",
    "steps_changed",
    "halted",
    "trade_changed",
]
KINDS: Final[tuple[FaultKind, ...]] = FaultKind.__args__  # type: ignore[attr-defined]
Form = Literal["whole", "silence", "reset", "half_body", "cut_json", "empty", "html", "braces"]


class VenueReply(NamedTuple):
    """What a client sees of a request.

    Attributes
    ----------
    form : str
        whole: all of it · silence: nothing, and the connection stays open · reset: nothing, the
        connection ends · half_body: the connection ends in the body · cut_json: half of the body as
        if it were all · empty: no body · html: a page of a proxy · braces: `{}`.
    status : int
        Of HTTP.
    answer : record or None
        What the venue has answered; a client sees it only if the form is whole (`received`).
    code : int or None
        Of a refusal, or of an outcome that the venue does not know.
    text : str
    retry_after : int or None
        Seconds.
    """

    form: Form = "whole"
    status: int = 200
    answer: Answer | None = None
    code: int | None = None
    text: str = ""
    retry_after: int | None = None

    @property
    def received(self) -> Answer | None:
        """The answer, if the client has got it whole."""
        return self.answer if self.form == "whole" and self.code is None else None


_TIMEOUT: Final = "Timeout waiting for response from backend server. "
REPLIES: Final[dict[str, VenueReply]] = {
    "silence": VenueReply("silence"),
    "reset": VenueReply("reset"),
    "half_body": VenueReply("half_body"),
    "cut_json": VenueReply("cut_json"),
    "empty": VenueReply("empty"),
    "html_200": VenueReply("html"),
    "html_403": VenueReply("html", 403),
    "html_502": VenueReply("html", 502),
    "braces": VenueReply("braces"),
    "504": VenueReply("html", 504),
    "503": VenueReply("html", 503),
    "-1000": VenueReply(
        status=500, code=-1000, text="An unknown error occurred while processing the request."
    ),
    "-1001": VenueReply(
        status=500,
        code=-1001,
        text="Internal error; unable to process your request. Please try again.",
    ),
    "-1006": VenueReply(
        status=500,
        code=-1006,
        text="An unexpected response was received from the message bus. Execution status unknown.",
    ),
    "-1007": VenueReply(
        status=408, code=-1007, text=f"{_TIMEOUT}Send status unknown; execution status unknown."
    ),
    "balance": VenueReply(
        status=400, code=-2010, text="Account has insufficient balance for requested action."
    ),
    "duplicate": VenueReply(status=400, code=-2010, text="Duplicate order sent."),
    "would_trigger": VenueReply(
        status=400, code=-2010, text="Stop price would trigger immediately."
    ),
    "unknown_order": VenueReply(status=400, code=-2011, text="Unknown order sent."),
    "filter": VenueReply(status=400, code=-1013, text="Filter failure: LOT_SIZE"),
    "skew": VenueReply(
        status=400,
        code=-1021,
        text="Timestamp for this request is outside of the recvWindow.",
    ),
    "revoked": VenueReply(
        status=401, code=-2015, text="Invalid API-key, IP, or permissions for action."
    ),
    "429": VenueReply(status=429, code=-1003, text="Too much request weight used.", retry_after=5),
    "418": VenueReply(
        status=418, code=-1003, text="Way too much request weight used; IP banned.", retry_after=60
    ),
}
"""What a client can be shown instead of the answer, by name."""

LOST: Final = ("silence", "reset", "half_body", "cut_json", "empty", "braces")
PROXY: Final = ("html_200", "html_403", "html_502", "504")
UNSURE: Final = ("-1000", "-1001", "-1006", "-1007")
REFUSALS: Final = (
    "balance",
    "duplicate",
    "would_trigger",
    "filter",
    "skew",
    "revoked",
    "429",
    "418",
)

_PLACED: Final = (NewOrder, NewList)
MET_BY: Final[dict[FaultKind, tuple[type[VenueRequest], ...]]] = {
    "invisible": _PLACED,
    "not_found": (QueryOrder,),
    "partial": (NewOrder,),
    "cancel_race": (CancelOrder, CancelList),
    "status_late": (NewOrder, QueryOrder),
    "trades_late": (NewOrder, QueryOrder),
    "trade_twice": (QueryTrades,),
    "balance_late": (NewOrder, NewList, CancelOrder, CancelList),
}


@dataclass
class VenueFault:
    """Something that goes wrong with a request, or just before it.

    Attributes
    ----------
    kind : str
        With the request: drop: not executed · accept: executed, but the client sees `answer` ·
        late: executed after `seconds`, if its window still allows it · twice: executed, and again
        after `seconds` · partial: only `share` of the new order can be traded · cancel_race: what
        is cancelled has just been filled.
        With what is shown, for `seconds`: invisible: the new order is not found anywhere ·
        not_found: a filled order is not found by its id · status_late: an order looks as when it
        was taken, while its trades are there · trades_late: its trades are missing · trade_twice:
        each trade comes twice · balance_late: the account is as before · maintenance: after this
        request all others get 503 · trade_changed: the newest trade, if it is of the last minutes,
        has another price from now on.
        In the world, before the request: partial_target: `share` of a list's limit leg is filled ·
        manual_sale: `share` of the base currency is sold by hand, live sales are cancelled for it ·
        manual_cancel: live stops and lists are cancelled by hand · foreign_order: somebody places a
        purchase far below · foreign_trade: somebody buys a little · steps_changed: price and
        quantity steps are ten times larger · halted: no trading for `seconds`.
    answer : str, optional
        What the client sees instead of the answer, a key of `REPLIES`; usual: silence of a request
        that is dropped, accepted or late, else the answer.
    method, path : str
        Requests of this HTTP method, and whose path is this; "" is any.
    role : str, optional
        Requests whose client id has this role, as `FaultyVenue(role_of=...)` tells.
    times : int or None
        So many requests; None: until `end()`.
    seconds : float
    share : Decimal
    met : int
        Requests met so far.
    """

    kind: FaultKind
    answer: str | None = None
    method: str = ""
    path: str = ""
    role: str | None = None
    times: int | None = 1
    seconds: float = 5.0
    share: Decimal = Decimal("0.5")
    met: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("fault", self.kind, KINDS)
        if self.answer is not None and self.answer not in REPLIES:
            raise unknown("answer", self.answer, REPLIES)

    def end(self) -> None:
        """Stop meeting requests."""
        self.times = self.met

    def fits(self, request: VenueRequest, role: str | None) -> bool:
        """Tell whether a request of this role can meet it."""
        if self.times is not None and self.met >= self.times:
            return False
        method, path = route_of(request)
        return (
            self.method in ("", method)
            and self.path in ("", path)
            and self.role in (None, role)
            and isinstance(request, MET_BY.get(self.kind, object))
        )

    @property
    def ms(self) -> int:
        """`seconds` in ms."""
        return round(self.seconds * 1000)


def every_fault() -> Iterator[VenueFault]:
    """Yield one fault of each kind, with each answer that changes what a client can know.

    Examples
    --------
    >>> [fault.kind for fault in every_fault()][-2:]
    ['halted', 'trade_changed']
    """
    for answer in ("silence", "reset", *PROXY, *UNSURE, *REFUSALS):
        yield VenueFault("drop", answer)
    for answer in (*LOST, *PROXY, *UNSURE):
        yield VenueFault("accept", answer)
    for seconds in (2.0, 8.0):
        yield VenueFault("late", seconds=seconds)
    for kind in KINDS[3:]:
        yield VenueFault(kind)
