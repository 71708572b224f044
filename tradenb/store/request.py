"""`Request`: what a user asks of a run from outside, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from tradenb.core.validation.terms import ID_LIMIT
from tradenb.store.document.field_types import Moment, Plain, Price

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

Label = Annotated[str, Field(max_length=ID_LIMIT)]


class Request(Plain):
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

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
    wall: Moment
    kind: RequestKind
    strategy: str
    symbol: str
    signal_id: Label | None = None
    cancel_id: Label | None = None
    request_id: Label | None = None
    price: Price | None = None
    values: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Request:
        if (self.kind == "abandon") != (self.price is not None):
            raise ValueError("abandon needs a price, and nothing else takes one")
        return self


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
