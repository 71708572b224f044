"""Sessions over candles made by hand, and a driver that calls whatever they ask for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.sources import Row, candles, minute
from tradenb.core.candidate import Candidate, long, short
from tradenb.core.events import Event
from tradenb.core.lifecycle.commands import give
from tradenb.core.lifecycle.state import Command, State
from tradenb.core.rules import Rules
from tradenb.engine.call import Call, Pump
from tradenb.engine.context import Context
from tradenb.engine.history.windows import Histories
from tradenb.engine.session.instance import Instance, Numbering
from tradenb.engine.session.pump import Session
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec

Script = Mapping[int, Any]
"""Minute -> what is answered then; something callable is called with ctx."""


def buy(**changes: Any) -> Candidate:
    """A long at 100 with a wide target and stop."""
    made = long(take_profit=104.0, stop_loss=98.0, minutes=600)
    return made._replace(**changes)


def sell(**changes: Any) -> Candidate:
    """A short at 100 with a wide target and stop."""
    made = short(take_profit=96.0, stop_loss=102.0, minutes=600)
    return made._replace(**changes)


def scripted(script: Mapping[str, Script] | Script, log: list[Any] | None = None) -> Any:
    """A strategy that answers by a table, for all symbols or for each; asks go to the log."""

    def asked(ctx: Context) -> object:
        if log is not None:
            log.append(("ask", ctx.symbol, ctx.now))
        table: Any = script.get(ctx.symbol, script)  # type: ignore[call-overload]
        found = {minute(at): reply for at, reply in table.items()}.get(ctx.now)
        return found(ctx) if callable(found) else found

    return asked


def spec(
    name: str,
    function: Callable[[Any], Any],
    *,
    every: str = "1m",
    risk: Iterable[RiskSpec] = (),
    **callbacks: Callable[[Any], Any],
) -> StrategySpec:
    """A strategy that nobody registers; callbacks by the kind of event."""
    return StrategySpec(
        name=name, function=function, every=every, risk=tuple(risk), callbacks=callbacks
    )


def session(
    specs: StrategySpec | Sequence[StrategySpec],
    rows: Mapping[str, Sequence[Row]] | Sequence[Row],
    *,
    rules: Rules | None = None,
    mode: str = "backtest",
    start: int = 0,
    commands: Sequence[Command] = (),
    defer_callbacks: bool = False,
    **state: Any,
) -> Session:
    """A session of every strategy on every symbol, which has not begun."""
    rules = rules or Rules()
    several = [specs] if isinstance(specs, StrategySpec) else list(specs)
    by_symbol = rows if isinstance(rows, Mapping) else {"BTCUSDT": rows}
    grids = {symbol: candles(own) for symbol, own in by_symbol.items()}
    histories = Histories(grids.__getitem__)
    numbering, instances = Numbering(), []
    for own in several:
        for symbol, grid in grids.items():
            first = State(symbol, own.name, own.every_ms, minute(start), **state)
            first = functools.reduce(give, commands, first)
            made = functools.partial(Context, symbol, mode, rules, histories)
            place = len(instances)
            instances.append(
                Instance(own, first, grid, place, made, rules=rules, numbering=numbering)
            )
    return Session(instances, defer_callbacks=defer_callbacks)


def pumped(session: Session, until: int | None = None) -> Session:
    """Let everything happen, up to a minute or to the end of the candles."""
    end = max(instance.candles.end for instance in session.instances)
    drive(session.pump(end if until is None else minute(until)))
    return session


def drive(pump: Pump, fail: Callable[[Call], Exception | None] = lambda call: None) -> None:
    """Call what a pump asks for; `fail` may throw something in place of a call."""
    try:
        call = next(pump)
        while True:
            error, reply = fail(call), None
            try:
                reply = None if error else call.function(*call.args)
            except Exception as raised:
                error = raised
            call = pump.throw(error) if error else pump.send(reply)
    except StopIteration:
        return


def shown(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """(minute, kind, symbol, strategy) of each event."""
    return [
        ((event.at - minute(0)) // 60_000, event.kind, event.symbol, event.strategy)
        for event in events
    ]
