"""What a live run went through, taken from its journal, and backtests that go through it again.

Each circumstance of the live run (its candles, its windows, asks that came too late, errors, what
the user did, what risk refused) can be given or left out, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.backtest.assembly import assemble, histories_of, load_period, prepare
from tradenb.backtest.driver import drive
from tradenb.backtest.plan import Plan, make_plan
from tradenb.core.candles.arrays import NAMES, Candles, Intake, Rows, Times
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.events import WITHOUT_EFFECT, Event
from tradenb.core.lifecycle.state import Command, State
from tradenb.core.money.account import Account
from tradenb.core.money.market import Market
from tradenb.core.orders.order_records import Execution
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.trades import trades_of
from tradenb.engine.call import Pump
from tradenb.engine.context import saved_state
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.session.clearance import BOOK
from tradenb.engine.session.instance import Instance, managed_by
from tradenb.engine.session.pump import Session
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.parity.muted_strategy import muted
from tradenb.research.parity.ran_code import RanCode
from tradenb.research.parity.recorded_lines import RulesGiven
from tradenb.research.parity.seen_candles import View

_ASKED: Final = ("strategy ", "manage of ", "risk rule ", BOOK)
"""How the errors of asks and of risk rules begin."""


class ComparedTrade(NamedTuple):
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
    codes, ruled : tuple of RanCode, tuple of RulesGiven
        The code and the rules, from each start on.
    views : tuple of View
        The candles, as they were seen from each moment on.
    windowed : bool
        Indicators with a window see their window only, as in a live run.
    muted : frozenset of int
        Close times at which the strategy is taken to have answered nothing.
    commands : tuple of dict
        What the user did.
    refusals : Refusals or None
        When risk refused which signal; None: ask the rules themselves.
    others : callable
        Gives the candles of another symbol that the strategy reads.
    account : Account or None
    market : Market or None
        The money of the run, and the steps of its symbol.
    reports : tuple of Command, optional
        What an exchange did with its orders; None: candles fill them.
    earned : float
        What earlier runs had changed the balance of the account by.
    """

    codes: tuple[RanCode, ...]
    ruled: tuple[RulesGiven, ...]
    views: tuple[View, ...]
    windowed: bool
    muted: frozenset[int]
    commands: tuple[dict[str, Any], ...]
    refusals: Refusals | None
    others: Callable[[str], Candles]
    account: Account | None = None
    market: Market | None = None
    reports: tuple[Command, ...] | None = None
    earned: float = 0.0


def compared_trades(events: Iterable[Event]) -> list[ComparedTrade]:
    """Return the trades of a journal, in order of opening."""
    events = list(events)
    found = [
        ComparedTrade(trade.position, trade.opened_at, trade.entry, trade.closed_at, trade.exit,
              trade.exit_reason, trade.pnl_percent)
        for trade in trades_of(events)
    ]  # fmt: skip
    ended = {event.signal_id for event in events if event.kind == "closed"}
    found += [
        ComparedTrade(event.signal.position, event.at, event.signal.entry, None, None, None, None)
        for event in events
        if event.kind == "opened" and isinstance(event.signal, Signal)
        if event.signal_id not in ended
    ]
    return sorted(found, key=lambda trade: trade.opened_at)


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
    what = (f"strategy {strategy}:", f"manage of {strategy}:")
    return frozenset(
        event.at
        for event in events
        if event.kind == "error" and (event.note or "").startswith(what)
    )


def _is_beside(event: Event) -> bool:
    """Tell whether an error is not of an ask or a risk rule: it ends no row of refusals."""
    return event.kind == "error" and not (event.note or "").startswith(_ASKED)


class Refusals:
    """What risk rules and an account refused in a live run.

    Of refusals in a row only the first is an event: until the next event of the run, whatever the
    strategy proposed was refused as well.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._told: set[tuple[int, str]] = set()
        self._rows: list[tuple[int, float]] = []
        first: int | None = None
        for event in events:
            if event.kind in WITHOUT_EFFECT or _is_beside(event):
                continue
            if first is not None:
                self._rows.append((first, event.at))
            by_others = event.exit_reason in ("risk", "funds")
            refused = by_others and isinstance(event.signal, Signal)
            first = event.at if refused else None
            if refused and isinstance(event.signal, Signal):
                # One can go and another come on the same candle.
                self._told.add((event.at, event.signal.id))
        if first is not None:
            self._rows.append((first, math.inf))

    def refuses(self, at: int, id: str) -> bool:
        """Tell whether a signal was refused at a close."""
        return (at, id) in self._told or any(first < at < until for first, until in self._rows)


def replay(given: Circumstances, symbol: str, start: int, end: int) -> list[Event]:
    """Run the period again and return its events."""
    market = _Seen(symbol, given.views[0].candles, given.others, given.market)
    rules = given.ruled[0].in_force
    specs = {code.since: _prepared(code.copied(), given) for code in given.codes}
    first = specs.pop(given.codes[0].since)
    plan = make_plan(symbol, first, market, start, end, rules, given.commands, given.account)
    events: list[Event] = []
    drive(_pump(plan, given, specs, events), rules.signal_timeout_seconds)
    return events


class _Seen:
    """The candles that a run saw, and those of the symbols that its strategy reads."""

    name = "replay"

    def __init__(
        self,
        symbol: str,
        own: Candles,
        others: Callable[[str], Candles],
        market: Market | None,
    ) -> None:
        self._symbol, self._own, self._others = symbol, own, others
        self.markets = {} if market is None else {symbol: market}

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`."""
        own = request.symbol == self._symbol
        return Loaded(self._own if own else self._others(request.symbol), Intake())


