"""What a strategy proposes: the record, the functions that make it, and the signal it becomes.

Whether a candidate keeps the rules is tested in `lifecycle/validation.py`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tradenb.call_errors import readable
from tradenb.core.signal import Position, Signal

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
    return Candidate(
        position="long",
        take_profit=take_profit,
        stop_loss=stop_loss,
        minutes=minutes,
        entry=entry,
        id=id,
        note=note,
        size=size,
    )


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
    return Candidate(
        position="short",
        take_profit=take_profit,
        stop_loss=stop_loss,
        minutes=minutes,
        entry=entry,
        id=id,
        note=note,
        size=size,
    )


def signal_of(
    candidate: Candidate, *, id: str, symbol: str, strategy: str, price: float, at: int
) -> Signal:
    """Make the signal of a candidate without problems; its entry is the price it will get."""
    given: Any = candidate
    position: Position = "long" if given.position == "long" else "short"
    entry = None if given.entry is None else float(given.entry)
    note = given.note
    if entry is None or reached(position, entry, price):
        if entry is not None:
            note = f"{note}; {ENTRY_REACHED}" if note else ENTRY_REACHED
        entry = price
    return Signal(
        id=id,
        symbol=symbol,
        strategy=strategy,
        position=position,
        entry=entry,
        take_profit=float(given.take_profit),
        stop_loss=float(given.stop_loss),
        minutes=int(given.minutes),
        size=None if given.size is None else float(given.size),
        note=note,
        at=at,
    )


def plain_signal(
    id: str,
    symbol: str,
    strategy: str,
    position: Position,
    price: float,
    take_profit: float,
    stop_loss: float,
    minutes: int,
    at: int,
) -> Signal:
    """Make the signal of a plain candidate at market, in half the time that names take."""
    return Signal(
        id, symbol, strategy, position, price, take_profit, stop_loss, minutes, None, None, at
    )


def candidate_of(signal: Signal) -> Candidate:
    """Return what a strategy would have to propose to get this signal."""
    return Candidate(**{name: getattr(signal, name) for name in Candidate._fields})


def reached(position: Position, entry: float, price: float) -> bool:
    """Tell whether the market price is at the limit entry or better."""
    return price <= entry if position == "long" else price >= entry


def is_position(value: object) -> bool:
    """Tell whether the value is one of the two position words."""
    return isinstance(value, str) and value in ("long", "short")
