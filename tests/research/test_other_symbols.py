"""Symbols that a strategy only reads, in a sweep, walk-forward, comparison and look-ahead."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import tradenb as tn


def frame(seed, days=16, start="2024-01-01"):
    count = days * 1440
    steps = np.random.default_rng(seed).normal(0, 8e-4, count)
    close = 100 * np.exp(np.cumsum(steps))
    opened = np.r_[close[0], close[:-1]]
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1.0,
        },
        index=pd.date_range(start, periods=count, freq="min"),
    )


def pair(seed=1):
    return tn.frame_exchange({"BTCUSDT": frame(seed), "ETHUSDT": frame(2), "XRPUSDT": frame(3)})


PAIR = pair()


def follow(k, other="BTCUSDT", declared=()):
    @tn.strategy("follow", every="1h", symbols=declared)
    def made(ctx):
        closes = ctx.candles("1h", k, symbol=other).close
        if closes[-1] > closes[0]:
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=240)
        return None

    return made


def declaring(k, other="BTCUSDT"):
    return follow(k, other, ["BTCUSDT"])


def run(spec, exchange=PAIR, **given):
    return tn.backtest.run("ETHUSDT", strategy=spec, exchange=exchange, progress=False, **given)


@pytest.fixture
def swept(tmp_path):
    def sweep(make=follow, exchange=PAIR, grid=None, **given):
        return tn.sweep(
            make,
            grid=grid or {"k": [3, 5]},
            symbols="ETHUSDT",
            exchange=exchange,
            home=tmp_path,
            progress=False,
            **given,
        )

    return sweep


@pytest.mark.parametrize("make", [follow, declaring])
@pytest.mark.parametrize("threads", [0, 1])
def test_a_sweep_reads_what_a_backtest_reads(swept, make, threads):
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            table = swept(make, executor=executor)
    else:
        table = swept(make)
    for row in table.to_dict("records"):
        result = run(make(row["k"]))
        assert result.figures["count"] > 20
        assert row["total_pnl"] == result.figures["total_pnl"]
        assert (row["errors"], row["asks_lost"]) == (0, result.asks_lost)


@pytest.mark.parametrize("threads", [0, 1])
def test_each_setting_may_read_another_symbol(swept, threads):
    grid = {"k": [3], "other": ["BTCUSDT", "XRPUSDT", "ETHUSDT"]}
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            table = swept(grid=grid, executor=executor)
    else:
        table = swept(grid=grid)
    wanted = [run(follow(3, other)).figures["total_pnl"] for other in grid["other"]]
    assert table.total_pnl.tolist() == wanted


def test_rows_are_made_again_where_the_symbol_that_was_read_has_changed(swept):
    before = swept()
    assert swept().equals(before)
    changed = pair(seed=7)
    after = swept(exchange=changed)
    assert after.total_pnl.tolist() == [
        run(follow(k), changed).figures["total_pnl"] for k in (3, 5)
    ]
    assert not after.total_pnl.equals(before.total_pnl)


def test_a_symbol_that_is_not_there_fails_as_in_a_backtest(swept):
    table = swept(grid=[{"k": 3, "other": "SOLUSDT"}, {"k": 3, "other": "BTCUSDT"}])
    events = run(follow(3, "SOLUSDT")).events
    assert table.errors.tolist() == [(events.kind == "error").sum(), 0]
    with ThreadPoolExecutor(1) as executor:
        again = swept(grid={"k": [4], "other": ["SOLUSDT"]}, executor=executor)
    assert again.errors[0] == table.errors[0]


def test_what_is_read_is_warned_of_once(swept, caplog):
    rows = frame(1)
    holes = {"BTCUSDT": pd.concat([rows[:4000], rows[9000:]]), "ETHUSDT": frame(2)}
    with caplog.at_level(logging.WARNING, "tradenb"):
        swept(exchange=tn.frame_exchange(holes))
    found = [words for words in caplog.messages if "BTCUSDT: closed for 5,000 minutes" in words]
    assert len(found) == 1


def test_a_comparison_reads_what_a_backtest_reads():
    specs = [follow(3), follow(5, "XRPUSDT")]
    specs = [spec.model_copy(update={"name": name}) for spec, name in zip(specs, "ab", strict=True)]
    table = tn.compare(specs, symbols="ETHUSDT", exchange=PAIR, by="total_pnl")
    for spec in specs:
        assert table.loc[spec.name, "total_pnl"] == run(spec).figures["total_pnl"]
        assert table.loc[spec.name, "errors"] == 0


def test_a_walk_forward_reads_what_a_backtest_reads(tmp_path):
    found = tn.walk_forward(
        follow, grid={"k": [3, 5]}, symbols="ETHUSDT", exchange=PAIR, train="5d", test="5d",
        metric="total_pnl", home=tmp_path, progress=False,
    )  # fmt: skip
    row = found.table.iloc[0]
    inside = run(follow(row.k), start=row.in_start, end=row.out_start)
    assert row.in_sample == inside.figures["total_pnl"]
    assert found.table.errors.sum() == 0


def test_lookahead_reads_other_symbols_and_replaces_their_future():
    kept = tn.candles("BTCUSDT", exchange=PAIR)

    @tn.strategy("reads_others", every="4h")
    def clean(ctx):
        closes = ctx.candles("1h", 3, symbol="BTCUSDT").close
        if closes[-1] > closes[0]:
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=240)
        return None

    @tn.strategy("sees_others", every="4h")
    def leaking(ctx):
        closes = tn.candles("BTCUSDT", exchange=PAIR, progress=False).close
        if closes[ctx.when : ctx.when + pd.Timedelta("1h")].iloc[-1] > 1.002 * kept.close[ctx.when]:
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=240)
        return None

    given = {"symbols": "ETHUSDT", "exchange": PAIR, "samples": 2, "events": 3, "progress": False}
    look = tn.lookahead(clean, end="2024-01-05", **given)
    assert look.clean, look
    assert look.decisions > 10
    assert not tn.lookahead(leaking, end="2024-01-05", **given).clean


def test_one_frame_is_not_another_symbol_in_a_rehearsal(tmp_path):
    given = {"strategy": follow(3), "exchange": tn.frame_exchange(frame(2)), "home": tmp_path}
    period = {"start": "2024-01-02", "end": "2024-01-02T03:00"}
    rehearsal = tn.live.rehearse("ETHUSDT", speed=None, **given, **period)
    assert rehearsal.wait(240)
    events = rehearsal.events()
    assert set(events.kind) == {"error"}
    assert "one DataFrame holds the candles of one market" in events.note.iloc[0]
    tested = tn.parity(rehearsal)
    assert (tested.live, tested.backtest) == ([], [])
