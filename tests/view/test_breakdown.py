from __future__ import annotations

import pytest

from tradenb.statistics.breakdown import grouped


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
