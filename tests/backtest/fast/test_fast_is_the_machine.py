"""The fast ways make the trades and figures of the whole machine."""

from __future__ import annotations

import math
import pickle
from functools import partial
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tradenb as tn
from tests.conftest import examples
from tests.sources import candles, market, minute
from tradenb.backtest.plan import make_plan
from tradenb.backtest.trial import TrialCandles, run_trial
from tradenb.core.rules import Rules

SYMBOL = "BTCUSDT"
GRID = candles(market(11, 2_500))
OTHER = candles(market(12, 2_500))


def figures(spec, rules=None, symbols=(SYMBOL,), **period):
    """What a trial finds, and what a backtest finds."""
    own = TrialCandles("m", {SYMBOL: GRID, "ETHUSDT": OTHER})
    plan = make_plan(symbols, spec, own, period.get("start"), period.get("end"), rules, ())
    # What an earlier trial looked up must not change a later one.
    first, found = run_trial(plan, own), run_trial(plan, own)
    assert same(first, found)
    result = by_the_machine(symbols, spec, own, rules, **period)
    kinds = [event.kind for event in result.event_list]
    expected = result.figures | {
        "asks": result.ask_count,
        "rejected": kinds.count("rejected"),
        "errors": kinds.count("error"),
        "asks_lost": result.asks_lost,
        "first_error": next(
            (item.note for item in result.event_list if item.kind == "error"), None
        ),
    }
    return found, expected


def by_the_machine(symbols, spec, exchange, rules=None, **period):
    """A backtest by the whole machine, since somebody subscribed to its events."""
    with tn.subscribe(lambda event: None, mode="backtest"):
        return tn.backtest.run(
            symbols, strategy=spec, exchange=exchange, rules=rules, progress=False, **period
        )


def same(found, expected):
    assert found.keys() == expected.keys()
    return [name for name in found if not equal(found[name], expected[name])] == []


def equal(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def random_candidates(seed, rows, close, **columns):
    """Candidates of all sorts, good and broken, for any row of a frame."""
    random = np.random.default_rng(seed)
    side = random.choice([1, -1, 0, 0], rows)
    far = random.choice([0.004, 0.005, 0.01, 0.03, 0.25], (2, rows))
    found = {
        "position": side,
        "take_profit": close
        * (1 + side * far[0])
        * random.choice([1.0] * 40 + [np.nan, np.inf, -1.0, 0.0], rows),
        "stop_loss": close * (1 - side * far[1] * random.choice([1, 1, 1, -1], rows)),
        "minutes": random.choice([1.0, 7.0, 90.0, 1440.0, 1441.0, 0.0, 2.5, np.nan, np.inf], rows),
    }
    return found | {name: make(random, side, close) for name, make in columns.items()}


def with_more(found, seed, close, kind):
    """Add what is managed or declared, and leave out what need not be there."""
    random = np.random.default_rng(seed + 1)
    rows = len(close)
    broken = random.choice([1.0] * 30 + [np.inf, -1.0, 0.0, 200.0], rows)
    if "exit" in kind:
        found["exit"] = random.choice(["long", "short", True, None, None, None, None, None], rows)
    if "sides" in kind:
        found["exit"] = random.random(rows) < 0.1
    if "percent" in kind:
        found["trail"] = random.choice([0.2, 0.7, 3.0], rows) * broken
    if "distance" in kind:
        found["trail_distance"] = random.choice([0.1, 0.5, 2.0], rows) * broken
    if "after" in kind:
        found["trail_after"] = random.choice([*[0.0, 0.3, 1.0] * 10, -0.1, np.inf], rows)
    for name in ("take_profit", "minutes"):
        if f"no {name}" in kind:
            del found[name]
    return found


KINDS = (
    "",
    "exit",
    "sides, no take_profit, no minutes",
    "percent, no take_profit",
    "percent, after, exit, no take_profit, no minutes",
    "distance",
    "distance, after, sides",
    "percent, distance",
    "after",
    "no minutes",
)


def entry(random, side, close):
    return np.where(random.random(len(close)) < 0.5, close * (1 - side * 0.005), np.nan)


@pytest.mark.no_cover
@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    every=st.sampled_from(["1m", "5m", "15m"]),
    start=st.sampled_from([None, minute(700)]),
    end=st.sampled_from([None, minute(1_999)]),
    waits=st.booleans(),
    symbols=st.sampled_from([(SYMBOL,), (SYMBOL, "ETHUSDT")]),
    rules=st.sampled_from(
        [None, Rules.reference(), Rules(touch="average_price"), Rules(fee_percent=0.02)]
    ),
)
def test_a_vectorised_trial_gives_the_figures_of_the_machine(
    seed, every, start, end, waits, symbols, rules
):
    extra = {"entry": entry} if waits else {}

    @tn.strategy(f"s{seed}", every=every, vectorised=True)
    def made(df):
        return random_candidates(seed, len(df), df.close.to_numpy(), **extra)

    found, expected = figures(made, rules, symbols, start=start, end=end)
    assert same(found, expected), (found, expected)


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    every=st.sampled_from(["1m", "5m", "1h"]),
    risk=st.sampled_from([(), (tn.risks.cooldown(minutes=60),)]),
    rules=st.sampled_from([None, Rules.reference(), Rules(schedule_await_minutes=5)]),
)
def test_a_callback_trial_gives_the_figures_of_the_machine(seed, every, risk, rules):
    def asked(ctx):
        random = Random(f"{seed}:{ctx.now}")
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        what = random.randrange(12)
        if what == 0:
            raise ValueError(seed)
        if what == 1:
            return ctx.candles("1h", 20) and None
        if what > 6:
            return None
        side = random.choice((1, -1))
        return {
            "position": "long" if side > 0 else "short",
            "take_profit": ctx.price * (1 + side * random.choice((0.004, 0.01, 0.03))),
            "stop_loss": ctx.price * (1 - side * random.choice((0.004, 0.01, 0.03))),
            "minutes": random.choice((1, 30, 600, 5_000)),
            "entry": random.choice((None, ctx.price * (1 - side * 0.004))),
            "id": random.choice((None, f"id-{random.randrange(40)}")),
        }

    made = tn.strategy(f"a{seed}", every=every, risk=risk)(asked)
    found, expected = figures(made, rules)
    assert same(found, expected), (found, expected)


