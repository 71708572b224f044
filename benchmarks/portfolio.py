"""The run alone: 20 symbols, 90 days, one risk book `max_open(5)` shared by all.

The strategy is that of work W. On most of its asks it wants to enter and is refused, which makes a
`rejected` event; so the second work, asked every 5m, is mostly refusals.
"""

from __future__ import annotations

from collections.abc import Iterator

import tradenb as tn
from benchmarks import work
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line

SYMBOLS = 20
DAYS = 90


def measure(times: int) -> Iterator[Line | Heading]:
    market = work.market(SYMBOLS, DAYS * work.DAY)
    count = SYMBOLS * DAYS * work.DAY
    risk = [tn.risks.max_open(5)]
    yield Heading(f"{SYMBOLS} symbols x {DAYS} days ({count:,} candles), shared max_open(5)")
    for every, aim in (("1h", 0.5), ("5m", None)):
        spec = work.spec(work.with_mean, every=every, risk=risk)
        result = work.run(market, spec)
        asked = work.asks(market, work.with_mean, every=every, risk=risk)
        refused = sum(event.kind == "rejected" for event in result.event_list)
        (seconds,) = fastest(lambda spec=spec: work.run(market, spec), times=times)
        trades = len(result.trade_list)
        what = f"every {every}: {asked:,} asks, {refused:,} refused, {trades:,} trades"
        yield Line(what, seconds, "s", aim)
        yield Line("  ... for each ask", seconds / asked * 1e6, "us")
        yield Line("  ... in candles per second", count / seconds / 1e6, "M/s")
