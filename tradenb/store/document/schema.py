"""What a document says, as models: every field checked, all problems named at once.

The models of signals, trades, commands and events are in `core_records.py`. What several fields
must agree on is said by the functions `_..._problems`, a sentence each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from tradenb.core.lifecycle.state import REMEMBERED
from tradenb.core.timeframe import TIMEFRAMES
from tradenb.store.codec import USER_DIGITS, Damaged, SealedDict, SealedList, parse
from tradenb.store.document.core_records import (
    AskRecord,
    ChargedRecord,
    CommandRecord,
    EventRow,
    ExecutionRecord,
    HoldingRecord,
    RefusingRecord,
    SignalRecord,
    TradeRecord,
    side_problems,
)
from tradenb.store.document.field_types import (
    Close,
    Count,
    Id,
    LedgerFields,
    Level,
    Moment,
    Name,
    Plain,
    Price,
    RulesFields,
    sentence_of,
)

_SHOWN: Final = 12
_NO_STATE: Final = "{}"


def _held_problems(state: StateRecord) -> Iterator[str]:
    """Name what contradicts the signal that a state holds."""
    signal, scheduled = state.signal, state.scheduled
    held = signal or scheduled
    if signal is not None and scheduled is not None:
        yield f"one signal is open ({signal.id}) and another scheduled ({scheduled.id})"
    if state.holding is not None and state.opened_at is None:
        yield "holding belongs to an open position, and there is none"
    if (signal is None) != (state.opened_at is None):
        yield "opened_at must be given for an open signal, and only for one"
    if held is None:
        return
    if state.holding is None:
        yield from side_problems(held)
    if (held.symbol, held.strategy) != (state.symbol, state.strategy):
        yield f"the signal {held.id} belongs to {held.symbol}:{held.strategy}"
    if held.id not in state.ids:
        yield f"ids must contain the signal's id {held.id}"
    if held.at > (state.cursor if state.opened_at is None else state.opened_at):
        yield f"the signal {held.id} was decided at {held.at}, after its entry or the cursor"
    if state.done:
        yield f"the run is done, but holds the signal {held.id}"


def _course_problems(state: StateRecord) -> Iterator[str]:
    """Name what cannot have come to be: cursor, milestones, commands, stopping."""
    if state.every not in TIMEFRAMES.values():
        yield f"every must be the length of a timeframe, was {state.every}"
    if state.opened_at is not None and state.opened_at > state.cursor and not state.tested:
        yield f"cursor must not lie before opened_at {state.opened_at}, was {state.cursor}"
    if state.signal is None and (state.milestones.gained or state.milestones.lost):
        yield "milestones belong to an open signal, and there is none"
    if state.done and not state.stopping:
        yield "done without stopping"
    if any(a.at > b.at for a, b in zip(state.commands, state.commands[1:], strict=False)):
        yield "commands must be in the order of time"


def _trade_problems(state: StateRecord) -> Iterator[str]:
    """Name the trades that cannot be those of this state, in this order."""
    trades, own = cast("_Trades", state.trades), (state.symbol, state.strategy)
    if not trades.in_order or not trades.owners <= {own}:
        latest = 0
        for trade in trades:
            if not trade.opened_at <= trade.closed_at:
                yield f"the trade {trade.signal_id} closed before it opened"
            if (trade.symbol, trade.strategy) != own:
                yield f"the trade {trade.signal_id} belongs to {trade.symbol}:{trade.strategy}"
            if trade.closed_at < latest:
                yield f"the trade {trade.signal_id} closed before the one ahead of it"
            latest = trade.closed_at
    latest = trades[-1].closed_at if trades else 0
    # An idle state may be at rest before the asks of the candle on which its last trade closed.
    if latest > state.cursor and state.signal is not None and not state.tested:
        yield f"a trade closed at {latest}, after the cursor {state.cursor}"


def _body_problems(body: Body) -> Iterator[str]:
    """Name what in a document contradicts something else in it."""
    if (body.state.symbol, body.state.strategy) != (body.symbol, body.strategy):
        yield f"the state belongs to {body.state.symbol}:{body.state.strategy}"
    if body.state.cursor < body.start:
        yield f"cursor must not lie before start {body.start}, was {body.state.cursor}"
    if body.history_start is not None and body.history_start > body.start:
        yield f"history_start must not lie after start {body.start}, was {body.history_start}"
    if body.end is not None and body.end <= body.start:
        yield f"end must lie after start {body.start}, was {body.end}"
    seq = 0
    for row in body.outbox:
        if row.seq <= seq:
            yield f"outbox: seq must rise, was {row.seq} after {seq}"
        if (row.symbol, row.strategy) != (body.symbol, body.strategy):
            yield f"outbox: event {row.seq} belongs to {row.symbol}:{row.strategy}"
        seq = row.seq
    if seq > body.last_event_seq:
        yield f"last_event_seq must be at least {seq}, was {body.last_event_seq}"
    if body.user_state == _NO_STATE:
        return
    try:
        kept = body.user_state.encode("utf-8", "backslashreplace")
        if not isinstance(parse(kept, digits=USER_DIGITS), dict):
            yield "user_state must be a JSON object"
    except Damaged as error:
        yield f"user_state: {error}"


def _refusing(*checks: Callable[[Any], Iterable[str]]) -> Any:
    """Make the validator that refuses a record in which a check finds problems."""

    def refuse(record: Any) -> Any:
        found = [words for check in checks for words in check(record)]
        if found:
            raise ValueError("; ".join(found))
        return record

    return model_validator(mode="after")(refuse)


def _once(record: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Check what never changes when it is seen first: there may be 1,000 trades every minute."""
    if not isinstance(record, SealedDict | SealedList):
        return check(record)
    if record.checked is None:
        record.checked = check(record)
    return record.checked


