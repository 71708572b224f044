"""The columns of frames and of the journal, in their order, with the sort of each.

The names are listed here, the sorts follow from the annotations of the records.
`view.event_frames` gives each sort its dtype, and `store.document.schema` checks rows against the
same annotations.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from tradenb.core.events import Event
from tradenb.core.fills import Fill
from tradenb.core.signal import Trade


def _hints(record: type) -> dict[str, Any]:
    """Return the annotations of a record's fields and properties."""
    found = get_type_hints(record, include_extras=True)
    for name, item in vars(record).items():
        if isinstance(item, property) and item.fget is not None:
            found[name] = get_type_hints(item.fget, include_extras=True)["return"]
    return found


def _sort(hint: Any) -> str:
    """Return the sort of column that an annotation stands for."""
    plain = [kind for kind in get_args(hint) if kind is not type(None)]
    optional = len(plain) < len(get_args(hint))
    if optional:
        (hint,) = plain
    if get_origin(hint) is Annotated:
        return str(hint.__metadata__[0])
    if hint is int:
        return "whole" if optional else "int"
    return {float: "float", bool: "bool"}.get(hint, "text")


_EVENT: Final = _hints(Event)
_TRADE: Final = _hints(Trade)
_EVENT_NAMES: Final = (
    *("seq", "at", "wall", "mode", "symbol", "strategy", "kind", "signal_id", "position"),
    *("price", "entry", "take_profit", "stop_loss", "minutes", "size", "fraction", "exit_reason"),
    *("pnl_percent", "level", "late", "note"),
)
_TRADE_NAMES: Final = (
    *("signal_id", "symbol", "strategy", "position", "opened_at", "closed_at", "minutes_held"),
    *("entry", "exit", "take_profit", "stop_loss", "size", "exit_reason", "pnl_percent"),
    *("entries", "exits", "invested"),
    *("mae_percent", "mfe_percent", "r_multiple"),
    *("late", "note"),
)
# Measured on the candles once it is closed; the record of a trade does not have them.
_EXCURSION: Final = frozenset({"mae_percent", "mfe_percent", "r_multiple"})

EVENT_HINTS: Final[dict[str, Any]] = {name: _EVENT[name] for name in _EVENT_NAMES}
"""Columns of an event frame and of the journal, and their annotations."""
EVENT_COLUMNS: Final[dict[str, str]] = {name: _sort(_EVENT[name]) for name in _EVENT_NAMES}
"""Columns of an event frame and of the journal, and the sort of each."""
TRADE_COLUMNS: Final[dict[str, str]] = {
    name: "float" if name in _EXCURSION else _sort(_TRADE[name]) for name in _TRADE_NAMES
}
"""Columns of a trade frame, and the sort of each."""
SIGNAL_COLUMNS: Final[dict[str, str]] = {
    name: "id" if name == "signal_id" else name
    for name in _EVENT_NAMES
    if name not in Event._fields
}
"""The columns of an event that are its signal's, and the name of the field there."""
FILL_MONEY: Final = dict.fromkeys(("quantity", "value", "fee"), "float")
"""Columns that a frame of fills has with an account, behind the others."""
TRADE_MONEY: Final = dict.fromkeys(("quantity", "cost", "pnl", "fees"), "float")
"""Columns that a frame of trades has with an account, behind the others."""
FILL_COLUMNS: Final[dict[str, str]] = {
    name: _sort(hint)
    for name, hint in get_type_hints(Fill, include_extras=True).items()
    if name not in FILL_MONEY
}
"""Columns of a frame of fills, and the sort of each."""
REFUSAL_COLUMNS: Final[dict[str, str]] = {
    "symbol": "text",
    "strategy": "text",
    "exit_reason": "text",
    "name": "text",
    "first": "time",
    "last": "time",
    "count": "int",
}
"""Columns of a frame of refusals in a row, and the sort of each."""
ASK_COLUMNS: Final[dict[str, str]] = {
    "symbol": "text",
    "strategy": "text",
    "asked": "text",
    "outcome": "text",
    "reason": "text",
    "first": "time",
    "last": "time",
    "count": "int",
}
"""Columns of a frame of asks in a row, and the sort of each."""
COURSE_COLUMNS: Final[dict[str, str]] = {
    "trades": "int",
    "at": "time",
    "gained": "float",
    "low": "float",
    "high": "float",
    "inside": "bool",
}
"""Columns of a frame of a run beside its backtest, and the sort of each."""
OPEN_COLUMNS: Final[dict[str, str]] = {
    "symbol": "text",
    "strategy": "text",
    "signal_id": "text",
    "state": "text",
    "price": "float",
    "pnl_percent": "float",
}
"""Columns of the frame of what is still open or scheduled at the end of a run."""
