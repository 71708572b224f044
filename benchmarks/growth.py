"""How the cost of a run grows: from 1 month to 4 years, from 1 to 50 symbols.

The strategy is that of work W, asked every 5m. Growth is linear if each candle and each ask costs
the same in every line; the ratio is to the first line of a series. With a shared book every entry
is judged on what all symbols hold (`max_open`) or have earned (`max_drawdown`); neither refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import tradenb as tn
from benchmarks import work
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.engine.specs.risk_spec import RiskSpec

FLAT = 1.5  # what noise and another share of trades among the asks may make of 1
SPAN = 30 * work.DAY
Size = tuple[int, int]  # symbols, minutes of each


def measure(times: int, *, quick: bool) -> Iterator[Line | Heading]:
    longer = [(1, months * work.MONTH) for months in ((1, 3, 12) if quick else (1, 3, 12, 48))]
    wider = [(symbols, SPAN) for symbols in ((1, 5, 20) if quick else (1, 5, 20, 50))]
    held, earned = tn.risks.max_open(1000), tn.risks.max_drawdown(1e9)
    yield Heading("Growth with the candles, one symbol")
    yield from _series(longer, (), times)
    yield Heading("Growth with the symbols, 30 days of each")
    yield from _series(wider, (), times)
    yield Heading("Growth with the symbols, 30 days of each, with a shared max_open(1000)")
    yield from _series(wider, (held,), times)
    yield Heading("Growth with the candles, 5 symbols with a shared max_drawdown(1e9)")
    yield from _series([(5, minutes) for _, minutes in longer[:3]], (earned,), times)


def _series(sizes: Sequence[Size], risk: Sequence[RiskSpec], times: int) -> Iterator[Line]:
    spec = work.spec(work.with_mean, risk=risk)
    first: tuple[float, float] | None = None
    for symbols, minutes in sizes:
        market = work.market(symbols, minutes)
        candles = symbols * minutes
        asked = work.asks(market, work.with_mean, risk=risk)
        # Small works are the noisy ones: they are repeated more often.
        repeated = max(1, min(4 * times, times * work.YEAR // candles))
        (seconds,) = fastest(partial(work.run, market, spec), times=repeated)
        candle, ask = seconds / candles * 1e9, seconds / asked * 1e6
        first = first or (candle, ask)
        size = f"{symbols} x {minutes // work.DAY} days"
        yield _line(f"{size}: of each of {candles:,} candles", candle, "ns", first[0])
        yield _line(f"{' ' * len(size)}  of each of {asked:,} asks", ask, "us", first[1])


def _line(what: str, cost: float, unit: str, first: float) -> Line:
    return Line(what, cost, unit, FLAT * first, f"{cost / first:.2f} x the first")
