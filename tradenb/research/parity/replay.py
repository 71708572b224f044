"""What a live run went through, taken from its journal, and backtests that go through it again.

Each circumstance of the live run (its candles, its windows, asks that came too late, errors, what
the user did, what risk refused) can be given or left out, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.backtest.assembly import Work
from tradenb.backtest.job import Job
from tradenb.backtest.plan import make_plan
from tradenb.backtest.trial import Market
from tradenb.bus import Bus
from tradenb.core.candles.arrays import NAMES, Candles, candles_of
from tradenb.core.events import Event
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.trades import trades_of
from tradenb.engine.call import Pump
from tradenb.engine.history.indicators import ClosedCandles
from tradenb.engine.history.windows import Histories
from tradenb.engine.session.pump import Session
from tradenb.engine.specs.strategy_spec import RiskSpec, StrategySpec, is_async
from tradenb.research.parity.evidence import View


class Lived(NamedTuple):
    """A trade as far as it can be compared; open ones have neither exit nor reason."""

    position: str
    opened_at: int
    entry: float
    closed_at: int | None
    exit: float | None
    exit_reason: str | None
    pnl_percent: float | None


@dataclass(frozen=True)
class Circumstances:
    """Under which a period is gone through again.

    Attributes
    ----------
    spec : StrategySpec
    views : tuple of View
        The candles, as they were seen from each moment on.
    windowed : bool
        Indicators with a window see their window only, as in a live run.
    muted : frozenset of int
        Close times at which the strategy is taken to have answered nothing.
    commands : tuple of dict
        What the user did.
    refusals : frozenset of (int, str) or None
        When risk refused which signal; None: ask the rules themselves.
    """

    spec: StrategySpec
    views: tuple[View, ...]
    windowed: bool
    muted: frozenset[int]
    commands: tuple[dict[str, Any], ...]
    refusals: frozenset[tuple[int, str]] | None


def lived_trades(events: Iterable[Event]) -> list[Lived]:
    """Return the trades of a journal, in order of opening."""
    events = list(events)
    found = [
        Lived(trade.position, trade.opened_at, trade.entry, trade.closed_at, trade.exit,
              trade.exit_reason, trade.pnl_percent)
        for trade in trades_of(events)
    ]  # fmt: skip
    ended = {event.signal_id for event in events if event.kind == "closed"}
    found += [
        Lived(event.signal.position, event.at, event.signal.entry, None, None, None, None)
        for event in events
        if event.kind == "opened" and isinstance(event.signal, Signal)
        if event.signal_id not in ended
    ]
    return sorted(found, key=_opening)


def late_exits(events: Iterable[Event]) -> set[int]:
    """Return the close times of exits that came late."""
    return {event.at for event in events if event.kind == "closed" and event.late}


def busy_asks(events: Iterable[Event], every: int) -> frozenset[int]:
    """Return the moments of asks that were left out because the strategy had not come back."""
    found: set[int] = set()
    for event in events:
        if event.kind == "skipped" and event.exit_reason == "busy":
            count = int((event.note or "1").split(" ", 1)[0].replace(",", ""))
            found.update(range(event.at, event.at + count * every, every))
    return frozenset(found)


def failed_asks(events: Iterable[Event], strategy: str) -> frozenset[int]:
    """Return the moments at which the strategy raised or took too long."""
    what = f"strategy {strategy}:"
    return frozenset(
        event.at
        for event in events
        if event.kind == "error" and (event.note or "").startswith(what)
    )


def refused_by_risk(events: Iterable[Event]) -> frozenset[tuple[int, str]]:
    """Return when risk refused which signal: one can go and another come on the same candle."""
    return frozenset(
        (event.at, event.signal.id)
        for event in events
        if event.exit_reason == "risk" and isinstance(event.signal, Signal)
    )


def gone_through(
    given: Circumstances, symbol: str, start: int, end: int, rules: Rules
) -> list[Lived]:
    """Run the period again and return its trades, in order of opening."""
    spec = _muted(given.spec, given.muted)
    if given.refusals is not None:
        refuses = given.refusals

        def scripted(book: Any, candidate: Any) -> str | None:
            return "as in the live run" if (book.now, candidate.id) in refuses else None

        rule = RiskSpec(name="as lived", function=scripted)
        spec = spec.model_copy(update={"risk": (rule,)})
    market = Market("lived", {symbol: given.views[0].candles})
    plan = make_plan(symbol, spec, market, start, end, rules, given.commands)
    work = _Again(plan, Bus(), given)
    job = Job(plan, work)
    job.supervise()
    job.raise_if_failed()
    return lived_trades(work.events)


class _Again(Work):
    """A backtest whose candles change when the run was started anew, as they did for it."""

    def __init__(self, plan: Any, bus: Bus, given: Circumstances) -> None:
        super().__init__(plan, bus)
        self._given = given
        self._seen: Histories | None = None

    def pump(self) -> Pump:
        """Let everything happen, from one start of the run to the next."""
        (symbol,) = self.plan.symbols
        self._load(symbol)
        end, views = self.end, self._given.views
        session = self.session = self._session()
        for view, until in zip(views, (*(later.since for later in views[1:]), end), strict=True):
            self._see(session, symbol, view.candles)
            self.spans[symbol].end = until
            if not self._given.windowed:
                yield from self._prepare(session)
            yield from session.pump(until)
        self.events = session.events

    def _see(self, session: Session, symbol: str, candles: Candles) -> None:
        if self._seen is not None:
            self._seen.of(symbol).renew(candles)
        for instance in session.instances:
            instance.candles = candles

    def _histories(self) -> Histories:
        self._seen = super()._histories()
        return self._seen

    def _closed(self, histories: Histories, symbol: str) -> ClosedCandles:
        return ClosedCandles(histories, symbol, windowed=self._given.windowed)


def _muted(spec: StrategySpec, moments: frozenset[int]) -> StrategySpec:
    """Return a strategy that answers nothing at some moments, and has no callbacks."""
    function = spec.function
    quiet: Callable[..., Any]
    if spec.vectorised:

        def quiet(df: Any) -> Any:
            found = dict(function(df))
            at = df.index.as_unit("ms").asi8 + spec.every_ms
            silent = np.isin(at, list(moments))
            position = np.array(np.broadcast_to(found["position"], len(df)), dtype=object)
            position[silent] = None
            found["position"] = position
            return found

    elif is_async(function):

        async def quiet(ctx: Any) -> Any:
            return None if ctx.now in moments else await function(ctx)

    else:

        def quiet(ctx: Any) -> Any:
            return None if ctx.now in moments else function(ctx)

    if not moments:
        quiet = function
    found = spec.model_copy(update={"function": quiet, "callbacks": {}})
    found._indicators = spec.declared
    return found


def changed(seen: Candles, fresh: Candles) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which candles were missing live (filled flat), and which had other values."""
    differs = np.zeros(len(seen), dtype=bool)
    for name in NAMES:
        differs |= getattr(seen, name) != getattr(fresh, name)
    before = np.concatenate((seen.open[:1], seen.close[:-1]))
    flat = (seen.volume == 0) & (seen.high == seen.low) & (seen.close == before)
    return differs & flat, differs & ~flat


def with_rows(seen: Candles, fresh: Candles, rows: Any) -> Candles:
    """Return the candles of a live run with some rows as they are now."""
    columns = []
    for name in NAMES:
        column = np.array(getattr(seen, name))
        column[rows] = getattr(fresh, name)[rows]
        columns.append(column)
    return candles_of(tuple(columns), seen.start)  # type: ignore[arg-type]


def without(given: Circumstances, **changes: Any) -> Circumstances:
    """Return circumstances with some of them changed."""
    return replace(given, **changes)


def _opening(trade: Lived) -> int:
    return trade.opened_at
