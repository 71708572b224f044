"""What a document says, as models: every field checked, all problems named at once.

The models of signals, trades, commands and events follow from the records of the core: their fields
and types are there, here is what a type cannot say. What several fields must agree on is said in
`agreement.py`.
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
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.lifecycle.state import REMEMBERED, Command, Refusing
from tradenb.core.signal import Signal, Trade
from tradenb.core.timeframe import MINUTE
from tradenb.store.codec import TradeDict
from tradenb.store.document.agreement import (
    body_problems,
    course_problems,
    held_problems,
    signal_problems,
    trade_problems,
)

LATEST: Final = 7_258_118_400_000  # the year 2200, ms
_SHOWN: Final = 12
_LONGEST: Final = 300

Name = Annotated[str, Field(min_length=1, max_length=300)]
Id = Annotated[str, Field(min_length=1)]
Moment = Annotated[int, Field(ge=0, lt=LATEST)]
Close = Annotated[int, Field(ge=0, lt=LATEST, multiple_of=MINUTE)]
Price = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Ladder = list[Annotated[list[float], Field(min_length=2, max_length=2)]]
Level = Annotated[int, Field(ge=0, le=100, multiple_of=10)]

# A field with a default came later: older files do not have it.
_LATER: Final = {
    **Signal._field_defaults,
    **Trade._field_defaults,
    **Holding._field_defaults,
    "fraction": None,
    "request": None,
    "values": None,
}


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
    *checks: Callable[[Any], Iterable[str]],
) -> Any:
    """Make the model of a record from its annotations; a bound takes the place of one."""
    make: Any = create_model  # what it makes is known at run time only
    validators = {"_agrees": _refusing(*checks)} if checks else {}
    fields = {
        field: (bounds.get(field, hint), _LATER.get(field, ...)) for field, hint in hints.items()
    }
    return make(name, __base__=Plain, __validators__=validators, **fields)


if TYPE_CHECKING:  # what passed its model has the fields of the record
    from tradenb.core.events import Event as EventRow
    from tradenb.core.lifecycle.holding import Holding as HoldingRecord
    from tradenb.core.lifecycle.state import Command as CommandRecord
    from tradenb.core.lifecycle.state import Refusing as RefusingRecord
    from tradenb.core.signal import Signal as SignalRecord
    from tradenb.core.signal import Trade as TradeRecord
else:
    signal_bounds = {"at": Close, "targets": Ladder, "until": Moment | None}
    SignalRecord = _model("SignalRecord", get_type_hints(Signal), signal_bounds, signal_problems)
    holding_bounds = {"rungs": Ladder, **dict.fromkeys(("invested", "cost", "paid"), Price)}
    HoldingRecord = _model("HoldingRecord", get_type_hints(Holding), holding_bounds)
    refusing_bounds = {"first": Close, "last": Close, "count": Count}
    RefusingRecord = _model("RefusingRecord", get_type_hints(Refusing), refusing_bounds)
    trade_bounds = {"signal_id": Id, "opened_at": Close, "closed_at": Close, "size": Price | None}
    trade_bounds |= dict.fromkeys(("entry", "exit", "stop_loss"), Price)
    trade_bounds |= {"take_profit": Price | None}
    TradeRecord = _model("TradeRecord", get_type_hints(Trade), trade_bounds)
    command_bounds = {"at": Moment, "values": dict[str, Any] | None}
    CommandRecord = _model("CommandRecord", get_type_hints(Command), command_bounds)
    event_bounds = {"seq": Annotated[int, Field(ge=1, lt=1 << 53)], "at": Moment}
    event_bounds |= {"wall": Moment | None, "mode": Literal["backtest", "live"]}
    EventRow = _model("EventRow", EVENT_HINTS, event_bounds)


def _once(record: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Check a trade when it is seen first: there may be 1,000 of them every minute."""
    if not isinstance(record, TradeDict):
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
    holding: HoldingRecord | None = None
    milestones: MilestonesRecord
    warming: bool
    tested: bool = False
    refusing: RefusingRecord | None = None
    stopping: bool
    done: bool
    commands: list[CommandRecord]
    ids: Annotated[list[Id], Field(max_length=REMEMBERED)]
    trades: Annotated[
        list[Annotated[TradeRecord, WrapValidator(_once)]], Field(max_length=REMEMBERED)
    ]

    _agrees = _refusing(held_problems, course_problems, trade_problems)


class Body(Plain):
    """All that one live run keeps.

    Attributes
    ----------
    revision : int
        Of the strategy that the run started with.
    order : int
        Place of the run in its group.
    risk : list of str
        Names of its risk rules.
    start : int
        Close time from which candles count, ms UTC.
    history_start : int or None
        Open time of the first candle of the history.
    outbox : list of EventRow
        Events not yet confirmed in the journal.
    user_state : str
        `ctx.state` as JSON.
    taken : list of str
        Ids of control requests that were obeyed; their files may still be there.
    saved_at : int
        Wall-clock time, ms UTC.
    price : float or None
        Market price at the cursor, for display.
    end : int or None
        Close time at which a rehearsal ends, ms UTC, for display; None for a live run.
    reads : list of str
        Symbols that the strategy reads beside its own.
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
    reads: list[Name] = []

    _agrees = _refusing(body_problems)


def problems_of(body: object) -> str:
    """Say everything that is wrong with the body of a document; nothing if it is good."""
    try:
        Body.model_validate(body)
    except ValidationError as error:
        found = [_sentence(item) for item in error.errors(include_url=False)]
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return "; ".join(found[:_SHOWN]) + more
    return ""


def _sentence(item: Any) -> str:
    where = ".".join(map(str, item["loc"]))
    words = item["msg"].removeprefix("Value error, ")
    if item["type"] != "value_error":
        words = f"{where or 'body'}: {words}, was {item['input']!r:.80}"
    elif where:
        words = f"{where}: {words}"
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
