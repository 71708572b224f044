"""The risk book, and rules that are ready to use.

A book belongs to one rule (by name) and is derived: from the signals that instances hold now and
the trades they closed. A rule is a function of the book and a candidate; it lets pass with None and
refuses with a non-empty string. Rules block entries, never exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, get_args

from tradenb.core.signal import ExitReason, Position, Signal, Trade
from tradenb.core.timeframe import DAY, MINUTE, iso
from tradenb.errors import SpecError


class Refusal(NamedTuple):
    """The reply of a risk rule, or of an account, that refuses: its name and its words."""

    name: str
    words: str
    exit_reason: Literal["risk", "funds"] = "risk"


class Held(NamedTuple):
    """A signal that is open, or scheduled (then `opened_at` is None)."""

    signal: Signal
    opened_at: int | None

    def __repr__(self) -> str:
        signal, phase = self.signal, "open" if self.is_open else "scheduled"
        target = "" if signal.take_profit is None else f", take_profit {signal.take_profit}"
        return (
            f"Held({signal.id!r}, {phase} {signal.position} {signal.symbol} by {signal.strategy}: "
            f"entry {signal.entry}, stop_loss {signal.stop_loss}{target})"
        )

    @property
    def is_open(self) -> bool:
        """Whether it is open, not scheduled."""
        return self.opened_at is not None

    @property
    def id(self) -> str:
        """The signal's id."""
        return self.signal.id

    @property
    def symbol(self) -> str:
        """Canonical symbol."""
        return self.signal.symbol

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self.signal.strategy

    @property
    def position(self) -> Position:
        """Long or short."""
        return self.signal.position

    @property
    def entry(self) -> float:
        """Limit price, or the price paid."""
        return self.signal.entry

    @property
    def size(self) -> float | None:
        """Quantity, as the strategy gave it."""
        return self.signal.size


class Earned(NamedTuple):
    """The plain sum of pnl_percent, and the highest it has been, percent points from 0 on."""

    total: float
    peak: float


NOTHING: Final = Earned(0.0, 0.0)


class Ledger:
    """The closed trades of one book in order of closing; made anew whenever one is added.

    They are those that the sequence has now: more may be added to its end. Those that closed until
    `since` (ms UTC) are no part of the drawdown.
    """

    def __init__(
        self, trades: Sequence[Trade] = (), earned: Earned | None = None, *, since: int = 0
    ) -> None:
        self._trades = trades
        self._count = len(trades)
        self._earned = earned
        self._since = since

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """The trades; most rules do not look at them, and to hold each of them takes long."""
        return tuple(self._trades[: self._count])

    @cached_property
    def drawdown(self) -> float:
        """Fall of the plain sum of pnl_percent below its peak, percent points, at least 0."""
        total, peak = self._earned or earned_by(self.trades, since=self._since)
        return peak - total


EMPTY: Final = Ledger()


def earned_by(trades: Iterable[Trade], before: Earned = NOTHING, *, since: int = 0) -> Earned:
    """Add trades up that closed after `since`, one by one, oldest first."""
    total, peak = before
    for trade in trades:
        if trade.closed_at > since:
            total += trade.pnl_percent
            peak = max(peak, total)
    return Earned(total, peak)


class RiskBook(NamedTuple):
    """What a risk rule sees.

    Attributes
    ----------
    now : int
        Close time of the current candle, ms UTC.
    signals : tuple of Held
        Open and scheduled signals of all instances that name the rule, without the one that asks.
    """

    now: int
    signals: tuple[Held, ...] = ()
    ledger: Ledger = EMPTY

    def __repr__(self) -> str:
        held = f"{self.open_count} open, {self.scheduled_count} scheduled"
        return f"RiskBook({iso(self.now)}: {held}, {len(self.trades)} closed)"

    @property
    def open_count(self) -> int:
        """How many signals are open."""
        return sum(held.is_open for held in self.signals)

    @property
    def scheduled_count(self) -> int:
        """How many signals wait for their entry."""
        return sum(not held.is_open for held in self.signals)

    @property
    def trades(self) -> tuple[Trade, ...]:
        """Closed trades in order of closing, the last 1,000 of each instance."""
        return self.ledger.trades


