"""`tn.testing.crash_test`: public, for users' own strategies."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.sources import exchange, market, minute


def test_a_strategy_that_keeps_its_memory_in_ctx_state_passes():
    @tn.strategy("tidy", every="1m")
    def tidy(ctx):
        asked = ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        price = ctx.price
        target, stop = 1.01 * price, 0.99 * price
        return tn.long(take_profit=target, stop_loss=stop, minutes=5, note=f"ask {asked}")

    source = exchange(market(5, 40))
    report = tn.testing.crash_test(
        tidy, exchange=source, start=minute(10), end=minute(20), kills=12
    )
    assert (report.kills, report.strategy) == (12, "tidy")
    assert report.events > 3
    assert "killed at 12 of" in repr(report)


def test_a_strategy_that_counts_somewhere_else_does_not():
    asks = []

    @tn.strategy("untidy", every="1m")
    def untidy(ctx):
        asks.append(ctx.now)
        price = ctx.price
        target, stop = 1.01 * price, 0.99 * price
        return tn.long(take_profit=target, stop_loss=stop, minutes=5, note=f"ask {len(asks)}")

    source = exchange(market(5, 40))
    with pytest.raises(AssertionError, match=r"untidy, .*: event 0: live"):
        tn.testing.crash_test(untidy, exchange=source, start=minute(10), end=minute(20), kills=2)
