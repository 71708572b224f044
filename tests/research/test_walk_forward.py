"""Walk-forward and comparison: noise is exposed, a real edge is seen, strategies are ranked."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.sources import T0
from tradenb.core.candles.arrays import candles_of
from tradenb.errors import UnknownName, UsageError
from tradenb.research.sweep.order import SMALL_IS_GOOD, best, ordered
from tradenb.research.sweep.walk_forward import WalkForward
from tradenb.statistics.deflated_sharpe import deflated_sharpe

RANKED = (
    "count", "win_rate", "total_pnl", "avg_pnl", "certainty_ratio", "sharpe_annual",
    "expected_yearly_return", "max_drawdown",
)  # fmt: skip
DAYS = 60
MINUTES = DAYS * 1_440


def market(seed, swing=0.0):
    """A random walk, with a wave of eight hours on it."""
    random = np.random.default_rng(seed)
    wave = swing * np.sin(np.arange(MINUTES) / 480 * 2 * math.pi)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.0007, MINUTES)) * 0.6 + wave)
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.0002, np.minimum(opened, close) * 0.9998
    made = candles_of((opened, high, low, close, np.ones(MINUTES)), T0)
    columns = {name: getattr(made, name) for name in ("open", "high", "low", "close", "volume")}
    return tn.frame_exchange(
        pd.DataFrame(columns, index=pd.to_datetime(made.time, unit="ms", utc=True))
    )


def noise(dice):
    @tn.strategy("noise", every="1h", vectorised=True)
    def made(df):
        hours = df.index.as_unit("ms").asi8 // 3_600_000
        throws = np.random.default_rng(dice).choice([-1, 0, 1], 9_973)
        return sides(df, throws[hours % 9_973])

    return made


def phase(hour):
    @tn.strategy("phase", every="1h", vectorised=True)
    def made(df):
        return sides(df, (df.index.hour % 8 == hour).astype(int))

    return made


def sides(df, side):
    return {
        "position": side,
        "take_profit": df.close * (1 + 0.012 * side),
        "stop_loss": df.close * (1 - 0.012 * side),
        "minutes": 180,
    }


walk = partial(
    tn.walk_forward,
    symbols="BTCUSDT",
    train="6d",
    test="3d",
    metric="avg_pnl",
    progress=False,
)


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", some_to_soak([1, 2, 3], keep=3))
def test_noise_is_exposed(seed):
    assert not walk(noise, grid={"dice": list(range(12))}, exchange=market(seed)).holds


def test_an_edge_is_seen():
    found = walk(phase, grid={"hour": list(range(8))}, exchange=market(4, swing=0.01))
    assert found.folds == 18
    assert found.holds
    assert found.better >= 15
    assert found.rank > 80
    assert "better than chance" in found.verdict
    chosen = found.table["hour"].mode()[0]
    assert chosen in (5, 6)  # the wave is lowest after six hours
    shown = found._repr_html_()
    assert "The choice holds" in shown
    assert shown.count("<tr>") == 19


@pytest.mark.no_cover
def test_a_fold_is_two_sweeps():
    exchange = market(5)
    grid = {"dice": [1, 2, 3, 4]}
    found = walk(noise, grid=grid, exchange=exchange).table
    assert (found.out_start - found.in_start == pd.Timedelta("6D")).all()
    assert (found.out_end - found.out_start == pd.Timedelta("3D")).all()
    assert (found.out_start.diff().dropna() == pd.Timedelta("3D")).all()
    fold = found.iloc[3]
    sweep = partial(
        tn.sweep, noise, grid=grid, symbols="BTCUSDT", exchange=exchange, progress=False
    )
    inside = sweep(start=fold.in_start, end=fold.out_start)
    outside = sweep(start=fold.out_start, end=fold.out_end)
    best = inside.avg_pnl.idxmax()
    conduct = ["asks", "errors", "open", "open_pnl"]
    assert fold[conduct].tolist() == outside.loc[best, conduct].tolist()
    assert fold.dice == inside.dice[best]
    assert fold.in_sample == inside.avg_pnl[best]
    assert fold.out_of_sample == outside.avg_pnl[best]
    assert fold["median"] == outside.avg_pnl.median()
    others = outside.avg_pnl.drop(best)
    assert fold["rank"] == 100 * (others < outside.avg_pnl[best]).mean()
    assert fold.better == (fold.out_of_sample > fold["median"])


@pytest.mark.parametrize(("better", "p"), [(0, 1.0), (5, 0.623046875), (10, 1 / 1024)])
def test_the_sign_test(better, p):
    table = pd.DataFrame({"better": [True] * better + [False] * (10 - better), "rank": 60.0})
    assert WalkForward(table, "sharpe", 4).p_value == p


def rare(dice):
    @tn.strategy("rare", every="12h", vectorised=True)
    def made(df):
        return sides(df, (df.index.day % 5 == dice).astype(int) * (df.index.hour == 12))

    return made


def test_folds_begin_where_there_are_candles():
    exchange = tn.testing.random_walk(seed=3, days=10)
    asked = partial(walk, rare, grid={"dice": [1, 2]}, exchange=exchange)
    assert len(asked(start="2023-12-01").table) == 1
    assert asked(start="2023-12-01").table.equals(asked().table)


def test_without_figures_nothing_is_said():
    long = {"train": "20d", "test": "20d"}
    found = walk(rare, grid={"dice": [1, 2]}, exchange=market(6), metric="sharpe", **long)
    assert (found.folds, found.better) == (2, 0)
    assert not found.holds
    assert found.verdict == (
        "no verdict: sharpe is N/A in every fold (it needs 10 trades in each part); "
        "make them longer"
    )
    assert "N/A" in found._repr_html_()
    assert "no verdict" in repr(found)


@pytest.mark.no_cover
def test_a_fold_whose_choice_has_no_figure_is_lost(monkeypatch):
    """In sample one trades, out of sample it fails; the other is idle in both."""
    border = pd.Timestamp(T0 + 6 * 86_400_000, unit="ms", tz="UTC")

    def moody(kind):
        @tn.strategy("moody", every="1h")
        def asked(ctx):
            if kind == "idle":
                return None
            if ctx.now >= border.timestamp() * 1000:
                raise ValueError("not any more")
            return tn.long(take_profit=ctx.price * 1.01, stop_loss=ctx.price * 0.99, minutes=60)

        return asked

    found = walk(moody, grid={"kind": ["idle", "busy"]}, exchange=market(5), metric="total_pnl")
    first, *later = found.table.to_dict("records")
    assert (first["kind"], first["better"], first["rank"]) == ("busy", False, 0.0)
    assert math.isnan(first["out_of_sample"])
    assert first["asks"] == first["errors"] > 0
    without = [row for row in later if row["in_start"] >= border]
    assert len(without) > 10
    assert all(pd.isna(row["kind"]) and pd.isna(row["better"]) for row in without)
    assert found.folds == len(found.table)
    assert not found.holds


RANKS = json.loads((Path(__file__).parents[1] / "golden" / "_rank.json").read_text())


@pytest.mark.parametrize("number", range(len(RANKS)))
def test_every_golden_order_is_met(number):
    what, rows, by, small, order, chosen = RANKS[number]
    assert small == (by in SMALL_IS_GOOD)
    table = pd.DataFrame([row["stats"] for row in rows], dtype="float64")
    table["error"] = ["it failed" if row["failed"] else None for row in rows]
    assert ordered(table, by).index.tolist() == order, what
    assert best(table, by) == chosen, what


def test_a_setting_that_fails_in_every_ask_is_last(caplog):
    def made(kind):
        @tn.strategy("made", every="1h")
        def asked(ctx):
            if kind == "fails":
                ctx.candles("1h", 5)
                raise ValueError("always, but for the warm-up")
            if kind == "idle":
                return None
            return tn.long(take_profit=ctx.price * 1.01, stop_loss=ctx.price * 0.99, minutes=600)

        return asked

    kinds = ["fails", "idle", "loses"]
    table = tn.sweep(
        made, grid={"kind": kinds}, symbols="BTCUSDT", exchange=market(5), progress=False
    )
    shown = tn.research.ranking(table, by="total_pnl")
    assert shown.kind.tolist() == ["loses", "idle", "fails"]
    assert shown.errors.tolist() == [0, 0, 1_440 - 4]
    assert math.isnan(shown.total_pnl[2])
    assert shown.asks[2] == 1_440
    assert shown.open.tolist() == [table.open[2], 0, 0]
    assert {"asks", "errors", "open", "open_pnl"} <= set(shown.columns)


def failing(dice):
    raise LookupError("no such thing")


def test_of_a_drawdown_the_smallest_is_chosen():
    exchange = market(5)
    found = walk(noise, grid={"dice": [1, 2, 3]}, exchange=exchange, metric="max_drawdown").table
    fold = found.iloc[0]
    inside = tn.sweep(
        noise, grid={"dice": [1, 2, 3]}, symbols="BTCUSDT", exchange=exchange, progress=False,
        start=fold.in_start, end=fold.out_start,
    )  # fmt: skip
    assert fold.in_sample == inside.max_drawdown.min()
    assert fold.better == (fold.out_of_sample < fold["median"])


def test_one_bar_is_shown_and_taken_away(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    walk(noise, grid={"dice": [1, 2]}, exchange=market(5), progress=True)
    shown = capsys.readouterr().err
    assert "walk-forward" in shown
    assert "sweep" not in shown
    assert shown.rsplit("\r", 1)[-1].strip() == ""


def test_what_cannot_work_is_refused():
    grid = {"dice": [1, 2]}
    with pytest.raises(UnknownName, match="unknown figure 'sharp'; did you mean 'sharpe'"):
        walk(noise, grid=grid, exchange=market(6), metric="sharp")
    words = "sharpe is N/A below 14 days and 10 trades; train is 6 days and test 3: make both 14d"
    with pytest.raises(UsageError, match=words):
        walk(failing, grid=grid, exchange=market(6), metric="sharpe")
    with pytest.raises(tn.StrategyError, match=r"all 72 combinations failed, the first: Lookup"):
        walk(failing, grid=grid, exchange=market(6))
    with pytest.raises(UnknownName, match="unknown parameter of the strategy factory 'dise'"):
        walk(failing, grid={"dise": [1, 2]}, exchange=market(6))
    with pytest.raises(UsageError, match="the grid has only one"):
        walk(noise, grid={"dice": [1]}, exchange=market(6))
    with pytest.raises(UsageError, match=r"train must look like '90m', '36h', .* was '0d'"):
        walk(noise, grid=grid, exchange=market(6), train="0d")
    with pytest.raises(UsageError, match=r"test must look like '90m', '36h', .* was 3"):
        walk(noise, grid=grid, exchange=market(6), test=3)
    with pytest.raises(UsageError, match=r"train \+ test do not fit between"):
        walk(noise, grid=grid, exchange=market(6), train="90d")


def test_strategies_are_ranked_by_a_figure():
    exchange = market(7, swing=0.01)
    good = phase(6)

    @tn.strategy("bad", every="1h", vectorised=True)
    def bad(df):
        return sides(df, (df.index.hour % 8 == 2).astype(int))

    @tn.strategy("idle", every="1h", risk=tn.risks.max_open(1))
    def idle(ctx):
        return None

    table = tn.compare([bad, idle, good], symbols="BTCUSDT", exchange=exchange)
    assert table.index.tolist() == ["phase", "bad", "idle"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert list(table.columns[1:8]) == [
        "sharpe", "sharpe_annual", "win_rate", "total_pnl", "certainty_ratio", "avg_pnl",
        "expected_yearly_return",
    ]  # fmt: skip
    for spec in (good, bad, idle):
        result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=exchange, progress=False)
        for name, value in result.figures.items():
            found = table.loc[spec.name, name]
            assert found == value or (math.isnan(found) and math.isnan(value))
    calm = tn.compare([bad, good], symbols="BTCUSDT", exchange=exchange, by="max_drawdown")
    assert calm.index.tolist() == ["phase", "bad"]
    with pytest.raises(UnknownName, match="unknown figure 'luck'"):
        tn.compare([good], symbols="BTCUSDT", exchange=exchange, by="luck")
    with pytest.raises(UsageError, match="strategies must be a list"):
        tn.compare("phase", symbols="BTCUSDT", exchange=exchange)


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame(
        {
            "fast": [1, 1, 2, 2, 1, 1, 2, 2],
            "slow": [5, 6, 5, 6, 5, 6, 5, 6],
            "side": ["long"] * 4 + ["short"] * 4,
            "sharpe": [0.1, 0.2, -0.3, np.nan, 0.3, 0.2, -0.1, np.nan],
            **{name: np.arange(8.0) for name in RANKED},
            **dict.fromkeys(("asks", "errors", "open", "open_pnl"), 1),
        }
    )


def test_the_best_of_a_sweep(table):
    best = tn.research.ranking(table, top=3)
    assert best["rank"].tolist() == [1, 2, 3]
    assert best.sharpe.tolist() == [0.3, 0.2, 0.2]
    assert best.side.tolist() == ["short", "long", "short"]
    assert 0.95 > best.deflated_sharpe[0] > best.deflated_sharpe[2]
    assert math.isnan(best.deflated_sharpe[1])  # of one trade
    assert tn.research.ranking(table, "max_drawdown").max_drawdown.tolist() == list(range(8))
    with pytest.raises(UnknownName):
        tn.research.ranking(table, "luck")


def test_the_best_of_many_worthless_ones_is_not_believed():
    random = np.random.default_rng(2)
    for _ in range(10):
        trades = random.normal(0, 1, (200, 100))
        sharpes = (trades.mean(axis=1) / trades.std(axis=1, ddof=1)).tolist()
        assert max(sharpes) > 0.2  # which alone would be two standard errors
        assert max(deflated_sharpe(sharpes, [100] * 200)) < 0.95
        sharpes[7] = 0.8
        assert deflated_sharpe(sharpes, [100] * 200)[7] > 0.99
    assert np.isnan(deflated_sharpe([0.1, math.nan], [20, 0])).all()


def test_the_pictures_of_a_sweep(table):
    heat = tn.research.heatmap(table)
    assert heat.data[0].x == ("1", "2")
    assert heat.data[0].y == ("5", "6")
    assert np.nan_to_num(np.array(heat.data[0].z), nan=9).tolist() == [[0.2, -0.2], [0.2, 9.0]]
    lines = tn.research.parallel(table)
    labels = [item.label for item in lines.data[0].dimensions]
    assert labels == ["fast", "slow", "side", "count", "win_rate", "sharpe"]
    assert lines.data[0].dimensions[2].ticktext == ("long", "short")
    assert len(lines.data[0].line.color) == 6
    turned = tn.research.heatmap(table, y="fast").data[0]
    assert (turned.x, turned.y) == (("5", "6"), ("1", "2"))
    table["slow"] = table.slow.astype(object).where(table.slow > 5, None)
    assert tn.research.heatmap(table).data[0].y == ("6", "None")
    table["sharpe"] = np.nan
    for draw in (tn.research.heatmap, tn.research.parallel):
        assert "sharpe is N/A in all combinations" in draw(table).layout.title.text
        with pytest.raises(UsageError, match="'error' is not a figure"):
            draw(table.assign(error=None), value="error")
        with pytest.raises(UsageError, match=r"table must be what tn\.sweep returns, was 5"):
            draw(5)
    with pytest.raises(UsageError, match="top must be a whole number of at least 1, was 0"):
        tn.research.ranking(table, top=0)
    with pytest.raises(UsageError, match="needs two parameters"):
        tn.research.heatmap(table.drop(columns=["fast", "side"]))
    with pytest.raises(UnknownName):
        tn.research.heatmap(table, "fast", "slo")


def test_a_comparison_logs_a_rule_that_was_declared_again(caplog):
    @tn.strategy("idle", every="1h", risk=tn.risks.max_open(1, name="book"))
    def idle(ctx):
        return None

    tn.compare([idle], symbols="BTCUSDT", exchange=market(2))
    assert caplog.text == ""
    tn.risks.max_open(2, name="book")
    tn.compare([idle], symbols="BTCUSDT", exchange=market(2))
    assert "strategy 'idle' uses an older version of risk rule 'book'" in caplog.text
