"""An exchange on loopback whose candles go on to now: what a live run needs."""

from __future__ import annotations

import time

import pytest

import tradenb as tn
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.ports import CandleRequest
from tradenb.testing.world.fake_clock import FakeClock
from tradenb.testing.world.fake_exchange import FakeExchange

WALK = tn.testing.random_walk(seed=7, days=3)


def test_a_moment_of_the_candles_is_now_and_more_are_to_come():
    with tn.testing.ExchangeServer(WALK, now="2024-01-02") as server:
        ex = tn.ccxt_exchange("binance", **server.options)
        now = floor_to(time.time_ns() // 1_000_000)
        found = ex.load(CandleRequest(symbol="BTCUSDT", start=now - 10 * MINUTE, rules=Rules()))
        assert now <= found.candles.end <= now + 2 * MINUTE
        want = tn.candles("BTCUSDT", exchange=WALK, end="2024-01-02").close
        shared = found.candles.between(now - 10 * MINUTE, now).close
        first = want.tolist().index(shared[0])
        assert want.tolist()[first : first + len(shared)] == shared.tolist()[: len(want) - first]


def test_candles_have_to_go_on_after_that_moment():
    with pytest.raises(tn.UsageError, match="there are no candles after now="):
        tn.testing.ExchangeServer(WALK, now="2025-01-02")
    with pytest.raises(tn.UsageError, match="pass clock or now, not both"):
        tn.testing.ExchangeServer(WALK, now="2024-01-02", clock=FakeClock("2024-01-02"))


def test_the_fake_exchange_answers_with_what_was_asked_for():
    start = 1_704_067_200_000
    clock = FakeClock(start + 100 * MINUTE)
    fake = FakeExchange(WALK, clock)
    found = fake.load(
        CandleRequest(
            symbol="BTCUSDT", start=start + 50 * MINUTE, history=5 * MINUTE, rules=Rules()
        )
    ).candles
    assert (found.start, found.end) == (start + 45 * MINUTE, start + 100 * MINUTE)
