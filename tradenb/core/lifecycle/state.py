"""What one instance remembers, and its commands, needs and steps: the machine's records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from tradenb.core.events import AskRow, Event, event_of
from tradenb.core.lifecycle.holding import Holding, opened, waited
from tradenb.core.money.market import Market
from tradenb.core.money.position_money import Charged
from tradenb.core.orders.order_records import Execution
from tradenb.core.risk import Held, Refusal
from tradenb.core.signal import Signal, Time, Trade, quickly_replaced
from tradenb.core.timeframe import MINUTE, next_after
from tradenb.core.validation.terms import NOTE_LIMIT

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.rules import Rules

REMEMBERED: Final = 1_000
Item = TypeVar("Item")
CommandKind = Literal["cancel", "stop", "flatten", "close", "move"]
# What a person does to an open position as its manage function could: after the tests of a candle.
BY_HAND: Final[frozenset[str]] = frozenset({"close", "move"})


class Phase(IntEnum):
    """The order of things within one close time, over all instances of a run."""

    EXITS = 1
    ENTRIES = 2
    ASKS = 3


EXITS, ENTRIES, ASKS = Phase.EXITS, Phase.ENTRIES, Phase.ASKS


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the user to a run.

    Attributes
    ----------
    at : int
        When it was given, ms UTC; it acts on the first candle that closes after that.
    kind : {"cancel", "stop", "flatten", "close", "move", "report"}
        A report is what an exchange did with an order; it acts as what a user asks for.
    id : str or None
        Only for cancel: the signal meant; None means whatever is scheduled.
    cancel_id : str or None
        Comes back in the note of the cancelled event.
    request : str or None
        Id of the request that gave it, by which it can be withdrawn.
    values : mapping or None
        For close and move what `tn.close` and `tn.move` take, for a report what it says.
    """

    at: Time
    kind: CommandKind | Literal["report"]
    id: str | None = None
    cancel_id: str | None = None
    request: str | None = None
    values: Mapping[str, object] | None = None


class Refusing(NamedTuple):
    """A row of refusals of one instance for one reason; only the first of them is an event.

    Attributes
    ----------
    exit_reason, name : str
        "risk", and the name of the rule.
    first, last : int
        Close times, ms UTC.
    count : int
    """

    exit_reason: str
    name: str
    first: int
    last: int
    count: int  # type: ignore[assignment]  # a tuple's own is not used


