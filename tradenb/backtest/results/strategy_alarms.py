"""Which strategies of a backtest have figures that mean nothing, and why, in sentences."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from tradenb.engine.session.pump import Session
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.engine.session.instance import Instance
    from tradenb.engine.specs.strategy_spec import StrategySpec

# Whose code looks like one that returns nothing.
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def alarms(
    session: Session,
    find_events: Callable[[], Sequence[Event]],
    start: int,
    refused: Collection[str] = (),
) -> list[str]:
    """Name the strategies whose figures mean nothing, and say why.

    These are strategies that proposed nothing that could be entered or paid, and those of which a
    function failed at every second ask or more.

    Parameters
    ----------
    find_events : callable
        Returns the events of the run; they are looked at where there are neither trades nor
        positions.
    start : int
        Start of the period, ms UTC.
    refused : collection of str
        Names of strategies that proposed what was refused, as far as known without the events.
    """
    specs = {item.spec.name: item.spec for item in session.instances}
    proposed = {*refused, *(trade.strategy for trade in session.trades)}
    proposed |= {item.spec.name for item in session.instances if item.state.signal is not None}
    events = find_events() if proposed < specs.keys() else ()
    proposed |= {
        event.strategy
        for event in events
        if event.signal is not None and event.exit_reason not in {"invalid", "funds"}
    }
    found = []
    for name, spec in specs.items():
        own = [item for item in session.instances if item.spec.name == name]
        if name in proposed:
            found += _failing(name, own)
            continue
        asks = sum(len(item.candles.dues(start, item.candles.end, spec.every_ms)) for item in own)
        said = [each for each in events if each.strategy == name]
        found.append(_silence(spec, asks, sum(item.asks.lost for item in own), said))
    return found


def _failing(name: str, instances: Sequence[Instance]) -> list[str]:
    """Name the functions of a strategy that failed at every second ask or more."""
    rows = [row for item in instances for row in item.asks.rows if row.outcome != "skipped"]
    found: list[str] = []
    if not any(row.outcome == "error" for row in rows):
        return found
    for asked, what in (("entry", "strategy"), ("manage", "manage function of")):
        own = [row for row in rows if row.asked == asked]
        errors = [row for row in own if row.outcome == "error"]
        times, count = sum(row.count for row in own), sum(row.count for row in errors)
        if errors and 2 * count >= times:
            first = min(errors, key=lambda row: row.first).reason
            found.append(
                f"{what} {name!r} failed at {count:,} of its {plural(times, 'ask')}, each of which "
                f"counts as no answer; the first: {first}"
            )
    return found


def _silence(spec: StrategySpec, asks: int, lost: int, events: Sequence[Event]) -> str:
    name, times = f"strategy {spec.name!r}", plural(asks, "ask")
    errors = [event.note for event in events if event.kind == "error"]
    invalid = [event.note for event in events if event.exit_reason == "invalid"]
    if invalid:
        count = plural(len(invalid), "candidate")
        return f"{name} broke a rule with each of its {count}; the first: {invalid[0]}"
    unpaid = [event.note for event in events if event.exit_reason == "funds"]
    if unpaid:
        return (
            f"{name} had no money for anything that it proposed; the first: {unpaid[0]}; "
            "size= is in pieces, quote= of the account in money"
        )
    if not asks:
        return f"{name} was never asked: no candle of {spec.every} closes in the period"
    if lost + len(errors) >= asks:
        if not errors:
            return f"{name} found too little history at each of its {times}; pass a later start="
        return f"{name} failed at each of its {times}; the first: {errors[0]}"
    if not spec.vectorised and _never_returns(spec.function):
        return (
            f"{name} has no return with a value, so each of its {times} was answered with None; "
            "write: return tn.long(...)"
        )
    return f"{name} never proposed anything in {times}"


def _never_returns(function: object) -> bool:
    """Tell whether a function of Python returns None wherever it ends."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None or code.co_flags & _GENERATES:
        return False
    before: dis.Instruction | None = None
    for each in dis.get_instructions(code):
        if each.opname == "RETURN_CONST" and each.argval is not None:
            return False
        if each.opname == "RETURN_VALUE":
            known = before is not None and before.opname == "LOAD_CONST"
            if each.is_jump_target or not known or (before and before.argval is not None):
                return False
        before = each
    return True
