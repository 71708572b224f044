"""What happens, one record for every kind, and the table that frames and files are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from tradenb.core.signal import Position, Refused, Signal

Kind = Literal[
    "scheduled",
    "opened",
    "milestone",
    "closed",
    "cancelled",
    "rejected",
    "skipped",
    "error",
    "ping",
]
KINDS: Final[tuple[Kind, ...]] = (
    "scheduled",
    "opened",
    "milestone",
    "closed",
    "cancelled",
    "rejected",
    "skipped",
    "error",
)


class Event(NamedTuple):
    """Something that happened to one instance.

    Attributes
    ----------
    seq : int
        1, 2, 3, ... within the run, in the order in which things took effect.
    at : int
        Close time of the candle that caused it, ms UTC.
    symbol, strategy : str
    kind : str
        One of `KINDS`; callbacks also get "ping", which is not stored.
    signal : Signal, Refused or None
        The signal it is about; the properties below read from it.
    price : float or None
        Market price; on `opened` the entry, on `closed` the exit.
    exit_reason : str or None
        Why it ended: closed take_profit, stop_loss, time_expired, flattened; cancelled timeout,
        price_reject, user; rejected invalid, risk; skipped warm_up, late.
    pnl_percent : float or None
        Only on `closed`.
    level : int or None
        Only on `milestone`: +10 ... +100 of the way to the target, -10 ... -100 to the stop.
    late : bool
        Noticed after its candle, by a live run that was down.
    note : str or None
    mode : {"backtest", "live"}
    wall : int or None
        Wall-clock time, ms UTC; None in backtests.
    """

    seq: int
    at: int
    symbol: str
    strategy: str
    kind: Kind
    signal: Signal | Refused | None = None
    price: float | None = None
    exit_reason: str | None = None
    pnl_percent: float | None = None
    level: int | None = None
    late: bool = False
    note: str | None = None
    mode: str = "backtest"
    wall: int | None = None

    @property
    def signal_id(self) -> str | None:
        """The signal's id."""
        return None if self.signal is None else self.signal.id

    @property
    def position(self) -> Position | None:
        """Long or short."""
        return None if self.signal is None else self.signal.position

    @property
    def entry(self) -> float | None:
        """Limit price, or the price paid once it is known."""
        return None if self.signal is None else self.signal.entry

    @property
    def take_profit(self) -> float | None:
        """Target price."""
        return None if self.signal is None else self.signal.take_profit

    @property
    def stop_loss(self) -> float | None:
        """Stop price."""
        return None if self.signal is None else self.signal.stop_loss

    @property
    def minutes(self) -> int | None:
        """Longest life of the position."""
        return None if self.signal is None else self.signal.minutes

    @property
    def size(self) -> float | None:
        """Quantity, as the strategy gave it."""
        return None if self.signal is None else self.signal.size


EVENT_COLUMNS: Final[dict[str, str]] = {
    "seq": "int",
    "at": "time",
    "wall": "time",
    "mode": "text",
    "symbol": "text",
    "strategy": "text",
    "kind": "text",
    "signal_id": "text",
    "position": "text",
    "price": "float",
    "entry": "float",
    "take_profit": "float",
    "stop_loss": "float",
    "minutes": "whole",
    "size": "decimal",
    "exit_reason": "text",
    "pnl_percent": "float",
    "level": "whole",
    "late": "bool",
    "note": "text",
}
"""Columns of an event frame in their order, and the sort of each (see `view.frames`)."""

TRADE_COLUMNS: Final[dict[str, str]] = {
    "signal_id": "text",
    "symbol": "text",
    "strategy": "text",
    "position": "text",
    "opened_at": "time",
    "closed_at": "time",
    "minutes_held": "int",
    "entry": "float",
    "exit": "float",
    "take_profit": "float",
    "stop_loss": "float",
    "size": "decimal",
    "exit_reason": "text",
    "pnl_percent": "float",
    "late": "bool",
    "note": "text",
}
"""Columns of a trade frame in their order, and the sort of each."""

OPEN_COLUMNS: Final[dict[str, str]] = {
    "symbol": "text",
    "strategy": "text",
    "signal_id": "text",
    "state": "text",
    "price": "float",
    "pnl_percent": "float",
}
"""Columns of the frame of what is still open or scheduled at the end of a run."""


def numbered(
    events: Iterable[Event],
    numbers: Iterable[int],
    *,
    fresh_from: int = 0,
    mode: str = "backtest",
) -> list[Event]:
    """Return events with their places in the run; those before `fresh_from` are late."""
    make = tuple.__new__  # half of what Event(...) costs
    return [
        make(
            Event,
            (
                seq, at, symbol, strategy, kind, signal, price, exit_reason, pnl_percent, level,
                at < fresh_from, note, mode, None,
            ),
        )
        for seq, (
            _, at, symbol, strategy, kind, signal, price, exit_reason, pnl_percent, level,
            _, note, _, _,
        ) in zip(numbers, events)  # noqa: B905 - the numbers may go on for ever
    ]  # fmt: skip
