"""A result that was saved and read again is the same in everything that can be seen of it."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tradenb.backtest.results.saved_parts import ABOUT, VERSION
from tradenb.errors import StateCorrupt, StateVersionError, UsageError

FRAMES = (
    *("events", "trades", "fills", "open", "refusals", "asks", "indicators", "drawdowns", "stats"),
    *("daily", "equity", "benchmark"),
)
FUNDING = pd.Series(
    [0.01, -0.02, 0.03], index=pd.to_datetime(["2024-01-02", "2024-01-04", "2024-01-06"], utc=True)
)


def called():
    @tn.strategy("called", every="15m", risk=[tn.risks.max_open(1)])
    def called(ctx):
        bracket = tn.bracket(stop=0.8, target=1.2)
        return tn.long(**bracket, minutes=300, note="a note")

    @called.indicators("15m", plot={"width": "Width"})
    def lines(df):
        return {"mean": df.close.rolling(20).mean(), "width": df.high - df.low}

    return {"strategy": called, "symbols": ["BTCUSDT", "ETHUSDT"]}


def vectorised():
    @tn.strategy("vectorised", every="1h", vectorised=True)
    def vectorised(frame):
        up = frame["close"] > frame["close"].rolling(6).mean()
        return pd.DataFrame(
            {
                "position": np.where(up, 1, -1),
                "take_profit": frame["close"] * np.where(up, 1.012, 0.988),
                "stop_loss": frame["close"] * np.where(up, 0.99, 1.01),
            },
            index=frame.index,
        )

    return {"strategy": vectorised, "symbols": ["BTCUSDT", "ETHUSDT"]}


def managed():
    @tn.strategy("managed", every="1h")
    def managed(ctx):
        price = ctx.price
        ladder = [(price * 1.01, 0.5), (price * 1.03, 0.5)]
        return tn.long(take_profit=ladder, stop_loss=price * 0.98, trail=1.0, breakeven=0.5)

    @managed.manage
    def again(ctx):
        return tn.add(0.5) if ctx.position.entries == 1 and ctx.position.pnl_percent < 0 else None

    return {"strategy": managed, "symbols": ["BTCUSDT"]}


def with_money():
    account = tn.Account(cash=1_000, risk=1, leverage=2, funding={"BTCUSDT": FUNDING})
    return called() | {"account": account}


def with_gaps():
    candles = tn.candles("BTCUSDT", exchange=tn.testing.random_walk(seed=3, days=8))
    there = np.r_[0:3_000, 3_007:5_000, 5_200 : len(candles)]
    return vectorised() | {
        "symbols": ["BTCUSDT"],
        "exchange": tn.frame_exchange(candles.iloc[there]),
    }


CASES = (called, vectorised, managed, with_money, with_gaps)


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def result(request):
    return result_of(request.param)


def result_of(case):
    given = case()
    symbols = given.pop("symbols")
    market = tn.testing.random_walk(symbols=["BTCUSDT", "ETHUSDT"], seed=5, days=8)
    return tn.backtest.run(symbols, **{"exchange": market, "progress": False} | given)


def test_all_that_can_be_seen_is_the_same(result, tmp_path):
    again = tn.load(result.save(tmp_path / "saved"))
    assert again.events.shape[0] > 0
    assert again.trades.shape[0] > 0
    for name in FRAMES:
        expected, found = getattr(result, name), getattr(again, name)
        assert type(found) is type(expected), name
        assert found.equals(expected), name
    for name, value in result.figures.items():
        assert again.figures[name] == value or math.isnan(value), name
    assert again.event_list == result.event_list
    assert (again.warnings, again.alarms, again.balance) == (
        result.warnings,
        result.alarms,
        result.balance,
    )
    assert repr(again) == repr(result)
    assert again.to_markdown() == result.to_markdown()
    assert again.rules == result.rules
    assert again.account == result.account


@pytest.mark.no_cover
def test_its_pages_are_the_same(result, tmp_path):
    again = tn.load(result.save(tmp_path / "saved"))
    pages = [
        each.report(tmp_path / f"{n}.html").read_text() for n, each in enumerate((result, again))
    ]
    first, second = (re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", page) for page in pages)
    assert first == second
    assert again.plot().data == result.plot().data


def test_a_loaded_result_is_saved_again(tmp_path):
    first = result_of(managed).save(tmp_path / "first")
    second = tn.load(first).save(tmp_path / "second")
    assert [path.name for path in sorted(first.iterdir())] == [
        path.name for path in sorted(second.iterdir())
    ]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_other_tools_read_its_tables(tmp_path):
    result = result_of(called)
    folder = result.save(tmp_path / "saved")
    trades = pd.read_parquet(folder / "trades.parquet")
    assert trades["pnl_percent"].tolist() == result.trades["pnl_percent"].tolist()
    candles = pd.read_parquet(folder / "candles-ETHUSDT.parquet")
    assert list(candles) == ["time", "open", "high", "low", "close", "volume"]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things than a saved result"):
        result_of(called).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_saved_result_is_replaced(tmp_path):
    result_of(called).save(tmp_path / "saved")
    other = result_of(vectorised)
    assert tn.load(other.save(tmp_path / "saved")).strategies == other.strategies


def test_what_was_not_saved_whole_is_no_result(tmp_path, monkeypatch):
    saved = result_of(called).save(tmp_path / "saved")
    monkeypatch.setattr(
        "tradenb.backtest.results.saved_parts._about",
        lambda *given: pytest.fail("the disk is full"),
    )
    with pytest.raises(pytest.fail.Exception):
        result_of(vectorised).save(saved)
    with pytest.raises(UsageError, match=r"not finished: result\.json is missing"):
        tn.load(saved)


@pytest.mark.parametrize(
    "name", [ABOUT, "events.parquet", "trades.parquet", "candles-BTCUSDT.parquet"]
)
def test_damage_is_named(tmp_path, name):
    saved = result_of(called).save(tmp_path / "saved")
    (saved / name).write_bytes((saved / name).read_bytes()[:100])
    with pytest.raises(StateCorrupt, match="this saved result is damaged"):
        tn.load(saved)


def test_a_newer_form_is_refused(tmp_path):
    saved = result_of(called).save(tmp_path / "saved")
    about = json.loads((saved / ABOUT).read_text())
    (saved / ABOUT).write_text(json.dumps(about | {"version": VERSION + 1, "tradenb": "9.0"}))
    with pytest.raises(StateVersionError, match=r"written by tradenb 9\.0"):
        tn.load(saved)


def test_a_folder_that_is_no_result_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a saved result"):
        tn.load(tmp_path)


def test_candles_of_symbols_that_are_no_longer_in_it_go(tmp_path):
    folder = result_of(called).save(tmp_path / "saved")
    (folder / "notes.txt").write_text("mine")
    result_of(managed).save(folder)
    assert [path.name for path in folder.glob("candles-*")] == ["candles-BTCUSDT.parquet"]
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("folder", [3, None, "", []])
def test_what_is_not_a_path_is_refused(folder):
    words = r"folder must be a path such as 'results/dip', was"
    with pytest.raises(UsageError, match=words):
        tn.load(folder)
    with pytest.raises(UsageError, match=words):
        result_of(managed).save(folder)