def test_what_ends_a_backtest_ends_a_trial():
    def broken(df):
        raise ZeroDivisionError("oh")

    made = tn.strategy("broken", every="5m", vectorised=True)(broken)
    own = TrialCandles("m", {SYMBOL: GRID})
    run = partial(run_trial, make_plan(SYMBOL, made, own, None, None, None, ()), own)
    words = r"signals of broken failed: ZeroDivisionError: oh \(line \d+ of broken\)"
    with pytest.raises(tn.StrategyError, match=words):
        run()


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    every=st.sampled_from(["1m", "5m", "15m"]),
    kind=st.sampled_from(KINDS),
    rules=st.sampled_from([None, Rules.reference(), Rules(max_signal_minutes=300)]),
)
def test_a_vectorised_trial_with_exits_and_trails_gives_the_figures_of_the_machine(
    seed, every, kind, rules
):
    @tn.strategy(f"t{seed}", every=every, vectorised=True)
    def made(df):
        close = df.close.to_numpy()
        return with_more(random_candidates(seed, len(df), close), seed, close, kind)

    found, expected = figures(made, rules, (SYMBOL,))
    assert same(found, expected), (found, expected)


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    every=st.sampled_from(["1m", "5m", "15m"]),
    broken=st.booleans(),
    kind=st.sampled_from(KINDS),
    start=st.sampled_from([None, minute(700)]),
    end=st.sampled_from([None, minute(1_999)]),
    rules=st.sampled_from([None, Rules(fee_percent=0.02, slippage_percent=0.2)]),
)
def test_a_fast_backtest_is_that_of_the_machine(seed, every, broken, kind, start, end, rules):
    @tn.strategy(f"j{seed}", every=every, vectorised=True)
    def made(df):
        close = df.close.to_numpy()
        found = random_candidates(seed, len(df), close)
        if not broken:
            found |= {
                "take_profit": close * (1 + found["position"] * 0.01),
                "stop_loss": close * (1 - found["position"] * 0.01),
                "minutes": 240,
            }
        return with_more(found, seed, close, kind)

    own = TrialCandles("m", {SYMBOL: GRID})
    period = {"start": start, "end": end}
    plain = by_the_machine(SYMBOL, made, own, rules, **period)
    fast = tn.backtest.run(
        SYMBOL, strategy=made, exchange=own, rules=rules, progress=False, **period
    )
    # A missing number, and what is always wrong, is for the machine.
    assert fast._parts.fast is not None or broken or kind in ("percent, distance", "after")
    assert fast.warnings == plain.warnings
    assert fast.trade_list == plain.trade_list
    assert fast.event_list == plain.event_list
    assert fast.open.equals(plain.open)
    assert repr(fast) == repr(plain)


def test_a_fast_result_can_be_pickled_with_its_events():
    @tn.strategy("pickled", every="5m", vectorised=True)
    def made(df):
        return random_candidates(5, len(df), df.close.to_numpy())

    own = TrialCandles("m", {SYMBOL: GRID})
    result = tn.backtest.run(SYMBOL, strategy=made, exchange=own, progress=False)
    kept = pickle.loads(pickle.dumps(result))
    assert kept.event_list == by_the_machine(SYMBOL, made, own).event_list
    assert kept.trade_list == result.trade_list
