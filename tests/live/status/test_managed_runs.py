"""What people see of a run whose position is managed: its page, its handles, its fills."""

from __future__ import annotations

import json
import re
import shutil

import pandas as pd
import pytest

import tradenb as tn
from tests.sources import MINUTE
from tests.test_eight_strategies import MARKET
from tests.view.unpacked import column
from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.live.attached_run import attached
from tradenb.store.paths import Home, Key

START = MARKET.start + 3 * 1440 * MINUTE


@tn.strategy("laddered", every="15m")
def laddered(ctx):
    ladder = [(tn.percent(0.6), 0.3), (tn.percent(1.2), 0.3)]
    return tn.long(stop_loss=tn.percent(1), take_profit=ladder, trail=0.7, trail_after=0.3)


@laddered.manage(every="15m")
def grow(ctx):
    if ctx.position.entries < 3 and ctx.price > ctx.position.entry * 1.002:
        return tn.add(0.5)
    return None


class Walk:
    """A source that has the walk in memory."""

    name = "walk"

    def load(self, request):
        from tradenb.core.candles.arrays import Intake
        from tradenb.engine.ports import Loaded

        return Loaded(MARKET, Intake())


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """A rehearsal that holds a position at its end, its backtest, and their home."""
    home = tmp_path_factory.mktemp("home")
    given = {"strategy": laddered, "exchange": Walk(), "start": START}
    whole = tn.backtest.run("BTCUSDT", **given, end=START + 720 * MINUTE, progress=False)
    added = next(event.at for event in whole.event_list[::-1] if event.kind == "added")
    given["end"] = added + 2 * MINUTE
    run = tn.live.rehearse("BTCUSDT", **given, speed=None, home=home)
    assert run.wait(240)
    return run, tn.backtest.run("BTCUSDT", **given, progress=False), home


def charted(page):
    """Return what the chart of a page shows of its only symbol."""
    found = re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1]
    (symbol,) = json.loads(found)["symbols"]
    return symbol


def test_the_page_of_a_run_draws_stops_adds_and_parts(rehearsed, tmp_path):
    run, result, _ = rehearsed
    mine = charted(run.report(tmp_path / "mine.html").read_text("utf-8"))
    whole = charted(result.report(tmp_path / "whole.html").read_text("utf-8"))
    for name in ("at", "price", "added", "fraction"):
        assert column(mine["marks"][name]) == column(whole["marks"][name])
    assert {0, 1} == set(column(mine["marks"]["added"]))
    for name in ("stops", "targets", "averages"):
        assert mine[name]["size"]["n"] > 2
    last = lines_of(result.event_list, MARKET.between(MARKET.start, result.end), result.rules)[-1]
    assert last.closed_at is None
    assert column(mine["open"]["at"]) == [last.opened_at]
    assert len(last.stop) > 2


def test_the_card_of_a_run_says_what_is_left_of_its_position(rehearsed):
    run, _, home = rehearsed
    (elsewhere,) = attached(home, ended=True)
    for card in (run._repr_html_(), elsewhere._repr_html_()):
        assert "entries" in card
        assert "unrealised" in card
        assert "targets left" in card


def test_the_fills_of_a_run_are_those_of_the_backtest_on_every_handle(rehearsed):
    run, result, home = rehearsed
    (elsewhere,) = attached(home, ended=True)
    kinds = {"entry", "add", "partial", "exit"}
    assert set(result.fills.kind) == kinds
    pd.testing.assert_frame_equal(run.fills(), result.fills)
    pd.testing.assert_frame_equal(elsewhere.fills(), result.fills)


def test_the_trades_of_a_run_are_those_of_the_backtest_on_every_handle(rehearsed):
    run, result, home = rehearsed
    (elsewhere,) = attached(home, ended=True)
    assert result.trades[["mae_percent", "mfe_percent", "r_multiple"]].notna().all(axis=None)
    pd.testing.assert_frame_equal(run.trades(), result.trades)
    pd.testing.assert_frame_equal(elsewhere.trades(), result.trades)


def test_of_a_run_without_a_record_only_the_excursions_are_unknown(rehearsed, tmp_path):
    _, result, home = rehearsed
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    (older,) = attached(tmp_path, ended=True)
    Home(older.home).recording(Key(laddered.name, "BTCUSDT")).unlink()
    unknown = ["mae_percent", "mfe_percent", "r_multiple"]
    assert older.trades()[unknown].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        older.trades().drop(columns=unknown), result.trades.drop(columns=unknown)
    )


@pytest.mark.no_cover
def test_each_fill_is_under_the_rules_that_the_run_had_then(tmp_path):
    given = {"strategy": laddered, "exchange": Walk(), "start": START, "home": tmp_path}
    dear = tn.Rules(fee_percent=0.2, slippage_percent=0.05)
    middle, end = START + 360 * MINUTE, START + 720 * MINUTE
    first = tn.live.rehearse("BTCUSDT", **given, end=middle, speed=None)
    assert first.wait(240)
    run = tn.live.rehearse("BTCUSDT", **given, end=end, speed=None, rules=dear)
    assert run.wait(240)
    fills = run.fills()
    entered = fills.groupby("signal_id")["at"].transform("min")
    # What was open at the restart goes on under the rules that it was opened with.
    before = entered <= pd.Timestamp(middle, unit="ms", tz="UTC")
    assert (fills[before]["at"] > fills[~before]["at"].min()).sum() == 0
    assert set(fills[before].fee_percent) == {0.1}
    assert set(fills[~before].fee_percent) == {0.2}
    told = run.events()
    closed = told[told.kind == "closed"].set_index("signal_id").pnl_percent
    exits = fills[fills.kind.isin(["partial", "exit"])]
    earned = (exits.fraction * exits.pnl_percent).groupby(exits.signal_id).sum()
    invested = fills[fills.kind.isin(["entry", "add"])].groupby("signal_id").fraction.sum()
    assert len(closed) > 1
    assert (earned / invested)[closed.index].to_numpy() == pytest.approx(closed.to_numpy())
