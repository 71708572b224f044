"""What a document says, as models: every field checked, all problems named at once.

The state record is the plain form of the machine's state (`engine.serialise`). What no type
can say is in `invariants.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from tradenb.core.events import Kind
from tradenb.core.signal import ExitReason, Position
from tradenb.core.timeframe import MINUTE
from tradenb.store.document import invariants as sense
from tradenb.store.document.trade_cache import Sealed

REMEMBERED: Final = 1_000
LATEST: Final = 7_258_118_400_000  # the year 2200, ms

Name = Annotated[str, Field(min_length=1, max_length=300)]
Moment = Annotated[int, Field(ge=0, lt=LATEST)]
Close = Annotated[int, Field(ge=0, lt=LATEST, multiple_of=MINUTE)]
Price = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Level = Annotated[int, Field(ge=0, le=100, multiple_of=10)]


class Plain(BaseModel):
    """Exactly these fields, of exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SignalRecord(Plain):
    """A signal that is scheduled or open."""

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
    at: Close

    @model_validator(mode="after")
    def _as_if_new(self) -> SignalRecord:
        _refuse(sense.signal_problems(self))
        return self


class TradeRecord(Plain):
    """A closed position."""

    signal_id: Annotated[str, Field(min_length=1)]
    symbol: str
    strategy: str
    position: Position
    opened_at: Close
    closed_at: Close
    entry: Price
    exit: Price
    take_profit: Price
    stop_loss: Price
    size: Price | None
    exit_reason: ExitReason
    pnl_percent: float
    late: bool
    note: str | None


def _once(record: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Check a sealed record when it is seen first."""
    if not isinstance(record, Sealed):
        return check(record)
    if record.checked is None:
        record.checked = check(record)
    return record.checked


class CommandRecord(Plain):
    """A command that has not acted yet."""

    at: Moment
    kind: Literal["cancel", "stop", "flatten"]
    id: str | None
    cancel_id: str | None


class MilestonesRecord(Plain):
    """The highest levels fired on the way to the target and to the stop."""

    gained: Level
    lost: Level


class StateRecord(Plain):
    """The machine's state."""

    symbol: Name
    strategy: Name
    every: int
    cursor: Close
    signal: SignalRecord | None
    scheduled: SignalRecord | None
    opened_at: Close | None
    milestones: MilestonesRecord
    warming: bool
    stopping: bool
    done: bool
    commands: list[CommandRecord]
    ids: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=REMEMBERED)]
    trades: Annotated[
        list[Annotated[TradeRecord, WrapValidator(_once)]], Field(max_length=REMEMBERED)
    ]

    @model_validator(mode="after")
    def _makes_sense(self) -> StateRecord:
        _refuse(sense.state_problems(self))
        return self


class EventRow(Plain):
    """An event: the columns of the journal."""

    seq: Annotated[int, Field(ge=1, lt=1 << 53)]
    at: Moment
    wall: Moment | None
    mode: Literal["backtest", "live"]
    symbol: str
    strategy: str
    kind: Kind
    signal_id: str | None
    position: Position | None
    price: float | None
    entry: float | None
    take_profit: float | None
    stop_loss: float | None
    minutes: int | None
    size: float | None
    exit_reason: str | None
    pnl_percent: float | None
    level: int | None
    late: bool
    note: str | None


class Body(Plain):
    """All that one live run keeps.

    Attributes
    ----------
    account, exchange, symbol, strategy : str
    revision : int
        Of the strategy that the run started with.
    order : int
        Place of the run in its group.
    risk : list of str
        Names of the rules that are asked; other runs that name them share the book.
    start : int
        Close time from which candles count, ms UTC.
    history_start : int or None
        Open time of the first candle of the history.
    state : StateRecord
    last_event_seq : int
    outbox : list of EventRow
        Events not yet confirmed in the journal.
    user_state : str
        `ctx.state` as JSON.
    taken : list of str
        Ids of control requests that were obeyed; their files may still be there.
    saved_at : int
        Wall-clock time, ms UTC.
    price : float or None
        Market price at the cursor: for those who look on, nothing is decided by it.
    end : int or None
        Close time at which a rehearsal ends, ms UTC; None for a live run. For those who look on, as
        well: a start brings its own.
    """

    account: str
    exchange: str
    symbol: Name
    strategy: Name
    revision: Count
    order: Count
    risk: list[str]
    start: Close
    history_start: Moment | None
    state: StateRecord
    last_event_seq: Count
    outbox: list[EventRow]
    user_state: str
    taken: Annotated[list[str], Field(max_length=REMEMBERED)]
    saved_at: Moment
    price: Price | None = None
    end: Close | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Body:
        _refuse(sense.body_problems(self))
        return self


def body_problems(body: object) -> list[str]:
    """Name everything that is wrong with the body of a document, a sentence each."""
    try:
        Body.model_validate(body)
    except ValidationError as error:
        return [_sentence(item) for item in error.errors(include_url=False)]
    return []


def _sentence(item: Any) -> str:
    where = ".".join(map(str, item["loc"]))
    words = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{where}: {words}" if where else words
    return f"{where or 'body'}: {words}, was {item['input']!r:.80}"


def _refuse(found: Iterable[str]) -> None:
    sentences = list(found)
    if sentences:
        raise ValueError("; ".join(sentences))
