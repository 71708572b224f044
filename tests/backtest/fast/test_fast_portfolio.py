"""Several vectorised strategies, with account and risk rules or without: fast is the machine."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tradenb as tn
from tradenb.backtest.results.result_chart import drawn_of
from tradenb.core.candles.arrays import Intake, candles_of
from tradenb.core.timeframe import DAY
from tradenb.engine.ports import Loaded

ACCOUNTS = (
    None,
    tn.Account(cash=1_000, percent=40, leverage=4),
    tn.Account(cash=1_000, risk=1, leverage=3, max_percent=200),
    tn.Account(cash=1_000, quote=20),
    tn.Account(cash=1_000, quote=450),  # funds refuse some
    tn.Account(cash=1_000, percent=10, funding_percent=0.01),
)
RISKS = (
    (),
    (tn.risks.max_open(1),),
    (tn.risks.max_open(2), tn.risks.cooldown(3 * 1_440)),
    (tn.risks.cooldown(5 * 1_440, after="stop_loss"), tn.risks.max_drawdown(12)),
    (tn.risks.daily_loss(4), tn.risks.max_open(3)),
)


class Daily:
    """Walks of daily candles that begin together and end apart."""

    name = "daily"
    step = DAY

    def __init__(self, seed, symbols, apart=9):
        self.symbols = [f"S{place}USDT" for place in range(symbols)]
        random = np.random.default_rng(seed)
        self._candles = {}
        for place, symbol in enumerate(self.symbols):
            days = 150 - apart * place
            close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.02, days))), 4)
            open_ = np.concatenate(([100.0], close[:-1]))
            high = np.maximum(open_, close) * (1 + random.exponential(0.008, days))
            low = np.minimum(open_, close) / (1 + random.exponential(0.008, days))
            columns = (open_, high, low, close, np.ones(days))
            self._candles[symbol] = candles_of(columns, 1_672_531_200_000, DAY)

    def load(self, request):
        return Loaded(self._candles[request.symbol], Intake())


def strategy(name, *, days, kind, risk=()):
    def rows(df):
        close = df["close"]
        up = close.rolling(days).mean() > close.rolling(15).mean()
        side = np.where(up, 1, -1 if "short" in kind else 0)
        found = {
            "position": side,
            "take_profit": close * (1 + side * 0.05),
            "stop_loss": close * (1 - side * 0.05),
        }
        if "exit" in kind:
            found["exit"] = (close.rolling(3).mean() < close.rolling(9).mean()).to_numpy()
        else:
            found["minutes"] = np.full(len(close), 12.0 * 1_440)
        if "trail" in kind:
            found["trail"] = np.full(len(close), 3.0)
        return found

    return tn.strategy(name, every="1d", vectorised=True, risk=risk)(rows)


def both(source, several, account):
    """A result by the fast way, if it suits, and one by the machine."""
    run = {"strategy": several, "exchange": source, "account": account, "progress": False}
    fast = tn.backtest.run(source.symbols, **run)
    with tn.subscribe(lambda event: None, mode="backtest"):
        return fast, tn.backtest.run(source.symbols, **run)


@pytest.mark.no_cover
@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    symbols=st.integers(1, 4),
    account=st.sampled_from(ACCOUNTS),
    risks=st.lists(st.sampled_from(RISKS), min_size=2, max_size=2),
    kinds=st.lists(st.sampled_from(["", "exit short", "trail short", "exit trail"]),
                   min_size=1, max_size=2),
)  # fmt: skip
def test_the_fast_way_is_the_machine(seed, symbols, account, risks, kinds):
    several = [
        strategy(f"portfolio-{place}", days=3 + place, kind=kind, risk=risks[place])
        for place, kind in enumerate(kinds)
    ]
    fast, machine = both(Daily(seed, symbols), several, account)
    assert machine._parts.fast is None
    assert fast.trade_list == machine.trade_list
    assert fast.figures.keys() == machine.figures.keys()
    for name, value in machine.figures.items():
        assert fast.figures[name] == value or math.isnan(value), name
    assert (fast.balance, fast.ask_count, fast._parts.open) == (
        machine.balance,
        machine.ask_count,
        machine._parts.open,
    )
    assert fast.equity.equals(machine.equity)
    assert fast.warnings == machine.warnings
    pd.testing.assert_frame_equal(fast.trades, machine.trades)
    pd.testing.assert_frame_equal(fast.refusals, machine.refusals)
    pd.testing.assert_frame_equal(fast.asks, machine.asks)
    called = [row.count for _, _, row in fast.ask_rows if row.asked == "entry" and row.was_called]
    assert sum(called) == fast.ask_count
    assert fast.event_list == machine.event_list
    pd.testing.assert_frame_equal(fast.fills, machine.fills)


@pytest.mark.no_cover
@pytest.mark.parametrize("account", ACCOUNTS[:4])
def test_where_nothing_is_refused_the_machine_is_not_asked(account):
    source = Daily(7, 3)
    fast, _ = both(source, [strategy("portfolio-plain", days=3, kind="trail short")], account)
    assert fast._parts.fast is not None
    assert len(fast.trade_list) > 20
    again = pickle.loads(pickle.dumps(fast))
    pd.testing.assert_frame_equal(again.trades, fast.trades)
    assert again.figures == pytest.approx(fast.figures, nan_ok=True)


def test_what_funds_refuse_in_a_row_is_no_errand_of_the_machine():
    fast, machine = both(
        Daily(7, 3), [strategy("portfolio-refused", days=3, kind="short")], ACCOUNTS[4]
    )
    assert fast._parts.fast is not None
    assert fast.trade_list == machine.trade_list
    assert fast.refusals["count"].sum() > len(fast.refusals) > 0
    pd.testing.assert_frame_equal(fast.refusals, machine.refusals)
    again = pickle.loads(pickle.dumps(fast))
    pd.testing.assert_frame_equal(again.refusals, machine.refusals)
    assert [each.kind for each in fast.troubled] == ["rejected"] * len(fast.refusals)


@pytest.mark.parametrize("risk", RISKS[1:])
def test_what_ready_made_rules_refuse_is_no_errand_of_the_machine(risk):
    several = [
        strategy(f"portfolio-risk-{kind}", days=days, kind=kind, risk=risk)
        for days, kind in ((3, "short"), (4, "exit"))
    ]
    fast, machine = both(Daily(7, 4), several, None)
    assert fast._parts.fast is not None
    assert fast._parts.fast.refused > 0
    assert fast.trade_list == machine.trade_list
    pd.testing.assert_frame_equal(fast.refusals, machine.refusals)
    assert fast.event_list == machine.event_list


@pytest.mark.parametrize("account", ACCOUNTS[:2])
@pytest.mark.parametrize("risk", RISKS[:2])
def test_of_many_symbols_a_report_draws_those_that_moved_the_most(account, risk, tmp_path):
    source = Daily(7, 33, apart=0)
    several = [strategy("portfolio-many", days=3, kind="trail short", risk=risk)]
    fast, machine = both(source, several, account)
    moved = machine.trades.groupby("symbol")["pnl_percent"].sum().abs().reindex(source.symbols)
    most = set(moved.fillna(0).nlargest(30).index)
    drawn = drawn_of(fast._parts)
    assert "events" not in vars(fast._parts)
    assert {each.symbol for each in drawn} == most
    same = drawn_of(machine._parts)
    assert [(each.trades, each.lines) for each in drawn] == [(o.trades, o.lines) for o in same]
    left = next(symbol for symbol in source.symbols if symbol not in most)
    assert left in [each.symbol for each in drawn_of(fast._parts, left)]
    page = fast.report(tmp_path / "many.html").read_text(encoding="utf-8")
    assert "Of 33 symbols the 30 are drawn" in page


def test_a_strategy_that_is_always_refused_is_told_of_without_its_events():
    risk = [tn.risks.max_open(1)]
    close = tn.strategy("portfolio-first", every="1d", vectorised=True, risk=risk)(
        lambda df: {"position": np.ones(len(df)), "stop_loss": df["close"] * 0.9,
                    "take_profit": df["close"] * 1.5}
    )  # fmt: skip
    never = strategy("portfolio-refused-always", days=3, kind="", risk=risk)
    fast, machine = both(Daily(7, 1), [close, never], None)
    assert (fast.alarms, "events" in vars(fast._parts)) == (machine.alarms, False)


def test_rules_of_the_user_are_asked_by_the_machine():
    @tn.risk("portfolio-own")
    def own(book, candidate):
        return None

    fast, _ = both(Daily(7, 2), [strategy("portfolio-own", days=3, kind="", risk=[own])], None)
    assert fast._parts.fast is None


def test_funding_and_candidates_that_break_a_rule_are_of_the_machine():
    plain = strategy("portfolio-funded", days=3, kind="short")
    fast, _ = both(Daily(7, 3), [plain], ACCOUNTS[5])
    assert fast._parts.fast is None
    close = tn.strategy("portfolio-invalid", every="1d", vectorised=True)(
        lambda df: {"position": np.ones(len(df)), "take_profit": df["close"] * 1.05,
                    "stop_loss": df["close"], "minutes": np.full(len(df), 1_440.0)}
    )  # fmt: skip
    fast, _ = both(Daily(7, 2), [close], ACCOUNTS[1])
    assert fast._parts.fast is None
    assert any("broke the rules" in words for words in fast.warnings)
