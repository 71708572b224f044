"""Live runs whose orders go to an exchange: real loop, disk and order machine, in virtual time."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

import tradenb as tn
from tests.order_lives.live_order_life import ACCOUNT, SYMBOL, OrderWorld
from tests.sources import MINUTE, T0, frame, minute
from tradenb.brokers.arming.arm_file import read_arm
from tradenb.brokers.order_managers import OrderManagers
from tradenb.bus import Bus
from tradenb.core.fills import fills_of
from tradenb.core.orders.client_ids import client_id
from tradenb.core.rules import Rules
from tradenb.errors import StateError
from tradenb.live.live_run import record_of
from tradenb.live.loop.notify import Notifier
from tradenb.live.state.account_agreement import check_alone, check_orders_of
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewOrder, QueryAllOrders, QueryOpenOrders
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action
from tradenb.view.order_frames import execution_frame, order_frame

D = Decimal
QUICK = Rules(fee_percent=0.1, slippage_percent=0.0)


@tn.strategy("orders-once", every="15m", history="30m")
def once(ctx):
    if ctx.state.get("done"):
        return None
    ctx.state["done"] = True
    return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1))


def path(*prices: float) -> list[tuple[float, ...]]:
    """A row for each price; each minute opens where the last one closed."""
    before, rows = prices[0], []
    for price in prices:
        rows.append((before, max(before, price), min(before, price), price, 1_000.0))
        before = price
    return rows


def world(*prices: float, **more):
    source = tn.frame_exchange({SYMBOL: frame(path(*prices))})
    made = OrderWorld(source, once, start=minute(60) + 2_500, rules=QUICK, **more)
    made.exchange.tells_time = False
    return made


def kinds(made):
    return [
        (event.kind, event.exit_reason, (event.at - T0) // MINUTE)
        for event in made.events(made.wanted[0])
        if event.kind not in ("milestone", "armed", "disarmed", "alarm")
    ]


def test_an_entry_is_filled_protected_and_taken_at_the_target_by_the_exchange():
    made = world(*[100.0] * 80, 103.0, *[103.0] * 40)
    made.arm()
    assert made.live(minute(100))
    assert kinds(made) == [
        ("entering", None, 75), ("opened", None, 76), ("closed", "take_profit", 81),
    ]  # fmt: skip
    assert made.coins == 0
    (trade,) = made.checkpoint(made.wanted[0]).state.trades
    assert trade.pnl == pytest.approx(float(made.venue.total("USDT")) - 10_000)
    ledger = made.checkpoint(made.wanted[0]).ledger
    orders, executions = order_frame(ledger), execution_frame((*ledger.past, *ledger.orders))
    assert list(orders.role) == ["entry", "protection"]
    assert list(orders.ending) == ["filled", "filled"]
    assert list(executions.side) == ["buy", "sell"]
    assert executions.fee_in.tolist() == ["base", "quote"]
    assert orders.dtypes.equals(order_frame(None).dtypes)
    assert executions.dtypes.equals(execution_frame(()).dtypes)


def test_what_an_exchange_filled_has_its_prices_and_no_slippage_of_candles():
    made = world(*[100.0] * 80, 98.0, *[98.0] * 40)
    made.arm()
    assert made.live(minute(100))
    rules = tn.Rules()
    assert rules.slippage_percent > 0
    bought, left = fills_of(made.events(made.wanted[0]), rules)
    ledger = made.checkpoint(made.wanted[0]).ledger
    executions = execution_frame((*ledger.past, *ledger.orders))
    assert bought.paid == bought.price == pytest.approx(float(executions.price.iloc[0]))
    assert left.reason == "stop_loss"
    assert left.paid == left.price
    assert bought.value == bought.quantity * bought.price


def test_nothing_is_sent_while_it_is_not_armed_and_the_event_says_why():
    made = world(*[100.0] * 120)
    assert made.live(minute(90))
    (_, rejected) = made.events(made.wanted[0])
    assert (rejected.kind, rejected.exit_reason) == ("rejected", "limits")
    assert "armed | " in rejected.note
    # It is told a minute later: when it was refused is said, since it may be armed by then.
    assert rejected.note.startswith("at 01:15:0")
    assert not made.venue.orders


def test_the_stop_at_the_exchange_closes_within_the_minute():
    made = world(*[100.0] * 78, 98.5, *[98.5] * 40)
    made.arm()
    assert made.live(minute(100))
    assert kinds(made)[1:] == [("opened", None, 76), ("closed", "stop_loss", 79)]
    assert made.coins == 0


@pytest.mark.no_cover
@pytest.mark.parametrize("answer", ["reset", "empty", "half_body", "504", "silence"])
def test_a_lost_answer_of_an_entry_is_found_and_nothing_is_bought_twice(answer):
    made = world(*[100.0] * 160)
    made.arm()
    made.wire.faults.append(VenueFault("accept", answer, role="entry", times=1))
    assert made.live(minute(100))
    entries = [order for order in made.venue.orders.values() if order.side == "BUY"]
    assert len(entries) == 1
    assert ("opened", None, 76) in kinds(made)
    assert len(made.venue.live_orders(SYMBOL)) == 2  # stop and target


@pytest.mark.no_cover
def test_a_process_that_dies_while_it_sends_leaves_no_second_entry_and_no_bare_position():
    for request in range(3, 12):
        made = world(*[100.0] * 200)
        made.arm()
        calls = []

        def draw(asked, role, at, calls=calls, request=request, made=made):
            calls.append(asked)
            if len(calls) == request:
                made.now_running.kill()

        made.wire._draw = draw
        process = made.now_running = made.process()
        survived = process.live(minute(80))
        assert not survived, request
        made.wire._draw = None
        assert made.live(minute(95))
        entries = [order for order in made.venue.orders.values() if order.side == "BUY"]
        assert len(entries) <= 1
        protected = sum(order.quantity for order in made.venue.live_orders(SYMBOL)[:1])
        assert made.coins - protected < D("0.01"), request


def test_a_tick_before_the_exchange_answers_keeps_the_orders():
    made = world(*[100.0] * 200)
    made.arm()
    assert made.live(minute(80))
    before = made.checkpoint(made.wanted[0]).ledger
    made.answers = False
    assert made.live(minute(90))
    assert made.checkpoint(made.wanted[0]).ledger == before
    made.answers = True
    assert made.live(minute(100))
    assert made.checkpoint(made.wanted[0]).ledger.reports == before.reports


def test_a_restart_without_candles_knows_its_orders_and_protects_again():
    made = world(*[100.0] * 200)
    made.arm()
    assert made.live(minute(80))
    before = made.checkpoint(made.wanted[0]).ledger
    leg = made.venue.live_orders(SYMBOL)[0]
    made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())
    assert made.venue.live_orders(SYMBOL) == ()
    made.exchange.troubles = [Trouble("error", 0, minute(190))]
    assert made.live(minute(90))
    assert len(made.venue.live_orders(SYMBOL)) == 2
    after = made.checkpoint(made.wanted[0]).ledger
    assert after.run == before.run
    assert after.orders[: len(before.orders)] != ()
    assert after.reports == before.reports
    assert after.stops == ()


def test_an_order_of_nobody_disarms_and_arming_again_accepts_it():
    made = world(*[100.0] * 200)
    made.arm()
    tagged = client_id("another home", "x", "entry", 1)
    made.feed.advance(made.clock.true_now())
    order = NewOrder(SYMBOL, "BUY", "MARKET", D("0.1"), tagged)
    buy = Action(minute(62), lambda _: made.venue.handle(order, at=made.clock.true_now()))
    assert made.live(minute(72), [buy])
    assert made.checkpoint(made.wanted[0]).ledger.stops != ()
    assert "unknown signal" in read_arm(made.disk, made.home, ACCOUNT).arm.tripped
    again = Action(minute(73), lambda _: made.arm())
    assert made.live(minute(77), [again])
    assert kinds(made)[-1] == ("opened", None, 76)
    assert made.checkpoint(made.wanted[0]).ledger.stops == ()


def test_a_conflict_leaves_protection_and_the_kill_switch_at_work():
    made = world(*[100.0] * 200)
    made.arm()
    process = made.process()

    def fight(_):
        record_of(process.runs[0]).undecided = True
        made.disk.plant(made.home.kill, b"flatten")
        record_of(process.runs[0]).storage._kill = "flatten"

    assert process.live(minute(90), [Action(minute(80) + 5_000, fight)])
    assert made.coins < D("0.0001")


def test_one_run_a_symbol_and_account_sends_orders():
    made = world(*[100.0] * 200)
    made.arm()
    assert made.live(minute(80))
    other = DiskStorage(
        made.home, SYMBOL, tn.strategy("orders-second", every="1m")(lambda ctx: None), "fake",
        now=lambda: 0, filesystem=made.disk, orders_of=ACCOUNT,
    )  # fmt: skip
    with pytest.raises(tn.UsageError, match="BTCUSDT:orders-once sends orders for BTCUSDT"):
        check_alone(other, SYMBOL, [])
    paper = DiskStorage(made.home, SYMBOL, other._spec, "fake", now=lambda: 0, filesystem=made.disk)
    check_alone(paper, SYMBOL, [])


def test_a_run_that_is_being_released_gets_no_second_manager():
    async def life():
        made = world(*[100.0] * 100)
        run = record_of(made.process().runs[0])
        managers = OrderManagers(made.clock, None, Notifier(made.clock, None, Bus()))
        managers.start([run])
        await managers.end(run.id)
        managers.start([run])
        first = dict(managers._running)
        managers.forget(run.id)
        managers.start([run])
        second = dict(managers._running)
        managers.cancel()
        return first, second

    first, second = asyncio.run(life())
    assert (list(first), list(second)) == ([], ["BTCUSDT:orders-once"])


def test_a_flatten_sells_and_the_protection_is_gone():
    made = world(*[100.0] * 160)
    made.arm()
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert made.live(minute(100), [flatten])
    assert kinds(made)[2:] == [("exiting", "flattened", 86), ("closed", "flattened", 87)]
    assert made.coins < D("0.0001")
    assert made.venue.live_orders(SYMBOL) == ()


def test_the_kill_switch_keeps_entries_back_and_lets_exits_go():
    made = world(*[100.0] * 160)
    made.arm()
    made.disk.plant(made.home.kill, b"halt")
    assert made.live(minute(90))
    assert not made.venue.orders


def test_the_kill_switch_sells_at_once_without_a_candle():
    made = world(*[100.0] * 160)
    made.arm()
    kill = Action(minute(80) + 5_000, lambda _: made.disk.plant(made.home.kill, b"flatten"))
    assert made.live(minute(81) - 2_000, [kill])
    assert made.coins < D("0.0001")
    assert made.venue.live_orders(SYMBOL) == ()
    assert made.live(minute(90))
    assert kinds(made)[-1][:2] == ("closed", "flattened")


def test_a_permission_that_ends_leaves_the_position_protected_and_the_target_fills():
    made = world(*[100.0] * 85, 103.0, *[103.0] * 60)
    made.arm()
    gone = Action(minute(80), lambda process: made.disk.remove(made.home.arm(ACCOUNT)))
    assert made.live(minute(100), [gone])
    assert kinds(made)[-1] == ("closed", "take_profit", 86)


def test_a_run_that_holds_nothing_looks_once_a_minute_and_writes_nothing_for_it(monkeypatch):
    written = []
    right = DiskStorage.commit_ledger
    monkeypatch.setattr(
        DiskStorage, "commit_ledger", lambda *args: written.append(args[1]) or right(*args)
    )
    made = world(*[100.0] * 160)
    assert made.live(minute(90))
    looks = [call.at for call in made.wire.calls if isinstance(call.request, QueryOpenOrders)]
    assert 25 <= len(looks) <= 30
    assert len(written) <= 5
    assert len({ledger.looked_at for ledger in written}) <= 4  # full looks


def test_what_another_account_holds_is_not_followed():
    made = world(*[100.0] * 160)
    made.arm()
    assert made.live(minute(80))
    checkpoint = made.checkpoint(made.wanted[0])
    assert checkpoint.state.is_open
    with pytest.raises(StateError, match="holds something on account sandbox:memory"):
        check_orders_of(checkpoint, "paper")


def test_pieces_of_a_position_that_came_back_keep_the_account_though_nothing_waits_or_rests():
    made = world(*[100.0] * 160)
    made.arm()
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert made.live(minute(90), [flatten])
    checkpoint = made.checkpoint(made.wanted[0])
    assert checkpoint.state.signal is None
    check_orders_of(checkpoint, "paper")
    ledger = checkpoint.ledger
    back = ledger._replace(orders=(*ledger.past, *ledger.orders), past=(), reports=())
    assert all(order.is_done for order in back.orders)
    with pytest.raises(StateError, match="holds something on account sandbox:memory"):
        check_orders_of(checkpoint._replace(ledger=back), "paper")


def test_a_ladder_is_sold_rung_by_rung_behind_one_stop():
    @tn.strategy("orders-ladder", every="15m")
    def ladder(ctx):
        if ctx.state.get("done"):
            return None
        ctx.state["done"] = True
        return tn.long(take_profit=[(101.0, 0.5), (102.0, 0.5)], stop_loss=99.0)

    prices = [*[100.0] * 80, 101.2, *[101.2] * 5, 102.2, *[102.2] * 30]
    source = tn.frame_exchange({SYMBOL: frame(path(*prices))})
    made = OrderWorld(source, ladder, start=minute(60) + 2_500, rules=QUICK)
    made.arm()
    assert made.live(minute(100))
    assert [(kind, reason) for kind, reason, _ in kinds(made)] == [
        ("entering", None), ("opened", None), ("partial", "take_profit"),
        ("exiting", "take_profit"), ("closed", "take_profit"),
    ]  # fmt: skip
    (trade,) = made.checkpoint(made.wanted[0]).state.trades
    assert trade.pnl == pytest.approx(float(made.venue.total("USDT")) - 10_000)


@pytest.mark.no_cover
@pytest.mark.parametrize(("off", "tripped"), [(1_001, True), (-1_001, True), (1_000, False)])
def test_a_clock_that_is_off_by_a_third_of_a_request_disarms(off, tripped, monkeypatch):
    monkeypatch.setattr(VenueConnection, "clock_off_ms", off)
    made = world(*[100.0] * 120)
    made.arm()
    assert made.live(minute(90))
    arm = read_arm(made.disk, made.home, ACCOUNT).arm
    assert arm.tripped == (f"the clock is off by {abs(off)} ms" if tripped else "")
    assert bool(made.venue.orders) is not tripped


def test_somebody_who_trades_all_the_time_costs_a_full_look_a_minute_and_no_more():
    made = world(*[100.0] * 160)
    made.arm()
    begins = minute(80)

    def trades(process):
        made.venue.trade_by_hand(SYMBOL, "BUY", D("0.1"), at=made.clock.true_now())

    often = [Action(begins + step * 20_000, trades) for step in range(60)]
    assert made.live(minute(100), often)
    calls = [call for call in made.wire.calls if call.at >= begins]
    full, light = (
        [call for call in calls if isinstance(call.request, kind)]
        for kind in (QueryAllOrders, QueryOpenOrders)
    )
    assert 19 <= len(full) <= 21
    assert 75 <= len(light) <= 85
    ledger = made.checkpoint(made.wanted[0]).ledger
    assert (ledger.unexplained, ledger.stops) == ((), ())


def test_a_sale_by_hand_that_was_mostly_the_owners_costs_the_run_its_share_alone():
    made = world(*[100.0] * 400)
    made.venue.book.balances.add("BTC", D(98))
    made.arm(max_daily_loss=D(2))

    def sells_all(process):
        del process
        now = made.clock.true_now()
        for leg in [*made.venue.live_orders(SYMBOL)][:1]:
            made.venue.cancel_by_hand(leg.order_id, at=now)
        made.feed.advance(now)
        pieces = made.venue.total("BTC") // D("0.0001") * D("0.0001")
        made.venue.trade_by_hand(SYMBOL, "SELL", pieces, at=now)

    assert made.live(minute(100), [Action(minute(80), sells_all)])
    assert kinds(made)[-1][:2] == ("closed", "closed_outside")
    (trade,) = made.checkpoint(made.wanted[0]).state.trades
    whole = sum(trade.fee for trade in made.venue.trades if trade.side == "SELL")
    assert whole > 2 > -trade.pnl > 0
    assert trade.pnl == pytest.approx(-0.002 * trade.quantity * 100, rel=0.01)
    assert not read_arm(made.disk, made.home, ACCOUNT).arm.tripped


def test_a_stop_that_somebody_cancels_is_logged_and_one_that_is_moved_is_not(caplog):
    made = world(*[100.0] * 160)
    made.arm()

    def cancels(_):
        leg = made.venue.live_orders(SYMBOL)[0]
        made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())

    assert made.live(minute(90), [Action(minute(82), cancels)])
    said = [text for text in caplog.messages if "was cancelled at the exchange" in text]
    assert len(said) == 1
    assert said[0].startswith("BTCUSDT:orders-once: the stop 746e62")
    assert len(made.venue.live_orders(SYMBOL)) == 2
