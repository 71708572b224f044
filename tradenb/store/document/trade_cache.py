"""Records that do not change any more: made, checked and turned into text once.

A document has up to 1,000 trades, and there is a commit every minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tradenb.core.signal import Trade
from tradenb.store.strict_json import dump


class Sealed(dict[str, Any]):
    """A plain record that nobody changes.

    Attributes
    ----------
    checked : object or None
        The model that it was found to be, after the first look.
    """

    __slots__ = ("_text", "checked")

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__(record)
        self.checked: Any = None
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """It in JSON."""
        if self._text is None:
            self._text = dump(self)
        return self._text


class _Kept(NamedTuple):
    trade: Trade
    record: Sealed


class TradeRecords:
    """Makes the records of trades, one for each trade however often it is asked."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def of(self, trades: Sequence[Trade]) -> list[Sealed]:
        """Return the records of trades, in their order; those of others are forgotten."""
        before = self._kept
        # The trades are held, so no other object can have the id of one of them meanwhile.
        self._kept = {id(trade): before.get(id(trade)) or _made(trade) for trade in trades}
        return [kept.record for kept in self._kept.values()]


def _made(trade: Trade) -> _Kept:
    return _Kept(trade, Sealed(trade._asdict()))


def text_of(record: Mapping[str, Any]) -> bytes:
    """Return a record in JSON."""
    return record.text if isinstance(record, Sealed) else dump(record)
