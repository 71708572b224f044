"""`tn.parity`: why a live run and the backtest of the same period differ, trade by trade.

The period is gone through again, first under all circumstances of the live run, then with one
after the other left out, until it is the plain backtest on today's candles with today's code. What
changes when a circumstance is left out has that circumstance for its cause.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.core.candles import Candles
from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.engine.registry import registry
from tradenb.engine.specs import StrategySpec
from tradenb.errors import UsageError
from tradenb.exchanges.given import candle_source
from tradenb.live.run import LiveRun
from tradenb.research.lived import (
    Circumstances,
    Lived,
    aligned,
    changed,
    failed_asks,
    gone_through,
    late_exits,
    lived_trades,
    refused_by_risk,
    skipped_asks,
    user_actions,
    with_rows,
    without,
)
from tradenb.view.words import plural

if TYPE_CHECKING:
    import pandas as pd

CAUSES: Final = (
    "indicator window", "candle missing", "candle revised", "late tick", "late exit",
    "user action", "error", "refused by risk", "code changed", "unexplained",
)  # fmt: skip


class Difference(NamedTuple):
    """Trades of the live run that the backtest does not have, or the other way round.

    Attributes
    ----------
    at : int
        When the first of them was opened, ms UTC.
    cause : str
        One of `CAUSES`.
    live, backtest : tuple of Lived
        Trades until both are in step again.
    """

    at: int
    cause: str
    live: tuple[Lived, ...]
    backtest: tuple[Lived, ...]


@dataclass(frozen=True)
class Parity:
    """A live run beside the backtest of its period.

    Attributes
    ----------
    run : str
    found : list of Difference
        In order of time.
    live, backtest : list of Lived
        All trades of both.
    """

    run: str
    found: list[Difference]
    live: list[Lived]
    backtest: list[Lived]

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not self.found

    @property
    def causes(self) -> dict[str, int]:
        """How many differences each cause has made."""
        named = [difference.cause for difference in self.found]
        return {cause: named.count(cause) for cause in CAUSES if cause in named}

    @property
    def table(self) -> pd.DataFrame:
        """One row a difference: at, cause, number of trades and sum of pnl_percent on each side."""
        import pandas as pd

        rows = [
            (item.at, item.cause, len(item.live), len(item.backtest), _sum(item.live),
             _sum(item.backtest))
            for item in self.found
        ]  # fmt: skip
        columns = ["at", "cause", "live", "backtest", "live_pnl", "backtest_pnl"]
        frame = pd.DataFrame(rows, columns=columns)
        frame["at"] = pd.to_datetime(frame["at"].astype("int64"), unit="ms", utc=True)
        return frame.astype({"at": "datetime64[ms, UTC]"})

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(line)}</div>" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        both = f"{plural(len(self.live), 'trade')} live, {len(self.backtest)} in the backtest"
        if self.clean:
            yield f"{self.run}: live and backtest agree ({both})"
            return
        yield f"{self.run}: {plural(len(self.found), 'difference')} ({both})"
        for item in self.found:
            yield (
                f"  {iso(item.at)} {item.cause}: {_words(item.live)} live, "
                f"{_words(item.backtest)} in the backtest"
            )


def parity(run: LiveRun, *, exchange: Any = None, strategy: Any = None) -> Parity:
    """Compare a live or rehearsed run with the backtest of its period.

    Parameters
    ----------
    run : LiveRun
        Of this process: it has the candles as they were seen live.
    exchange : exchange or str, optional
        Where the candles are fetched anew; default that of the run.
    strategy : StrategySpec or str, optional
        The code of today; default what is registered under the strategy's name.

    Returns
    -------
    Parity
        `.clean`, `.table`, `.causes`.

    Raises
    ------
    UsageError
        When the run is none of this process, or has not fed a candle yet.
    CandleError, ExchangeError
        When the candles cannot be fetched anew.

    Notes
    -----
    A stop by the user leaves no trace in the journal: what the backtest did after the last event of
    a stopped run counts as `user action`. Of asks left out in a row that lasted over several ticks
    only those of the first are known.
    """
    given: Any = run
    instance = given.instance if isinstance(given, LiveRun) else None
    if instance is None or instance.state.cursor <= run.start:
        raise UsageError(
            f"parity needs a live or rehearsed run of this process that has lived, was {run!r:.80}"
        )
    events = [event for event in run.shelf.events() if event.at > run.start]
    ladder = _Ladder(run, events, exchange, _code_of_today(run, strategy))
    found, before = [], lived_trades(events)
    live = before
    for cause, given in ladder.steps():
        after = gone_through(given, run.symbol, run.start, ladder.end, run.rules)
        found += _differences(before, after, cause)
        before = after
    late = late_exits(events)
    found += [
        Difference(trade.opened_at, "late exit", (trade,), (trade,))
        for trade in live
        if trade.closed_at in late
    ]
    found = [ladder.explained(item) for item in found]
    return Parity(run.id, sorted(found, key=_when), live, before)


class _Ladder:
    """From the live run to the plain backtest, one circumstance at a time."""

    def __init__(
        self, run: LiveRun, events: list[Event], exchange: Any, today: StrategySpec
    ) -> None:
        if run.instance is None:
            raise UsageError(f"{run.id} has not lived yet")
        self.run = run
        self.events = events
        self.today = today
        self.end = run.instance.state.cursor
        self.stopped = run.instance.state.stopping or run.instance.state.done
        candles = run.instance.candles.between(run.history_start, self.end)
        self.seen, self.fresh = aligned(candles, self._fetched(exchange))

    def _fetched(self, exchange: Any) -> Candles:
        run = self.run
        source = run.source if exchange is None else candle_source(exchange)
        loaded = source.load(
            run.symbol,
            start=run.start,
            end=self.end,
            history=run.start - run.history_start,
            rules=run.rules,
        )
        candles: Candles = loaded.candles
        return candles

    def steps(self) -> Iterator[tuple[str, Circumstances]]:
        """Yield what is left out at each step, and the circumstances that remain."""
        run, events = self.run, self.events
        late = skipped_asks(events, run.spec.every_ms)
        failed = failed_asks(events, run.strategy)
        windows = any(item.window is not None for item in run.spec.declared)
        given = Circumstances(
            spec=run.spec,
            candles=self.seen,
            windowed=windows,
            muted=late | failed,
            commands=user_actions(events),
            refusals=refused_by_risk(events),
        )
        yield "unexplained", given
        if windows:
            given = without(given, windowed=False)
            yield "indicator window", given
        missing, revised = changed(self.seen, self.fresh)
        if missing.any():
            given = without(given, candles=with_rows(self.seen, self.fresh, missing))
            yield "candle missing", given
        if revised.any():
            given = without(given, candles=self.fresh)
            yield "candle revised", given
        if late:
            given = without(given, muted=failed)
            yield "late tick", given
        if given.commands:
            given = without(given, commands=())
            yield "user action", given
        if failed:
            given = without(given, muted=frozenset())
            yield "error", given
        yield "refused by risk", without(given, refusals=None)
        if self.today.fingerprint != run.spec.fingerprint:
            yield "code changed", without(given, refusals=None, spec=self.today)

    def explained(self, item: Difference) -> Difference:
        """Give what came after the last event of a stopped run its cause."""
        last = max((event.at for event in self.events), default=self.run.start)
        if item.cause == "unexplained" and self.stopped and item.at >= last:
            return item._replace(cause="user action")
        return item


def _code_of_today(run: LiveRun, strategy: Any) -> StrategySpec:
    if strategy is not None:
        return registry.find("strategy", strategy, form=StrategySpec)
    return registry.known("strategy", run.strategy) or run.spec


def _differences(before: list[Lived], after: list[Lived], cause: str) -> list[Difference]:
    """Group trades that only one side has; a common trade ends a group."""
    common = set(before) & set(after)
    sides = [(trade, 0) for trade in before] + [(trade, 1) for trade in after]
    groups: list[tuple[list[Lived], list[Lived]]] = []
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
            min(trade.opened_at for trade in (*one, *other)), cause, tuple(one), tuple(other)
        )
        for one, other in groups
    ]


def _order(item: tuple[Lived, int]) -> tuple[int, int]:
    return item[0].opened_at, item[1]


def _when(item: Difference) -> tuple[int, int]:
    return item.at, CAUSES.index(item.cause)


def _sum(trades: tuple[Lived, ...]) -> float:
    total = 0.0
    for trade in trades:
        total += trade.pnl_percent or 0.0
    return total


def _words(trades: tuple[Lived, ...]) -> str:
    if len(trades) != 1:
        return plural(len(trades), "trade")
    trade = trades[0]
    end = "open" if trade.exit is None else f"{trade.exit_reason} at {trade.exit:g}"
    return f"{trade.position} at {trade.entry:g}, {end}"
