"""The steps of an exchange's markets: taken with the candles, kept beside them, used in money."""

from __future__ import annotations

import json

import pytest

import tradenb as tn
from tests.exchanges.wire import END, exchange_on, loaded, served
from tests.sources import T0
from tradenb.engine.ports import market_of
from tradenb.exchanges.ccxt.market_steps import FILE, KeptMarket, keep_market, kept_market
from tradenb.exchanges.ccxt.market_steps import market_of_ccxt as read

DAY = 86_400_000
STEPS = tn.Market(price_step=0.01, size_step=0.001)


def buying(name):
    return tn.strategy(name, every="1h")(
        lambda ctx: tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(2), minutes=30)
    )


def test_steps_are_kept_with_the_candles_and_need_no_network_later(tmp_path):
    with served() as server:
        exchange = exchange_on(server, home=tmp_path)
        assert exchange.market("BTCUSDT") is None
        loaded(exchange)
        known = exchange.market("BTC/USDT")
        assert known is not None
        assert known.price_step is not None
        assert known.size_step is not None
        assert known.min_value == 5.0
        before = len(server.requests)
        again = exchange_on(server, home=tmp_path)
        assert again.market("BTCUSDT") == known
        assert len(server.requests) == before


def test_pieces_of_a_backtest_are_on_the_step_and_the_result_says_of_which_day(tmp_path):
    spec = buying("steps-of-the-exchange")
    with served() as server:
        exchange = exchange_on(server, home=tmp_path)
        given = {"strategy": spec, "exchange": exchange, "start": T0, "end": END, "progress": False}
        result = tn.backtest.run("BTCUSDT", account=tn.Account(cash=500, quote=333), **given)
        step = exchange.market("BTCUSDT").size_step
        plain = tn.backtest.run("BTCUSDT", **given)
    counts = result.fills["quantity"] / step
    assert len(counts) > 10
    assert (abs(counts - counts.round()) < 1e-6).all()
    assert any("steps and least sizes are those of" in words for words in result.warnings)
    assert not any("steps" in words for words in plain.warnings)
    assert market_of(exchange, "BTCUSDT", money=False) is None


def test_steps_that_are_not_known_are_said(tmp_path):
    with served() as server:
        exchange = exchange_on(server, home=tmp_path, cache=False)
        (words,) = exchange.market_notes(["BTCUSDT"])
        assert words.startswith("the steps of BTCUSDT are not known")
        loaded(exchange)
        (words,) = exchange.market_notes(["BTCUSDT"])
        assert "of the candles" in words
    assert not list(tmp_path.rglob(FILE))


@pytest.mark.parametrize(
    ("precision", "mode", "step"),
    [(0.5, 4, 0.5), (2, 2, 0.01), (0, 2, 1.0), (5, 3, None), (None, 4, None)],
)
def test_a_precision_is_a_step_or_decimal_places(precision, mode, step):
    assert read({"precision": {"price": precision}}, mode).price_step == step


def test_what_the_exchange_does_not_say_does_not_bind():
    assert read({}, 4) == tn.Market()
    limits = {"amount": {"min": 1, "max": None}, "cost": {"min": 5}}
    assert read({"limits": limits, "precision": None}, 4) == tn.Market(min_size=1, min_value=5)


def test_kept_steps_are_written_anew_where_they_or_their_day_changed(tmp_path):
    folder = tmp_path / "BTCUSDT"
    assert kept_market(folder) is None
    keep_market(folder, KeptMarket(STEPS, T0))
    keep_market(folder, KeptMarket(STEPS, T0 + DAY - 1))
    assert kept_market(folder) == KeptMarket(STEPS, T0)
    keep_market(folder, KeptMarket(STEPS, T0 + DAY))
    assert kept_market(folder) == KeptMarket(STEPS, T0 + DAY)


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"at": T0, "price_step": -1}), "[]"])
def test_steps_that_cannot_be_read_are_not_known(text, tmp_path):
    (tmp_path / FILE).write_text(text)
    assert kept_market(tmp_path) is None


def test_steps_that_cannot_be_written_stop_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    keep_market(tmp_path / "file" / "BTCUSDT", KeptMarket(STEPS, T0))


def test_an_exchange_that_describes_no_market_still_has_candles(tmp_path, monkeypatch):
    with served() as server:
        exchange = exchange_on(server, home=tmp_path)

        async def fails(symbol):
            raise RuntimeError("no precision")

        monkeypatch.setattr(exchange._client, "steps", fails)
        assert len(loaded(exchange).candles)
        assert exchange.market("BTCUSDT") is None
