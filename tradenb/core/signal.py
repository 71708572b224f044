"""The records of a signal and of a trade; each field is written down here, once.

Documents, journal, views and frames follow from the annotations (`core.columns`,
`engine.serialise`, `store.document.schema`). A new field of a signal touches five files: this one,
`candidate.py`, `events.py` (a property), `columns.py` (a name) and `lifecycle/validation.py`. It
takes a default, so that files without it are still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from tradenb.core.timeframe import MINUTE

Position = Literal["long", "short"]
ExitReason = Literal["take_profit", "stop_loss", "time_expired", "flattened", "abandoned"]

Time = Annotated[int, "time"]
"""Milliseconds since 1970, UTC; a time in frames."""
Quantity = Annotated[float, "decimal"]
"""A number that is missing in frames, not NaN, where it is not given."""


class Signal(NamedTuple):
    """A checked candidate: what risk rules see, and what is scheduled or opened.

    Attributes
    ----------
    id : str
    symbol, strategy : str
    position : {"long", "short"}
    entry : float
        Limit price while scheduled, price paid once open, quote currency.
    take_profit, stop_loss : float
    minutes : int
        Longest life of the position.
    size : float or None
        Carried along; nothing is computed with it.
    note : str or None
    at : int
        Close time of the candle on which the strategy decided, ms UTC.
    """

    id: str
    symbol: str
    strategy: str
    position: Position
    entry: float
    take_profit: float
    stop_loss: float
    minutes: int
    size: Quantity | None
    note: str | None
    at: Time


class Refused(NamedTuple):
    """The little that is known of a candidate that broke the rules."""

    id: str
    position: Position | None
    entry: None = None
    take_profit: None = None
    stop_loss: None = None
    minutes: None = None
    size: None = None
    note: None = None


class Trade(NamedTuple):
    """A closed position.

    Attributes
    ----------
    opened_at, closed_at : int
        Close times of the candles of entry and exit, ms UTC.
    entry, exit : float
        Prices before slippage and fees, quote currency.
    pnl_percent : float
        After slippage and fees, percent of the entry.
    late : bool
        Whether the exit was noticed after its candle, in a live run that was down.
    """

    signal_id: str
    symbol: str
    strategy: str
    position: Position
    opened_at: Time
    closed_at: Time
    entry: float
    exit: float
    take_profit: float
    stop_loss: float
    size: Quantity | None
    exit_reason: ExitReason
    pnl_percent: float
    late: bool
    note: str | None

    @property
    def minutes_held(self) -> int:
        """Minutes between entry and exit."""
        return (self.closed_at - self.opened_at) // MINUTE


def closed_trade(
    signal: Signal,
    opened_at: int,
    closed_at: int,
    exit: float,
    exit_reason: ExitReason,
    pnl_percent: float,
    *,
    late: bool = False,
) -> Trade:
    """Make the trade of a signal that was opened and closed."""
    return Trade(
        signal.id,
        signal.symbol,
        signal.strategy,
        signal.position,
        opened_at,
        closed_at,
        signal.entry,
        exit,
        signal.take_profit,
        signal.stop_loss,
        signal.size,
        exit_reason,
        pnl_percent,
        late,
        signal.note,
    )


def signal_of_trade(trade: Trade) -> Signal:
    """Return the signal of a trade; its minutes are those that it lasted, its `at` the opening."""
    known = trade._asdict() | {
        "id": trade.signal_id,
        "minutes": trade.minutes_held,
        "at": trade.opened_at,
    }
    return Signal(**{name: known[name] for name in Signal._fields})


def trades_of_columns(columns: Mapping[str, Iterable[Any]]) -> list[Trade]:
    """Make trades of one column a field; the columns are equally long or endless."""
    return list(map(Trade._make, zip(*(columns[name] for name in Trade._fields), strict=False)))
