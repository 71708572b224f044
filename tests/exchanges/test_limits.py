"""How many requests come: never more than the exchange allows, never more than are needed."""

from __future__ import annotations

import threading

import pytest

import tradenb as tn
from tests.exchanges.wire import RULES, exchange_on, served
from tests.sources import MINUTE, T0, frame, market
from tradenb.engine.ports import CandleRequest

SYMBOLS = [f"C{number}USDT" for number in range(20)]
ROWS = frame(market(1, 60))
END = T0 + 60 * MINUTE
# A fifth of what Binance allows (6,000 a minute), so that a slow machine is still fast enough to
# break it: 20 a second, and a little for the start.
PACE = {"weight_limit": 70, "window_s": 3.0}
LIMITED = {"enableRateLimit": True, "rateLimit": 250}


def load_all(ex):
    failures = []

    def load(symbol):
        try:
            for start in (0, 10, 20):
                ex.load(
                    CandleRequest(symbol=symbol, start=T0 + start * MINUTE, end=END, rules=RULES)
                )
        except tn.MarketError as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(symbol,)) for symbol in SYMBOLS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    return failures


def test_twenty_symbols_never_exceed_the_limit_that_the_server_counts():
    with served(dict.fromkeys(SYMBOLS, ROWS), **PACE) as server:
        assert load_all(exchange_on(server, cache=False, **LIMITED)) == []
        assert server.count("klines") == 60
        assert {item.status for item in server.requests} == {200}
        assert server.heaviest(3.0) <= 70


def test_without_the_limiter_the_server_refuses_them():
    with served(dict.fromkeys(SYMBOLS, ROWS), **PACE) as server:
        assert load_all(exchange_on(server, cache=False)) != []
        assert {item.status for item in server.requests} == {200, 429}


def test_two_strategies_on_one_symbol_make_the_requests_of_one():
    def strategies(count):
        def asked(ctx):
            return None

        return [tn.strategy(f"s{n}", every="5m", history="10m")(asked) for n in range(count)]

    counts = []
    for count in (1, 2):
        with served(dict.fromkeys(SYMBOLS, ROWS)) as server:
            ex = exchange_on(server, cache=False)
            tn.backtest.run(
                SYMBOLS[0], strategy=strategies(count), exchange=ex, start=T0, end=END, rules=RULES
            )
            counts.append(len(server.requests))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("limit", [1, 2])
def test_the_heaviest_stretch_is_found(limit):
    with served(dict.fromkeys(SYMBOLS, ROWS)) as server:
        ex = exchange_on(server, cache=False)
        for _ in range(limit):
            ex.load(CandleRequest(symbol=SYMBOLS[0], start=T0, end=END, rules=RULES))
        assert server.heaviest(60) == 20 + 1 + 2 * limit
