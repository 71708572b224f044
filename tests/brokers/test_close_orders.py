"""A lost home: what carries our tag is cancelled, what it bought is sold, nothing else is."""

from __future__ import annotations

from functools import partial

import pytest

from tests.brokers.accounts import D
from tests.brokers.loopback import account, on, order
from tests.laws.mutants import rewritten
from tradenb.brokers.closing import close_orders as module
from tradenb.brokers.closing.close_orders import Closed, close_orders, what_to_close
from tradenb.core.orders.answers import Shown
from tradenb.core.orders.client_ids import client_id, leg_ids
from tradenb.core.timeframe import DAY
from tradenb.testing.venue.venue_requests import NewOrder

ENTRY = client_id("run", "s1", "entry", 1)
GUARD = client_id("run", "s1", "protection", 1)
LEGS = leg_ids("run", "s1", 1)


async def enter(port, now, *, guarded=True):
    """Buy two pieces, and protect what is there after the fee."""
    bought = await port.submit(order(ENTRY, now=now))
    assert isinstance(bought, Shown)
    assert bought.order.filled == 2
    if guarded:
        held = port.market.pieces(D(2) * (1 - port.market.taker))
        guard = order(
            GUARD, "protection", now=now, type="list", quantity=held, price=D(110), trigger=D(95),
            leg_ids=LEGS,
        )  # fmt: skip
        assert isinstance(await port.submit(guard), Shown)
    return D(2) - bought.order.fills[0].fee


def closed(server, clock, *, before=None, then=None):
    """Enter, let something happen, and close; gives what came of it, and the pieces before."""

    async def life(port):
        held = await (before or enter)(port, clock.now())
        if then is not None:
            then(server)
        found = await close_orders(port, "BTC", since=clock.now() - DAY, wait=clock.wait)
        return found, held

    return on(server, clock, life)


def foreign(server):
    """The owner's own order rests, over one piece."""
    request = NewOrder("BTCUSDT", "SELL", "LIMIT", D(1), "mine", D(120), None, "GTC")
    server.venue.call(request, at=server.now())


def fault(server, **more):
    server.fault(**more)


SOLD = D("1.99")
"""Of two pieces less their fee, on steps of 0.1."""


def rests(server):
    return [order.client_id for order in server.venue.venue.live_orders("BTCUSDT")]


def pieces(server):
    return server.venue.venue.total("BTC")


def test_our_orders_are_cancelled_and_what_they_bought_is_sold():
    with account() as (server, clock):
        found, held = closed(server, clock, then=foreign)
        assert found.is_flat
        assert found == Closed(SOLD, held - SOLD)
        assert pieces(server) == 10 + held - SOLD
        assert rests(server) == ["mine"]


def test_done_again_it_does_nothing():
    with account() as (server, clock):
        first, held = closed(server, clock)
        again, _ = closed(server, clock, before=nothing)
        assert again == first._replace(sold=0)
        assert pieces(server) == 10 + held - SOLD


async def nothing(_port, _now):
    return D(0)


def test_what_somebody_else_bought_is_not_sold():
    def buy(server):
        server.venue.venue.trade_by_hand("BTCUSDT", "BUY", D(3), at=server.now())
        foreign(server)

    with account() as (server, clock):
        found, _ = closed(server, clock, before=nothing, then=buy)
        assert found == Closed()
        assert pieces(server) > D("12.9")
        assert rests(server) == ["mine"]


@pytest.mark.parametrize("kind", ["accept", "drop"])
@pytest.mark.parametrize("answer", ["reset", "empty", "-1007"])
def test_an_answer_that_is_lost_sells_nothing_twice(kind, answer):
    with account() as (server, clock):
        lose = partial(fault, kind=kind, answer=answer, method="POST", times=1)
        found, held = closed(server, clock, then=lose)
        assert found == Closed(SOLD, held - SOLD)
        assert pieces(server) == 10 + held - SOLD


def test_without_orders_and_trades_nothing_is_sold():
    with account() as (server, clock):
        cut = partial(fault, kind="drop", answer="reset", path="myTrades", times=99)
        found, held = closed(server, clock, then=cut)
        assert not found.is_flat
        assert "could not be read" in found.problems[0]
        assert pieces(server) == 10 + held


async def enter_alone(port, now):
    return await enter(port, now, guarded=False)


def test_no_more_than_is_free_is_sold():
    with account(balances={"USDT": 10_000}) as (server, clock):
        found, held = closed(server, clock, before=enter_alone, then=foreign)
        assert (found.sold, found.held) == (D("0.99"), held - D("0.99"))
        assert "pieces are ours and" in found.problems[0]
        assert rests(server) == ["mine"]


def trades(*made):
    """The owner buys and sells at the exchange, with moments in between."""

    def act(server):
        for side, pieces in made:
            server.clock.at += 1_000
            server.venue.venue.trade_by_hand("BTCUSDT", side, D(pieces), at=server.now())

    return act


