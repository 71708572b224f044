"""Nothing is tied to Binance: two exchanges whose answers look quite different."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.exchanges.shapes import KRAKEN_MOST, Shaped
from tests.exchanges.wire import FAST, RULES, as_frame, same
from tests.sources import MINUTE, T0, market
from tradenb.engine.ports import CandleRequest
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange

COUNT = 2_500
WALK = market(21, COUNT)
ROWS = [[T0 + place * MINUTE, *row] for place, row in enumerate(WALK)]
END = T0 + COUNT * MINUTE
NOW = END - 30_000  # the last candle is forming


def exchange_of(kind, server, **more):
    urls = {
        "kraken": {"public": server.url, "private": server.url},
        "bybit": {
            "public": server.url,
            "spot": server.url,
            "v2": server.url,
            "private": server.url,
        },
    }
    options = {**FAST, "urls": {"api": urls[kind]}, **more}
    if kind == "bybit":
        options["options"] = {"fetchMarkets": ["spot"], "fetchCurrencies": False}
    return CcxtExchange(kind, options, sleep=lambda seconds: None)


SYMBOLS = {"kraken": "BTC/USD", "bybit": "BTC/USDT"}


@pytest.mark.parametrize("kind", SYMBOLS)
def test_recent_candles_are_closed_ones_oldest_first(kind):
    with Shaped(kind, ROWS, NOW) as server:
        ex = exchange_of(kind, server)
        since = END - 200 * MINUTE

        async def asked():
            return await ex.recent(SYMBOLS[kind], since, 1_000)

        rows = asyncio.run(asked())
        assert ex.clock_ahead_ms is not None
    assert rows.time.tolist() == list(range(since, END - MINUTE, MINUTE))
    assert rows.close.tolist() == [row[4] for row in ROWS[-200:-1]]


@pytest.mark.parametrize("kind", SYMBOLS)
def test_a_backtest_is_that_of_the_same_candles_as_a_frame(kind):
    @tn.strategy("often", every="5m", history="1h")
    def often(ctx):
        price = ctx.price
        if ctx.candles("5m", 3).close.mean() < price:
            return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=60)
        return None

    first = END - 600 * MINUTE
    more = {"strategy": often, "start": first, "end": END - MINUTE, "rules": RULES}
    with Shaped(kind, ROWS, NOW) as server:
        ours = tn.backtest.run(SYMBOLS[kind], exchange=exchange_of(kind, server), **more)
        asked = sum(server.asked.values())
        again = tn.backtest.run(SYMBOLS[kind], exchange=exchange_of(kind, server), **more)
        assert sum(server.asked.values()) == asked
    theirs = tn.backtest.run(SYMBOLS[kind], exchange=tn.frame_exchange(_frame()), **more)
    assert len(theirs.events) > 20
    assert ours.events.equals(theirs.events)
    assert again.events.equals(theirs.events)


def _frame():
    from tests.sources import frame

    return frame(WALK)


def test_pages_of_bybit_are_joined():
    with Shaped("bybit", ROWS, NOW) as server:
        found = exchange_of("bybit", server).load(
            CandleRequest(symbol="BTCUSDT", start=T0, end=END, rules=RULES)
        )
        assert server.asked["kline"] >= 3
    assert same(found.candles, as_frame(WALK, end=END - MINUTE))


def test_what_kraken_does_not_keep_is_said_and_not_invented():
    @tn.strategy("idle", every="1h", history="1h")
    def idle(ctx):
        return None

    with Shaped("kraken", ROWS, NOW) as server:
        ex = exchange_of("kraken", server)
        result = tn.backtest.run(
            "BTC/USD", strategy=idle, exchange=ex, start=T0, end=END - MINUTE, rules=RULES
        )
        assert any("there are only candles from" in words for words in result.warnings)
        assert result.start == END - KRAKEN_MOST * MINUTE
        with pytest.raises(tn.CandleError, match="older than the exchange keeps"):
            ex.load(CandleRequest(symbol="BTC/USD", start=T0, end=T0 + 60 * MINUTE, rules=RULES))


def test_each_writes_prices_in_its_own_steps():
    for kind, price, amount in (
        ("kraken", "42123.5", "0.12345678"),
        ("bybit", "42123.46", "0.123456"),
    ):
        with Shaped(kind, ROWS, NOW) as server:
            ex = exchange_of(kind, server)
            assert ex.format_price(SYMBOLS[kind], 42_123.456_789) == price
            assert ex.format_amount(SYMBOLS[kind], 0.123456789) == amount


def test_the_names_that_an_exchange_itself_uses_are_understood():
    with Shaped("kraken", ROWS, NOW) as server:
        ex = exchange_of("kraken", server)
        for symbol in ("BTC/USD", "BTCUSD", "XXBTZUSD"):
            assert float(ex.format_price(symbol, 1.04)) == 1.0
