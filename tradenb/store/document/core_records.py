"""The records of the core as models, whose fields and types are there.

Here is what a type cannot say: bounds, fields that older files do not have, and whether the signal
of a document breaks a rule for new signals. Without the distances: these belong to rules that may
have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

from pydantic import Field, create_model, model_validator

from tradenb.core.candidate import candidate_of
from tradenb.core.columns import EVENT_HINTS
from tradenb.core.events import AskRow, Event
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.lifecycle.state import Command, Refusing
from tradenb.core.money.position_money import Charged, PositionMoney
from tradenb.core.orders.order_records import Execution
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal, Trade
from tradenb.core.validation.candidate_rules import keeps_rules, problems
from tradenb.store.document.field_types import Close, Count, Id, Ladder, Moment, Plain, Price

__all__ = [
    "AskRecord",
    "ChargedRecord",
    "CommandRecord",
    "EventRow",
    "ExecutionRecord",
    "HoldingRecord",
    "RefusingRecord",
    "SignalRecord",
    "TradeRecord",
    "side_problems",
]

# A field with a default came later: older files do not have it.
_NO_VALUES: Final = {"request": None, "values": None}
_NO_PARTS: Final = {"fraction": None, "quantity": None}
# Of a signal of the core, and of the record of one: there a ladder is a list.
_NOTHING: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = tuple(
    (name, (value, [])) for name, value in Signal._field_defaults.items()
)
_ANY_DISTANCE: Final = Rules(
    slippage_percent=0.0,
    fee_percent=0.0,
    min_take_profit_percent=0.0,
    min_stop_loss_percent=0.0,
    max_stop_loss_percent=1e300,
    max_signal_minutes=None,
)
# With the market price at the entry the sides are tested on it; once is enough. A position is not
# given up for a long note, and a note has some words more where the entry was reached at once.
_NOT_ASKED: Final = frozenset({"market_price_outside", "id_length", "note_length"})

# Stops and targets of a position may be moved to either side of its entry.
_SIDES: Final = frozenset({"stop_loss_side", "take_profit_side"})


def signal_problems(signal: Signal) -> list[str]:
    """Name the rules for new signals that this one breaks."""
    if _is_usual(signal):
        return []
    candidate = candidate_of(signal)
    found = problems(candidate, price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name not in _NOT_ASKED | _SIDES]


def side_problems(signal: Signal) -> list[str]:
    """Name the sides of the entry on which the levels of a signal must not be.

    Only where nothing has moved them: of a position that has no record of its own.
    """
    if _is_usual(signal):
        return []
    found = problems(candidate_of(signal), price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name in _SIDES]


def _is_usual(signal: Signal) -> bool:
    """Tell at once of a signal with four numbers and nothing else that it breaks no rule."""
    target, stop, minutes = signal.take_profit, signal.stop_loss, signal.minutes
    if target is None or minutes is None or signal.size is not None or not signal.id.isascii():
        return False
    if any(getattr(signal, name) not in nothing for name, nothing in _NOTHING):
        return False
    return keeps_rules(signal.position, target, stop, minutes, signal.entry, _ANY_DISTANCE)


def _keeping_rules(signal: Any) -> Any:
    if found := signal_problems(signal):
        raise ValueError("; ".join(found))
    return signal


def _model(
    name: str,
    hints: Mapping[str, Any],
    bounds: Mapping[str, Any],
    *,
    later: Mapping[str, Any] = MappingProxyType({}),
    validators: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Make the model of a record from its annotations; a bound takes the place of one.

    Parameters
    ----------
    later : mapping of str to object
        Fields that older files do not have, and their values there.
    """
    make: Any = create_model  # what it makes is known at run time only
    fields = {
        field: (bounds.get(field, hint), later.get(field, ...)) for field, hint in hints.items()
    }
    return make(name, __base__=Plain, __validators__=dict(validators), **fields)


if TYPE_CHECKING:  # what passed its model has the fields of the record
    from tradenb.core.events import AskRow as AskRecord
    from tradenb.core.events import Event as EventRow
    from tradenb.core.lifecycle.holding import Holding as HoldingRecord
    from tradenb.core.lifecycle.state import Command as CommandRecord
    from tradenb.core.lifecycle.state import Refusing as RefusingRecord
    from tradenb.core.money.position_money import Charged as ChargedRecord
    from tradenb.core.orders.order_records import Execution as ExecutionRecord
    from tradenb.core.signal import Signal as SignalRecord
    from tradenb.core.signal import Trade as TradeRecord
else:
    signal_bounds = {"at": Close, "targets": Ladder, "until": Moment | None}
    SignalRecord = _model(
        "SignalRecord",
        get_type_hints(Signal),
        signal_bounds,
        later=Signal._field_defaults,
        validators={"_agrees": model_validator(mode="after")(_keeping_rules)},
    )
    MoneyRecord = _model("MoneyRecord", get_type_hints(PositionMoney), {})
    ChargedRecord = _model("ChargedRecord", get_type_hints(Charged), {"until": Close})
    holding_bounds = {"rungs": Ladder, **dict.fromkeys(("invested", "cost", "paid"), Price)}
    holding_bounds["money"] = MoneyRecord | None
    HoldingRecord = _model(
        "HoldingRecord", get_type_hints(Holding), holding_bounds, later=Holding._field_defaults
    )
    ExecutionRecord = _model(
        "ExecutionRecord", get_type_hints(Execution), {"heard": Count, "since": Close}
    )
    row_bounds = {"first": Close, "last": Close, "count": Count}
    RefusingRecord = _model("RefusingRecord", get_type_hints(Refusing), row_bounds)
    AskRecord = _model("AskRecord", get_type_hints(AskRow), row_bounds)
    trade_bounds = {"signal_id": Id, "opened_at": Close, "closed_at": Close, "size": Price | None}
    trade_bounds |= dict.fromkeys(("entry", "exit", "stop_loss"), Price)
    trade_bounds |= {"take_profit": Price | None}
    TradeRecord = _model(
        "TradeRecord", get_type_hints(Trade), trade_bounds, later=Trade._field_defaults
    )
    command_bounds = {"at": Moment, "values": dict[str, Any] | None}
    CommandRecord = _model(
        "CommandRecord", get_type_hints(Command), command_bounds, later=_NO_VALUES
    )
    event_bounds = {"seq": Annotated[int, Field(ge=1, lt=1 << 53)], "at": Moment}
    event_bounds |= {"wall": Moment | None, "mode": Literal["backtest", "live"]}
    event_hints = EVENT_HINTS | {"quantity": get_type_hints(Event)["quantity"]}
    EventRow = _model("EventRow", event_hints, event_bounds, later=_NO_PARTS)
