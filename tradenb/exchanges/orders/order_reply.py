"""`OrderReply`: the end of one request, as it was on the wire, whatever ccxt makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tradenb.core.orders.outcomes import Ended

_LIMITED: Final = frozenset({418, 429})


@dataclass(slots=True)
class OrderReply:
    """What is known of a request, noted while it is under way.

    Attributes
    ----------
    dies_at : int or None
        Exchange time after which it cannot be accepted, ms UTC; None: five seconds after signing.
    left : bool
        Bytes of it may have left this machine.
    status : int
        Of HTTP; 0: no whole response came.
    headers : mapping
    body : str or None
        The whole response.
    error : str
        Why there is none.
    clean : callable
        Takes secrets out of a text.
    """

    dies_at: int | None = None
    left: bool = False
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    error: str = ""
    clean: Callable[[str], str] = field(default=str, repr=False)

    @property
    def content(self) -> Any:
        """The JSON of the response; None: it is not JSON."""
        try:
            return json.loads(self.body or "", parse_float=Decimal)
        except ValueError:
            return None

    @property
    def answer(self) -> Any:
        """The JSON of a response that is no error; None of every other."""
        content = self.content
        is_error = isinstance(content, dict) and "code" in content
        return content if 200 <= self.status < 300 and not is_error else None

    @property
    def is_limited(self) -> bool:
        """Whether the exchange wants fewer requests."""
        return self.status in _LIMITED

    @property
    def ended(self) -> Ended:
        """What it proves about an order that it does not show.

        A code counts only in a response of the exchange's own form which says that the request was
        wrong: with a 5xx it does not know what became of the request.
        """
        content = self.content
        code, text = None, self.error
        if isinstance(content, dict) and 400 <= self.status < 500:
            code = content.get("code")
            text = str(content.get("msg", ""))
        if type(code) is not int or code >= 0:
            words = text or f"status {self.status}, which shows no order"
            return Ended(left=self.left, whole=False, code="", text=self.clean(words))
        return Ended(left=self.left, whole=True, code=str(code), text=self.clean(text))
