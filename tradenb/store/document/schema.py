"""What a document says, as models: every field checked, all problems named at once.

The models of signals, trades, commands and events follow from the records of the core: their fields
and types are there, `_BOUNDS` has what a type cannot say about one field. What several fields must
agree on is in `invariants.py`. A field of a record that has a default may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_validator,
)

from tradenb.core.columns import EVENT_HINTS
from tradenb.core.lifecycle.state import REMEMBERED, Command
from tradenb.core.signal import Signal, Trade
from tradenb.core.timeframe import MINUTE
from tradenb.store.document import invariants
from tradenb.store.document.trade_cache import Sealed

LATEST: Final = 7_258_118_400_000  # the year 2200, ms

Name = Annotated[str, Field(min_length=1, max_length=300)]
Id = Annotated[str, Field(min_length=1)]
Moment = Annotated[int, Field(ge=0, lt=LATEST)]
Close = Annotated[int, Field(ge=0, lt=LATEST, multiple_of=MINUTE)]
Price = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Level = Annotated[int, Field(ge=0, le=100, multiple_of=10)]


class Plain(BaseModel):
    """Exactly these fields, of exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _refusing(*checks: Callable[[Any], Iterable[str]]) -> Any:
    """Make the validator that refuses a record in which a check finds problems."""

    def refuse(record: Any) -> Any:
        found = [words for check in checks for words in check(record)]
        if found:
            raise ValueError("; ".join(found))
        return record

    return model_validator(mode="after")(refuse)


def _model(
    name: str,
    hints: Mapping[str, Any],
    bounds: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *checks: Callable[[Any], Iterable[str]],
) -> Any:
    """Make the model of a record from its annotations; a bound takes the place of one."""
    fields = {
        field: (bounds.get(field, hint), defaults.get(field, ...)) for field, hint in hints.items()
    }
    validators = {"_agrees": _refusing(*checks)} if checks else {}
    make: Any = create_model  # what it makes is known at run time only
    return make(name, __base__=Plain, __validators__=validators, **fields)


if TYPE_CHECKING:  # what passed its model has the fields of the record
    from tradenb.core.events import Event as EventRow
    from tradenb.core.lifecycle.state import Command as CommandRecord
    from tradenb.core.signal import Signal as SignalRecord
    from tradenb.core.signal import Trade as TradeRecord
else:
    SignalRecord = _model(
        "SignalRecord",
        get_type_hints(Signal),
        {"at": Close},
        Signal._field_defaults,
        invariants.signal_problems,
    )
    TradeRecord = _model(
        "TradeRecord",
        get_type_hints(Trade),
        {
            "signal_id": Id,
            "opened_at": Close,
            "closed_at": Close,
            "size": Price | None,
            **dict.fromkeys(("entry", "exit", "take_profit", "stop_loss"), Price),
        },
        Trade._field_defaults,
    )
    CommandRecord = _model("CommandRecord", get_type_hints(Command), {"at": Moment}, {})
    EventRow = _model(
        "EventRow",
        EVENT_HINTS,
        {
            "seq": Annotated[int, Field(ge=1, lt=1 << 53)],
            "at": Moment,
            "wall": Moment | None,
            "mode": Literal["backtest", "live"],
        },
        Signal._field_defaults,
    )


def _once(record: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Check a trade when it is seen first: there may be 1,000 of them every minute."""
    if not isinstance(record, Sealed):
        return check(record)
    if record.checked is None:
        record.checked = check(record)
    return record.checked


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
    ids: Annotated[list[Id], Field(max_length=REMEMBERED)]
    trades: Annotated[
        list[Annotated[TradeRecord, WrapValidator(_once)]], Field(max_length=REMEMBERED)
    ]

    _agrees = _refusing(
        invariants.held_problems, invariants.course_problems, invariants.trade_problems
    )


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

    _agrees = _refusing(invariants.body_problems)


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
