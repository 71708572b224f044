"""`tn.parity`: why a live run and the backtest of the same period differ, trade by trade.

The period is gone through again, first under all circumstances of the live run, then with one
after the other left out, until it is the plain backtest on today's candles with today's code. What
changes when a circumstance is left out has that circumstance for its cause.
"""

from __future__ import annotations

import html
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tradenb.call_errors import explained
from tradenb.core.timeframe import iso
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError
from tradenb.live.attached_run import AttachedRun
from tradenb.research.parity.evidence import (
    Evidence,
    Run,
    evidence_of,
    fetcher_of,
    run_of,
    views_of,
)
from tradenb.research.parity.replay import (
    ComparedTrade,
    compared_trades,
    failed_asks,
    late_exits,
    replay,
)
from tradenb.research.parity.steps import steps
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    import pandas as pd

CAUSES: Final = (
    "indicator window", "candle missing", "candle revised", "late tick", "late exit",
    "user action", "error", "refused by risk", "rules changed", "code changed", "unexplained",
)  # fmt: skip


class Difference(NamedTuple):
    """Trades of the live run that the backtest does not have, and the reverse.

    Attributes
    ----------
    at : int
        When the first of them was opened, ms UTC.
    cause : str
        One of `CAUSES`.
    live, backtest : tuple of ComparedTrade
        Trades until both are in step again.
    what : str
        Names of the rules, or of the functions and values, that have changed.
    """

    at: int
    cause: str
    live: tuple[ComparedTrade, ...]
    backtest: tuple[ComparedTrade, ...]
    what: str = ""


@dataclass(frozen=True)
class Parity:
    """A live run beside the backtest of its period.

    Attributes
    ----------
    found : list of Difference
        In order of time.
    live, backtest : list of ComparedTrade
        All trades of both.
    notes : list of str
        What could not be known.
    """

    run: str
    found: list[Difference]
    live: list[ComparedTrade]
    backtest: list[ComparedTrade]
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing differs; without a trade on either side that says little."""
        return not self.found

    @property
    def causes(self) -> dict[str, int]:
        """How many differences each cause has made."""
        named = [difference.cause for difference in self.found]
        return {cause: named.count(cause) for cause in CAUSES if cause in named}

    @property
    def table(self) -> pd.DataFrame:
        """One row a difference: at, cause, trades and sum of pnl_percent of each side, what."""
        import pandas as pd

        rows = [
            (item.at, item.cause, len(item.live), len(item.backtest), _sum(item.live),
             _sum(item.backtest), item.what)
            for item in self.found
        ]  # fmt: skip
        columns = ["at", "cause", "live", "backtest", "live_pnl", "backtest_pnl", "what"]
        frame = pd.DataFrame(rows, columns=columns)
        frame["at"] = pd.to_datetime(frame["at"].astype("int64"), unit="ms", utc=True)
        return frame.astype({"at": "datetime64[ms, UTC]"})

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(line)}</div>" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        both = f"{plural(len(self.live), 'trade')} live, {len(self.backtest)} in the backtest"
        if self.clean and not self.live and not self.backtest:
            yield f"{self.run}: nothing to compare, no trade on either side"
        elif self.clean:
            yield f"{self.run}: live and backtest agree ({both})"
        else:
            yield f"{self.run}: {plural(len(self.found), 'difference')} ({both})"
        for item in self.found:
            what = f" ({item.what})" if item.what else ""
            yield (
                f"  {iso(item.at)} {item.cause}{what}: {_words(item.live)} live, "
                f"{_words(item.backtest)} in the backtest"
            )
        yield from (f"  note: {words}" for words in self.notes)


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
        `.clean`, `.table`, `.causes`, `.notes`.

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
    """
    meant = run_of(run, home)
    evidence = evidence_of(meant)
    today = _code_of_today(evidence, strategy)
    fetched = fetcher_of(evidence, meant, exchange)
    views, fresh = views_of(evidence, fetched(evidence.symbol))
    found, before = [], compared_trades(evidence.events)
    live = before
    for step in steps(evidence, views, fresh, today, fetched):
        after = replay(step.given, evidence.symbol, evidence.start, evidence.end)
        found += _differences(before, after, *step.named())
        before = after
    late = late_exits(evidence.events)
    found += [
        Difference(trade.opened_at, "late exit", (trade,), (trade,))
        for trade in live
        if trade.closed_at in late
    ]
    notes = _notes(evidence, found, traded=bool(live or before))
    return Parity(evidence.id, sorted(found, key=_when), live, before, notes)


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
    for trade, side in sorted(sides, key=_order):
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


def _order(item: tuple[ComparedTrade, int]) -> tuple[int, int]:
    return item[0].opened_at, item[1]


def _when(item: Difference) -> tuple[int, int]:
    return item.at, CAUSES.index(item.cause)


def _sum(trades: tuple[ComparedTrade, ...]) -> float:
    total = 0.0
    for trade in trades:
        total += trade.pnl_percent or 0.0
    return total


def _words(trades: tuple[ComparedTrade, ...]) -> str:
    if len(trades) != 1:
        return plural(len(trades), "trade")
    trade = trades[0]
    end = "open" if trade.exit is None else f"{trade.exit_reason} at {trade.exit:g}"
    return f"{trade.position} at {trade.entry:g}, {end}"