class _Trades(list[TradeRecord]):
    """Trades, and what is looked at once in a list that does not change."""

    def __init__(self, trades: list[TradeRecord]) -> None:
        super().__init__(trades)
        self.owners = {(trade.symbol, trade.strategy) for trade in trades}
        closed = [trade.closed_at for trade in trades]
        self.in_order = closed == sorted(closed) and all(
            trade.opened_at <= trade.closed_at for trade in trades
        )


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
        list[Annotated[TradeRecord, WrapValidator(_once)]],
        Field(max_length=REMEMBERED),
        AfterValidator(_Trades),
        WrapValidator(_once),
    ]
    earned: float = 0.0
    charged: ChargedRecord | None = None
    execution: ExecutionRecord | None = None
    asks: list[AskRecord] = Field(default_factory=list)

    _agrees = _refusing(_held_problems, _course_problems, _trade_problems)


class AccountRecord(Plain):
    """What all runs that share an account agree on."""

    name: str
    cash: float
    leverage: float
    funding_percent: float


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
    rules : Rules or None
        Those in force: what is open keeps them; None in documents of before they were kept.
    ledger : dict or None
        The orders of a run with a broker.
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
    state: Annotated[StateRecord, WrapValidator(_once)]
    last_event_seq: Count
    outbox: list[EventRow]
    user_state: str
    taken: Annotated[list[str], Field(max_length=REMEMBERED)]
    saved_at: Moment
    price: Price | None = None
    end: Close | None = None
    reads: list[Name] = Field(default_factory=list)
    rules: Annotated[RulesFields, WrapValidator(_once)] | None = None
    money: AccountRecord | None = None
    ledger: LedgerFields | None = None

    _agrees = _refusing(_body_problems)


def problems_of(body: object) -> str:
    """Say everything that is wrong with the body of a document; nothing if it is good."""
    try:
        Body.model_validate(body)
    except ValidationError as error:
        found = [sentence_of(item) for item in error.errors(include_url=False)]
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return "; ".join(found[:_SHOWN]) + more
    return ""
