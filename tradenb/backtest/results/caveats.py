"""What a user should know before trusting the figures of a backtest, in sentences."""

from __future__ import annotations

import dis
import inspect
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.candidate import ENTRY_REACHED
from tradenb.core.signal import Signal
from tradenb.core.timeframe import iso
from tradenb.engine.session.pump import Session
from tradenb.view.formatting import plural
from tradenb.view.gap_notes import coarse_note, gap_notes

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.core.signal import Trade
    from tradenb.engine.session.instance import Instance
    from tradenb.engine.specs.strategy_spec import StrategySpec
    from tradenb.view.event_frames import Coverages

_SMALL: Final = 0.1  # percent: less than the costs of most markets
# Whose code looks like one that returns nothing.
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def caveats(
    session: Session,
    trades: Sequence[Trade],
    *,
    open_count: int,
    asks_lost: int,
    troubled: Sequence[Event],
    coverage: Coverages,
    opened: Sequence[Signal] = (),
    cut: Sequence[float] = (),
    reached: int = 0,
) -> list[str]:
    """Return the sentences, the most important first."""
    found = []
    errors = [event.note for event in troubled if event.kind == "error"]
    if errors:
        times = plural(len(errors), "error")
        found.append(f"{times} in your functions, see result.events; the first: {errors[0]}")
    if open_count:
        found.append(
            f"{open_count} still open or scheduled at the end: in the equity, not in the trades; "
            "see result.open"
        )
    if session.timeouts:
        calls = plural(session.timeouts, "call")
        found.append(f"not reproducible: {calls} of your functions timed out; see result.events")
    if asks_lost:
        lost = plural(asks_lost, "call")
        found.append(
            f"{lost} found too little history (warm-up); pass a later start=, so that there is "
            "history before it"
        )
    if reached:
        found.append(
            f"{_entries(reached)} already reached and opened at the market price; for a breakout "
            "use breakout="
        )
    found += _small_trails(opened)
    sized = 0 if session.accounts else sum(trade.size is not None for trade in trades)
    if sized:
        found.append(
            f"size= of {plural(sized, 'trade')} changes no figure without account=tn.Account(...): "
            "each is a percent of what its position cost"
        )
    if cut:
        found.append(
            f"{_entries(len(cut))} cut to the money that was free, to {min(cut):.1%} of their size "
            "at the least; they count like the others in win rate, averages and profit factor"
        )
    candles = {each.state.symbol: each.candles for each in session.instances}
    found += [*gap_notes(candles, trades), *coarse_note(candles, trades)]
    found += _silent_indicators(coverage)
    found += _invalid_candidates(troubled)
    compounds = len(session.instances) > 1 and not session.accounts
    most = _most_at_once(session, trades) if compounds else 0
    if most > 1:
        found.append(
            f"up to {most} positions are open at once: equity compounds each at full size, as if "
            "it had the whole account"
        )
    return found


def ruined(at: int) -> str:
    """Say that nothing is left."""
    return (
        f"ruined at {iso(at)}: from then on equity is 0, and yearly and daily figures are N/A; "
        "the trades after it are those of a strategy that had more money"
    )


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


def was_reached(event: Event) -> bool:
    """Tell whether a limit entry was reached when it was decided: it was opened at once."""
    if event.kind != "opened" or not (event.note or "").endswith(ENTRY_REACHED):
        return False
    return isinstance(event.signal, Signal) and not event.signal.breakout


def _invalid_candidates(events: Sequence[Event]) -> list[str]:
    """Say that candidates broke the rules; a run where all do looks like one without signals."""
    notes = [event.note for event in events if event.exit_reason == "invalid"]
    if not notes:
        return []
    count = plural(len(notes), "candidate")
    refused = "was rejected by" if len(notes) == 1 else "were rejected, the first by"
    return [f"{count} broke the rules and {refused} {notes[0]}"]


def _entries(count: int) -> str:
    return "1 entry was" if count == 1 else f"{count:,} entries were"


def _small_trails(opened: Sequence[Signal]) -> list[str]:
    """Name distances in percent that look like fractions."""
    found = []
    for name in ("trail", "trail_after", "breakeven"):
        small = [each for signal in opened if 0 < (each := getattr(signal, name) or 0) < _SMALL]
        if small:
            first = small[0]
            found.append(
                f"{name}={first:g} of {plural(len(small), 'position')} means {first:g} %; for "
                f"{100 * first:g} % write {name}={100 * first:g}"
            )
    return found


def _silent_indicators(coverage: Coverages) -> list[str]:
    """Name the indicators that never had a value: a strategy that compares with NaN is silent."""
    return [
        f"indicator {item.name!r} ({item.timeframe}) of {strategy} has no value in the whole run "
        f"on {symbol} ({plural(item.candles, 'candle')}); give it more history (a later start=), "
        "or check what it computes"
        for (strategy, symbol), found in coverage.items()
        for item in found
        if not item.values
    ]


def _most_at_once(session: Session, trades: Sequence[Trade]) -> int:
    """Return how many positions were open at the same time, at most."""
    states = [instance.state for instance in session.instances]
    begun = [state.opened_at for state in states if state.opened_at is not None]
    begun = sorted(begun + [trade.opened_at for trade in trades])
    ended = sorted([trade.closed_at for trade in trades])
    # At one close what ends comes before what begins.
    return max((n - bisect_right(ended, at) for n, at in enumerate(begun, 1)), default=0)