@quickly_replaced
class State(NamedTuple):
    """All that one instance remembers.

    Attributes
    ----------
    symbol, strategy : str
    every : int
        Interval of the asks, ms.
    cursor : int
        Close time of the last candle that is done with, ms UTC.
    signal : Signal or None
        Scheduled or open; None while idle.
    opened_at : int or None
        Close time of the candle that opened the signal; None while it is scheduled.
    holding : Holding or None
        What the position is worth; None of one that is plain so far.
    gained, lost : int
        Highest milestones fired on the way to the target and to the stop, 0 to 100.
    warming : bool
        The last ask ended in `NotEnoughCandles`: the row of such asks is unbroken.
    stopping, done : bool
        A graceful stop was taken; it has come to its end.
    commands : tuple of Command
        Given and not done yet, in the order of time.
    ids : sequence of str
        Ids of the last 1,000 signals that were scheduled or opened.
    trades : sequence of Trade
        The last 1,000 closed trades.
    manage_every : int or None
        Interval at which the manage function is asked, ms; None: there is none.
    manage_waiting : bool
        It is asked about a scheduled signal, too.
    manage_from : int
        It says nothing about this position before, ms UTC.
    tested : bool
        The candle after the cursor was tested already; what is left of it are the asks. A state is
        at rest like this where a run was ended between the two.
    refusing : Refusing or None
        The row of refusals that the next one may belong to; the session keeps it.
    asks : tuple of AskRow
        What the asks of a live run came to, oldest first; see `AskRows.shortened`.
    earned : float
        What its positions changed the balance of their account by, without funding, quote
        currency.
    charged : Charged
        The funding of its positions; the session keeps it.
    market : Market or None
        The steps of the symbol; None: there are none.
    execution : Execution or None
        How far it is with an exchange; None: candles fill it (paper).
    """

    symbol: str
    strategy: str
    every: int
    cursor: int
    signal: Signal | None = None
    opened_at: int | None = None
    gained: int = 0
    lost: int = 0
    warming: bool = False
    stopping: bool = False
    done: bool = False
    commands: tuple[Command, ...] = ()
    ids: Sequence[str] = ()
    trades: Sequence[Trade] = ()
    holding: Holding | None = None
    manage_every: int | None = None
    manage_waiting: bool = False
    manage_from: int = 0
    tested: bool = False
    refusing: Refusing | None = None
    asks: tuple[AskRow, ...] = ()
    earned: float = 0.0
    charged: Charged = Charged()
    market: Market | None = None
    execution: Execution | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a position."""
        return self.opened_at is not None

    @property
    def is_scheduled(self) -> bool:
        """Whether its signal waits for the entry."""
        return self.signal is not None and self.opened_at is None

    @property
    def is_sending(self) -> bool:
        """Whether orders fill or close it now, and candles do nothing."""
        return self.execution is not None and self.execution.is_sending

    @property
    def held(self) -> Held | None:
        """What it holds, open or scheduled."""
        return None if self.signal is None else Held(self.signal, self.opened_at)

    def moved(self, cursor: int) -> State:
        """Return the same with another cursor, in a fifth of the time `_replace` takes."""
        fields = list(self)
        fields[_CURSOR], fields[_TESTED] = cursor, False
        return tuple.__new__(State, fields)


_CURSOR: Final = State._fields.index("cursor")
_TESTED: Final = State._fields.index("tested")


class NeedCandles(NamedTuple):
    """Everything up to the given moment is done; feed later candles."""


class NeedCandidate(NamedTuple):
    """Ask the strategy, as of `at`; `last` is the last close time it may be asked about now.

    With `managed` the manage function is asked, about what is open or scheduled.
    """

    at: int
    last: int
    managed: bool = False


class NeedClearance(NamedTuple):
    """Ask the risk rules for this signal, on the book without it.

    Attributes
    ----------
    activation : bool
        The entry of the signal, which was scheduled, is touched.
    managed : bool
        The manage function wants it; `rest` are its answers that are not done yet.
    """

    at: int
    signal: Signal
    activation: bool
    managed: bool = False
    rest: tuple[object, ...] = ()
    note: str | None = None


Need = NeedCandles | NeedCandidate | NeedClearance


class Passage(Sequence[Event]):
    """The milestones on the way of a position to its end, and the event of its end.

    Most events are milestones, and most runs never look at them: they are made when somebody does.

    Attributes
    ----------
    find_milestones : callable
        Makes them.
    closed : Event
    """

    def __init__(self, find_milestones: Callable[[], Sequence[Event]], closed: Event) -> None:
        self.find_milestones = find_milestones
        self.closed = closed

    @cached_property
    def _all(self) -> tuple[Event, ...]:
        return (*self.find_milestones(), self.closed)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: Any) -> Any:
        """Return one event; or a tuple of several."""
        return self._all[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return repr(self._all)


class Step(NamedTuple):
    """What happens next to an instance, and when.

    `need` is None where the session should call `advance` again. Milestones among the events may
    be earlier than `at`.
    """

    at: int
    phase: Phase
    state: State
    events: Sequence[Event]
    need: Need | None


class WarmUp:
    """The reply of an ask that found too little history."""


class NotAsked:
    """The reply to an ask that was left out, because its moment has passed; not an outcome."""


WARM_UP: Final = WarmUp()
NOT_ASKED: Final = NotAsked()
NEED_CANDLES: Final = NeedCandles()


def holding_of(state: State, signal: Signal, rules: Rules) -> Holding:
    """Return the record of the open position of a state; a plain one gets its first."""
    if state.holding is not None:
        return state.holding
    at = signal.at if state.opened_at is None else state.opened_at
    return opened(signal, rules, limit=waited(signal, at))


def idle_after(state: State, trades: Sequence[Trade]) -> State:
    """Return the state after a signal ended: it may be asked on the candle after the cursor."""
    return state._replace(
        signal=None,
        opened_at=None,
        gained=0,
        lost=0,
        done=state.stopping,
        trades=trades,
        holding=None,
        manage_from=0,
        tested=False,
        execution=None if state.execution is None else Execution(heard=state.execution.heard),
    )


def before(state: State, candles: Candles, row: int) -> State:
    """Return the state before the candle of a row after the cursor."""
    return state.moved(max(state.cursor, candles.ends_at(row - 1)))


def tested(state: State) -> State:
    """Return the state after the tests of the candle after the cursor, before the asks."""
    return state._replace(tested=True)


def acts_at(command: Command, first: int) -> int:
    """Return the close of the minute in which a command acts, at the earliest `first`."""
    return max(next_after(command.at, MINUTE), first)


def next_pause(state: State, candles: Candles, end: int) -> int | None:
    """Return the close at which the manage function is asked or a person acts next, at most `end`.

    Only of an open or a scheduled signal.
    """
    found, every = None, state.manage_every
    if every is not None and (state.manage_waiting or state.opened_at is not None):
        since = state.cursor
        if state.manage_from > since:
            since = max(since, candles.ends_at(candles.index(state.manage_from - 1)))
        found = candles.next_due(since, every)
    for command in state.commands:
        if command.kind in BY_HAND:
            row = candles.index(max(command.at, state.cursor)) + 1
            if row < len(candles):
                acting = candles.ends_at(row)
                found = acting if found is None else min(found, acting)
            break
    return None if found is None or found > end else found


def refused(state: State, at: int, signal: Signal, price: float, refusal: Refusal) -> Event:
    """Make the event of a signal that a risk rule or an account refused."""
    words = refusal.words
    if len(words) > NOTE_LIMIT:
        words = words[: NOTE_LIMIT - 3] + "..."
    note = f"{refusal.name} | {words}"
    reason = refusal.exit_reason
    return event_of(state, at, "rejected", signal, price=price, exit_reason=reason, note=note)


class Remembered(Sequence[Item]):
    """The last items of a list that only grows, which it shares with those that came before.

    It equals a sequence of the same items.
    """

    __slots__ = ("_items", "_start", "_stop")

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._stop = len(items)
        self._start = max(0, self._stop - REMEMBERED)

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items[self._start : self._stop])

    def __getitem__(self, place: Any) -> Any:
        """Return one item; or a tuple of several."""
        if isinstance(place, slice):
            return tuple(self)[place]
        found = place + (self._stop if place < 0 else self._start)
        if not self._start <= found < self._stop:
            raise IndexError(f"{place} of {len(self)}")
        return self._items[found]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Remembered, (list(self),)


def remember(items: Sequence[Item], item: Item) -> Remembered[Item]:
    """Add an item; the last 1,000 are kept."""
    known = items if isinstance(items, Remembered) else Remembered([*items])
    own = known._items
    if len(own) != known._stop or known._start > REMEMBERED:
        # Another one has gone on from here; or most of the list is forgotten.
        own = own[known._start : known._stop]
    own.append(item)
    return Remembered(own)


def forgets_since(trades: Sequence[Trade], at: int) -> bool:
    """Whether trades that closed after a moment can be forgotten: as many as fit came after it."""
    return len(trades) >= REMEMBERED and trades[0].closed_at > at
