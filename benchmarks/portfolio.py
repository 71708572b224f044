"""The run alone: 20 symbols, 90 days, one risk book `max_open(5)` shared by all.

The strategy is that of work W, asked every hour and every 5m, so nearly half of its asks end as a
candidate that is refused. Vectorised it is known beforehand what is proposed. Aims are ratios to
the plain loop over a year (`yardstick`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import tradenb as tn
from benchmarks import research, work, yardstick
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec

SYMBOLS = 20
DAYS = 90
STRATEGIES = 100
WORKS = (
    ("1h", work.with_mean, 5.5),
    ("1h", work.with_reduce, None),
    ("5m", work.with_mean, 50),
)


def measure(times: int) -> Iterator[Line | Heading]:
    market = work.market(SYMBOLS, DAYS * work.DAY)
    candles = SYMBOLS * DAYS * work.DAY
    risk = (tn.risks.max_open(5),)
    year = work.walk(work.YEAR)
    (plain,) = fastest(partial(yardstick.trades_of, year), times=3 * times)
    yield Heading(f"{SYMBOLS} symbols x {DAYS} days, {candles:,} candles, shared max_open(5)")
    for every, function, aim in WORKS:
        spec = work.spec(function, every=every, risk=risk)
        result = work.run(market, spec)
        asked = work.asks(market, function, every=every, risk=risk)
        refused = sum(event.kind == "rejected" for event in result.event_list)
        (seconds,) = fastest(partial(work.run, market, spec), times=times)
        what = f"run, asked every {every}, {function.__name__}"
        yield Line(what, seconds / plain, "plain", aim, f"{seconds:.2f} s")
        counts = f"{asked:,} asks, {refused:,} refused, {len(result.trade_list):,} trades"
        yield Line("- for each ask", seconds / asked * 1e6, "us", note=counts)
        yield Line("- millions of candles per second", candles / seconds / 1e6)
    (seconds,) = fastest(partial(work.run, market, _vectorised("columns", risk)), times=times)
    yield Line("run, vectorised every 5m", seconds / plain, "plain", 5, f"{seconds:.2f} s")
    one = work.market(1, DAYS * work.DAY)
    specs = [_vectorised(f"columns-{place}", risk) for place in range(STRATEGIES)]
    (seconds,) = fastest(partial(_run_all, one, specs), times=times)
    what = f"{STRATEGIES} vectorised strategies with one book, one symbol"
    yield Line(what, seconds / plain, "plain", 60, f"{seconds:.2f} s")
    named = [tn.strategy(f"called-{place}", every="5m", risk=risk) for place in range(STRATEGIES)]
    called = [name(work.with_mean) for name in named]
    (seconds,) = fastest(partial(_run_all, one, called), times=1)
    what = f"{STRATEGIES} called strategies with one book, one symbol"
    yield Line(what, seconds / plain, "plain", 300, f"{seconds:.2f} s")


def _vectorised(name: str, risk: Sequence[RiskSpec]) -> StrategySpec:
    function = research.vectorised(10, 50).function
    return tn.strategy(name, every="5m", vectorised=True, risk=risk)(function)


def _run_all(market: work.Memory, specs: list[StrategySpec]) -> None:
    tn.backtest.run("S00", strategy=specs, exchange=market, progress=False)