def _prepared(spec: StrategySpec, given: Circumstances) -> StrategySpec:
    """Return a strategy that is not asked where it was not, and is refused what it was refused."""
    spec = muted(spec, given.muted)
    refusals = given.refusals
    if refusals is None:
        return spec

    def scripted(book: Any, candidate: Any) -> str | None:
        return "as in the live run" if refusals.refuses(book.now, candidate.id) else None

    rule = RiskSpec(name="as in the live run", function=scripted)
    return spec.model_copy(update={"risk": (rule,)})


def _pump(
    plan: Plan, given: Circumstances, specs: dict[int, StrategySpec], events: list[Event]
) -> Pump:
    """Let everything happen, from one start of the live run to the next.

    At each start the live run loaded its candles anew, so from there on other ones are seen here;
    it may have had other rules and other code, too.
    """
    (symbol,) = plan.symbols
    period = load_period(plan)
    histories = histories_of(plan, period)
    (instance,) = instances = assemble(plan, period, histories, windowed=given.windowed)
    instance.state = instance.state._replace(earned=given.earned)
    if given.reports is not None:
        instance.state = _at_exchange(instance.state, given.reports)
    session = Session(instances)
    views = {view.since: view.candles for view in given.views}
    rules = {max(each.since, given.views[0].since): each for each in given.ruled}
    begins = sorted({*views, *rules, *specs})
    for since, until in zip(begins, (*begins[1:], period.end), strict=True):
        if since in views:
            histories.of(symbol).renew(views[since])
            instance.candles = views[since]
        if since in specs:
            events += session.events
            own = replace(plan, strategies=(specs[since],))
            (made,) = instances = assemble(own, period, histories, windowed=given.windowed)
            instance = _going_on(made, instance)
            session = Session(instances)
        if not given.windowed and (since in views or since in specs):
            later = [each for each in (*views, *specs) if each > since]
            yield from prepare(instances, {symbol: min(later, default=period.end)})
        if since in rules:
            instance.give_rules(rules[since].in_force, rules[since].given)
        yield from session.pump(until)
    events += session.events


def _at_exchange(state: State, reports: tuple[Command, ...]) -> State:
    """Return the first state of an instance that orders fill, with what was reported of them."""
    commands = sorted((*state.commands, *reports), key=attrgetter("at"))
    return state._replace(execution=Execution(), commands=tuple(commands))


def _going_on(instance: Instance, before: Instance) -> Instance:
    """Let an instance with other code go on from where one ended, as after a restart."""
    spec = instance.spec
    instance.state = managed_by(spec, before.state._replace(every=spec.every_ms))
    instance.refusing, instance.charged = before.refusing, before.charged
    instance.candles, instance.numbering = before.candles, before.numbering
    instance.renew(saved_state(before.context))
    instance.give_rules(before.rules, before.next_rules or before.rules)
    return instance


def changed(seen: Candles, fresh: Candles) -> tuple[Times, Times]:
    """Return when candles were missing live or are now, and when they had other values; opens."""
    missing = np.setxor1d(seen.time, fresh.time)
    both, here, there = np.intersect1d(
        seen.time, fresh.time, assume_unique=True, return_indices=True
    )
    differs = np.zeros(len(both), dtype=bool)
    for name in NAMES:
        differs |= getattr(seen, name)[here] != getattr(fresh, name)[there]
    return missing, both[differs]


def with_fresh(seen: Candles, fresh: Candles, times: Times, rules: Rules) -> Candles:
    """Return the candles of a live run with those of some times as they are now."""
    kept, taken = ~np.isin(seen.time, times), np.isin(fresh.time, times)
    opens = np.concatenate((seen.time[kept], fresh.time[taken]))
    order = opens.argsort()
    columns = (
        np.concatenate((getattr(seen, name)[kept], getattr(fresh, name)[taken]))[order]
        for name in NAMES
    )
    return with_gaps(Rows(opens[order], *columns), seen.step, rules.gap_minutes)[0]
