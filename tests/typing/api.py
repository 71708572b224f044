"""The public API as a type checker sees it; mypy checks this file, nobody runs it.

`assert_type` pins what comes out. A `type: ignore` with its code pins a mistake that has to be
found: where it no longer is one, mypy (strict) reports the ignore as unused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import tradenb as tn
from tradenb.backtest import Job
from tradenb.bus import Subscription
from tradenb.core.candles.arrays import Candles
from tradenb.core.risk import Held, RiskBook
from tradenb.core.signal import Signal
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exporting import Exported
from tradenb.live import AttachedRun


@tn.risk("one-at-a-time")
def one_at_a_time(book: RiskBook, candidate: Signal) -> str | None:
    assert_type(book.open_count, int)
    assert_type(book.scheduled_count, int)
    assert_type(book.signals, tuple[Held, ...])
    assert_type(book.trades, tuple[tn.Trade, ...])
    assert_type(book.now, int)
    assert_type(candidate.entry, float)
    return "one position at a time" if book.open_count else None


def note(event: tn.Event) -> None:
    assert_type(event.at, int)
    assert_type(event.signal_id, str | None)
    assert_type(event.pnl_percent, float | None)


@tn.strategy("dip", every="5m", risk=[one_at_a_time, "portfolio"], history="3d", on_open=note)
def dip(ctx: tn.Context) -> tn.Candidate | None:
    candles = ctx.candles("15m", 96)
    assert_type(candles, Candles)
    assert_type(candles.close, NDArray[np.float64])
    assert_type(candles.time, NDArray[np.int64])
    assert_type(ctx.frame("15m", 96, "ETHUSDT", allow_fewer=True), pd.DataFrame)
    assert_type(ctx.symbol, str)
    assert_type(ctx.now, int)
    assert_type(ctx.when, pd.Timestamp)
    assert_type(ctx.price, float)
    assert_type(ctx.average_price, float)
    assert_type(ctx.state, dict[str, Any])
    assert_type(ctx.indicators["mean"], float)
    ctx.now = 5  # type: ignore[misc]
    if candles.close[-1] < 0.985 * candles.close.mean():
        return tn.long(take_profit=1.012 * ctx.price, stop_loss=0.994 * ctx.price, minutes=240)
    return tn.short(take_profit=1.0, stop_loss=2.0, minutes=5, entry=1.5, id="a", note="b", size=2)


assert_type(one_at_a_time, RiskSpec)
assert_type(dip, StrategySpec)


@tn.strategy("later", every="1h", risk=tn.risks.max_open(5, name="portfolio"))
async def later(ctx: tn.Context) -> None:
    return None


class Dip(tn.Strategy):
    def get_signal(self, ctx: tn.Context) -> tn.Candidate | None:
        return None


assert_type(tn.strategy("class", every="1d")(Dip), StrategySpec)

assert_type(tn.risks.max_open(5), RiskSpec)
assert_type(tn.risks.cooldown(30, after="stop_loss", name="calm"), RiskSpec)
assert_type(tn.risks.max_drawdown(10), RiskSpec)
assert_type(tn.risks.daily_loss(3), RiskSpec)
assert_type(tn.risks.cooldown(30, after="loss"), RiskSpec)
tn.risks.cooldown(30, after="win")  # type: ignore[arg-type]

tn.long(take_profit=1.0, minutes=5)  # type: ignore[call-arg]
tn.long(**tn.bracket(stop=1.5, r=2), minutes=5, trail=1.0)
tn.long(take_profit="1", stop_loss=2.0, minutes=5)  # type: ignore[arg-type]

rules = tn.Rules(fee_percent=0.05, price="average")
assert_type(rules.fee_percent, float)
assert_type(tn.Rules.reference(), tn.Rules)
tn.Rules(fee_prcent=0.05)  # type: ignore[call-arg]
tn.Rules(price="last")  # type: ignore[arg-type]
rules.fee_percent = 1.0  # type: ignore[misc]

source = tn.testing.random_walk(seed=7, days=90)
frames = tn.frame_exchange({"BTCUSDT": pd.DataFrame()})
files = tn.file_exchange("data/*.parquet")

connected = tn.ccxt_exchange("binance", timeout=5_000, apiKey="env:BINANCE_KEY")
assert_type(connected.format_price("BTC/USDT", 42_123.456), str)
assert_type(connected.format_amount("BTC/USDT", 0.123456), str)
assert_type(connected.clock_ahead_ms, int | None)
assert_type(tn.candles("BTC/USDT", exchange="binance", start="2024-03-01"), pd.DataFrame)
tn.candles("BTC/USDT")  # type: ignore[call-arg]
with tn.testing.ExchangeServer(frames, clock=tn.testing.ServerClock("2024-03-01")) as server:
    assert_type(server.options, dict[str, Any])
    assert_type(server.trouble("html", times=3).met, int)
    server.trouble("nonsense")  # type: ignore[arg-type]
tn.live.background("BTCUSDT", strategy=dip, exchange=connected)

result = tn.backtest.run(
    ["BTCUSDT", "ETHUSDT"],
    strategy=[dip, "later"],
    exchange=source,
    start="2024-03-01",
    end=pd.Timestamp("2024-03-22"),
    rules=rules,
    commands=[{"at": 1_709_251_200_000, "kind": "stop"}],
    progress=False,
)
assert_type(result, tn.Result)
assert_type(result.events, pd.DataFrame)
assert_type(result.trades, pd.DataFrame)
assert_type(result.open, pd.DataFrame)
assert_type(result.stats, "pd.Series[float]")
assert_type(result.equity, "pd.Series[float]")
assert_type(result.asks, pd.DataFrame)
assert_type(result.ask_count, int)
assert_type(result.why(), str)
assert_type(result.warnings, list[str])
assert_type(result.event_list, list[tn.Event])
assert_type(result.trade_list, list[tn.Trade])
assert_type(result.figures, dict[str, float])
assert_type(result.heatmap(), pd.DataFrame)
assert_type(result.to_markdown(), str)
assert_type(result.report("report.html"), Path)
assert_type(result.report(), str)
tn.backtest.run("BTCUSDT", strategy=tn.long, exchange=source)  # type: ignore[arg-type]
tn.backtest.run("BTCUSDT", strategy=dip, exchange=pd.DataFrame())  # type: ignore[arg-type]
tn.backtest.run("BTCUSDT", strategy=dip, exchange=source, start=1.5)  # type: ignore[arg-type]
tn.backtest.run("BTCUSDT", exchange=source)  # type: ignore[call-arg]
tn.backtest.run("BTCUSDT", dip, source)  # type: ignore[call-arg]
tn.backtest.run("BTCUSDT", strategy=dip, exchange=source, rules={})  # type: ignore[arg-type]

job = tn.backtest.background("BTCUSDT", strategy="dip", exchange=frames)
assert_type(job, Job)
assert_type(job.progress, float)
assert_type(job.done, bool)
assert_type(job.wait(1.0), bool)
assert_type(job.result(timeout=1.0), tn.Result)


@dip.indicators("15m", window=500, tolerance=1e-9)
def means(df: pd.DataFrame) -> dict[str, Any]:
    return {"mean": df["close"].rolling(96).mean()}


@tn.strategy("columns", every="5m", vectorised=True)
def columns(df: pd.DataFrame) -> pd.DataFrame:
    return df


def make(fast: int) -> StrategySpec:
    return columns


table = tn.sweep(make, grid={"fast": [5, 10]}, symbols="BTCUSDT", exchange=source)
assert_type(table, pd.DataFrame)
assert_type(tn.research.ranking(table), pd.DataFrame)
assert_type(tn.compare([dip, "later"], symbols="BTCUSDT", exchange=source), pd.DataFrame)
trial = tn.trial(make, symbols="BTCUSDT", exchange=source)
assert_type(trial(fast=5), "pd.Series[float]")
walk = tn.walk_forward(
    make, grid=[{"fast": 5}], symbols="BTCUSDT", exchange=source, train="60d", test="20d"
)
assert_type(walk.holds, bool)
assert_type(walk.table, pd.DataFrame)
seen = tn.lookahead(dip, symbols="BTCUSDT", exchange=source)
assert_type(seen.clean, bool)
assert_type(seen.leaks, pd.DataFrame)
tn.lookahead(dip, exchange=source)  # type: ignore[call-arg]
assert_type(
    tn.live.background("BTCUSDT", strategy=dip, exchange=connected, process=True, take_over=True),
    AttachedRun,
)
tn.live.background("BTCUSDT", strategy=dip, exchange=source)  # type: ignore[call-overload]
tn.live.run("BTCUSDT", strategy=dip, exchange=source)  # type: ignore[arg-type]
tn.live.rehearse("BTCUSDT", strategy=[dip], exchange=source)  # type: ignore[arg-type]
tn.live.stop("BTCUSDT", ["dip"])  # type: ignore[arg-type]
moment: tn.TimeLike = np.datetime64("2024-03-01")
tn.live.rehearse("BTCUSDT", strategy="dip", exchange="binance", start=moment)
run = tn.live.background("BTCUSDT", strategy=dip, exchange=connected)
assert_type(run, tn.LiveRun)
assert_type(run.why(), str)
assert_type(run.asks(), pd.DataFrame)
assert_type(run.expect(result, level=99, since="2024-02-01").left_after, int | None)
assert_type(run.report(), str)
assert_type(run.report("live.html"), Path)
run.report(5)  # type: ignore[call-overload]
exported = tn.export("dip_bot.py", run)
assert_type(exported, Exported)
assert_type(exported.warnings, tuple[str, ...])
lived = tn.parity(run)
assert_type(lived.causes, dict[str, int])
assert_type(lived.table, pd.DataFrame)
assert_type(lived.notes, list[str])
assert_type(lived.execution_table, pd.DataFrame)
assert_type(lived.execution_causes, dict[str, int])
if lived.replay is not None and lived.ledger is not None:
    assert_type(lived.replay.equal, bool)
    assert_type(lived.ledger.agrees, bool)
money = tn.Account(cash=500, percent=10)
assert_type(tn.broker("binance", account=money, mode="dry", apiKey="env:K"), tn.Broker)
tn.broker("binance", account=money, mode="try")  # type: ignore[arg-type]
tn.parity(tn.live.attach(ended=True), exchange=source)
tn.parity("BTCUSDT:dip", home="dump")
tn.parity(dip)  # type: ignore[arg-type]

with tn.subscribe(note, kinds={"opened", "closed"}, mode="backtest") as subscription:
    assert_type(subscription, Subscription)
told = tn.notify("env:URL", kinds={"opened", "alarm"})
assert_type(told.sent, int)
told.close(5.0)
tn.notify(5)  # type: ignore[arg-type]
tn.subscribe(note, channel="alarms")
tn.subscribe(note, channel="orders")
tn.subscribe(note, channel="events2")  # type: ignore[arg-type]

try:
    job.result()
except tn.CandleError as error:
    assert_type(error.index, int | None)
    assert_type(error.retryable, bool)
except tn.ExchangeError as refused:
    assert_type(refused.retry_after, float)
except tn.errors.TradenbError:
    pass

tn.nothing_of_this_name  # type: ignore[attr-defined]  # noqa: B018
