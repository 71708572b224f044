"""Statistics: golden cases, naive definitions, edges, tables and the page that documents them."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.errors import UsageError
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.figure_names import OF_TRADES, UNITS
from tradenb.statistics.figures import figures
from tradenb.statistics.stats_tables import HEATMAP_COLUMNS, heatmap, stats
from tradenb.view.figure_text import markdown, text

TESTS = Path(__file__).parents[1]
MINUTE, DAY = 60_000, 86_400_000
T0 = 1_704_067_200_000
YEAR_END = T0 + 365 * DAY
ALL = {"min_trades": 1, "min_days": 0}
ZERO = {
    "count", "wins", "losses", "total_pnl", "compounded_return", "max_drawdown",
    "max_drawdown_simple", "longest_wins", "longest_losses", "exposure", "open", "open_pnl",
}  # fmt: skip
YEARLY = {"annual_return", "calmar"}
# What closed trades alone do not tell: it takes prices.
OF_PRICES = {
    "sharpe_daily", "sortino_daily", "benchmark_return", "benchmark_drawdown", "alpha", "beta",
}  # fmt: skip
TOLD = set(UNITS) - OF_PRICES


@dataclass(frozen=True)
class Trade:
    pnl_percent: float
    opened_at: int = T0
    closed_at: int = T0 + MINUTE
    symbol: str = "BTCUSDT"
    strategy: str = "dip"


def trades_of(returns: list[float], **labels: str) -> list[Trade]:
    return [
        Trade(change, T0 + i * 10 * MINUTE, T0 + (i * 10 + 5) * MINUTE, **labels)
        for i, change in enumerate(returns)
    ]


def over_a_year(returns: list[float], **bounds: Any) -> dict[str, float]:
    return figures(trades_of(returns), start=T0, end=YEAR_END, **{**ALL, **bounds})


def available(found: dict[str, float]) -> set[str]:
    return {name for name, value in found.items() if not math.isnan(value)}


def frame_of(trades: list[Trade]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [vars(trade) for trade in trades], columns=list(Trade.__dataclass_fields__)
    )
    for name in ("opened_at", "closed_at"):
        frame[name] = frame[name].astype("int64").astype("datetime64[ms]").dt.tz_localize("UTC")
    return frame.astype({"pnl_percent": "float64"})


def assert_golden(found: Any, expected: dict[str, float | None], case: object) -> None:
    assert set(found) == set(expected), case
    for name, value in expected.items():
        wanted = math.nan if value is None else value
        assert found[name] == pytest.approx(wanted, rel=1e-9, abs=0, nan_ok=True), (case, name)


# Percent with two decimals: equal values, zeros and signs meet often.
moves = st.integers(-9000, 9000).map(lambda cents: cents / 100)
samples = st.lists(moves, max_size=30)


# --- golden ---------------------------------------------------------------------------------------


def test_every_golden_sample_is_met() -> None:
    cases = json.loads((TESTS / "golden" / "_figures.json").read_text())["cases"]
    assert len(cases) > 10
    for number, case in enumerate(cases):
        expected = case.pop("expect")
        trades = [
            Trade(row["pnl_percent"], row["opened_at"], row["closed_at"])
            for row in case.pop("trades")
        ]
        assert_golden(figures(trades, **case), expected, number)
        assert_golden(stats(frame_of(trades), **case).to_dict(), expected, number)


def test_every_golden_window_takes_what_closed_in_it() -> None:
    cases = json.loads((TESTS / "golden" / "_windows.json").read_text())
    assert len(cases) > 5
    for case in cases:
        trades = [
            Trade(row["pnl_percent"], row["opened_at"], row["closed_at"])
            for row in case.pop("trades")
        ]
        expected, what = case.pop("expect"), case.pop("what")
        assert_golden(stats(frame_of(trades), **case).to_dict(), expected, what)


# --- definitions ----------------------------------------------------------------------------------


@given(samples)
def test_streaks_are_the_longest_runs_of_one_sign(returns: list[float]) -> None:
    runs = [(sign, len(list(run))) for sign, run in groupby(returns, lambda r: (r > 0) - (r < 0))]
    found = over_a_year(returns)
    assert found["longest_wins"] == max((n for sign, n in runs if sign > 0), default=0)
    assert found["longest_losses"] == max((n for sign, n in runs if sign < 0), default=0)


@given(samples)
def test_drawdowns_are_the_largest_fall_between_any_two_moments(returns: list[float]) -> None:
    equity, sums = [1.0], [0.0]
    for change in returns:
        equity.append(equity[-1] * (1 + change / 100))
        sums.append(sums[-1] + change)
    pairs = [(i, j) for j in range(len(equity)) for i in range(j + 1)]
    found = over_a_year(returns)
    assert found["max_drawdown"] == max((equity[i] - equity[j]) / equity[i] for i, j in pairs) * 100
    assert found["max_drawdown_simple"] == max(sums[i] - sums[j] for i, j in pairs)


@given(samples)
def test_wins_losses_and_zeros_make_up_the_count(returns: list[float]) -> None:
    found = over_a_year(returns)
    assert found["count"] == len(returns) == found["wins"] + found["losses"] + returns.count(0)
    if returns:
        assert found["win_rate"] == pytest.approx(found["wins"] / len(returns) * 100)
        assert found["worst"] <= found["avg_pnl"] + 1e-9 <= found["best"] + 2e-9
        assert found["expectancy"] == found["avg_pnl"]


# Scaled by four none of them may lose everything: after ruin there is no ratio of a year.
@given(
    st.lists(st.integers(-2400, 2400).map(lambda cents: cents / 100), max_size=30),
    st.sampled_from([0.25, 2.0, 4.0]),
)
def test_ratios_do_not_depend_on_the_stake(returns: list[float], scale: float) -> None:
    once, scaled = over_a_year(returns), over_a_year([scale * change for change in returns])
    for name in ("sharpe", "sharpe_annual", "sortino", "profit_factor", "certainty_ratio"):
        assert scaled[name] == pytest.approx(once[name], rel=1e-12, nan_ok=True)
    for name in ("avg_pnl", "std", "best", "worst", "total_pnl", "max_drawdown_simple"):
        assert scaled[name] == pytest.approx(scale * once[name], rel=1e-12, nan_ok=True)


@given(st.lists(moves, min_size=1, max_size=30))
def test_reversal_changes_only_what_depends_on_the_path(returns: list[float]) -> None:
    forwards, backwards = over_a_year(returns), over_a_year(returns[::-1])
    for name in set(UNITS) - {"max_drawdown", "max_drawdown_simple", "calmar"}:
        assert backwards[name] == pytest.approx(forwards[name], rel=1e-6, abs=1e-9, nan_ok=True)


@given(st.lists(moves, min_size=1, max_size=30))
def test_negation_swaps_wins_and_losses(returns: list[float]) -> None:
    found, other = over_a_year(returns), over_a_year([-change for change in returns])
    assert (other["wins"], other["longest_wins"]) == (found["losses"], found["longest_losses"])
    assert other["avg_win"] == pytest.approx(-found["avg_loss"], nan_ok=True)
    assert other["sharpe"] == pytest.approx(-found["sharpe"], nan_ok=True)


@given(samples)
def test_columns_have_the_figures_of_their_trades(returns: list[float]) -> None:
    trades = trades_of(returns)
    columns = TradeColumns(
        np.array(returns, dtype=np.float64),
        np.array([trade.opened_at for trade in trades], dtype=np.int64),
        np.array([trade.closed_at for trade in trades], dtype=np.int64),
    )
    found = figures(columns, start=T0, end=YEAR_END, **ALL)
    assert repr(found) == repr(over_a_year(returns))


@given(st.lists(st.sampled_from([1e308, -1e308, 1e200, -1e200, -100.0, 0.1]), max_size=12))
def test_what_no_double_holds_is_not_available(returns: list[float]) -> None:
    found = over_a_year(returns)
    total = 0.0
    for change in returns:
        total += change
    assert repr(found["total_pnl"]) == repr(total if math.isfinite(total) else math.nan)
    assert not any(math.isinf(value) for value in found.values())
    assert found["max_drawdown"] >= 0


def test_a_zero_trade_ends_both_streaks() -> None:
    found = over_a_year([1, 1, 0, 1, -1, 0, -1, -1, -1])
    assert (found["longest_wins"], found["longest_losses"]) == (2, 3)


def test_one_sample_by_hand() -> None:
    found = over_a_year([3.0, -1.0, 0.0, -2.0, 5.0], instances=2)
    assert found["std"] == pytest.approx(math.sqrt((4 + 4 + 1 + 9 + 16) / 4))
    assert found["std_population"] == pytest.approx(math.sqrt(34 / 5))
    assert found["sharpe"] == pytest.approx(1 / math.sqrt(8.5))
    assert found["sharpe_annual"] == pytest.approx(math.sqrt(5 / 2) / math.sqrt(8.5))
    assert found["sortino"] == pytest.approx(1.0)
    assert found["profit_factor"] == pytest.approx(8 / 3)
    assert found["certainty_ratio"] == pytest.approx(4 / 1.5)
    assert found["annual_return"] == pytest.approx(found["compounded_return"])
    assert found["expected_yearly_return"] == pytest.approx(5.0)
    assert found["calmar"] == pytest.approx(found["annual_return"] / found["max_drawdown"])
    assert found["exposure"] == 5 * 5 * MINUTE / (365 * DAY * 2)
    assert found["avg_minutes"] == 5.0


def test_sums_are_added_one_by_one_oldest_first() -> None:
    assert over_a_year([0.1] * 10)["total_pnl"] == 0.9999999999999999
    assert over_a_year([1e16, 1.0, -1e16])["avg_pnl"] == 0.0


# --- edges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [YEAR_END, T0])
def test_without_trades_sums_are_zero_and_all_else_is_not_available(end: int) -> None:
    found = figures([], start=T0, end=end, min_trades=0, min_days=0)
    assert available(found) == ZERO
    assert {found[name] for name in ZERO} == {0.0}
    assert list(found) == list(UNITS)


def test_one_trade_has_no_deviation() -> None:
    found = over_a_year([2.0])
    assert TOLD - available(found) == {
        "std", "sharpe", "sharpe_annual", "avg_loss", "sortino", "profit_factor",
        "certainty_ratio", "calmar",
    }  # fmt: skip
    assert found["std_population"] == 0.0


@pytest.mark.parametrize(
    "returns",
    [
        [0.1] * 3,
        [-0.4] * 10,
        [0.0] * 5,
        [0.1 + 0.2, 0.3],
        [1.6, 1.6 + 4e-15, 1.6],
        [1.0, 1.0 + 1e-8],
    ],
)
def test_equal_returns_have_no_sharpe(returns: list[float]) -> None:
    found = over_a_year(returns)
    assert math.isnan(found["sharpe"])
    assert math.isnan(found["sharpe_annual"])


@pytest.mark.parametrize("value", [0.1, -0.4, 1.596203796203798])
def test_equal_returns_deviate_by_exactly_nothing(value: float) -> None:
    found = over_a_year([value] * 10)
    assert (found["std"], found["std_population"]) == (0.0, 0.0)


@given(st.floats(-5, 5), st.lists(st.integers(-20, 20), min_size=2, max_size=20))
def test_a_sharpe_never_measures_rounding(level: float, last_bits: list[int]) -> None:
    returns = [level + bits * 1e-15 for bits in last_bits]
    sharpe = over_a_year(returns)["sharpe"]
    assert math.isnan(sharpe) or abs(sharpe) < 1e7


def test_a_steady_but_real_sample_keeps_its_sharpe() -> None:
    assert over_a_year([1.0, 1.0001])["sharpe"] == pytest.approx(1.00005 / 0.0001 * math.sqrt(2))


def test_without_losses_the_ratios_to_losses_are_not_available() -> None:
    found = over_a_year([1.0, 0.0, 2.0])
    names = ("avg_loss", "sortino", "profit_factor", "certainty_ratio", "calmar")
    assert all(math.isnan(found[name]) for name in names)
    assert found["sharpe"] == pytest.approx(1.0)


def test_without_wins_profit_factor_is_zero() -> None:
    found = over_a_year([-1.0, 0.0, -2.0])
    assert found["profit_factor"] == 0.0
    assert math.isnan(found["avg_win"])
    assert math.isnan(found["certainty_ratio"])


@pytest.mark.parametrize("returns", [[-100.0], [10.0, -150.0, 20.0], [-200.0, -200.0]])
def test_after_ruin_nothing_is_left_and_there_are_no_figures_of_a_year(
    returns: list[float],
) -> None:
    found = over_a_year(returns)
    assert (found["compounded_return"], found["max_drawdown"]) == (-100.0, 100.0)
    missing = {*YEARLY, "sharpe_annual", "expected_yearly_return"}
    assert not missing & available(found)
    assert found["total_pnl"] == sum(returns)


def test_a_run_of_no_length_has_no_trades() -> None:
    found = figures(trades_of([1.0, -1.0]), start=T0 + 1, end=T0 + MINUTE - 1, **ALL)
    assert available(found) == ZERO


def test_growth_that_no_double_holds_is_not_available() -> None:
    trades = [Trade(50.0), Trade(-1.0)]
    found = figures(trades, start=T0, end=T0 + MINUTE, **ALL)
    assert math.isnan(found["annual_return"])
    assert found["trades_per_year"] == 2 * 365 * 1440


@pytest.mark.parametrize(
    ("count", "length", "shown"),
    [(10, 14 * DAY, True), (9, 14 * DAY, False), (10, 14 * DAY - MINUTE, False)],
)
def test_ratios_need_ten_trades_and_fourteen_days(count: int, length: int, shown: bool) -> None:
    returns = [(-1.0) ** i + 0.1 for i in range(count)]
    found = figures(trades_of(returns), start=T0, end=T0 + length)
    few = set(OF_TRADES) if not shown else set()
    if length < 14 * DAY:
        few |= YEARLY
    assert available(found) == TOLD - few


def test_the_bounds_of_the_run_are_floored_to_the_minute() -> None:
    trades = trades_of([1.0, -0.5] * 6)
    floored = figures(trades, start=T0, end=YEAR_END)
    assert figures(trades, start=T0 + 59_999, end=YEAR_END + 36_000) == floored


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"end": T0 - 1}, "^end must not be before start"),
        ({"instances": 0}, "^instances must be .*, was 0"),
        ({"min_trades": -1}, "^min_trades must be .*, was -1"),
        ({"min_days": math.nan}, "^min_days must be .*, was nan"),
        ({"trades": [Trade(1.0), Trade(math.nan)]}, "^pnl_percent must be .*, was nan in trade 1"),
        ({"trades": [Trade(1.0, T0 + 1, T0)]}, "^closed_at must not be before opened_at"),
    ],
)
def test_what_cannot_be_computed_is_refused(changed: dict[str, Any], message: str) -> None:
    arguments = {"trades": [], "start": T0, "end": YEAR_END, **changed}
    with pytest.raises(UsageError, match=message):
        figures(arguments.pop("trades"), **arguments)


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("returns", [[], [1.0, -2.0, 0.5]])
def test_stats_of_a_frame_and_of_objects_are_one_series_of_floats(returns: list[float]) -> None:
    trades = trades_of(returns)
    series = stats(frame_of(trades), start="2024-01-01", end=pd.Timestamp(YEAR_END, unit="ms"))
    assert series.dtype == "float64"
    assert list(series.index) == list(UNITS)
    expected = pd.Series(figures(trades, start=T0, end=YEAR_END), name="stats")
    pd.testing.assert_series_equal(series, expected, check_exact=True)
    pd.testing.assert_series_equal(stats(trades, start=T0, end=YEAR_END), expected)


def test_stats_puts_trades_in_order_of_closing() -> None:
    trades = trades_of([5.0, -3.0, 2.0, -4.0, 1.0])
    shuffled = frame_of(trades).sample(frac=1, random_state=3)
    assert list(shuffled.index) != list(range(5))
    expected = figures(trades, start=T0, end=YEAR_END)
    assert stats(shuffled, start=T0, end=YEAR_END).equals(pd.Series(expected, name="stats"))


def test_trades_with_one_closing_time_keep_their_order() -> None:
    trades = [Trade(change) for change in (1.0, 1.0, -1.0, 1.0)]
    assert stats(trades, start=T0, end=YEAR_END)["longest_wins"] == 2
    assert stats(trades[::-1], start=T0, end=YEAR_END)["longest_losses"] == 1


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UsageError, match="missing: closed_at"):
        stats(frame_of([]).drop(columns="closed_at"), start=T0, end=YEAR_END)


def test_an_open_trade_is_refused() -> None:
    frame = frame_of([Trade(1.0)])
    frame["closed_at"] = pd.NaT
    with pytest.raises(UsageError, match="NaT"):
        stats(frame, start=T0, end=YEAR_END)


def portfolio() -> list[Trade]:
    good = trades_of([1.0, 2.0, -0.5], symbol="GOOD")
    poor = trades_of([-1.0, 1.0, -2.0], symbol="POOR", strategy="other")
    lucky = trades_of([4.0], symbol="LUCKY")
    small = trades_of([0.5], symbol="SMALL")
    return [*poor, *small, *lucky, *good]


def test_heatmap_ranks_by_sharpe_then_profit_and_ends_with_all() -> None:
    table = heatmap(frame_of(portfolio()), start=T0, end=YEAR_END, min_trades=2)
    assert list(table.index) == ["GOOD", "POOR", "LUCKY", "SMALL", "all"]
    assert list(table.columns) == list(HEATMAP_COLUMNS)
    assert list(table["count"]) == [3, 3, 1, 1, 8]
    assert table["sharpe"].isna().tolist() == [False, False, True, True, False]
    together = stats(portfolio(), start=T0, end=YEAR_END, min_trades=2, instances=4)
    assert table.loc["all"].to_dict() == together[list(HEATMAP_COLUMNS)].to_dict()


def test_heatmap_groups_by_strategy_or_by_pair() -> None:
    assert list(heatmap(portfolio(), by="strategy").index) == ["dip", "other", "all"]
    pairs = heatmap(portfolio(), by="symbol:strategy")
    assert set(pairs.index) == {"GOOD:dip", "POOR:other", "LUCKY:dip", "SMALL:dip", "all"}
    assert pairs.index.name == "symbol:strategy"


def test_heatmap_without_trades_is_typed_and_holds_all_alone() -> None:
    empty, full = heatmap(frame_of([])), heatmap(frame_of(portfolio()))
    assert list(empty.index) == ["all"]
    assert empty.loc["all", "count"] == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert {str(dtype) for dtype in full.dtypes} == {"int64", "float64"}


def test_heatmap_refuses_an_unknown_grouping() -> None:
    with pytest.raises(UsageError, match=r"^by must be .*, was 'month'"):
        heatmap([], by="month")  # type: ignore[arg-type]


# --- text -----------------------------------------------------------------------------------------

SHOWN = {
    "count": 1356.0, "win_rate": 44.38202, "sharpe": -0.45283, "avg_minutes": 192.4,
    "exposure": 0.96994, "sortino": math.nan, "total_pnl": -0.001, "annual_return": 1.5e12,
}  # fmt: skip


def test_text_aligns_numbers_and_writes_units() -> None:
    assert text(SHOWN).splitlines() == [
        "count               1,356",
        "win_rate            44.38 %",
        "sharpe             -0.453",
        "avg_minutes    3 h 12 min",
        "exposure            0.970",
        "sortino               N/A",
        "total_pnl            0.00 pp",
        "annual_return     1.5e+12 %",
    ]
    assert text({}) == ""


def test_markdown_is_a_table_of_all_figures() -> None:
    assert markdown(SHOWN).splitlines() == [
        "| figure | value |",
        "|:--|--:|",
        "| count | 1,356 |",
        "| win_rate | 44.38 % |",
        "| sharpe | -0.453 |",
        "| avg_minutes | 3 h 12 min |",
        "| exposure | 0.970 |",
        "| sortino | N/A |",
        "| total_pnl | 0.00 pp |",
        "| annual_return | 1.5e+12 % |",
    ]
    assert len(markdown(stats([], start=T0, end=YEAR_END)).splitlines()) == len(UNITS) + 2


@pytest.mark.parametrize(
    ("trades", "message"),
    [
        (5, "trades must be result.trades or trades with pnl_percent.*'int'"),
        ([1.5], "trades must be result.trades or trades with pnl_percent.*'float'"),
        ("trades.csv", "trades must be result.trades or trades with pnl_percent.*'str'"),
        (None, "trades must be result.trades or trades with pnl_percent.*'NoneType'"),
    ],
)
def test_what_is_no_trades_is_said(trades: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stats(trades, start=T0, end=YEAR_END)


@pytest.mark.parametrize("pnl", ["two", None, pd.NA])
def test_a_pnl_that_is_no_number_is_said(pnl: Any) -> None:
    frame = pd.DataFrame({"pnl_percent": [pnl], "opened_at": [T0], "closed_at": [T0 + 60_000]})
    with pytest.raises(UsageError, match=f"pnl_percent must be a finite number, was {pnl!r}"):
        stats(frame, start=T0, end=YEAR_END)


# --- around ---------------------------------------------------------------------------------------


def test_the_page_names_every_figure_with_its_unit() -> None:
    page = (TESTS.parent / "docs" / "statistics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \| [^|]+ \|$", page, flags=re.MULTILINE)
    assert dict(rows) == UNITS
    assert [name for name, _ in rows] == list(over_a_year([]))


def test_importing_the_module_imports_neither_numpy_nor_pandas() -> None:
    imports = "import sys, tradenb.view.figure_text, tradenb.statistics.stats_tables; "
    code = imports + "print({'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TESTS.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
