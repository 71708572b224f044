"""The run alone: 20 symbols, 90 days, one risk book `max_open(5)` shared by all.

The strategy is that of work W, asked every hour and every 5m, so nearly half of its asks end as a
candidate that is refused, with a `rejected` event. The aim is that of the hourly one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import tradenb as tn
from benchmarks import work
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line

SYMBOLS = 20
DAYS = 90
WORKS = (
    ("1h", work.with_mean, 0.5),
    ("1h", work.with_reduce, None),
    ("5m", work.with_mean, None),
)


def measure(times: int) -> Iterator[Line | Heading]:
    market = work.market(SYMBOLS, DAYS * work.DAY)
    candles = SYMBOLS * DAYS * work.DAY
    risk = (tn.risks.max_open(5),)
    yield Heading(f"{SYMBOLS} symbols x {DAYS} days, {candles:,} candles, shared max_open(5)")
    for every, function, aim in WORKS:
        spec = work.spec(function, every=every, risk=risk)
        result = work.run(market, spec)
        asked = work.asks(market, function, every=every, risk=risk)
        refused = sum(event.kind == "rejected" for event in result.event_list)
        (seconds,) = fastest(partial(work.run, market, spec), times=times)
        yield Line(f"run, asked every {every}, {function.__name__}", seconds, "s", aim)
        counts = f"{asked:,} asks, {refused:,} refused, {len(result.trade_list):,} trades"
        yield Line("- for each ask", seconds / asked * 1e6, "us", note=counts)
        yield Line("- millions of candles per second", candles / seconds / 1e6)
