"""The run alone, without import and load: one symbol, one year, asked every 5m (work W).

Ratios are those of the fastest of several runs that took turns. The yardstick goes from the same
arrays to the same trades; of the bare loop the lists and signals are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import work, yardstick
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line


def measure(times: int) -> Iterator[Line | Heading]:
    market = work.market(1, work.YEAR)
    candles = market.candles["S00"]
    lists = yardstick.prepared(candles)
    specs = [
        work.spec(function)
        for function in (
            work.with_mean,
            work.with_mean_async,
            work.with_reduce,
            work.with_nothing,
        )
    ]
    result = work.run(market, specs[0])
    _check_same_trades(result.trade_list, yardstick.loop(*lists))
    asked = work.asks(market, work.with_mean)
    yield Heading(
        f"One symbol, {len(candles):,} candles, asked every 5m: {asked:,} asks, "
        f"{len(result.trade_list):,} trades, {len(result.event_list):,} events"
    )
    sync, waiting, reduce, nothing, plain, bare = fastest(
        *(lambda spec=spec: work.run(market, spec) for spec in specs),
        lambda: yardstick.trades_of(candles),
        lambda: yardstick.loop(*lists),
        times=times,
    )
    yield Line("run, two .mean() of ctx.candles", sync, "s", 0.6)
    yield Line("  ... in candles per second", len(candles) / sync / 1e6, "M/s")
    yield Line("  ... for each ask", sync / asked * 1e6, "us")
    yield Line("plain Python loop: signals, lists, loop", plain, "s")
    yield Line("  ... the run is so many times longer", sync / plain, "x", 3)
    yield Line("  ... of it the loop alone", bare, "s")
    yield Line("  ... the run is so many times longer than that", sync / bare, "x")
    yield Line("the same strategy as async", waiting, "s")
    yield Line("  ... times the sync one", waiting / sync, "x", 1.3)
    yield Line("the same with np.add.reduce", reduce, "s")
    every = len(candles) // 5
    yield Line(f"a strategy that returns None, {every:,} asks", nothing, "s")
    yield Line("  ... for each ask", nothing / every * 1e6, "us")


def _check_same_trades(trades: list[object], expected: yardstick.Trades) -> None:
    """Make sure that run and yardstick do the same work, to the last bit of every price."""
    minute = [
        (_row(trade.opened_at), _row(trade.closed_at), trade.entry, trade.exit) for trade in trades
    ]
    assert minute == [trade[:4] for trade in expected]


def _row(close_time: int) -> int:
    return (close_time - work.START) // 60_000 - 1
