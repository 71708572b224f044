"""The records of what happened: events, one form for every kind, and what asks came to.

`core.columns` has the columns that follow from them.

All code names the fields. Only the functions below go by their order, because they make most of
the events of a run and names cost twice the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, get_args

from tradenb.core.signal import Position, Quantity, Refused, Signal, Time
from tradenb.core.timeframe import iso

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Floats

Kind = Literal[
    "scheduled",
    "entering",
    "opened",
    "added",
    "partial",
    "moved",
    "exiting",
    "closed",
    "cancelled",
    "milestone",
    "rejected",
    "skipped",
    "error",
    "alarm",
    "armed",
    "disarmed",
    "ping",
]
KINDS: Final[tuple[Kind, ...]] = tuple(kind for kind in get_args(Kind) if kind != "ping")
"""The kinds that are stored; a ping only goes to its callback."""
OF_ORDERS: Final = frozenset({"alarm", "armed", "disarmed"})
"""The kinds that no candle causes: they tell of orders and of an account, in live runs only."""
WITHOUT_EFFECT: Final = frozenset({"milestone", "skipped", "ping"}) | OF_ORDERS
"""The kinds after which a signal and its refusals in a row are what they were."""


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
        Market price; on `opened` and `added` the entry, on `partial` and `closed` the exit.
    exit_reason : str or None
        Why it ended: closed take_profit, stop_loss, trailing_stop, breakeven, time_expired,
        flattened, strategy, flipped, user, abandoned; partial take_profit, strategy, user;
        cancelled timeout, price_reject, user, strategy, replaced; rejected invalid, risk, funds;
        skipped warm_up, late. With orders also closed, exiting and partial closed_outside,
        unprotected, dust; rejected unfilled, refused, absent, not_sent, late, limits; alarm which
        one (docs/orders.md).
    pnl_percent : float or None
        On `partial` of that part, on `closed` of the whole position.
    level : int or None
        Only on `milestone`: +10 ... +100 of the way to the target, -10 ... -100 to the stop.
    late : bool
        Noticed after its candle, by a live run that was down.
    note : str or None
    mode : {"backtest", "live"}
    wall : int or None
        Wall-clock time, ms UTC; None in backtests.
    fraction : float or None
        Cost of a fill in units of the first entry: 1 on `opened`; on `added`, `partial` and
        `closed` what was added or closed.
    quantity : float or None
        Pieces of a fill, with an account.

    Examples
    --------
    >>> import tradenb as tn
    >>> closed = []
    >>> @tn.strategy("told", every="1h", on_close=closed.append)
    ... def told(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=told, exchange=market)
    >>> event = closed[0]
    >>> print(event)
    <2024-01-01 05:00 BTCUSDT:told closed long at 42033.1 (time_expired), -0.16 %>
    >>> event.kind, event.exit_reason, round(event.pnl_percent, 2), len(closed)
    ('closed', 'time_expired', -0.16, 23)
    """

    seq: int
    at: Time
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
    wall: Time | None = None
    fraction: Quantity | None = None
    quantity: Quantity | None = None

    def __str__(self) -> str:
        """Say it in a line; `repr` has all fields."""
        side = f" {self.position}" if self.position else ""
        price = "" if self.price is None else f" at {self.price:.10g}"
        why = "" if self.exit_reason is None else f" ({self.exit_reason})"
        level = "" if self.level is None else f" {self.level:+d} %"
        gained = "" if self.pnl_percent is None else f", {self.pnl_percent:+.2f} %"
        note = "" if self.note is None else f": {self.note:.200}"
        what = f"{self.kind}{level}{side}{price}{why}{gained}{note}"
        return f"<{iso(self.at)} {self.symbol}:{self.strategy} {what}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the line in a cell."""
        del cycle
        printer.text(str(self))

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
        """Price waited for, or the average price paid once it is known."""
        return None if self.signal is None else self.signal.entry

    @property
    def take_profit(self) -> float | None:
        """Target price, the farthest of a ladder."""
        return None if self.signal is None else self.signal.take_profit

    @property
    def stop_loss(self) -> float | None:
        """Stop price, in force from then on."""
        return None if self.signal is None else self.signal.stop_loss

    @property
    def minutes(self) -> int | None:
        """Longest life of the position."""
        return None if self.signal is None else self.signal.minutes

    @property
    def size(self) -> Quantity | None:
        """Quantity, as the strategy gave it."""
        return None if self.signal is None else self.signal.size


