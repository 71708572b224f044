"""Trades and candles to look at: small, seeded, and without an engine."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tradenb.core.candles.arrays import candles_of
from tradenb.core.signal import Trade
from tradenb.statistics.equity.curve_points import points_of
from tradenb.statistics.equity.marks import marks_of_trades
from tradenb.statistics.figures import figures
from tradenb.statistics.formulas import columns_of
from tradenb.view.summary import Summary

START = 1_709_251_200_000  # 2024-03-01
MINUTE = 60_000
DAY = 86_400_000

HOSTILE = (
    "\"'><img src=x onerror=alert(1)></script><script>alert(2)</script>$x$ <a href=//a.b>c</a>"
)


def closes(trades, start, end):
    """Return the marks of trades whose candles are not known."""
    return marks_of_trades(columns_of(trades), start=start, end=end, instances=1)


@pytest.fixture
def drawn():
    """Return a maker of the points of trades whose candles are not known."""

    def make(trades, start=START, end=None, limit=5_000):
        last = end if end is not None else trades[-1].closed_at if trades else start
        return points_of(closes(trades, start, last), limit)

    return make


@pytest.fixture
def start():
    return START


@pytest.fixture
def hostile():
    return HOSTILE


@pytest.fixture
def make_trades():
    """Return a maker of trades with these results, an hour apart, 30 minutes long."""

    def make(returns, *, symbol="BTCUSDT", strategy="dip", note=None, step=60):
        return [
            Trade(
                signal_id=f"{strategy}-{symbol}-{row}",
                symbol=symbol,
                strategy=strategy,
                position="long" if row % 2 == 0 else "short",
                opened_at=START + (row * step + 30) * MINUTE,
                closed_at=START + (row * step + 60) * MINUTE,
                entry=100.0,
                exit=100.0 + change,
                take_profit=102.0,
                stop_loss=99.0,
                size=None,
                exit_reason="take_profit" if change > 0 else "stop_loss",
                pnl_percent=change,
                late=False,
                note=note,
            )
            for row, change in enumerate(returns)
        ]

    return make


@pytest.fixture
def make_returns():
    """Return a maker of seeded results in percent."""

    def make(count, seed=1):
        rng = random.Random(seed)
        return [rng.gauss(0.02, 0.8) for _ in range(count)]

    return make


@pytest.fixture
def make_candles():
    """Return a maker of seeded 1m candles."""

    def make(count, seed=1):
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, count)))
        opened = np.concatenate(([100.0], close[:-1]))[:count]
        high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
        return candles_of((opened, high, low, close, np.ones(count)), START)

    return make


@pytest.fixture
def make_summary():
    """Return a maker of summaries of trades over some days."""

    def make(trades, *, days=30, symbols=("BTCUSDT",), strategies=("dip",), **more):
        end = START + days * DAY
        return Summary(
            strategies=strategies,
            symbols=symbols,
            start=START,
            end=end,
            candles=days * 1440 * len(symbols),
            figures=figures(trades, start=START, end=end),
            marks=closes(trades, START, end),
            trades=trades,
            **more,
        )

    return make
