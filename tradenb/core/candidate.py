"""What a strategy proposes: the record, the functions that make it, and the signal it becomes.

Whether a candidate keeps the rules is tested in `validation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from tradenb.call_errors import readable
from tradenb.core.offsets import Offset
from tradenb.core.signal import Position, Rungs, Signal
from tradenb.core.timeframe import TimeLike
from tradenb.core.values import moment

ENTRY_REACHED: Final = "entry already reached"
Price = float | Offset
"""A price, or the distance of one from what will be paid."""
Ladder = Sequence[tuple[Price, float]]
"""Targets, nearest first, each with the fraction of the position that it closes."""


class Candidate(NamedTuple):
    """A proposal of a strategy, not checked yet; made by `long` and `short`.

    Examples
    --------
    >>> proposed = long(take_profit=102.0, stop_loss=99.0, note="dip")
    >>> proposed
    tn.long(take_profit=102.0, stop_loss=99.0, note='dip')
    >>> isinstance(proposed, Candidate), proposed.stop_loss
    (True, 99.0)
    """

    position: object = None
    take_profit: object = None
    stop_loss: object = None
    minutes: object = None
    entry: object = None
    id: object = None
    note: object = None
    size: object = None
    until: object = None
    breakout: object = None
    wait: object = None
    trail: object = None
    trail_distance: object = None
    trail_after: object = None
    breakeven: object = None
    breakeven_plus: object = None

    def __repr__(self) -> str:
        given = {name: value for name, value in self._asdict().items() if value is not None}
        made = given.pop("position", None)
        known = isinstance(made, str) and made in ("long", "short")
        name = f"tn.{made}" if known else "Candidate"
        given |= {} if name != "Candidate" or made is None else {"position": made}
        return f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


# A third of what naming them costs.
_candidate: Final = partial(tuple.__new__, Candidate)


@readable
def long(
    *,
    stop_loss: Price,
    take_profit: Price | Ladder | None = None,
    minutes: int | None = None,
    until: TimeLike | None = None,
    entry: float | None = None,
    breakout: float | None = None,
    wait: int | None = None,
    trail: float | None = None,
    trail_distance: float | None = None,
    trail_after: float | None = None,
    breakeven: float | None = None,
    breakeven_plus: float | None = None,
    id: str | None = None,
    note: str | None = None,
    size: float | None = None,
) -> Candidate:
    """Propose to buy, expecting the price to rise.

    Parameters
    ----------
    stop_loss : float
        Price below the entry at which to leave with a loss; or `tn.percent(2)`, `tn.distance(d)`.
    take_profit : float, optional
        Price above the entry at which to leave with a profit; or as for `stop_loss`; or a ladder
        of pairs (price, fraction of the position), nearest first.
    minutes : int, optional
        Longest time to hold the position, 1 to `Rules.max_signal_minutes`.
    until : int, str or datetime, optional
        Leave at this moment, or stop waiting for the entry; UTC if it names no zone.
    entry : float, optional
        Limit price: buy here or better. Without it, buy at the market price.
    breakout : float, optional
        Stop entry: buy when the price rises to it, at the worse of it and the candle's open.
    wait : int, optional
        Minutes to wait for the entry, in place of `Rules.schedule_await_minutes`; without entry
        and breakout it means nothing.
    trail, trail_distance : float, optional
        The stop follows the best price at so many percent, or at this distance.
    trail_after : float, optional
        Profit in percent from which on the stop follows; 0 if not given.
    breakeven : float, optional
        Profit in percent at which the stop goes to the entry.
    breakeven_plus : float, optional
        Percent beyond the entry at which the stop then stands; 0 if not given.
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
    return _candidate(
        (
            "long", take_profit, stop_loss, minutes, entry, id, note, size, until, breakout, wait,
            trail, trail_distance, trail_after, breakeven, breakeven_plus,
        )
    )  # fmt: skip


