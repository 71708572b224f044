"""Work W in tradenb: called, or `columns` as a second argument for a vectorised strategy."""

from __future__ import annotations

import sys
from typing import Any

import tradenb as tn
from benchmarks import work
from benchmarks.peers.same_work import Candles, report
from benchmarks.research import vectorised
from tradenb.core.candles.arrays import candles_of


def run(candles: Candles) -> int:
    """Return the number of trades."""
    columns: Any = candles[1:]
    market = work.Memory({"S00": candles_of(columns, int(candles.time[0]))})
    by_columns = sys.argv[2:] == ["columns"]
    spec = vectorised(10, 50) if by_columns else work.spec(work.with_mean)
    return len(work.run(market, spec).trade_list)


if __name__ == "__main__":
    report(tn.__version__, run, "columns" if sys.argv[2:] else "called, two .mean() an ask")
