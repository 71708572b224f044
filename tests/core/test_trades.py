"""Events are put together to trades in one place."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.core.trades import trade_of, trades_of


@pytest.fixture(scope="module")
def result():
    def noted(ctx):
        price = ctx.price
        return tn.long(
            take_profit=price * 1.01, stop_loss=price * 0.99, minutes=60, note=f"{ctx.now}"
        )

    strategy = tn.strategy("trades of events", every="1h")(noted)
    market = tn.testing.random_walk(seed=3, days=3)
    return tn.backtest.run("BTCUSDT", strategy=strategy, exchange=market, progress=False)


def test_the_events_of_a_run_give_its_trades(result):
    assert len(result.trade_list) > 10
    assert trades_of(result.event_list) == result.trade_list


def test_a_position_whose_opening_is_missing_is_left_out(result):
    first = next(event for event in result.event_list if event.kind == "closed")
    later = [event for event in result.event_list if event.seq >= first.seq]
    assert trades_of(later) == result.trade_list[1:]


def test_a_closing_alone_gives_a_trade_that_opens_with_it(result):
    first = next(event for event in result.event_list if event.kind == "closed")
    assert trade_of(None, first) == result.trade_list[0]._replace(opened_at=first.at)


def test_a_closing_without_a_price_gives_no_trade(result):
    closed = next(event for event in result.event_list if event.kind == "closed")
    assert trade_of(None, closed._replace(price=None)) is None
    assert trade_of(None, closed) is not None
