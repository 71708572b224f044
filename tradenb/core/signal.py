"""What a strategy answers, and what becomes of it: Candidate, Signal, Trade.

Nothing here knows time series, risk or users' functions. What is wrong with a candidate is said in
`problems.py`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from tradenb.call_errors import readable
from tradenb.core.timeframe import MINUTE

Position = Literal["long", "short"]
ExitReason = Literal["take_profit", "stop_loss", "time_expired", "flattened"]

ENTRY_REACHED: Final = "entry already reached"


class Candidate(NamedTuple):
    """A proposal of a strategy, not checked yet; made by `long` and `short`."""

    position: object = None
    take_profit: object = None
    stop_loss: object = None
    minutes: object = None
    entry: object = None
    id: object = None
    note: object = None
    size: object = None


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
    size: float | None
    note: str | None
    at: int


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
    opened_at: int
    closed_at: int
    entry: float
    exit: float
    take_profit: float
    stop_loss: float
    size: float | None
    exit_reason: ExitReason
    pnl_percent: float
    late: bool
    note: str | None

    @property
    def minutes_held(self) -> int:
        """Minutes between entry and exit."""
        return (self.closed_at - self.opened_at) // MINUTE


@readable
def long(
    *,
    take_profit: float,
    stop_loss: float,
    minutes: int,
    entry: float | None = None,
    id: str | None = None,
    note: str | None = None,
    size: float | None = None,
) -> Candidate:
    """Propose to buy, expecting the price to rise.

    Parameters
    ----------
    take_profit : float
        Price above the entry at which to leave with a profit.
    stop_loss : float
        Price below the entry at which to leave with a loss.
    minutes : int
        Longest time to hold the position, 1 to `Rules.max_signal_minutes`.
    entry : float, optional
        Limit price: buy here or better. Without it, buy at the market price.
    id : str, optional
        Your own name for the signal, at most 300 characters; used once.
    note : str, optional
        Words carried along on the events and the trade, at most 2,000 characters.
    size : float, optional
        Quantity, carried along on the events and the trade.

    Returns
    -------
    Candidate
        It is checked when the strategy returns it; broken rules make a `rejected` event.

    Examples
    --------
    >>> long(take_profit=102.0, stop_loss=99.0, minutes=240).position
    'long'
    """
    return Candidate("long", take_profit, stop_loss, minutes, entry, id, note, size)


@readable
def short(
    *,
    take_profit: float,
    stop_loss: float,
    minutes: int,
    entry: float | None = None,
    id: str | None = None,
    note: str | None = None,
    size: float | None = None,
) -> Candidate:
    """Propose to sell, expecting the price to fall; `take_profit` is below, `stop_loss` above.

    The parameters are those of `long`.

    Examples
    --------
    >>> short(take_profit=98.0, stop_loss=101.0, minutes=240).position
    'short'
    """
    return Candidate("short", take_profit, stop_loss, minutes, entry, id, note, size)


def signal_of(
    candidate: Candidate, *, id: str, symbol: str, strategy: str, price: float, at: int
) -> Signal:
    """Make the signal of a candidate without problems; its entry is the price it will get."""
    position: Position = "long" if candidate.position == "long" else "short"
    entry = None if candidate.entry is None else float(candidate.entry)  # type: ignore[arg-type]
    note = candidate.note
    if entry is None or reached(position, entry, price):
        if entry is not None:
            note = f"{note}; {ENTRY_REACHED}" if note else ENTRY_REACHED
        entry = price
    size = None if candidate.size is None else float(candidate.size)  # type: ignore[arg-type]
    return Signal(
        id,
        symbol,
        strategy,
        position,
        entry,
        float(candidate.take_profit),  # type: ignore[arg-type]
        float(candidate.stop_loss),  # type: ignore[arg-type]
        int(candidate.minutes),  # type: ignore[call-overload]
        size,
        note,  # type: ignore[arg-type]
        at,
    )


def reached(position: Position, entry: float, price: float) -> bool:
    """Tell whether the market price is at the limit entry or better."""
    return price <= entry if position == "long" else price >= entry


def is_position(value: object) -> bool:
    """Tell whether the value is one of the two position words."""
    return isinstance(value, str) and value in ("long", "short")
