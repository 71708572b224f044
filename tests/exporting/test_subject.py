"""What `tn.export` is given: strategies with a symbol, or runs with their own settings."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.live.fast import RULES, Quick, market
from tradenb.errors import UsageError
from tradenb.exporting.export_subject import subject_of

NOTHING = {"symbol": None, "exchange": None, "rules": None, "home": None}


@pytest.fixture
def quick(fresh):
    made = Quick()
    yield made
    made.close()


@pytest.fixture
def waits(fresh):
    return [tn.strategy(name, every="1h")(lambda ctx: None) for name in ("first", "second")]


def test_runs_are_exported_with_their_own_settings(quick, waits):
    runs = [quick.start(spec, symbol=symbol) for spec in waits for symbol in ("BTCUSDT", "ETHUSDT")]
    found = subject_of(runs, NOTHING)
    assert found.strategies == tuple(waits)
    assert found.symbols == ("BTCUSDT", "ETHUSDT")
    assert found.exchange is quick.exchange
    assert found.rules == RULES


def test_a_rehearsal_is_exported_with_the_exchange_and_the_home_that_it_was_given(waits, tmp_path):
    walk = tn.testing.random_walk(seed=7, days=1)
    runs = [
        tn.live.rehearse("BTCUSDT", strategy=spec, exchange=walk, home=tmp_path, speed=None)
        for spec in waits
    ]
    assert all(run.wait(240) for run in runs)
    found = subject_of(runs, NOTHING)
    assert found.strategies == tuple(waits)
    assert found.exchange is walk
    assert found.home == tmp_path


def test_runs_that_are_no_full_product_go_to_several_scripts(quick, waits):
    runs = [quick.start(waits[0]), quick.start(waits[1], symbol="ETHUSDT")]
    with pytest.raises(UsageError, match="export these runs to several scripts"):
        subject_of(runs, NOTHING)


def test_runs_with_other_settings_go_to_scripts_of_their_own(quick, waits):
    other = market(quick.clock, "other")
    runs = [quick.start(waits[0]), quick.start(waits[1], exchange=other)]
    with pytest.raises(UsageError, match="BTCUSDT:second runs with another exchange"):
        subject_of(runs, NOTHING)


@pytest.mark.parametrize("name", NOTHING)
def test_a_setting_beside_a_run_is_refused(quick, waits, name):
    run = quick.start(waits[0])
    with pytest.raises(UsageError, match=f"leave {name}= out"):
        subject_of(run, {**NOTHING, name: "x"})


def test_runs_and_strategies_are_not_mixed(quick, waits):
    with pytest.raises(UsageError, match="pass runs or strategies, not both"):
        subject_of([quick.start(waits[0]), waits[1]], NOTHING)


def test_nothing_is_not_exported():
    with pytest.raises(UsageError, match="nothing to export"):
        subject_of([], NOTHING)


@pytest.mark.parametrize("given", [{"symbol": "BTCUSDT"}, {"exchange": "binance"}])
def test_a_strategy_needs_symbol_and_exchange(waits, given):
    with pytest.raises(UsageError, match="pass symbol= and exchange= with a strategy"):
        subject_of(waits, {**NOTHING, **given})