class Owner(Protocol):
    """Whom an event is about: anything with a symbol and a strategy, such as a state."""

    @property
    def symbol(self) -> str:
        """Canonical symbol."""

    @property
    def strategy(self) -> str:
        """Name of the strategy."""


def event_of(
    owner: Owner,
    at: int,
    kind: Kind,
    signal: Signal | Refused | None = None,
    *,
    price: float | None = None,
    exit_reason: str | None = None,
    pnl_percent: float | None = None,
    level: int | None = None,
    note: str | None = None,
    fraction: float | None = None,
    quantity: float | None = None,
) -> Event:
    """Make an event without a number yet."""
    fields = (
        0, at, owner.symbol, owner.strategy, kind, signal, price, exit_reason, pnl_percent, level,
        False, note, "backtest", None, fraction, quantity,
    )  # fmt: skip
    return tuple.__new__(Event, fields)  # half of what Event(...) costs


def milestones_of(
    owner: Owner,
    signal: Signal,
    found: Iterable[tuple[int, int]],
    market: Floats,
    *,
    first: int,
    step: int,
) -> tuple[Event, ...]:
    """Make the events of milestones, of each the place in the market prices and the level.

    The first of the prices is that of the close `first`, and there is one each `step`, ms.
    """
    symbol, strategy, price_at, make = owner.symbol, owner.strategy, market.item, tuple.__new__
    return tuple(
        [
            make(
                Event,
                (
                    0, first + offset * step, symbol, strategy, "milestone", signal,
                    price_at(offset), None, None, level, False, None, "backtest", None, None, None,
                ),
            )
            for offset, level in found
        ]
    )  # fmt: skip


def numbered(
    events: Iterable[Event],
    numbers: Iterable[int],
    *,
    fresh_from: int = 0,
    mode: str = "backtest",
) -> list[Event]:
    """Return events with their places in the run; those before `fresh_from` are late."""
    make = tuple.__new__
    if fresh_from == 0 and mode == "backtest":  # as they were made
        return [make(Event, (seq, *event[1:])) for seq, event in zip(numbers, events)]  # noqa: B905
    return [
        make(
            Event,
            (
                seq, at, symbol, strategy, kind, signal, price, exit_reason, pnl_percent, level,
                at < fresh_from, note, mode, None, fraction, quantity,
            ),
        )
        for seq, (
            _, at, symbol, strategy, kind, signal, price, exit_reason, pnl_percent, level,
            _, note, _, _, fraction, quantity,
        ) in zip(numbers, events)  # noqa: B905 - the numbers may go on for ever
    ]  # fmt: skip


Function = Literal["entry", "manage"]
Outcome = Literal["none", "candidate", "action", "refused", "invalid", "skipped", "error"]

LEFT_OUT: Final = frozenset({"late", "halted", "busy"})
"""Why a function is not called; one that found too little history (`warm_up`) was."""
WRONG: Final = frozenset({"invalid", "error"})
"""Of these a row goes on whatever they say; its reason is the first."""


class AskRow(NamedTuple):
    """Asks of one instance in a row that came to the same.

    Attributes
    ----------
    asked : {"entry", "manage"}
        The strategy, for a candidate; its manage function, about what is open or waits.
    outcome : str
        "none": it answered None; "candidate", "action": what it wanted was done; "refused" by a
        risk rule or for want of funds; "invalid": it broke a rule; "skipped": it was not called, or
        found too little history; "error": it raised or took too long.
    reason : str
        By which rule it was refused, why it was skipped, what an action did; of "invalid" and
        "error" what the first of the row said.
    first, last : int
        Close times, ms UTC.
    count : int
    """

    asked: Function
    outcome: Outcome
    reason: str
    first: int
    last: int
    count: int  # type: ignore[assignment]  # a tuple's own is not used

    @property
    def was_called(self) -> bool:
        """Whether the function was called."""
        return self.outcome != "skipped" or self.reason not in LEFT_OUT

    def joined(self, later: AskRow) -> AskRow:
        """Return one row of this and a later one."""
        first, last = min(self.first, later.first), max(self.last, later.last)
        return AskRow(*self[:3], first, last, self.count + later.count)
