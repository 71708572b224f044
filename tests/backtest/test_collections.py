"""While a backtest runs Python looks for cycles more rarely; afterwards as before."""

import gc
import threading

import pytest

import tradenb as tn


@pytest.fixture(autouse=True)
def usual():
    """Give the thresholds of Python, whatever the tests before wanted."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def run(function, **settings):
    strategy = tn.strategy("collected", every="1h")(function)
    market = tn.testing.random_walk(seed=7, days=1)
    return tn.backtest.run("BTCUSDT", strategy=strategy, exchange=market, **settings)


def seen_by_a_run(**settings):
    seen = []
    run(lambda ctx: seen.append(gc.get_threshold()), **settings)
    return set(seen)


def test_a_run_collects_rarely_and_leaves_no_trace():
    assert seen_by_a_run() == {(10_000, 10, 10)}
    assert gc.get_threshold() == (700, 10, 10)


def test_a_run_that_fails_leaves_no_trace():
    with pytest.raises(tn.errors.StrategyError):
        run(lambda ctx: 1 / 0, on_error="raise")
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("wanted", [(0, 10, 10), (50_000, 20, 20)])
def test_who_wants_fewer_collections_keeps_them(wanted):
    gc.set_threshold(*wanted)
    assert seen_by_a_run() == {wanted}
    assert gc.get_threshold() == wanted


def test_what_a_strategy_sets_stays():
    run(lambda ctx: gc.set_threshold(900))
    assert gc.get_threshold() == (900, 10, 10)


def test_the_last_of_two_runs_puts_it_back():
    inside, go_on = threading.Event(), threading.Event()

    def waiting(ctx):
        inside.set()
        assert go_on.wait(240)

    market = tn.testing.random_walk(seed=7, days=1)
    strategy = tn.strategy("waiting", every="1d")(waiting)
    job = tn.backtest.background("BTCUSDT", strategy=strategy, exchange=market)
    assert inside.wait(240)
    assert seen_by_a_run() == {(10_000, 10, 10)}
    assert gc.get_threshold() == (10_000, 10, 10)
    go_on.set()
    job.result(timeout=60)
    assert gc.get_threshold() == (700, 10, 10)
