"""The machine's state and events as plain dicts, and back: what the store writes to disk.

Pure functions. The dicts hold int, float, str, bool, None, lists and dicts only, so JSON gives them
back exactly: a float is written with the digits that lead to the same double. What is read has been
checked by the store (`store.document.schema`). A field that a file does not have yet gets the
default of its record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, get_args, get_type_hints

from tradenb.core.columns import EVENT_COLUMNS, SIGNAL_COLUMNS
from tradenb.core.events import AskRow, Event
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.lifecycle.state import Command, Refusing, State
from tradenb.core.money.position_money import Charged, PositionMoney
from tradenb.core.orders.order_records import Execution
from tradenb.core.signal import Refused, Rungs, Signal, Trade
from tradenb.errors import StateError

Record = dict[str, Any]

_FLOATS: Final = frozenset(
    name
    for record in (Signal, Trade, Event, Holding, PositionMoney, Charged, Execution)
    for name, hint in get_type_hints(record).items()
    if float in (hint, *get_args(hint))
)
_NUMBERS: Final = {
    name: int if sort in ("int", "time", "whole") else float
    for name, sort in EVENT_COLUMNS.items()
    if sort not in ("text", "bool")
}
_COLUMN_OF: Final = {field: column for column, field in SIGNAL_COLUMNS.items()}


def to_record(state: State) -> Record:
    """Return a state as a plain dict.

    Returns
    -------
    dict
        An open signal is under "signal", a scheduled one under "scheduled".
    """
    held = None if state.signal is None else _plain(state.signal, "targets")
    later: Record = {} if state.earned == 0 else {"earned": state.earned}
    if state.charged != Charged():
        later["charged"] = state.charged._asdict()
    if state.execution is not None:
        later["execution"] = state.execution._asdict()
    if state.asks:
        later["asks"] = [row._asdict() for row in state.asks]
    return {
        "symbol": state.symbol,
        "strategy": state.strategy,
        "every": state.every,
        "cursor": state.cursor,
        "signal": held if state.is_open else None,
        "scheduled": None if state.is_open else held,
        "opened_at": state.opened_at,
        "holding": None if state.holding is None else _holding_record(state.holding),
        "milestones": {"gained": state.gained, "lost": state.lost},
        "warming": state.warming,
        "tested": state.tested,
        "refusing": None if state.refusing is None else state.refusing._asdict(),
        "stopping": state.stopping,
        "done": state.done,
        "commands": [_command_record(command) for command in state.commands],
        "ids": list(state.ids),
        "trades": [trade._asdict() for trade in state.trades],
        **later,
    }


def _command_record(command: Command) -> Record:
    record = asdict(command)
    # Written as it was before requests had a name, and persons managed positions.
    return {
        name: value
        for name, value in record.items()
        if value is not None or name not in ("request", "values")
    }


def from_record(record: Mapping[str, Any]) -> State:
    """Return the state of a dict that `to_record` made and the store has checked."""
    held = record["signal"] or record["scheduled"]
    holding, refusing = record.get("holding"), record.get("refusing")
    charged, execution = record.get("charged"), record.get("execution")
    return State(
        symbol=record["symbol"],
        strategy=record["strategy"],
        every=record["every"],
        cursor=record["cursor"],
        signal=None if held is None else _signal(held),
        opened_at=record["opened_at"],
        holding=None if holding is None else _holding(holding),
        gained=record["milestones"]["gained"],
        lost=record["milestones"]["lost"],
        warming=record["warming"],
        tested=record.get("tested", False),
        refusing=None if refusing is None else Refusing(**refusing),
        asks=tuple(AskRow(**row) for row in record.get("asks", ())),
        stopping=record["stopping"],
        done=record["done"],
        commands=tuple(Command(**command) for command in record["commands"]),
        ids=tuple(record["ids"]),
        trades=tuple(Trade(**_exact(trade)) for trade in record["trades"]),
        earned=float(record.get("earned", 0.0)),
        charged=Charged() if charged is None else Charged(**_exact(charged)),
        execution=None if execution is None else Execution(**_exact(execution)),
    )


def _plain(record: Signal | Holding, ladder: str) -> Record:
    """Return a record as a plain dict; of its ladder the lists that JSON gives back."""
    return record._asdict() | {ladder: [list(pair) for pair in getattr(record, ladder)]}


def _holding_record(holding: Holding) -> Record:
    found = _plain(holding, "rungs")
    return found | {"money": None if holding.money is None else holding.money._asdict()}


def _signal(record: Mapping[str, Any]) -> Signal:
    exact = _exact(record)
    return Signal(**exact | {"targets": _rungs(record.get("targets", ()))})


def _holding(record: Mapping[str, Any]) -> Holding:
    money = record.get("money")
    known = None if money is None else PositionMoney(**_exact(money))
    exact = _exact({name: own for name, own in record.items() if name != "money"})
    return Holding(**exact | {"rungs": _rungs(record["rungs"]), "money": known})


def _rungs(pairs: Iterable[Iterable[float]]) -> Rungs:
    return tuple((float(price), float(fraction)) for price, fraction in pairs)


def event_to_row(event: Event) -> Record:
    """Return an event as a plain dict with the columns of `EVENT_COLUMNS`."""
    row: Record = {}
    for name in EVENT_COLUMNS:
        field = SIGNAL_COLUMNS.get(name)
        if field is None:
            row[name] = getattr(event, name)
        else:
            row[name] = None if event.signal is None else getattr(event.signal, field)
    if event.quantity is not None:
        row["quantity"] = float(event.quantity)
    for name, kind in _NUMBERS.items():  # the numbers of strategies may be those of numpy
        if row[name] is not None:
            row[name] = kind(row[name])
    return row


def row_to_event(row: Mapping[str, Any]) -> Event:
    """Return the event of a row; it equals the one that was written in every column.

    Notes
    -----
    A signal's own note and the moment of its decision are no columns. The signal of the event
    returned has the event's note and moment instead.
    """
    row = _exact(row)
    own = {name: row[name] for name in Event._fields if name != "signal" and name in row}
    return Event(**own, signal=_signal_of_row(row))


def event_to_record(event: Event) -> Record:
    """Return an event with all of its signal; the rows of a journal have only the columns of it."""
    signal: Record | None = None
    if isinstance(event.signal, Signal):
        signal = _plain(event.signal, "targets")
    elif event.signal is not None:
        signal = {"id": event.signal.id, "position": event.signal.position}
    return event._asdict() | {"signal": signal}


def record_to_event(record: Mapping[str, Any]) -> Event:
    """Return the event of a record of `event_to_record`."""
    signal = record["signal"]
    found: Signal | Refused | None = None
    if signal is not None:
        found = _signal(signal) if "entry" in signal else Refused(**signal)
    return Event(**_exact(record) | {"signal": found})


def events_of(rows: Iterable[Mapping[str, Any]], where: object) -> list[Event]:
    """Return the events of the rows of a journal.

    Raises
    ------
    StateError
        When one of them is not an event; `where` says in which file.
    """
    found: list[Event] = []
    for row in rows:
        try:
            found.append(row_to_event(row))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            number = row.get("seq")
            raise StateError(
                f"{where}: row {number} is not an event ({type(error).__name__}: {error}); remove "
                "the line, or move the file away"
            ) from error
    return found


def _signal_of_row(row: Mapping[str, Any]) -> Signal | Refused | None:
    if row["signal_id"] is None:
        return None
    if row["entry"] is None:
        return Refused(id=row["signal_id"], position=row["position"])
    columns = {name: _COLUMN_OF.get(name, name) for name in Signal._fields}
    return Signal(**{name: row[column] for name, column in columns.items() if column in row})


def _exact(record: Mapping[str, Any]) -> Record:
    """Undo what other tools do to JSON: they write 100.0 as 100."""
    return {
        name: float(value) if name in _FLOATS and value is not None else value
        for name, value in record.items()
    }
