"""Runs that share an account: what one has booked is not there for the other."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn
from tests.live.fakes import SYMBOL, until
from tests.sources import DAY, T0, candles, exchange, flat, minute
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.attached_run import attached
from tradenb.live.live_run import record_of
from tradenb.live.status.run_report import report_of_files, report_of_run
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action, World

FIRST = T0 - DAY
ACCOUNT = tn.Account(cash=1_000.0, quote=600.0)
FREE = tn.Rules(slippage_percent=0, fee_percent=0)
ROWS = [*flat(30), (100.0, 103.0, 100.0, 102.5, 1.0), *flat(40, 102.5)]
"""A target of 102 is reached by the candle of minute 31."""


def buys_at(name, at, seen):
    def asked(ctx):
        seen.append((ctx.now, ctx.account))
        if ctx.now == minute(at):
            return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(2), minutes=300)
        return None

    return StrategySpec(name=name, function=asked, every="1m")


def world_of(runs):
    grid = candles([*flat(1440), *ROWS], FIRST)
    return World({SYMBOL: grid}, start=T0, runs=runs, rules=FREE, account=ACCOUNT)


def kinds(world, spec):
    return [e.kind for e in world.events((SYMBOL, spec)) if e.kind != "milestone"]


def test_an_entry_that_another_run_left_no_money_for_is_refused():
    seen = []
    first, second = buys_at("a", 10, seen), buys_at("b", 12, seen)
    world = world_of([(SYMBOL, first), (SYMBOL, second)])
    assert world.live(until(20))
    assert kinds(world, first) == ["opened"]
    refused = [e for e in world.events((SYMBOL, second)) if e.kind == "rejected"]
    assert [e.exit_reason for e in refused] == ["funds"]
    assert refused[0].note == "funds | the entry needs 600, free are 400"
    view = dict(seen)[minute(12)]
    assert (view.balance, view.equity, view.free, view.exposure) == (1_000.0, 1_000.0, 400.0, 0.6)
    (held,) = view.positions
    assert (held.symbol, held.strategy, held.side, held.value) == (SYMBOL, "a", "long", 600.0)


def test_a_run_that_has_ended_is_still_in_the_balance():
    seen = []
    first, second = buys_at("a", 10, []), buys_at("b", 45, seen)
    world = world_of([(SYMBOL, first)])
    stop = Action(until(35), lambda process: process.runs[0].stop())
    assert world.live(until(40), [stop])
    assert kinds(world, first) == ["opened", "closed"]
    world.wanted = [(SYMBOL, second)]
    assert world.live(until(50))
    assert dict(seen)[minute(45)].balance == 1_012.0
    assert kinds(world, second) == ["opened"]


def test_what_another_process_holds_open_binds_money_at_the_price_it_was_saved_with():
    seen = []
    first, second = buys_at("a", 10, []), buys_at("b", 22, seen)
    world = world_of([(SYMBOL, first)])
    assert world.live(until(20))
    world.wanted = [(SYMBOL, second)]
    assert world.live(until(25))
    view = dict(seen)[minute(22)]
    assert (view.free, [each.strategy for each in view.positions]) == (400.0, ["a"])
    assert kinds(world, second) == ["rejected"]


def test_an_account_that_cannot_be_read_opens_nothing_and_shows_nothing():
    seen = []
    first, second = buys_at("a", 10, []), buys_at("b", 25, seen)
    world = world_of([(SYMBOL, first)])
    assert world.live(until(20))
    key = Key("a", SYMBOL)
    document = world.home.document(key)
    for path in (document, document.with_name(f"{document.name}.bak")):
        world.disk.plant(path, b"no document")
    world.wanted = [(SYMBOL, second)]
    assert world.live(until(30))
    notes = [e.note for e in world.events((SYMBOL, second)) if e.kind == "error"]
    assert notes
    assert "the account is not known now" in notes[0]
    assert "opened" not in kinds(world, second)


def test_a_run_that_begins_anew_keeps_what_it_has_earned():
    seen = []
    again = buys_at("a", 10, seen)
    world = world_of([(SYMBOL, again)])
    stop = Action(until(35), lambda process: process.runs[0].stop())
    assert world.live(until(40), [stop])
    assert world.live(until(45))
    assert seen[-1][1].balance == 1_012.0


def test_runs_that_share_an_account_agree_on_it(tmp_path):
    clock = tn.exchange("clock")(lambda symbol, since, limit: [])
    specs = [tn.strategy(name, every="5m")(lambda ctx: None) for name in ("one", "two")]
    given = {"exchange": clock, "home": tmp_path / "rehearsal"}
    run = tn.live.rehearse(SYMBOL, strategy=specs[0], exchange=exchange(flat(20)), home=tmp_path,
                           account=ACCOUNT, speed=None)  # fmt: skip
    assert run.wait(240)
    assert record_of(run).account == ACCOUNT
    other = tn.Account(cash=1_001.0, quote=600.0)
    words = r"account 'paper' of .* has cash 1000 and not 1001: all runs under one home"
    with pytest.raises(tn.UsageError, match=words):
        tn.live.background(SYMBOL, strategy=specs[1], account=other, **given)
    funded = tn.Account(cash=1.0, quote=1.0, funding={})
    with pytest.raises(tn.UsageError, match="historic funding"):
        tn.live.background(SYMBOL, strategy=specs[1], account=funded, **given)
    with pytest.raises(tn.UsageError, match=r"account must be tn\.Account"):
        tn.live.run(SYMBOL, strategy=specs[1], account=5, exchange=clock, home=tmp_path)
    with pytest.raises(tn.UsageError, match=r"account must be tn\.Account"):
        tn.live.rehearse(SYMBOL, strategy=specs[1], account=5, exchange=exchange(flat(20)),
                         home=tmp_path)  # fmt: skip


@pytest.mark.no_cover
def test_the_frames_of_a_run_with_an_account_have_money_before_its_first_trade(tmp_path):
    spec = tn.strategy("waits", every="1h")(lambda ctx: None)
    given = {"strategy": spec, "exchange": exchange(flat(120)), "account": ACCOUNT}
    result = tn.backtest.run(SYMBOL, progress=False, **given)
    run = tn.live.rehearse(SYMBOL, home=tmp_path, speed=None, **given)
    assert run.wait(240)
    (elsewhere,) = attached(run.home, ended=True)
    for each in (run, elsewhere):
        assert each.trades().pnl.empty
        pd.testing.assert_frame_equal(each.trades(), result.trades)
        pd.testing.assert_frame_equal(each.fills(), result.fills)


@pytest.mark.no_cover
def test_a_rehearsal_books_what_the_backtest_books(tmp_path):
    spec = tn.strategy("rehearsed-money", every="1h")(
        lambda ctx: tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=300)
    )
    walk = tn.testing.random_walk(seed=4, days=2)
    account = tn.Account(cash=5_000.0, risk=1.0, funding_percent=0.01)
    given = {"strategy": spec, "exchange": walk, "account": account}
    given |= {"start": "2024-01-01T04:00", "end": "2024-01-02T00:00"}
    result = tn.backtest.run(SYMBOL, progress=False, **given)
    run = tn.live.rehearse(SYMBOL, home=tmp_path, speed=None, **given)
    assert run.wait(240)
    kept = record_of(run).state
    assert (kept.earned, kept.charged, kept.trades) == (
        result._figures._states[0].earned,
        result._figures._states[0].charged,
        tuple(result.trade_list),
    )
    assert len(kept.trades) > 5
    assert run.fills()[["quantity", "value", "fee"]].equals(
        result.fills[["quantity", "value", "fee"]]
    )
    assert kept.charged.paid > kept.charged.of_position > 0  # a closed position paid, too
    (elsewhere,) = attached(run.home, ended=True)
    for each in (run, elsewhere):
        pd.testing.assert_frame_equal(each.trades(), result.trades, check_exact=True)
    reports = report_of_run(record_of(run)), report_of_files(elsewhere._files)
    for report in reports:
        assert [trade.pnl for trade in report.trades] == result.trades.pnl.to_list()
