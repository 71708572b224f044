"""Fills and trades of a live run, from what it wrote: the same rows as those of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from tradenb.core.candles.arrays import Candles, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.events import Event
from tradenb.core.fills import Fill, filled, fills_of
from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.core.signal import Time, Trade
from tradenb.core.timeframe import MINUTE
from tradenb.core.trades import trades_of
from tradenb.statistics.closed_trades import Excursion
from tradenb.statistics.excursions import excursions_of

T = TypeVar("T")

NO_CANDLES: Final = 1 << 60
"""`Recording.read` since then: only what is not a candle."""


class Written(NamedTuple):
    """What a run wrote.

    Attributes
    ----------
    events : list of Event
        Those of its journal.
    lived : callable
        Reads its record; candles only from a moment on, ms UTC.
    rules : Rules
        Where the record says nothing.
    booked : sequence of Trade
        The newest, as the document has them: with the funding and the fees that were taken.
    in_money : bool
        Whether the run has an account.
    """

    events: list[Event]
    lived: Callable[[int], Iterable[Any]]
    rules: Rules
    booked: Sequence[Trade] = ()
    in_money: bool = False

    def fills(self) -> list[Fill]:
        """Return the fills, each under the rules that the run had then."""
        return run_fills(self.events, self.lived(NO_CANDLES), self.rules)

    def trades(self) -> tuple[list[Trade], list[Excursion]]:
        """Return the closed positions, and what each went through on the candles of the run.

        Where it did not write down the candle of an entry or an exit, that is not known.
        """
        trades = trades_of(self.events)
        if not trades:
            return [], []
        first = min(trade.opened_at for trade in trades)
        candles = _candles(self.lived(first - MINUTE), self.rules)
        went = _with_rules(
            self.events,
            self.lived(NO_CANDLES),
            self.rules,
            lambda events, rules: excursions_of(
                {} if candles is None else {trades[0].symbol: candles},
                filled(events, rules),
                trades,
            ),
        )
        return as_booked(trades_in_money(trades, self.fills()), self.booked), went


def run_fills(events: Iterable[Event], lived: Iterable[Any], rules: Rules) -> list[Fill]:
    """Return the fills of a run, each under the rules that the run had then.

    Parameters
    ----------
    lived : iterable
        Lines of its record; those that say with what it began are read.
    rules : Rules
        Where the record says nothing.
    """
    return _with_rules(events, lived, rules, fills_of)


def _with_rules(
    events: Iterable[Event],
    lived: Iterable[Any],
    rules: Rules,
    follow: Callable[[Iterable[Event], Callable[[int], Rules]], T],
) -> T:
    """Follow the positions of a run, each under the rules that the run had then."""
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

    return follow(told(), lambda at: in_force)  # noqa: ARG005 - those of the event told last


def _candles(lived: Iterable[Any], rules: Rules) -> Candles | None:
    """Return the candles of a record, each as it was seen first; None if there are none."""
    rows: dict[int, list[float]] = {}
    for line in lived:
        if isinstance(line, list):
            rows.setdefault(line[0], line[1:6])
    if not rows:
        return None
    times = sorted(rows)
    values = np.array([rows[at] for at in times], dtype=np.float64)
    columns = (np.ascontiguousarray(column) for column in values.T)
    found = Rows(np.array(times, dtype=np.int64), *columns)
    return with_gaps(found, MINUTE, rules.gap_minutes)[0]


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


def booked_by(state: State | None) -> Sequence[Trade]:
    """Return the closed positions as the run has booked them: with funding and fees taken."""
    return () if state is None else state.trades


def as_booked(trades: Sequence[Trade], booked: Iterable[Trade]) -> list[Trade]:
    """Return trades with the money that was booked for them, where that is known."""
    known = {(each.signal_id, each.closed_at): each for each in booked}
    return [known.get((each.signal_id, each.closed_at), each) for each in trades]


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
