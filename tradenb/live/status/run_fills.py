"""The fills of a live run, from its journal: the same rows as those of a backtest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.fills import Fill, fills_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Time, Trade

NO_CANDLES: Final = 1 << 60
"""`Recording.read` since then: only what is not a candle."""


def run_fills(events: Iterable[Event], lived: Iterable[Any], rules: Rules) -> list[Fill]:
    """Return the fills of a run, each under the rules that the run had then.

    Parameters
    ----------
    lived : iterable
        Lines of its record; those that say with what it began are read.
    rules : Rules
        Where the record says nothing.
    """
    begun = [line for line in lived if isinstance(line, dict) and "begun" in line]
    in_force, given = _both(begun[0]) if begun else (rules, rules)

    def told() -> Iterator[Event]:
        nonlocal in_force, given
        for event in events:
            # A run that begins at a cursor acts on candles that close after it.
            while begun and begun[0]["begun"] < event.at:
                in_force, given = _both(begun.pop(0))
            yield event
            if event.kind in ("closed", "cancelled"):
                in_force = given

    return fills_of(told(), lambda at: in_force)  # noqa: ARG005 - those of the event told last


def trades_in_money(trades: Sequence[Trade], fills: Iterable[Fill]) -> list[Trade]:
    """Return trades with pieces, cost, pnl and fees, from their fills; without funding.

    A trade whose fills are not all known stays as it is.
    """
    waiting: dict[str, list[Fill]] = {}
    whole: dict[tuple[str, Time], list[Fill]] = {}
    for fill in fills:
        if fill.kind == "entry":
            waiting[fill.signal_id] = []
        if fill.signal_id in waiting:
            waiting[fill.signal_id].append(fill)
            if fill.kind == "exit":
                whole[fill.signal_id, fill.at] = waiting.pop(fill.signal_id)
    return [_in_money(trade, whole.get((trade.signal_id, trade.closed_at), ())) for trade in trades]


def _in_money(trade: Trade, fills: Sequence[Fill]) -> Trade:
    entries, exits, fees, bought = 0.0, 0.0, 0.0, 0.0
    for fill in fills:
        if fill.value is None or fill.quantity is None:
            return trade
        fees += fill.fee or 0.0
        if fill.kind in ("entry", "add"):
            entries, bought = entries + fill.value, bought + fill.quantity
        else:
            exits += fill.value
    if not fills:
        return trade
    gain = exits - entries if trade.position == "long" else entries - exits
    return trade._replace(quantity=bought, cost=entries, pnl=gain - fees, fees=fees)


def _both(line: dict[str, Any]) -> tuple[Rules, Rules]:
    """Return the rules with which a run began, and those that hold once it is flat."""
    in_force = Rules.model_validate(line["rules"])
    return in_force, Rules.model_validate(line["given"]) if "given" in line else in_force