RiskFunction = Callable[[RiskBook, Signal], "str | None"]


def closing_key(place: float, trade: Trade) -> tuple[int, bool, float]:
    """Return what the closed trades of several instances are sorted by.

    Parameters
    ----------
    place : float
        The instance's place in the run.

    Notes
    -----
    At one close time, exits come before entries, and a position that was opened and stopped on one
    candle closes with the entries.
    """
    return trade.closed_at, trade.opened_at == trade.closed_at, place


def max_open(count: int) -> RiskFunction:
    """Refuse while `count` signals are open or scheduled."""
    if type(count) is not int or count < 1:
        raise SpecError(f"max_open must be a whole number of at least 1, was {count!r}")

    def rule(book: RiskBook, candidate: Signal) -> str | None:
        held = len(book.signals)
        if held < count:
            return None
        return f"{held} open or scheduled, at most {count}"

    return rule


CooldownReason = ExitReason | Literal["loss"]


def cooldown(
    minutes: float, after: CooldownReason | Iterable[CooldownReason] | None = None
) -> RiskFunction:
    """Refuse for some minutes after a trade closed (any, with a loss, or for some reasons)."""
    _positive("cooldown minutes", minutes)
    reasons = cooldown_reasons(after)
    span = minutes * MINUTE

    def rule(book: RiskBook, candidate: Signal) -> str | None:
        trade = cooled_by(book.trades, book.now, span, reasons)
        if trade is None:
            return None
        passed = (book.now - trade.closed_at) // MINUTE
        return (
            f"{passed} minutes since {trade.signal_id} closed by {trade.exit_reason}, "
            f"at least {minutes:g}"
        )

    return rule


def cooldown_reasons(after: object) -> tuple[CooldownReason, ...]:
    """Return the reasons that a cooldown looks at, each once, in the same order; none: any."""
    known = ("loss", *get_args(ExitReason))
    if after is None:
        return ()
    given: tuple[object, ...] = (after,)
    if isinstance(after, Iterable) and not isinstance(after, str):
        given = tuple(after)
    if not given or any(reason not in known for reason in given):
        raise SpecError(
            f"cooldown after must be {', '.join(known)}, a list of these or None, was {after!r}"
        )
    return tuple(reason for reason in known if reason in given)


def cooled_by(
    trades: Sequence[Trade], now: int, span: float, after: Sequence[str] = ()
) -> Trade | None:
    """Return the last trade that closed (any, lost or for a reason) under `span` ms ago."""
    for trade in reversed(trades):
        if now - trade.closed_at >= span:
            return None
        lost = trade.pnl_percent < 0
        if not after or trade.exit_reason in after or ("loss" in after and lost):
            return trade
    return None


def max_drawdown(percent: float) -> RiskFunction:
    """Refuse once the book has lost `percent` points from its peak; it stays so until a new run."""
    _positive("max_drawdown percent", percent)

    def rule(book: RiskBook, candidate: Signal) -> str | None:
        drawdown = book.ledger.drawdown
        if drawdown < percent:
            return None
        return (
            f"drawdown {drawdown:.2f} percent points, the limit is {percent:g}; "
            "it stays so in this run, a new run starts afresh"
        )

    return rule


def daily_loss(percent: float) -> RiskFunction:
    """Refuse while the trades closed since 00:00 UTC have lost `percent` points together."""
    _positive("daily_loss percent", percent)

    def rule(book: RiskBook, candidate: Signal) -> str | None:
        total = earned_today(book.trades, book.now)
        if total > -percent:
            return None
        return f"{total:.2f} percent points since 00:00 UTC, the limit is -{percent:g}"

    return rule


def earned_today(trades: Sequence[Trade], now: int) -> float:
    """Return the plain sum of pnl_percent of the trades closed since 00:00 UTC."""
    midnight = now - now % DAY
    today: list[Trade] = []
    for trade in reversed(trades):
        if trade.closed_at < midnight:
            break
        today.append(trade)
    total = 0.0
    for trade in reversed(today):
        total += trade.pnl_percent
    return total


def _positive(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise SpecError(f"{name} must be a finite number above 0, was {value!r}")
