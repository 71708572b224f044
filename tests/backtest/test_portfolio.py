"""One strategy over twenty symbols: each month the three that rose most, on one account."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import tradenb as tn

SYMBOLS = [f"S{n:02}USDT" for n in range(20)]
DAYS = 300
LOOK = 30
BEST = 3
SLIP, FEE = 0.001, 0.001


def daily(seed: int) -> pd.DataFrame:
    """Days of a random walk with a drift of its own."""
    random = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(random.normal(random.normal(0, 0.001), 0.02, DAYS)))
    opens = np.append(100.0, closes[:-1])
    highs = np.maximum(opens, closes) * (1 + random.uniform(0, 0.01, DAYS))
    lows = np.minimum(opens, closes) * (1 - random.uniform(0, 0.01, DAYS))
    index = pd.date_range("2024-01-01", periods=DAYS, freq="D", tz="UTC")
    columns = {"open": opens, "high": highs, "low": lows, "close": closes, "volume": 1.0}
    return pd.DataFrame(columns, index)


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return {symbol: daily(seed) for seed, symbol in enumerate(SYMBOLS)}


def best_of(ctx) -> list[str]:
    """The symbols that rose most in the last days."""
    rises = {}
    for symbol in SYMBOLS:
        closes = ctx.candles("1d", LOOK, symbol=symbol).close
        rises[symbol] = closes[-1] / closes[0]
    return sorted(rises, key=lambda symbol: -rises[symbol])[:BEST]


def strategy():
    @tn.strategy("best-of-the-month", every="1d", symbols=SYMBOLS)
    def rotates(ctx):
        held = {position.symbol for position in ctx.account.positions}
        if ctx.when.day != 1 or len(held) >= BEST or ctx.symbol not in best_of(ctx):
            return None
        return tn.long(stop_loss=tn.percent(18))

    @rotates.manage
    def leaves(ctx):
        if ctx.when.day == 1 and ctx.symbol not in best_of(ctx):
            return tn.close()
        return None

    return rotates


def plain(frames: dict[str, pd.DataFrame], start: int) -> tuple[list[float], int]:
    """The same with cash and pieces: equity after each day, and how many positions were left."""
    cash, held, left, curve = 10_000.0, {}, 0, []
    for day in range(start, DAYS):
        rows = {symbol: frame.iloc[day] for symbol, frame in frames.items()}
        for symbol, (pieces, _, stop) in [*held.items()]:
            if rows[symbol].low <= stop:
                value = pieces * min(stop, rows[symbol].open) * (1 - SLIP)
                cash += value * (1 - FEE)
                del held[symbol]
                left += 1
        closed_at = frames[SYMBOLS[0]].index[day] + pd.Timedelta(days=1)
        rises = {
            symbol: frame.close.iloc[day] / frame.close.iloc[day - LOOK + 1]
            for symbol, frame in frames.items()
        }
        best = sorted(rises, key=lambda symbol: -rises[symbol])[:BEST]
        for symbol in SYMBOLS if closed_at.day == 1 else ():
            price = rows[symbol].close
            if symbol in held and symbol not in best:
                cash += held.pop(symbol)[0] * price * (1 - SLIP) * (1 - FEE)
                left += 1
            elif symbol in best and symbol not in held and len(held) < BEST:
                gains = [n * rows[name].close - cost for name, (n, cost, _) in held.items()]
                equity = cash + sum(n * rows[name].close for name, (n, _, _) in held.items())
                stake = min(equity * 0.3, (cash + min(0.0, sum(gains))) / (1 + FEE))
                held[symbol] = stake / (price * (1 + SLIP)), stake, price * 0.82
                cash -= stake * (1 + FEE)
        curve.append(cash + sum(n * rows[name].close for name, (n, _, _) in held.items()))
    return curve, left


def test_the_best_three_of_each_month_are_those_of_a_plain_calculation(frames):
    result = tn.backtest.run(
        SYMBOLS,
        strategy=strategy(),
        exchange=tn.frame_exchange(frames, timeframe="1d"),
        start=frames[SYMBOLS[0]].index[LOOK],
        account=tn.Account(cash=10_000, percent=30),
        progress=False,
    )
    curve, left = plain(frames, LOOK)
    assert len(result.trade_list) == left > 15
    assert max(map(abs, result.equity.to_numpy() / curve - 1)) < 1e-9
    shares = result.heatmap("symbol")["net_profit"].drop("all")
    assert math.isclose(shares.sum(), result.figures["net_profit"], rel_tol=1e-9)
    table = result.correlation("symbol")
    assert table.shape == (20, 20)
    assert table.equals(table.T)
    assert "candles of 1d" in result._repr_html_()


def test_a_correlation_of_what_never_moved_is_not_known(frames):
    spec = tn.strategy("never", every="1d")(lambda ctx: None)
    result = tn.backtest.run(
        SYMBOLS[:2],
        strategy=spec,
        exchange=tn.frame_exchange(frames, timeframe="1d"),
        progress=False,
    )
    assert result.correlation("symbol").isna().all(axis=None)
    with pytest.raises(tn.UsageError, match="by must be 'symbol', 'strategy'"):
        result.correlation("market")


def test_steps_of_a_market_hold_in_comparisons_and_sweeps(frames, tmp_path):
    def trailing(name):
        @tn.strategy(name, every="1d")
        def trails(ctx):
            return tn.long(stop_loss=tn.percent(10), trail=5)

        return trails

    steps = tn.Market(price_step=5)
    source = tn.frame_exchange({"S00USDT": frames["S00USDT"]}, timeframe="1d", market=steps)
    bare = tn.frame_exchange({"S00USDT": frames["S00USDT"]}, timeframe="1d")
    spec = trailing("trails-on-steps")
    found = [
        tn.backtest.run("S00USDT", strategy=spec, exchange=each, progress=False).figures
        for each in (source, bare)
    ]
    assert found[0]["total_pnl"] != found[1]["total_pnl"]
    table = tn.compare([spec], symbols="S00USDT", exchange=source)
    assert table["total_pnl"].iloc[0] == found[0]["total_pnl"]
    rows = tn.sweep(
        trailing, grid={"name": ["one"]}, symbols="S00USDT", exchange=source, home=tmp_path,
        progress=False,
    )  # fmt: skip
    assert rows["total_pnl"][0] == found[0]["total_pnl"]
