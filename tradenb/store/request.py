"""`Request`: what a user asks of a run from outside, as a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tradenb.core.timeframe import LATEST
from tradenb.core.validation.terms import ID_LIMIT
from tradenb.store.codec import Damaged
from tradenb.store.document.plain_record import record_of

RequestKind = Literal[
    "stop",
    "flatten",
    "cancel",
    "close",
    "move",
    "withdraw",
    "abandon",
    "release",
    "keep_ours",
    "take_theirs",
]

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Request(NamedTuple):
    """What a user asks of a run.

    Attributes
    ----------
    id : str
        Of the request; a run remembers the ids it obeyed until their files are gone.
    wall : int
        When it was given, ms UTC.
    kind : {"stop", "flatten", "cancel", "withdraw", "abandon", "release", "keep_ours", ...}
        The last two decide which state holds when another program wrote the document.
    signal_id, cancel_id : str or None
        Only for cancel: the signal meant (None is whatever is scheduled), and the words that come
        back in the note.
    request_id : str or None
        Only for withdraw: the request meant (None is all that were given before).
    price : float or None
        Only for abandon.
    values : dict or None
        Only for close and move.
    """

    id: str
    wall: int
    kind: RequestKind
    strategy: str
    symbol: str
    signal_id: str | None = None
    cancel_id: str | None = None
    request_id: str | None = None
    price: float | None = None
    values: dict[str, Any] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What is said, as a plain dict."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Waiting(NamedTuple):
    """A request and its file, to be removed when the request is in a committed document."""

    request: Request
    path: Path


class Received(NamedTuple):
    """What is in the folder of the requests to a run.

    Attributes
    ----------
    waiting : tuple of Waiting
        The requests, in order.
    refused : tuple of (Path, str)
        What is not a request and was moved aside: where it is now, and why.
    unreadable : tuple of (Path, str)
        What may be a request and cannot be read, or can be neither read nor moved aside.
    """

    waiting: tuple[Waiting, ...] = ()
    refused: tuple[tuple[Path, str], ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()

    @property
    def names(self) -> set[str]:
        """The names of the files that are still there."""
        waiting, unreadable = self.waiting, self.unreadable
        return {item.path.name for item in waiting} | {path.name for path, _ in unreadable}

    @property
    def unreadable_words(self) -> str:
        """What cannot be read, and why."""
        return "; ".join(f"{path} ({words})" for path, words in self.unreadable)


def checked_request(found: object) -> Request:
    """Return the request of a plain dict.

    Raises
    ------
    Damaged
        When it is none, or makes no sense; the words say everything that is wrong.
    """
    request = record_of(Request, found)
    unknown = found.keys() - {*Request._fields} if isinstance(found, Mapping) else ()
    problems = [*(f"there is no field {name!r:.80}" for name in unknown), *_problems(request)]
    if problems:
        raise Damaged("; ".join(problems))
    return request


def _problems(request: Request) -> Iterator[str]:
    if not _ID.fullmatch(request.id):
        yield f"id must be 1 to 64 letters, digits, _ or -, was {request.id!r:.80}"
    if not 0 <= request.wall < LATEST:
        yield f"wall must be ms UTC before the year 2200, was {request.wall}"
    for name in ("signal_id", "cancel_id", "request_id"):
        label = getattr(request, name)
        if label is not None and len(label) > ID_LIMIT:
            yield f"{name} must be at most {ID_LIMIT} characters, was {label!r:.80}"
    price = request.price
    if (request.kind == "abandon") != (price is not None):
        yield "abandon needs a price, and nothing else takes one"
    if price is not None and not 0 < price < math.inf:
        yield f"price must be a finite number above 0, was {price}"
