"""`tn.parity`: why a live run and the backtest of the same period differ, trade by trade.

The period is gone through again, first under all circumstances of the live run, then with one
after the other left out, until it is the plain backtest on today's candles with today's code. What
changes when a circumstance is left out has that circumstance for its cause.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tradenb.brokers.checking.read_overview import read_overview
from tradenb.call_errors import explained
from tradenb.core.events import Event
from tradenb.core.lifecycle.exchange_route import report_of
from tradenb.core.orders.order_records import ZERO
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError
from tradenb.live.attached_run import AttachedRun
from tradenb.live.live_run import LiveRun, record_of
from tradenb.research.parity.evidence import Evidence, Run, evidence_of, fetcher_of, run_of
from tradenb.research.parity.execution_cost import ExecutedTrade, executed_trades
from tradenb.research.parity.ledger_check import LedgerCheck, check_ledger
from tradenb.research.parity.parity_report import CAUSES, Difference, Parity
from tradenb.research.parity.replay import (
    ComparedTrade,
    compared_trades,
    failed_asks,
    late_exits,
    replay,
)
from tradenb.research.parity.replay_check import ReplayCheck, check_replay
from tradenb.research.parity.seen_candles import views_of
from tradenb.research.parity.steps import EXECUTION, steps
from tradenb.view.formatting import plural


@explained("tn.parity")
def parity(
    run: Run | Sequence[AttachedRun] | str,
    *,
    exchange: CandleSource | str | None = None,
    strategy: StrategySpec | str | None = None,
    home: str | Path | None = None,
) -> Parity:
    """Compare a live or rehearsed run with the backtest of its period.

    Parameters
    ----------
    run : LiveRun, AttachedRun or str
        What `tn.live.background`, `rehearse` or `attach` return (the only one in a list as well),
        or an id such as "BTCUSDT:dip". It may be running, have ended, or be of another process:
        what it saw is read from its files.
    exchange : exchange or str, optional
        Where the candles are fetched anew; default that of the run, by its name if the run is of
        another process.
    strategy : StrategySpec or str, optional
        The code of today; default what is registered under the strategy's name.
    home : path, optional
        Where an id is looked for, default `TRADENB_HOME` or ./dump.

    Returns
    -------
    Parity
        `.verdict`, `.clean`, `.table`, `.causes`, `.notes`. Of a run that sends orders also
        `.replay`, `.execution_table`, `.execution_causes` and `.ledger`: see docs/orders.md.

    Raises
    ------
    UsageError
        When there is no such run, it has not processed a candle yet, or its strategy or exchange is
        not known here.
    CandleError, ExchangeError
        When the candles cannot be fetched anew.

    Notes
    -----
    A run notes what its strategy reaches each time that it is started: where a function, helper or
    constant is another one today, or was changed at a restart, the cause is `code changed`, with
    its name; of rules and fees that were changed at a restart it is `rules changed`. The code of
    runs of this process is kept, and each stretch is gone through with its own; that of another
    process is not, and what cannot be explained otherwise has `code changed` for its cause.

    A run that sends orders is gone through with what its exchange reported, which gives its events
    again, and then as if candles had filled it: what changes by that is what execution cost. Where
    its broker is at hand, the exchange is asked for its trades and balance.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("as promised", every="5m")
    ... def as_promised(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> run = tn.live.rehearse(
    ...     "BTCUSDT",
    ...     strategy=as_promised,
    ...     exchange=tn.testing.random_walk(seed=7, days=1),
    ...     end="2024-01-01T00:30",
    ...     speed=None,
    ...     home=tempfile.mkdtemp(),
    ... )
    >>> run.wait(60)
    True
    >>> tn.parity(run)
    BTCUSDT:as promised: live and backtest agree (3 trades live, 3 in the backtest)
    """
    meant = run_of(run, home)
    evidence = evidence_of(meant)
    today = _code_of_today(evidence, strategy)
    fetched = fetcher_of(evidence, meant, exchange)
    views, fresh = views_of(evidence, fetched(evidence.symbol))
    sent = _Sent(evidence)
    found, before = [], compared_trades(evidence.events)
    live = before
    for step in steps(evidence, views, fresh, today, fetched):
        events = replay(step.given, evidence.symbol, evidence.start, evidence.end)
        after, named = compared_trades(events), step.named()
        sent.note(named[0], events)
        if named[0] != EXECUTION:
            found += _differences(before, after, *named)
        before = after
    late = frozenset() if sent.is_routed else late_exits(evidence.events)
    found += [
        Difference(trade.opened_at, "late exit", (trade,), (trade,))
        for trade in live
        if trade.closed_at in late
    ]
    notes = old_rules(today.name, today.risk) + _notes(evidence, found, traded=bool(live or before))
    found = sorted(found, key=lambda item: (item.at, CAUSES.index(item.cause)))
    own = (sent.replay, sent.executed, sent.ledger(meant, notes))
    return Parity(evidence.id, found, live, before, notes, *own)


class _Sent:
    """What parity finds of a run that sends orders, beside what it finds of any; else nothing."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.is_routed = evidence.reports is not None
        self._reports = [
            report_of(command.values or {})._replace(at=command.at)
            for command in evidence.reports or ()
        ]
        self.replay: ReplayCheck | None = None
        self.executed: list[ExecutedTrade] | None = None

    def note(self, cause: str, events: list[Event]) -> None:
        """Take the events of a step: the first is the replay, the next the paper twin."""
        evidence = self._evidence
        if not self.is_routed:
            return
        if self.replay is None:
            self.replay = check_replay(evidence.events, events, shares=evidence.shares)
        elif cause == EXECUTION:
            market = None if evidence.ledger is None else evidence.ledger.market
            step = ZERO if market is None else market.size_step
            self.executed = executed_trades(
                evidence.events, events, self._reports, evidence.rules, step
            )

    def ledger(self, run: Run, notes: list[str]) -> LedgerCheck | None:
        """Compare the orders with the exchange, where the broker is at hand."""
        evidence = self._evidence
        if evidence.ledger is None:
            return None
        orders = (*evidence.orders, *evidence.ledger.past, *evidence.ledger.orders)
        sent = [each.sent_at for each in orders]
        since = min((at for at in sent if at), default=evidence.start)
        broker, shown = run.broker if isinstance(run, LiveRun) else None, None
        if isinstance(run, LiveRun) and broker is not None:
            shown = read_overview(broker, evidence.symbol, record_of(run).clock, since)
            if shown is None:
                notes.append(f"{broker.id} did not answer, so its own trades were not compared")
        found = check_ledger(
            evidence.ledger, self._reports, *(shown or ()), earlier=evidence.orders
        )
        notes += found.notes
        return found


def _notes(evidence: Evidence, found: Sequence[Difference], *, traded: bool) -> list[str]:
    """Say what could not be known or compared."""
    notes = [*evidence.notes]
    failed = failed_asks(evidence.events, evidence.strategy)
    if failed and not traded:
        times = plural(len(failed), "ask")
        notes.append(f"the strategy failed in {times} of the live run; see its error events")
    if evidence.reads:
        which = ", ".join(evidence.reads)
        notes.append(f"the strategy reads {which}, here with the candles of today")
    python = platform.python_version()
    if "code changed" in (item.cause for item in found) and evidence.python != python:
        notes.append(
            f"the run used Python {evidence.python}, this is {python}: unchanged code may look "
            "changed"
        )
    if any(item.cause == "unexplained" for item in found):
        notes.append("a strategy that sees the future differs live; check it with tn.lookahead")
    return notes


def _code_of_today(evidence: Evidence, strategy: Any) -> StrategySpec:
    if strategy is not None:
        return registry.find("strategy", strategy, form=StrategySpec)
    found = registry.known("strategy", evidence.strategy) or (evidence.past and evidence.past.spec)
    if found is None:
        raise UsageError(
            f"the strategy {evidence.strategy!r} is not defined here; run the cell that defines "
            "it, or pass strategy="
        )
    return cast(StrategySpec, found)


def _differences(
    before: list[ComparedTrade], after: list[ComparedTrade], cause: str, what: str
) -> list[Difference]:
    """Group trades that only one side has; a common trade ends a group."""
    common = set(before) & set(after)
    sides = [(trade, 0) for trade in before] + [(trade, 1) for trade in after]
    groups: list[tuple[list[ComparedTrade], list[ComparedTrade]]] = []
    together = False
    for trade, side in sorted(sides, key=lambda item: (item[0].opened_at, item[1])):
        if trade in common:
            together = False
            continue
        if not together:
            groups.append(([], []))
            together = True
        groups[-1][side].append(trade)
    return [
        Difference(
            min(trade.opened_at for trade in (*one, *other)), cause, tuple(one), tuple(other), what
        )
        for one, other in groups
    ]
