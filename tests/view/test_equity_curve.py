from __future__ import annotations

import random

import pandas as pd
import pytest

from tradenb.statistics.breakdown import grouped, monthly_returns
from tradenb.statistics.equity_curve import equity_curve, equity_series, thinned
from tradenb.statistics.figures import figures


def test_equity_is_compounded_at_each_close(make_trades):
    trades = make_trades([10.0, -50.0, 100.0])
    times, equity, drawdown = equity_curve(trades)
    assert times == [trade.closed_at for trade in trades]
    assert equity == pytest.approx([1.1, 0.55, 1.1])
    assert drawdown == pytest.approx([0.0, 50.0, 0.0])


def test_a_first_loss_is_a_drawdown_from_the_start(make_trades):
    assert equity_curve(make_trades([-4.0]))[2] == pytest.approx([4.0])


def test_the_curve_agrees_with_the_statistics(make_trades, make_returns, start):
    trades = make_trades(make_returns(300))
    _, equity, drawdown = equity_curve(trades)
    found = figures(trades, start=start, end=trades[-1].closed_at)
    assert (equity[-1] - 1) * 100 == found["compounded_return"]
    assert max(drawdown) == pytest.approx(found["max_drawdown"], rel=1e-14)


def test_the_series_begins_with_one_at_the_start(make_trades, start):
    series = equity_series(make_trades([10.0]), start)
    assert series.to_list() == pytest.approx([1.0, 1.1])
    assert str(series.index.dtype) == "datetime64[ms, UTC]"
    assert series.index[0] == pd.Timestamp("2024-03-01", tz="UTC")
    assert series.name == "equity"


def test_the_series_is_typed_without_trades(start):
    series = equity_series([], start)
    assert (str(series.dtype), str(series.index.dtype)) == ("float64", "datetime64[ms, UTC]")


@pytest.mark.parametrize("count", [0, 1, 5, 100, 101, 20_000])
@pytest.mark.parametrize("limit", [4, 5, 100, 1000])
def test_thinning_keeps_ends_and_extremes(count, limit):
    rng = random.Random(count)
    values = [rng.gauss(0, 1) for _ in range(count)]
    chosen = thinned(values, limit)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= limit
    if count:
        assert {0, count - 1} <= set(chosen)
        assert min(values[i] for i in chosen) == min(values)
        assert max(values[i] for i in chosen) == max(values)


def test_thinning_finds_a_spike_wherever_it_is():
    for spike in range(500):
        values = [0.0] * 500
        values[spike] = 1.0
        assert spike in thinned(values, 20)


def test_months_are_compounded_by_the_time_of_closing(make_trades):
    first, second, third = make_trades([10.0, 10.0, -50.0])
    later = third._replace(closed_at=third.closed_at + 400 * 86_400_000)
    months = monthly_returns([first, second, later])
    assert list(months) == [2024, 2025]
    assert months[2024][2] == pytest.approx(21.0)
    assert months[2024][12] == pytest.approx(21.0)
    assert months[2025][3] == pytest.approx(-50.0)
    assert months[2025][0] != months[2025][0]  # NaN: nothing was closed in January
    assert monthly_returns([]) == {}


def test_years_without_trades_stay_in_the_table(make_trades):
    first, second = make_trades([1.0, 1.0])
    late = second._replace(closed_at=second.closed_at + 800 * 86_400_000)
    assert list(monthly_returns([first, late])) == [2024, 2025, 2026]


def test_groups_come_in_order_of_size(make_trades):
    trades = make_trades([1.0, 2.0, -1.0])
    win, loss = grouped(trades, lambda trade: trade.exit_reason)
    assert (win.name, win.trades, win.total_percent, win.win_rate_percent) == (
        "take_profit",
        2,
        3.0,
        100.0,
    )
    assert (loss.name, loss.mean_percent, loss.mean_minutes) == ("stop_loss", -1.0, 30.0)
    assert win.share_percent + loss.share_percent == pytest.approx(100)