def test_a_part_that_was_sold_by_hand_is_not_sold_again_of_what_was_bought_by_hand():
    with account(balances={"USDT": 10_000}) as (server, clock):
        sell_and_buy = trades(("SELL", 1), ("BUY", 3))
        found, held = closed(server, clock, before=enter_alone, then=sell_and_buy)
        assert (found.sold, found.held) == (D("0.99"), held - 1 - D("0.99"))
        (words,) = found.problems
        assert words.startswith("1 pieces were sold by hand after our orders had bought")
        assert "cannot be told apart" in words
        assert D("2.9") < pieces(server) < 3 + held - 1 - D("0.99")


def test_sales_by_hand_before_our_purchases_and_beyond_them_take_nothing_that_came_later():
    with account() as (server, clock):

        async def sold_and_entered(port, now):
            trades(("SELL", 1))(server)
            return await enter_alone(port, now)

        async def entered_again(port, now):
            bought = await port.submit(order(client_id("run", "s2", "entry", 1), now=now))
            assert isinstance(bought, Shown)

        found, held = closed(server, clock, before=sold_and_entered, then=trades(("SELL", 5)))
        assert (found.sold, found.held) == (0, 0)
        assert found.problems[0].startswith("1.998 pieces were sold by hand")
        clock.at += 1_000
        found, _ = closed(server, clock, before=entered_again)
        assert (found.sold, found.held) == (SOLD, held - SOLD)


def test_a_sale_by_hand_of_other_coins_takes_nothing_once_our_orders_sold_what_they_had():
    with account() as (server, clock):

        async def left_and_entered_again(port, now):
            held = await enter_alone(port, now)
            trades(("SELL", 1))(server)  # of the ten that were there before
            ids = [client_id("run", "s1", "exit", 1), client_id("run", "s2", "entry", 1)]
            clock.at += 1_000
            left = order(ids[0], "exit", now=clock.now(), side="sell", type="market", quantity=SOLD)
            assert isinstance(await port.submit(left), Shown)
            clock.at += 1_000
            assert isinstance(await port.submit(order(ids[1], now=clock.now())), Shown)
            return held

        found, held = closed(server, clock, before=left_and_entered_again)
        assert found.sold == SOLD
        assert 0 <= found.held < D("0.1")
        assert pieces(server) == 9 + 2 * (held - SOLD)


def test_what_would_be_done_is_shown_first_and_no_more_is_done():
    with account() as (server, clock):

        async def life(port):
            await enter(port, clock.now())
            since = clock.now() - DAY
            found = await what_to_close(port, "BTC", since=since)
            rested = rests(server)
            small = await close_orders(port, "BTC", since=since, most=D("0.5"), wait=clock.wait)
            return found, rested, small

        found, rested, small = on(server, clock, life)
        assert len(rested) == len(found.resting) == 2
        assert (found.pieces, found.bought, found.sold) == (SOLD, D("1.998"), 0)
        assert (found.by_hand, found.price, found.is_nothing) == (0, 100, False)
        assert found.free + found.locked == 10 + found.bought
        assert small.sold == D("0.5")
        assert "more than were shown" in small.problems[0]


def test_a_balance_that_cannot_be_read_sells_nothing():
    with account() as (server, clock):
        calls = []

        async def life(port):
            await enter(port, clock.now(), guarded=False)
            read = port.client.read

            async def without_the_last(call, params, **more):
                calls.append(call)
                # The one that is asked alone, after a look at everything.
                if calls[-2:] == ["private_get_mytrades", "private_get_account"]:
                    call = "private_get_order"
                return await read(call, params, **more)

            port.client.read = without_the_last
            return await close_orders(port, "BTC", since=clock.now() - DAY, wait=clock.wait)

        found = on(server, clock, life)
        assert "the balance could not be read" in found.problems[0]


def test_trades_before_what_the_port_reads_are_said():
    with account() as (server, clock):

        async def life(port):
            return await close_orders(port, "BTC", since=clock.now() - 90 * DAY, wait=clock.wait)

        found = on(server, clock, life)
        assert not found.is_flat
        assert "were not looked at" in found.problems[0]


MUTANTS = [
    ("min(held, free)", "free", test_our_orders_are_cancelled_and_what_they_bought_is_sold),
    (
        "min(held, free)", "held",
        test_no_more_than_is_free_is_sold,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "caught"), MUTANTS, ids=["all that is free is sold", "more than is free is sold"]
)
def test_the_bound_of_a_sale_is_tried(old, new, caught, monkeypatch):
    wrong = rewritten(old, new)(module._sellable)
    monkeypatch.setattr(module, "_sellable", wrong)
    with pytest.raises(AssertionError):
        caught()
