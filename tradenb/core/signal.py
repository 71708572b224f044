"""The records of a signal and of a trade; each field is written down here, once.

Documents, journal, views and frames follow from the annotations (`core.columns`,
`engine.serialise`, `store.document.schema`). A new field of a signal touches five files: this one,
`candidate.py`, `events.py` (a property), `columns.py` (a name) and one in `validation`. It takes a
default, so that files without it are still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from tradenb.core.timeframe import MINUTE, iso

Position = Literal["long", "short"]
ExitReason = Literal[
    "take_profit",
    "stop_loss",
    "trailing_stop",
    "breakeven",
    "time_expired",
    "flattened",
    "strategy",
    "flipped",
    "user",
    "abandoned",
    "closed_outside",
    "unprotected",
    "dust",
]

Time = Annotated[int, "time"]
"""Milliseconds since 1970, UTC; a time in frames."""
Quantity = Annotated[float, "decimal"]
"""A number that is missing in frames, not NaN, where it is not given."""

Rungs = tuple[tuple[float, float], ...]
"""Targets: price, and fraction of the position."""


Record = TypeVar("Record", bound=NamedTuple)


def quickly_replaced(record: type[Record]) -> type[Record]:
    """Let `_replace` of a record with many fields touch those alone that change."""
    places = {name: place for place, name in enumerate(record._fields)}
    make = tuple.__new__

    def _replace(self: Record, /, **changes: Any) -> Record:
        values = list(self)
        for name, value in changes.items():
            values[places[name]] = value
        return make(record, values)

    setattr(record, "_replace", _replace)  # noqa: B010 - to mypy it is final
    return record


@quickly_replaced
class Signal(NamedTuple):
    """A checked candidate: what risk rules see, and what is scheduled or opened.

    Attributes
    ----------
    id : str
    symbol, strategy : str
    position : {"long", "short"}
    entry : float
        Limit price while scheduled, price paid once open, quote currency.
    take_profit : float or None
        None: nothing is taken at a target.
    stop_loss : float
    minutes : int or None
        Longest life of the position.
    size : float or None
        Pieces; with an account what is bought, else carried along.
    note : str or None
    at : int
        Close time of the candle on which the strategy decided, ms UTC.
    until : int or None
        The position or the wait ends with the first candle that closes then or later, ms UTC.
    breakout : bool
        It waits for the price to come through its entry, not back to it.
    wait : int or None
        How long it waits for its entry, minutes, in place of `Rules.schedule_await_minutes`.
    targets : tuple of (float, float)
        The ladder of targets in force, price and fraction, nearest first; empty if there is one
        target or none. `take_profit` is the farthest.
    trail, trail_distance, trail_after, breakeven, breakeven_plus : float or None
        As the candidate declared them.
    add : float or None
        Only what risk rules see of an entry that is added: its cost, in units of the first entry.
    """

    id: str
    symbol: str
    strategy: str
    position: Position
    entry: float
    take_profit: float | None
    stop_loss: float
    minutes: int | None
    size: Quantity | None
    note: str | None
    at: Time
    until: Time | None = None
    breakout: bool = False
    wait: int | None = None
    targets: Rungs = ()
    trail: float | None = None
    trail_distance: float | None = None
    trail_after: float | None = None
    breakeven: float | None = None
    breakeven_plus: float | None = None
    add: float | None = None
    price_step: float | None = None


class Plan(NamedTuple):
    """What milestones measure the way by: first entry, first stop, first farthest target."""

    position: Position
    entry: float
    stop: float
    target: float | None


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
    signal_id, symbol, strategy : str
        Which signal became it; its events have the same id.
    position : {"long", "short"}
    opened_at, closed_at : int
        Close times of the candles of entry and exit, ms UTC.
    entry, exit : float
        Prices before slippage and fees, quote currency: the average entry, the last exit.
    take_profit : float or None
        The last target in force, quote currency.
    stop_loss : float
        The last stop in force, quote currency, wherever it was moved to. The first one is that of
        the event `opened`; `r_multiple` of `result.trades` uses it.
    size : float or None
        As the strategy gave it: pieces with an account, else it changes no figure.
    exit_reason : str
        take_profit, stop_loss, trailing_stop, breakeven, time_expired, flattened, strategy,
        flipped, user, abandoned; with orders also closed_outside, unprotected, dust.
    pnl_percent : float
        After slippage and fees, percent of all that was ever put in.
    late : bool
        Whether the exit was noticed after its candle, in a live run that was down.
    note : str or None
        What the strategy, or who closed it, said.
    entries, exits : int
        How many fills it was entered and left by.
    invested : float
        Cost of all entries, in units of the first.
    quantity, cost, pnl, fees : float or None
        With an account: pieces bought, cost of all entries, what it changed the balance by
        (funding included) and its fees, quote currency.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("traded", every="1h")
    ... def traded(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=traded, exchange=market)
    >>> first = result.trade_list[0]
    >>> print(first)
    <BTCUSDT:traded long 2024-01-01 01:00 to 2024-01-01 05:00, 41930.9 to 42033.1
     (time_expired), -0.16 %>
    >>> first.position, first.exit_reason, round(first.pnl_percent, 2)
    ('long', 'time_expired', -0.16)
    """

    signal_id: str
    symbol: str
    strategy: str
    position: Position
    opened_at: Time
    closed_at: Time
    entry: float
    exit: float
    take_profit: float | None
    stop_loss: float
    size: Quantity | None
    exit_reason: ExitReason
    pnl_percent: float
    late: bool
    note: str | None
    entries: int = 1
    exits: int = 1
    invested: float = 1.0
    quantity: float | None = None
    cost: float | None = None
    pnl: float | None = None
    fees: float | None = None

    def __str__(self) -> str:
        """Say it in a line; `repr` has all fields."""
        times = f"{iso(self.opened_at)} to {iso(self.closed_at)}"
        prices = f"{self.entry:.10g} to {self.exit:.10g}"
        return (
            f"<{self.symbol}:{self.strategy} {self.position} {times}, {prices} "
            f"({self.exit_reason}), {self.pnl_percent:+.2f} %>"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the line in a cell."""
        del cycle
        printer.text(str(self))

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
    entries: int = 1,
    exits: int = 1,
    invested: float = 1.0,
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
        entries,
        exits,
        invested,
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
