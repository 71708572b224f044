"""Mode "dry": candles fill, the exchange checks each order, and nothing is ever placed."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.brokers.accounts import D
from tests.brokers.test_preflight import GOOD
from tests.laws.mutants import Mutant, planted, rewritten
from tests.order_lives.live_order_life import SYMBOL, OrderWorld
from tests.sources import MINUTE, T0, frame, minute
from tests.testing.server.conftest import FLAT, HELD
from tradenb.brokers.arming.arm_target import arm_target
from tradenb.brokers.broker import broker
from tradenb.brokers.checking import preflight_reading
from tradenb.brokers.checking.preflight_reading import look_before_arming
from tradenb.brokers.dry_orders import DryOrders, DryTools
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.clock import SystemClock
from tradenb.core.orders.answers import NotSent
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import BINANCE_SPOT
from tradenb.core.rules import Rules
from tradenb.exchanges.ccxt.server_time import TRIES
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewOrder
from tradenb.testing.world.simulated_world import Action

QUICK = Rules(fee_percent=0.1, slippage_percent=0.0)
MONEY = tn.Account(cash=500, percent=20)


def rows(*prices):
    """A row for each price; each minute opens where the last one closed."""
    before, found = prices[0], []
    for price in prices:
        found.append((before, max(before, price), min(before, price), price, 1_000.0))
        before = price
    return found


def once(position="long", **more):
    """A strategy that enters once."""
    sides = {"take_profit": 102.0, "stop_loss": 99.0}
    if position == "short":
        sides = {"take_profit": 98.0, "stop_loss": 101.0}

    @tn.strategy("dry-once", every="15m")
    def dry_once(ctx):
        if ctx.state.get("done"):
            return None
        ctx.state["done"] = True
        return getattr(tn, position)(**sides | more)

    return dry_once


def world(prices, spec=None, **more):
    source = tn.frame_exchange({SYMBOL: frame(rows(*prices))})
    more = {"mode": "dry", **more}
    made = OrderWorld(source, spec or once(), start=minute(60) + 2_500, rules=QUICK, **more)
    made.exchange.tells_time = False
    return made


def told(made):
    """What was told, and the kinds of all other events."""
    events = made.events(made.wanted[0])
    words = [event.note for event in events if event.exit_reason == "would_refuse"]
    kinds = [(event.kind, event.exit_reason, (event.at - T0) // MINUTE) for event in events]
    return words, [each for each in kinds if each[0] not in ("milestone", "alarm")]


def sent(made):
    """Requests that place or cancel something."""
    requests = [call.request for call in made.wire.calls]
    writes = [each for each in requests if not type(each).__name__.startswith("Query")]
    return [each for each in writes if not (isinstance(each, NewOrder) and each.is_test)]


def tried(made):
    found = [call.request for call in made.wire.calls]
    return [(each.side, each.type) for each in found if isinstance(each, NewOrder)]


def test_candles_fill_and_each_order_is_checked_and_none_is_placed():
    made = world([*[100.0] * 80, 103.0, *[103.0] * 40])
    assert made.live(minute(100))
    words, kinds = told(made)
    assert words == []
    assert kinds == [("opened", None, 75), ("closed", "take_profit", 81)]
    assert sent(made) == []
    assert tried(made) == [("BUY", "LIMIT"), ("SELL", "STOP_LOSS"), ("SELL", "MARKET")]
    assert not made.venue.orders
    assert made.venue.total("USDT") == 10_000


def test_the_document_has_the_account_and_its_own_money():
    made = world([100.0] * 120)
    assert made.live(minute(90))
    checkpoint = made.checkpoint(made.wanted[0])
    assert checkpoint.orders_of == "dry:memory:00000000"
    assert checkpoint.ledger is None
    assert checkpoint.state.execution is None
    assert made.account.name == "dry-memory-00000000"


def test_a_restart_tries_nothing_again():
    made = world([100.0] * 120)
    assert made.live(minute(80))
    before = tried(made)
    assert before
    assert made.live(minute(90))
    assert tried(made) == before


def test_an_entry_that_is_too_small_for_the_exchange_is_told():
    made = world([100.0] * 120, account=tn.Account(cash=500, quote=4))
    assert made.live(minute(90))
    words, kinds = told(made)
    assert kinds == [("opened", None, 75)]
    assert "entry would have been refused: min_value | 0.04 pieces at 100.2 are too" in words[0]
    assert "entry of 0.04 pieces would have been refused: -1013" in words[1]
    assert "Nothing was sent" in words[1]
    assert sent(made) == []


def test_money_that_is_not_there_is_told():
    made = world([100.0] * 120)

    def spend(_):
        now = made.clock.true_now()
        made.feed.advance(now)
        made.venue.trade_by_hand(SYMBOL, "BUY", D(97), at=now)

    assert made.live(minute(90), [Action(minute(70), spend)])
    words, _ = told(made)
    assert [each for each in words if "entry would have been refused: funds | " in each]


def test_of_refusals_in_a_row_for_one_reason_the_first_is_told():
    @tn.strategy("dry-often", every="5m")
    def often(ctx):
        return tn.long(take_profit=120.0, stop_loss=80.0, minutes=3)

    made = world([100.0] * 120, often, account=tn.Account(cash=500, quote=4))
    assert made.live(minute(100))
    words, kinds = told(made)
    assert [kind for kind, _, _ in kinds].count("opened") > 4
    assert len([each for each in words if "min_value" in each]) == 1
    assert len([each for each in words if each.startswith("entry of")]) == 1


def test_a_short_position_is_told_and_not_tried():
    made = world([100.0] * 120, once("short"))
    assert made.live(minute(90))
    words, kinds = told(made)
    assert kinds == [("opened", None, 75)]
    assert len([each for each in words if "short_on_spot" in each]) == 1
    assert tried(made) == []


def test_a_stop_that_moved_is_checked_at_its_new_price():
    made = world([*[100.0] * 80, *[101.0] * 40], once(trail=0.5))
    assert made.live(minute(90))
    stops = [
        call.request.stop_price
        for call in made.wire.calls
        if isinstance(call.request, NewOrder) and call.request.type == "STOP_LOSS"
    ]
    assert stops[0] == 99
    assert stops[-1] > 100
    assert sent(made) == []


@pytest.mark.parametrize("answer", ["silence", "504", "html_200", "-1007"])
def test_an_exchange_that_does_not_answer_disturbs_nothing(answer):
    made = world([*[100.0] * 80, 103.0, *[103.0] * 40])
    made.wire.faults.append(VenueFault("drop", answer, method="POST", times=None))
    assert made.live(minute(100))
    words, kinds = told(made)
    assert kinds == [("opened", None, 75), ("closed", "take_profit", 81)]
    assert words
    assert all("was not checked: " in each for each in words)


MUTANTS = (
    Mutant(
        "test orders are submitted",
        "tradenb.brokers.dry_orders:DryOrders._check",
        rewritten("port.check(made.order)", "port.submit(made.order)"),
    ),
    Mutant(
        "a test order is an order",
        "tradenb.testing.orders.venue_port:VenuePort.check",
        rewritten("request._replace(is_test=True)", "request"),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_an_order_that_is_real_is_caught_by_the_wire(mutant, monkeypatch):
    planted(mutant, monkeypatch)
    made = world([*[100.0] * 80, 103.0, *[103.0] * 40])
    assert made.live(minute(100))
    assert sent(made) != []
    assert made.venue.orders


# --- over HTTP, with an unmodified ccxt ----------------------------------------------------------


@pytest.fixture
def server():
    with ExchangeServer(frame([FLAT] * 30), now=T0 + 5 * MINUTE, balances=HELD) as made:
        yield made


def broker_of(server, **more):
    given = {**server.options, **loopback_keys(), "account": MONEY, "mode": "dry", **more}
    return broker("binance", **given)


def test_a_connection_of_a_dry_broker_submits_nothing(server):
    async def life():
        connection = SpotConnection(broker_of(server), SYMBOL, SystemClock())
        port = await connection.open()
        now = connection.now()
        order = Order(
            id="0" * 32, signal_id="s", role="entry", attempt=1, side="buy", type="ioc",
            quantity=D("0.5"), price=D(100), sent_at=now, dies_at=now + 3_000,
        )  # fmt: skip
        found = [await port.submit(order), await port.check(order)]
        small = order._replace(quantity=D("0.000001"))
        found.append(await port.check(small))
        await port.close()
        return found

    submitted, checked, refused = asyncio.run(life())
    assert submitted == NotSent("0" * 32, "mode 'dry' sends no orders")
    assert checked is None
    assert "LOT_SIZE" in refused.why
    posts = {each.path for each in server.requests if each.method == "POST"}
    assert {path.rpartition("/")[2] for path in posts} == {"test"}
    assert not server.venue.venue.orders


def test_the_time_of_the_exchange_is_measured_again_before_a_test_order(server):
    class Sleeps(SystemClock):
        slept_ms = 0

        def now(self):
            return super().now() + self.slept_ms

    async def life():
        clock = Sleeps()
        connection = SpotConnection(broker_of(server), SYMBOL, clock)
        port = await connection.open()
        clock.slept_ms = 60_000  # the wall clock went on, the monotonic one stood
        asked = server.count("time")
        now = connection.now()
        order = Order(
            id="0" * 32, signal_id="s", role="entry", attempt=1, side="buy", type="ioc",
            quantity=D("0.5"), price=D(100), sent_at=now, dies_at=now + 3_000,
        )  # fmt: skip
        found = await port.check(order)
        await port.close()
        return found, server.count("time") - asked

    found, asked = asyncio.run(life())
    assert found is None
    assert 1 <= asked <= TRIES


def test_a_position_is_tried_over_http_by_test_orders_alone(server, tmp_path):
    made = world([*[100.0] * 80, 103.0, *[103.0] * 40])
    states = []
    for until in (70, 80, 100):
        assert made.live(minute(until))
        states.append(made.checkpoint(made.wanted[0]).state)
    idle, opened, closed = states
    assert [state.is_open for state in states] == [False, True, False]
    run = SimpleNamespace(
        id="BTCUSDT:dry-once", symbol=SYMBOL, strategy="dry-once", state=idle, last_price=100.0
    )
    given, words = broker_of(server), []
    storage = SimpleNamespace(filesystem=DiskFilesystem(), files=Home(tmp_path))

    async def life():
        connection = SpotConnection(given, SYMBOL, SystemClock())
        look = partial(look_before_arming, given, SYMBOL, storage, connection.now)
        tools = DryTools(
            connection.open, connection.now, SystemClock(), look, lambda *told: words.append(told)
        )
        dry = DryOrders(run, given.id, BINANCE_SPOT, tools)
        for state in (idle, opened, closed):
            run.state = state
            await dry._step()
        await connection.close()

    asyncio.run(life())
    assert words == []
    posts = [each.path.rpartition("/")[2] for each in server.requests if each.method == "POST"]
    assert posts == ["test"] * 4  # entry, stop, target, exit
    assert {each.method for each in server.requests} == {"GET", "POST"}
    assert not server.venue.venue.orders


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ""),
        ({"account": tn.Account(cash=1e9, percent=20)}, "balance | "),
    ],
)
def test_the_account_is_looked_at_as_before_arming(server, tmp_path, more, words):
    storage = SimpleNamespace(filesystem=DiskFilesystem(), files=Home(tmp_path))
    given = broker_of(server, **more)
    found = asyncio.run(look_before_arming(given, SYMBOL, storage, SystemClock().now))
    assert [each.name for each in found] == [words.partition(" ")[0]] * bool(words)


def test_an_account_of_a_real_exchange_is_told_that_it_was_not_checked(monkeypatch, tmp_path):
    async def read(*args, **more):
        del args, more
        return GOOD

    monkeypatch.setattr(preflight_reading, "read_preflight", read)
    given = broker("binance", account=MONEY, mode="dry", **loopback_keys())
    assert given.id.startswith("dry:binance:")
    storage = SimpleNamespace(filesystem=DiskFilesystem(), files=Home(tmp_path))
    (found,) = asyncio.run(look_before_arming(given, SYMBOL, storage, SystemClock().now))
    assert found.name == "venue_check"
    assert "binance was not checked" in found.words


# --- what it is not ------------------------------------------------------------------------------


def test_it_is_a_value_that_sends_nothing_and_has_money_of_its_own():
    given = broker("binance", account=MONEY, mode="dry", **loopback_keys())
    assert (given.sends_orders, given.reads_account) == (False, True)
    assert given.live_account.name == given.id.replace(":", "-")
    with pytest.raises(tn.UsageError, match=r"asks no exchange, .* mode 'dry'"):
        given.for_rehearsal(SYMBOL, "dip", None)
    with pytest.raises(tn.UsageError, match="needs apiKey and secret"):
        broker("binance", account=MONEY, mode="dry")
    with pytest.raises(tn.UsageError, match="leave urls out for the exchange"):
        broker("binance", account=MONEY, mode="dry", urls={"a": "https://x.org"}, **loopback_keys())


def test_there_is_nothing_to_arm(tmp_path):
    made = world([100.0] * 120)
    assert made.live(minute(80))
    target = SimpleNamespace(symbol=SYMBOL, strategy="dry-once", home=made.home.root)
    with pytest.raises(tn.UsageError, match="is a dry run, which sends no orders and needs no arm"):
        arm_target(made.disk, target, None)
    with pytest.raises(tn.UsageError, match="dry:memory:00000000 sends no orders"):
        arm_target(made.disk, "dry:memory:00000000", made.home.root)


@pytest.mark.parametrize("ahead", [-5_000, 0, 5_000])
def test_a_connection_measures_how_far_the_clock_of_this_machine_is_off(server, ahead):
    class Off(SystemClock):
        def now(self):
            return super().now() + ahead

    async def life():
        connection = SpotConnection(broker_of(server), SYMBOL, Off())
        assert await connection.open() is connection
        await connection.close()
        return connection.clock_off_ms

    off = asyncio.run(life())
    assert abs(off - ahead) < 1_000
    assert abs(off) <= abs(ahead) + 2  # ms are whole
