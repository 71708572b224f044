"""`account=` and the steps of a market in sweeps, folds and comparisons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd
import pytest

import tradenb as tn
from tradenb.errors import UsageError

DAILY = tn.candles("BTCUSDT", exchange=tn.testing.random_walk(seed=5, days=90), timeframe="4h")
STEPPED = tn.frame_exchange(
    DAILY, timeframe="4h", market=tn.Market(price_step=0.5, size_step=0.001, min_value=10)
)
ACCOUNT = tn.Account(cash=1_000, percent=60, funding_percent=0.01)


def factory(gain):
    @tn.strategy("on-money", every="4h")
    def buys(ctx):
        return tn.long(stop_loss=tn.percent(2), take_profit=tn.percent(gain), minutes=2_880)

    return buys


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADENB_HOME", str(tmp_path))
    return {"symbols": "BTCUSDT", "exchange": STEPPED}


@pytest.fixture
def sweep(given):
    return partial(tn.sweep, factory, grid={"gain": [2.0, 3.0]}, progress=False, **given)


def test_a_row_has_the_money_of_a_backtest(sweep, given):
    table = sweep(account=ACCOUNT)
    for row in table.to_dict("records"):
        result = tn.backtest.run(
            strategy=factory(row["gain"]), account=ACCOUNT, progress=False, **given
        )
        assert result.figures["turnover"] > 10_000
        assert {name: row[name] for name in result.figures} == pytest.approx(
            result.figures, rel=0, abs=0, nan_ok=True
        )
    alone = tn.trial(factory, account=ACCOUNT, **given)(gain=2.0)
    assert alone["net_profit"] == table["net_profit"][0]
    with ThreadPoolExecutor(1) as pool:
        elsewhere = sweep(account=ACCOUNT, executor=pool, resume=False)
    pd.testing.assert_frame_equal(elsewhere, table, check_exact=True)
    by_profit = tn.research.ranking(table, by="max_drawdown_value")
    assert by_profit["max_drawdown_value"].is_monotonic_increasing
    assert "net_profit" in by_profit


def test_another_account_and_other_steps_are_another_sweep(sweep):
    plain = sweep()
    assert "net_profit" not in plain
    first, richer = sweep(account=ACCOUNT), sweep(account=tn.Account(cash=2_000, percent=60))
    assert (richer["final_equity"] > first["final_equity"]).all()
    free = sweep(account=ACCOUNT, exchange=tn.frame_exchange(DAILY, timeframe="4h"))
    assert not free["turnover"].equals(first["turnover"])


def test_folds_and_comparisons_are_chosen_by_money(given):
    chosen = tn.walk_forward(
        factory, grid={"gain": [2.0, 3.0]}, train="30d", test="20d", metric="net_profit",
        account=ACCOUNT, progress=False, **given,
    )  # fmt: skip
    assert chosen.table["in_sample"].notna().all()
    strategies = [factory(2.0), factory(3.0).model_copy(update={"name": "on-less"})]
    own = {"on-money": ACCOUNT, "on-less": ACCOUNT.model_copy(update={"percent": 15.0})}
    table = tn.compare(strategies, account=own, by="fees_paid", **given)
    assert table.index[0] == "on-less"
    for spec in strategies:
        alone = tn.backtest.run(strategy=spec, account=own[spec.name], progress=False, **given)
        assert table.loc[spec.name, "net_profit"] == alone.figures["net_profit"]


def test_money_is_refused_where_there_is_none(sweep, given):
    with pytest.raises(UsageError, match=r"net_profit is a figure in money; pass account="):
        tn.compare([factory(2.0)], by="net_profit", **given)
    with pytest.raises(UsageError, match="net_profit is a figure in money"):
        tn.walk_forward(
            factory, grid={"gain": [2.0, 3.0]}, train="30d", test="20d", metric="net_profit",
            **given,
        )  # fmt: skip
    with pytest.raises(UsageError, match=r"one tn.Account.* for all combinations, was a mapping"):
        sweep(account={"on-money": ACCOUNT})


def test_a_setting_that_fails_in_every_ask_has_no_money_either(sweep, given):
    def failing(gain):
        @tn.strategy("fails-on-money", every="4h")
        def fails(ctx):
            return 1 / (gain - 2.0) and None

        return fails

    table = tn.sweep(failing, grid={"gain": [2.0]}, account=ACCOUNT, progress=False, **given)
    assert table["errors"][0] == table["asks"][0] > 0
    assert table["net_profit"].isna().all()


def test_lookahead_shows_a_strategy_its_account():
    @tn.strategy("looks-at-its-money", every="30m")
    def looks(ctx):
        if ctx.account.free < 100:
            return None
        return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=60)

    found = tn.lookahead(
        looks, symbols="BTCUSDT", exchange=tn.testing.random_walk(seed=5, days=1), samples=2,
        events=2, account=ACCOUNT.model_copy(update={"funding_percent": 0.0}), progress=False,
    )  # fmt: skip
    assert found.verdict == "clean", repr(found)
