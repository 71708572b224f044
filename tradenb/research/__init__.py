"""Research: sweeps, walk-forward, comparison, look-ahead analysis, parity.

Above `backtest`, `live` and `view`: it runs strategies many times and judges what came of it.
"""

from __future__ import annotations

from tradenb.research.sweep.rank import heatmap, parallel, ranking

__all__ = ["heatmap", "parallel", "ranking"]


def __dir__() -> list[str]:
    return sorted(__all__)