@readable
def short(
    *,
    stop_loss: Price,
    take_profit: Price | Ladder | None = None,
    minutes: int | None = None,
    until: TimeLike | None = None,
    entry: float | None = None,
    breakout: float | None = None,
    wait: int | None = None,
    trail: float | None = None,
    trail_distance: float | None = None,
    trail_after: float | None = None,
    breakeven: float | None = None,
    breakeven_plus: float | None = None,
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
    return _candidate(
        (
            "short", take_profit, stop_loss, minutes, entry, id, note, size, until, breakout, wait,
            trail, trail_distance, trail_after, breakeven, breakeven_plus,
        )
    )  # fmt: skip


def signal_of(
    candidate: Candidate, *, id: str, symbol: str, strategy: str, price: float, at: int
) -> Signal:
    """Make the signal of a resolved candidate without problems.

    Its entry is the price it will get.
    """
    given: Any = candidate
    position: Position = "long" if given.position == "long" else "short"
    breaks = given.breakout is not None
    entry = float(given.breakout) if breaks else _number(given.entry)
    note = given.note
    if entry is None or reached(position, entry, price, breakout=breaks):
        if entry is not None:
            note = f"{note}; {ENTRY_REACHED}" if note else ENTRY_REACHED
        entry = price
    ladder = is_ladder(given.take_profit)
    rungs = rungs_of(given.take_profit) if ladder else ()
    return Signal(
        id=id,
        symbol=symbol,
        strategy=strategy,
        position=position,
        entry=entry,
        take_profit=rungs[-1][0] if ladder else _number(given.take_profit),
        stop_loss=float(given.stop_loss),
        minutes=None if given.minutes is None else int(given.minutes),
        size=_number(given.size),
        note=note,
        at=at,
        until=None if given.until is None else moment(given.until),
        breakout=breaks,
        wait=None if given.wait is None else int(given.wait),
        targets=rungs,
        trail=_number(given.trail),
        trail_distance=_number(given.trail_distance),
        trail_after=_number(given.trail_after),
        breakeven=_number(given.breakeven),
        breakeven_plus=_number(given.breakeven_plus),
    )


def rungs_of(ladder: Any) -> Rungs:
    """Return the targets of a ladder without problems."""
    return tuple([(float(level), float(fraction)) for level, fraction in ladder])


def _number(given: Any) -> float | None:
    return None if given is None else float(given)


def plain_signal(
    id: str,
    symbol: str,
    strategy: str,
    position: Position,
    price: float,
    take_profit: float | None,
    stop_loss: float,
    minutes: int | None,
    at: int,
    targets: Rungs = (),
) -> Signal:
    """Make the signal of a plain candidate at market, in half the time that names take."""
    fields = (
        id, symbol, strategy, position, price, take_profit, stop_loss, minutes, None, None, at,
        None, False, None, targets, None, None, None, None, None, None, None,
    )  # fmt: skip
    return tuple.__new__(Signal, fields)


def candidate_of(signal: Signal) -> Candidate:
    """Return what a strategy would have to propose to get this signal."""
    entry, breakout = (None, signal.entry) if signal.breakout else (signal.entry, None)
    own = {
        "entry": entry,
        "breakout": breakout,
        "take_profit": signal.targets or signal.take_profit,
    }
    names = [name for name in Candidate._fields if name not in own]
    return Candidate(**own, **{name: getattr(signal, name) for name in names})


def reached(position: Position, entry: float, price: float, *, breakout: bool = False) -> bool:
    """Tell whether the market price is at the limit entry or better; of a stop entry: beyond."""
    return price <= entry if (position == "long") != breakout else price >= entry


def is_ladder(take_profit: object) -> bool:
    """Tell whether targets are given as a ladder, whatever is in it."""
    return isinstance(take_profit, list | tuple)


def is_position(value: object) -> bool:
    """Tell whether the value is one of the two position words."""
    return isinstance(value, str) and value in ("long", "short")
