"""How the cost of a run grows: from 1 month to 4 years, from 1 to 50 symbols.

The strategy is that of work W, asked every 5m. Linear growth is a flat cost of each candle and of
each ask; the ratio is to the first line of each series. With a shared book every entry is judged
on what all symbols hold (`max_open`) or have earned (`max_drawdown`); neither refuses here.
"""

from __future__ import annotations

from collections.abc import Iterator

import tradenb as tn
from benchmarks import work
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line

FLAT = 1.3
SPAN = 30 * work.DAY
Series = list[tuple[str, int, int]]


def measure(times: int, *, quick: bool) -> Iterator[Line | Heading]:
    months = (1, 3, 12) if quick else (1, 3, 12, 48)
    symbols = (1, 5, 20) if quick else (1, 5, 20, 50)
    longer = [(f"{count} months", 1, count * work.MONTH) for count in months]
    wider = [(f"{count} symbols", count, SPAN) for count in symbols]
    books = (tn.risks.max_open(1000), tn.risks.max_drawdown(1e9))
    yield Heading("Growth of a run with the candles, one symbol")
    yield from _series(longer, [], times)
    yield Heading("Growth with the symbols, 30 days each")
    yield from _series(wider, [], times)
    for book in books:
        yield Heading(f"Growth with the symbols, 30 days each, sharing {book.name}")
        yield from _series(wider, [book], times)
    yield Heading(f"Growth with the candles, 5 symbols sharing {books[1].name}")
    yield from _series([(name, 5, length) for name, _, length in longer[:3]], [books[1]], times)


def _series(series: Series, risk: list[object], times: int) -> Iterator[Line]:
    base: tuple[float, float] | None = None
    for name, symbols, minutes in series:
        market = work.market(symbols, minutes)
        candles = symbols * minutes
        asked = work.asks(market, work.with_mean, risk=risk)
        spec = work.spec(work.with_mean, risk=risk)
        # Short works are the noisy ones: they are repeated more often.
        repeated = max(1, min(20, times * work.YEAR // candles))
        (seconds,) = fastest(
            lambda market=market, spec=spec: work.run(market, spec), times=repeated
        )
        cost = (seconds / candles * 1e9, seconds / asked * 1e6)
        base = base or cost
        yield Line(f"{name}: {candles:,} candles, of each", cost[0], "ns")
        yield Line("  ... times the first", cost[0] / base[0], "x", FLAT)
        yield Line(f"  ... {asked:,} asks, for each", cost[1], "us")
        yield Line("  ... times the first", cost[1] / base[1], "x", FLAT)
