"""Fees in a third coin: worth what the coin cost in that minute, or told as left out."""

from __future__ import annotations

import asyncio

import pytest

from tests.brokers.accounts import D
from tests.brokers.loopback import Clock, on, order
from tests.sources import MINUTE, T0, frame
from tests.testing.server.conftest import FLAT, HELD
from tradenb.core.orders.answers import Overview, Shown
from tradenb.core.orders.order_records import Fill, fees_in
from tradenb.exchanges.orders.fee_values import FeeValues
from tradenb.testing import ExchangeServer
from tradenb.testing.venue.venue_balances import VenueFees

BNB = [(600.0 + place, 700.0, 500.0, 650.0, 10.0) for place in range(23)]


def bought(candles):
    """An entry and the overview after it, on an exchange that takes its fees in BNB."""
    clock = Clock(T0 + 2 * MINUTE + 10_000)
    with ExchangeServer(candles, clock=clock, balances={**HELD, "BNB": 10}) as server:
        server.venue.venue.book.fees = VenueFees(paid_in="BNB", bnb_price=D(500))

        async def life(port):
            shown = await port.submit(order("0" * 32, now=clock.now()))
            return shown, await port.overview(T0)

        shown, overview = on(server, clock, life)
    assert isinstance(shown, Shown)
    assert isinstance(overview, Overview)
    return shown.order.fills, overview.fills, [each.path for each in server.requests]


def test_a_fee_in_bnb_is_worth_the_open_of_its_minute():
    fills, again, paths = bought({"BTCUSDT": frame([FLAT] * 23), "BNBUSDT": frame(BNB)})
    assert fills == again
    (fill, *_) = fills
    assert (fill.fee_in, fill.fee_asset) == ("other", "BNB")
    assert fill.fee_value == fill.fee * D("602.0")  # the third minute
    assert sum(path.endswith("klines") for path in paths) == 1  # once
    bought_order = order("0" * 32, now=0)._replace(fills=fills)
    assert fees_in(bought_order, "quote") == sum(each.fee_value for each in fills)
    assert fees_in(bought_order, "base") == 0


def test_a_coin_without_a_price_stays_out_and_is_known_by_name():
    fills, again, _ = bought({"BTCUSDT": frame([FLAT] * 23)})
    assert fills == again
    assert {(each.fee_in, each.fee_asset, each.fee_value) for each in fills} == {
        ("other", "BNB", None)
    }


def test_what_a_fee_is_worth_does_not_make_another_trade_of_it():
    fill = Fill("1", "7", 5, "buy", D(1), D(100), D("0.001"), "other", "BNB", D("0.6"))
    assert fill.is_same(fill._replace(fee_value=None, fee_asset=""))
    assert not fill.is_same(fill._replace(fee=D("0.002")))
    assert not fill.is_same(fill._replace(fee_in="quote"))


class Reply:
    def __init__(self, answer):
        self.answer = answer


class Client:
    """Answers klines, and remembers for which minutes."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def read(self, call, params):
        assert call == "public_get_klines"
        self.asked.append((params["symbol"], int(params["startTime"])))
        found = self.answer(int(params["startTime"]))
        if isinstance(found, float):
            await asyncio.sleep(found)
        return Reply(found)


def fee(at, asset="BNB", fee_in="other"):
    return Fill(str(at), "7", at, "buy", D(1), D(100), D("0.001"), fee_in, asset)


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, [[]], [5], [[0, "600"]], [["x", "600"]], "row", [[60_000, "no"]],
     [[60_000, "-1"]], [[60_000, "NaN"]]],
)  # fmt: skip
def test_an_answer_that_is_not_that_minute_is_no_price(answer):
    client = Client(lambda minute: answer)
    (found,) = asyncio.run(FeeValues(client, "USDT").valued([fee(61_000)]))
    assert found.fee_value is None


def test_each_minute_is_asked_for_once_and_only_of_third_coins():
    client = Client(lambda minute: [[minute, "600", "1"]])
    values = FeeValues(client, "USDT")
    fills = [fee(61_000), fee(62_000), fee(125_000), fee(126_000, "", "quote")]

    async def twice():
        return await values.valued(fills), await values.valued(fills)

    first, second = asyncio.run(twice())
    assert first == second
    assert [each.fee_value for each in first] == [D("0.600")] * 3 + [None]
    assert client.asked == [("BNBUSDT", 60_000), ("BNBUSDT", 120_000)]


def test_a_slow_answer_is_not_waited_for_again_and_again(monkeypatch):
    monkeypatch.setattr("tradenb.exchanges.orders.fee_values.WAIT_S", 0.01)
    client = Client(lambda minute: 30.0)
    fills = [fee(place * 60_000) for place in range(1, 9)]
    found = asyncio.run(FeeValues(client, "USDT").valued(fills))
    assert found == tuple(fills)
    assert len(client.asked) == 1


def test_all_prices_together_are_waited_for_so_long_and_the_next_overview_goes_on(monkeypatch):
    monkeypatch.setattr("tradenb.exchanges.orders.fee_values.WAIT_S", 0.25)
    client = Client(lambda minute: [[minute, "600", "1"]])
    read, slow = client.read, 0.1

    async def reads(call, params):
        await asyncio.sleep(slow)
        return await read(call, params)

    client.read = reads
    fills = [fee(place * 60_000) for place in range(1, 9)]
    values = FeeValues(client, "USDT")
    found = asyncio.run(values.valued(fills))
    assert len(client.asked) < 3
    assert [each.fee_value is not None for each in found].count(True) == len(client.asked)
    monkeypatch.setattr("tradenb.exchanges.orders.fee_values.WAIT_S", 60.0)
    slow = 0.0
    found = asyncio.run(values.valued(fills))
    assert None not in [each.fee_value for each in found]
    assert len(client.asked) == 8


def test_of_many_trades_the_newest_are_priced():
    client = Client(lambda minute: [[minute, "600", "1"]])
    fills = [fee(place * 60_000) for place in range(1, 31)]
    found = asyncio.run(FeeValues(client, "USDT").valued(fills))
    assert [each.fee_value is not None for each in found] == [False] * 10 + [True] * 20
