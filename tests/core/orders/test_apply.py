"""What answers change in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.core.orders.situations import (
    ENTER,
    HOLD,
    MARKET,
    NOW,
    heard,
    ledger,
    order,
    working,
)
from tradenb.core.orders.answers import (
    Cancelled,
    NotFound,
    NotSent,
    OpenOrders,
    OpenOrdersFailed,
    OrderSnapshot,
    Overview,
    OverviewFailed,
    QueryFailed,
    Refused,
    Shown,
    Unclear,
)
from tradenb.core.orders.apply import apply
from tradenb.core.orders.client_ids import client_id, leg_ids
from tradenb.core.orders.ledger import (
    OrderLedger,
    base_fee,
    changed_orders,
    held_quantity,
    is_flat,
    is_over,
    pruned,
    restarted,
    rewound,
)
from tradenb.core.orders.order_actions import Tell
from tradenb.core.orders.order_alarms import alarms
from tradenb.core.orders.order_records import DesiredPosition, Fill, Order, fees_in
from tradenb.core.orders.protection import is_in_place
from tradenb.core.orders.snapshots import list_snapshot
from tradenb.core.orders.venue import BINANCE_SPOT

D = Decimal


def fill(id: str, exchange_id: str, side: str = "sell", quantity: str = "1", price: str = "90",
         **values: object) -> Fill:  # fmt: skip
    return Fill(id, exchange_id, NOW, side, D(quantity), D(price), **values)  # type: ignore[arg-type]


def overview(*orders: OrderSnapshot, fills: tuple[Fill, ...] = (), base: str = "100",
             at: int = NOW + 20_000) -> Overview:  # fmt: skip
    return Overview(orders, fills, D(base), NOW - 60_000, at)


def resting(*orders: OrderSnapshot, fills: tuple[Fill, ...] = (),
            at: int = NOW + 20_000) -> OpenOrders:  # fmt: skip
    return OpenOrders(orders, fills, at)


class TestOneOrder:
    @pytest.mark.parametrize(
        "answer",
        [NotSent("exit-1", "no"), Refused("exit-1", "no"), Unclear("exit-1", "no"),
         Cancelled("exit-1"), NotFound("exit-1")],
    )  # fmt: skip
    def test_an_order_that_is_done_stays_as_it_is(self, answer: object) -> None:
        done = order("exit", state="done", ending="filled", filled=D(2), value=D(190))
        assert heard(ledger(done), answer).orders == (done,)

    @pytest.mark.parametrize(
        "answer", [NotSent("x", ""), Unclear("x", ""), Cancelled("x"), NotFound("x"),
                   QueryFailed("x"), Shown(OrderSnapshot("x", "1", None))]
    )  # fmt: skip
    def test_answers_about_unknown_orders_change_no_order(self, answer: object) -> None:
        assert heard(ledger(order()), answer).orders == (order(),)

    def test_a_refusal_has_every_live_order_looked_at(self) -> None:
        found = heard(ledger(order("exit"), working()), Refused("exit-1", "-2010"))
        assert found.check_due
        assert found.refusals == 1
        assert [each.query_due for each in found.orders] == [False, True]

    def test_refusals_while_pieces_seem_to_be_missing_are_not_counted(self) -> None:
        found = ledger(order("exit"), refusals=1, short_at=NOW)
        refused = heard(found, Refused("exit-1", "insufficient balance"))
        assert (refused.refusals, refused.check_due) == (1, True)

    def test_an_order_that_is_taken_ends_the_row_of_refusals(self) -> None:
        found = ledger(order("exit"), refusals=2)
        assert (
            heard(found, Shown(OrderSnapshot("exit-1", "9", "filled", D(2), D(190)))).refusals == 0
        )

    def test_what_was_filled_never_becomes_less(self) -> None:
        half = working("exit", filled=D(1), value=D(90))
        after = heard(ledger(half), Shown(OrderSnapshot("exit-1", "7", None))).orders[0]
        assert (after.filled, after.value) == (D(1), D(90))

    def test_an_order_said_to_be_filled_is_filled_whole_at_a_guessed_worth(self) -> None:
        sold = heard(
            ledger(working("exit", price=D(90))), Shown(OrderSnapshot("exit-1", "7", "filled"))
        )
        assert (sold.orders[0].filled, sold.orders[0].value) == (D(2), D(180))

    def test_trades_correct_what_was_guessed_and_count_once(self) -> None:
        guessed = heard(ledger(working("exit")), Shown(OrderSnapshot("exit-1", "7", "filled")))
        trades = (fill("t1", "7"), fill("t2", "7", price="80"), fill("t1", "7"))
        after = heard(guessed, overview(fills=trades)).orders[0]
        assert (after.filled, after.value, after.known) == (D(2), D(170), D(2))
        assert heard(heard(guessed, overview(fills=trades)), overview(fills=trades)).orders == (
            after,
        )

    def test_trades_of_a_part_do_not_lower_what_the_exchange_said(self) -> None:
        half = heard(
            ledger(working("exit")), Shown(OrderSnapshot("exit-1", "7", "filled", D(2), D(180)))
        )
        after = heard(half, overview(fills=(fill("t1", "7"),))).orders[0]
        assert (after.filled, after.value, after.known) == (D(2), D(180), D(1))

    def test_a_refused_order_that_rests_is_taken_back(self) -> None:
        refused = order("protection", state="done", ending="refused")
        after = heard(ledger(refused), Shown(OrderSnapshot("protection-1", "7", None))).orders[0]
        assert (after.state, after.ending) == ("working", None)

    def test_a_filled_order_that_is_shown_as_new_stays_filled(self) -> None:
        filled = order("exit", state="done", ending="filled", filled=D(2), exchange_id="7")
        after = heard(ledger(filled), Shown(OrderSnapshot("exit-1", "7", None))).orders[0]
        assert after.state == "done"

    def test_a_second_order_under_one_id_is_ours_and_disarms(self) -> None:
        first = order(exchange_id="1")
        found = heard(ledger(first), Shown(OrderSnapshot("entry-1", "2", "filled", D(2), D(200),
                                                         side="buy", quantity=D(2))))  # fmt: skip
        assert [each.id for each in found.orders] == ["entry-1", "copy-2"]
        assert held_quantity(found, "s1", MARKET) == 4
        assert found.stops == ("two orders have the id entry-1",)
        again = heard(found, Shown(OrderSnapshot("entry-1", "2", "filled", D(2), D(200))))
        assert again.stops == found.stops


class TestLists:
    def test_a_list_is_filled_when_one_of_its_legs_is(self) -> None:
        stop = OrderSnapshot("s", "8", "filled", D(2), D(190), quantity=D(2), list_id="3")
        target = OrderSnapshot("t", "9", "expired", quantity=D(2), list_id="3")
        assert list_snapshot("l", stop, target).ending == "filled"
        assert list_snapshot("l", stop._replace(ending=None), target).ending is None
        cut = stop._replace(ending="cancelled", filled=D(1))
        assert list_snapshot("l", cut, target).ending == "cancelled"
        alone = list_snapshot("l", None, target)
        assert ([leg.name for leg in alone.legs], alone.trigger) == (["target"], None)

    def test_a_list_has_the_trades_of_its_legs_alone(self) -> None:
        stop = OrderSnapshot("s", "8", None, quantity=D(2), list_id="3")
        shown = list_snapshot("protection-1", stop, None)
        guard = order("protection", type="list", leg_ids=("s", "t"))
        found = heard(ledger(order(), guard), Shown(shown))
        after = heard(found, overview(fills=(fill("t1", "3"), fill("t2", "8"))))
        assert after.orders[1].filled == D(1)


class TestReports:
    def test_a_fee_in_a_third_coin_is_told_as_what_it_was_worth(self) -> None:
        paid = fill(
            "1", "7", "buy", "2", "100", fee=D("0.003"), fee_in="other", fee_asset="BNB",
            fee_value=D("1.8"),
        )  # fmt: skip
        (entered,) = heard(ledger(order(fills=(paid,))), Tell("entered", "s1")).reports
        assert (entered.quantity, entered.fees, entered.estimated) == (D(2), D("1.8"), False)

    def test_a_trade_whose_fee_was_priced_is_the_same_trade_when_it_is_shown_without(self) -> None:
        priced = fill(
            "t0", "1", "buy", "2", "100", fee=D("0.003"), fee_in="other", fee_asset="BNB",
            fee_value=D("1.8"),
        )  # fmt: skip
        found = ledger(order(fills=(priced,), exchange_id="1"), told=("entered",))
        shown = overview(fills=(priced._replace(fee_value=None, fee_asset=""),))
        after = heard(found, shown)
        assert after.unexplained == ()
        assert after.orders[0].fills == (priced,)
        changed = heard(found, overview(fills=(priced._replace(fee=D("0.004")),)))
        assert len(changed.unexplained) == 1

    def test_fees_in_pieces_make_what_is_held_less(self) -> None:
        market = MARKET._replace(fee_in_base=True)
        guessed = order()
        assert base_fee(guessed, market) == D("0.002")
        fee = fill("t1", "1", "buy", "2", "100", fee=D("0.001"), fee_in="base")
        known = order(fills=(fee,))
        assert (base_fee(known, market), fees_in(known, "quote")) == (D("0.001"), 0)
        assert held_quantity(ledger(known), "s1", market) == D("1.999")

    def test_reports_add_up_to_what_was_sold(self) -> None:
        half = order("part", state="done", ending="filled", filled=D("0.5"), value=D(50))
        found = ledger(order(), half, told=("entered", "reduced"))
        rest = order("exit", state="done", ending="filled", filled=D("1.4995"), value=D(135))
        found = heard(found.with_order(rest), Tell("exited", "s1", "user"))
        entered, reduced, exited = found.reports
        assert (entered.quantity, entered.average, entered.estimated) == (D(2), D(100), True)
        assert (reduced.quantity, reduced.average) == (D("0.5"), D(100))
        assert (exited.quantity, exited.average) == (D("1.4995"), D(135) / D("1.4995"))
        assert [each.seq for each in found.reports] == [1, 2, 3]
        assert found.dust == D("0.0005")
        assert held_quantity(found, "s1", MARKET) == 0

    def test_dust_goes_with_the_next_position(self) -> None:
        second = order(id="e2", signal_id="s2")
        found = heard(ledger(second, dust=D("0.0005")), Tell("entered", "s2"))
        assert (found.dust, held_quantity(found, "s2", MARKET)) == (0, D("2.0005"))
        (entered,) = found.reports
        assert (entered.quantity, entered.carried) == (D("2.0005"), D("0.0005"))

    def test_a_sale_without_pieces_has_no_average(self) -> None:
        found = heard(ledger(order(filled=D("0.0001"))), Tell("exited", "s1", "dust"))
        assert found.reports[0].average is None


class TestRestartAndPast:
    def test_what_was_being_sent_is_in_doubt_after_a_restart(self) -> None:
        found = restarted(ledger(order(), order("exit"), working()), NOW + 9)
        assert [each.state for each in found.orders] == ["done", "unknown", "working"]
        assert [each.query_due for each in found.orders] == [False, True, True]
        assert (found.check_due, found.started_at) == (True, NOW + 9)

    def test_a_position_goes_to_the_past_when_all_was_heard(self) -> None:
        sold = order("exit", state="done", ending="filled", filled=D(2), value=D(190))
        found = ledger(order(), sold, told=("entered", "exited"))
        assert is_over(found, "s1", MARKET)
        assert pruned(found, 1, "", MARKET) is found
        assert pruned(found, 2, "s1", MARKET) is found
        after = pruned(found, 2, "", MARKET)
        assert (after.orders, after.reports, len(after.past)) == ((), (), 2)

    def test_the_past_holds_whole_positions_and_at_most_fifty_orders(self) -> None:
        past = tuple(order(id=f"e{n}", signal_id=f"p{n // 2}") for n in range(50))
        failed = order(filled=D(0), value=D(0), ending="absent")
        after = pruned(ledger(failed, told=("not_entered",), past=past), 1, "", MARKET)
        assert len(after.past) == 49
        assert after.past[0].signal_id == "p1"

    def test_a_past_entry_that_fills_after_all_is_taken_back_with_its_position(self) -> None:
        gone = order(
            filled=D(0), value=D(0), ending="absent", id=client_id("run", "s1", "entry", 1)
        )
        sold = order("exit", state="done", ending="filled", filled=D(1), value=D(90))
        found = OrderLedger("run", past=(gone, sold), started_at=NOW)
        late = OrderSnapshot(gone.id, "5", "filled", D(2), D(200))
        after = heard(found, overview(late))
        assert [each.id for each in after.orders] == [gone.id, "exit-1"]
        assert after.stops == (f"order {gone.id} was over and has filled since",)
        assert held_quantity(after, "s1", MARKET) == D(1)

    def test_a_copy_of_a_past_order_is_told_if_it_filled(self) -> None:
        id = client_id("run", "s1", "entry", 1)
        found = OrderLedger("run", past=(order(id=id, exchange_id="4"),), started_at=NOW)
        copy = OrderSnapshot(id, "5", "filled", D(2), D(200), side="buy", quantity=D(2))
        after = heard(found, overview(copy))
        assert [each.id for each in after.orders] == [id, "copy-5"]
        same = OrderSnapshot(id, "4", "filled", D(2), D(200))
        expired = OrderSnapshot(id, "5", "expired")
        assert heard(found, overview(same, expired)).past == found.past


def legs(attempt: int, **values: object) -> tuple[OrderSnapshot, OrderSnapshot]:
    stop, target = leg_ids("sandbox BTCUSDT dip 0", "s1", attempt)
    shown = OrderSnapshot(stop, "8", None, quantity=D(2), list_id="7")._replace(**values)  # type: ignore[arg-type]
    return shown._replace(trigger=D(95)), shown._replace(id=target, exchange_id="9", price=D(110))


def listed(attempt: int = 1, **values: object) -> Order:
    """A protective list that rests, as the exchange showed it."""
    run, signal = "sandbox BTCUSDT dip 0", "s1"
    id = client_id(run, signal, "protection", attempt)
    snapshot = list_snapshot(id, *legs(attempt))
    known = {"id": id, "type": "list", "leg_ids": leg_ids(run, signal, attempt)}
    return working(**known, legs=snapshot.legs)._replace(**values)  # type: ignore[arg-type]


class TestLightLook:
    def test_what_rests_was_seen(self) -> None:
        found = heard(ledger(order(), listed()), resting(*legs(1)))
        assert (found.looked_at, found.looks_failed) == (NOW + 20_000, 0)
        assert (found.orders[1].stop_is_open, found.orders[1].query_due) == (True, False)
        assert (found.orders[1].seen_at or 0) > (listed().seen_at or 0)

    def test_what_rests_no_more_is_queried_and_so_is_a_list_with_one_leg(self) -> None:
        assert heard(ledger(order(), listed()), resting()).orders[1].query_due
        half = heard(ledger(order(), listed()), resting(legs(1)[1])).orders[1]
        assert half == listed(query_due=True)
        fresh = listed(sent_at=NOW + 19_500)
        assert not heard(ledger(order(), fresh), resting()).orders[1].query_due

    def test_a_list_that_nobody_wrote_down_is_taken_in_and_queried_if_a_leg_has_ended(self) -> None:
        whole, half = (
            heard(ledger(order(), listed()), resting(*legs(1), *more)).orders[2]
            for more in (legs(2, list_id="17"), legs(2, list_id="17")[1:])
        )
        assert (whole.attempt, whole.stop_is_open, whole.query_due) == (2, True, False)
        assert (half.attempt, half.stop_is_open, half.query_due) == (2, False, True)

    def test_one_that_was_proved_absent_and_rests_is_taken_back(self) -> None:
        absent = listed(state="done", ending="absent", exchange_id=None, legs=())
        for shown in (legs(1), legs(1)[1:]):
            after = heard(ledger(order(), absent), resting(*shown)).orders[1]
            assert (after.state, after.query_due) == ("working", len(shown) == 1)

    def test_an_old_view_of_what_has_ended_changes_nothing(self) -> None:
        over = listed(state="done", ending="filled", filled=D(2), value=D(220))
        assert heard(ledger(order(), over), resting(*legs(1))).orders[1] == over

    def test_an_order_of_nobody_disarms_and_one_of_others_is_left_alone(self) -> None:
        strange = OrderSnapshot(client_id("another run", "s9", "entry", 1), "5", None)
        found = heard(ledger(), resting(strange, OrderSnapshot("web_1", "6", None)))
        assert found.stops == (f"order {strange.id} of an unknown signal rests",)
        assert found.orders == ()

    @pytest.mark.parametrize("role", ["entry", "part", "exit", "protection"])
    @pytest.mark.parametrize("lives", [True, False])
    @pytest.mark.parametrize("look", [resting, overview])
    def test_a_trade_with_other_numbers_is_not_explained(
        self, role: str, lives: bool, look: Callable[..., Any]
    ) -> None:
        side = "buy" if role == "entry" else "sell"
        known = fill("t1", "4", side)
        own = order(role, exchange_id="4", state="done", ending="filled", fills=(known,))
        found = ledger(own) if lives else ledger(past=(own,))
        after = heard(found, look(fills=(fill("t1", "4", side, price="91"),)))
        assert after.unexplained == (f"a trade of order {own.id} has other numbers than before",)
        assert (after.orders, after.past) == (found.orders, found.past)
        assert heard(found, look(fills=(known,))).unexplained == ()

    @pytest.mark.parametrize(
        ("fills", "due"),
        [
            ((), False),
            ((fill("t1", "4", "buy", "2", "100"),), False),
            ((fill("t2", "4", "buy"),), True),
            ((fill("t9", "5", "buy"),), False),
            ((fill("t0", "99")._replace(at=NOW - 5_999),), True),
            ((fill("t0", "99")._replace(at=NOW - 6_000),), False),
            (tuple(fill(f"t{n}", "5", "buy") for n in range(100)), True),
            (tuple(fill(f"t{n}", "5", "buy") for n in range(99)), False),
        ],
        ids=["none", "known", "new", "of the past", "of others", "read before", "page", "short"],
    )
    def test_a_trade_that_is_not_known_has_all_looked_at(
        self, fills: tuple[Fill, ...], due: bool
    ) -> None:
        bought = order(exchange_id="4", fills=(fill("t1", "4", "buy", "2", "100"),))
        found = ledger(bought, past=(order(id="past", exchange_id="5"),), checked_at=NOW + 4_000)
        after = heard(found, resting(fills=fills))
        assert after.check_due is due
        assert (after.orders, after.unexplained) == (found.orders, ())

    def test_trades_that_could_not_be_read_thrice_have_all_looked_at_and_what_rests_is_known(
        self,
    ) -> None:
        found, due = ledger(order(), listed(), check_due=False), []
        for _ in range(3):
            found = heard(found, resting()._replace(unread=True))
            due.append((found.check_due, found.looks_failed))
            assert found.orders[1].query_due
        assert due == [(False, 1), (False, 2), (True, 3)]
        assert heard(found._replace(check_due=False), resting()).looks_failed == 0

    def test_three_in_a_row_that_fail_and_one_without_a_key_have_all_looked_at(self) -> None:
        found, due = ledger(order(), check_due=False), []
        for _ in range(3):
            found = heard(found, OpenOrdersFailed())
            due.append(found.check_due)
        assert due == [False, False, True]
        assert (heard(found, overview()).looks_failed, found.stops) == (0, ())
        assert heard(ledger(check_due=False), OpenOrdersFailed(no_key=True)).check_due


class TestOverview:
    def test_a_failed_one_says_nothing(self) -> None:
        found = heard(ledger(order(), check_due=False), OverviewFailed())
        assert (found.check_due, found.checks_failed, found.orders) == (True, 1, (order(),))

    def test_the_first_of_those_that_fail_says_since_when(self) -> None:
        found = apply(ledger(order()), OverviewFailed(), BINANCE_SPOT, MARKET, NOW)
        found = apply(found, OverviewFailed(), BINANCE_SPOT, MARKET, NOW + 600_000)
        assert (found.checks_failed_since, found.check_failed_at) == (NOW, NOW + 600_000)
        found = found._replace(checks_failed=5)
        assert [alarm.since for alarm in alarms(found, MARKET, NOW + 600_000)][-1] == NOW
        assert heard(found, overview()).checks_failed_since is None
        assert rewound(found, NOW - 5).checks_failed_since == NOW - 5
        assert restarted(found, NOW).checks_failed_since is None

    def test_that_the_key_does_not_work_cannot_be_accepted(self) -> None:
        gone = OverviewFailed(no_key=True)
        found = heard(heard(ledger(), gone), gone)
        (words,) = found.stops
        found = found.with_accepted((words, "another"))
        assert (found.stops, found.accepted) == ((), ("another",))
        assert heard(found, gone).stops == (words,)

    def test_absence_needs_two_queries_the_orders_and_the_trades(self) -> None:
        twice = order("exit", state="unknown", misses=2, missed_at=NOW + 10_000)
        assert heard(ledger(order(), twice), overview()).orders[1].ending == "absent"
        early = heard(ledger(order(), twice), overview(at=NOW + 9_000))
        assert early.orders[1].state == "unknown"
        once = twice._replace(misses=1)
        assert heard(ledger(order(), once), overview()).orders[1].state == "unknown"

    def test_an_order_that_rests_no_more_is_queried(self) -> None:
        assert heard(ledger(order(), working()), overview()).orders[1].query_due
        fresh = working(sent_at=NOW + 19_500)
        assert not heard(ledger(order(), fresh), overview()).orders[1].query_due

    def test_an_order_of_ours_that_was_never_written_down_is_adopted(self) -> None:
        id = client_id("sandbox BTCUSDT dip 0", "s1", "exit", 3)
        shown = OrderSnapshot(id, "5", "filled", D(2), D(190), quantity=D(2))
        after = heard(ledger(order()), overview(shown))
        assert (after.orders[1].attempt, after.orders[1].filled) == (3, D(2))
        assert after.stops == ()

    def test_a_list_that_was_never_written_down_is_adopted_by_its_legs(self) -> None:
        stop, target = leg_ids("sandbox BTCUSDT dip 0", "s1", 2)
        shown = OrderSnapshot(stop, "5", None, quantity=D(2), trigger=D(95), list_id="3")
        after = heard(ledger(order()), overview(shown)).orders[1]
        assert (after.role, after.attempt, after.leg_ids) == ("protection", 2, (stop, target))

    @pytest.mark.parametrize(
        ("ending", "filled", "stops"), [(None, 0, 1), ("filled", 2, 1), ("expired", 0, 0)]
    )
    def test_a_tagged_order_of_an_unknown_signal_disarms(
        self, ending: str, filled: int, stops: int
    ) -> None:
        for role in ("exit", "stop"):
            id = client_id("another run", "s9", role, 1)  # type: ignore[arg-type]
            shown = OrderSnapshot(id, "5", ending, D(filled))  # type: ignore[arg-type]
            after = heard(ledger(order()), overview(shown, OrderSnapshot("web_1", "6", None)))
            assert len(after.stops) == stops
            assert after.orders == (order(),)

    def test_a_trade_with_other_numbers_than_before_is_not_explained(self) -> None:
        sold = order("exit", state="done", ending="filled", filled=D(1), value=D(90),
                     exchange_id="7", fills=(fill("t1", "7"),))  # fmt: skip
        found = ledger(order(), sold)
        after = heard(found, overview(fills=(fill("t1", "7", price="91"),)))
        assert after.unexplained == ("a trade of order exit-1 has other numbers than before",)
        assert (
            heard(after, overview(fills=(fill("t1", "7", price="91"),))).unexplained
            == after.unexplained
        )
        assert heard(found, overview(fills=(fill("t1", "7"),))).unexplained == ()
        later = fill("t1", "7")._replace(at=NOW + 3)
        assert heard(found, overview(fills=(later,))).unexplained == ()

    def test_an_order_whose_trades_say_more_than_its_status_is_queried(self) -> None:
        found = ledger(order(), listed())
        shown = legs(1)
        after = heard(found, overview(*shown, fills=(fill("t1", "9"),))).orders[1]
        assert (after.filled, after.query_due) == (D(1), True)
        assert not heard(found, overview(*shown)).orders[1].query_due

    def test_trades_of_past_orders_that_are_shown_late_are_taken_in(self) -> None:
        sold = order("exit", state="done", ending="filled", filled=D(1), exchange_id="7")
        found, late = ledger(past=(sold,)), fill("t1", "7")
        after = heard(found, overview(fills=(late,)))
        assert after.past == (sold._replace(fills=(late,), value=D(90)),)
        assert changed_orders(found, after, trades=True) == after.past
        assert not changed_orders(found, after)
        assert heard(after, overview(fills=(late,))).past == after.past

    def test_more_trades_than_a_past_order_filled_do_not_change_it(self) -> None:
        sold = order("exit", state="done", ending="filled", filled=D(1), exchange_id="7")
        shown = overview(fills=(fill("t1", "7"), fill("t2", "7")))
        assert heard(ledger(past=(sold,)), shown).past == (sold,)


class TestBalance:
    FOUND = ledger(order(fills=(fill("t0", "1", "buy", "2", "100"),)), told=("entered",))

    def short(self, found: OrderLedger, *fills: Fill, base: str = "0.5") -> OrderLedger:
        first = heard(found, overview(fills=fills, base=base))
        assert first.orders == found.orders
        between = heard(first, overview(fills=fills, base=base, at=NOW + 25_000))
        assert between.orders == found.orders
        return heard(between, overview(fills=fills, base=base, at=NOW + 31_000))

    def test_a_sale_by_hand_is_booked_at_its_price_when_it_was_seen_twice(self) -> None:
        after = self.short(self.FOUND, fill("t9", "99", quantity="1.5", price="90"))
        outside = after.orders[1]
        assert (outside.role, outside.filled, outside.value) == ("outside", D("1.5"), D(135))
        assert after.unexplained == ()

    @pytest.mark.parametrize(
        ("fee", "fees"),
        [
            ({"fee": D(6)}, D("0.3")),
            ({"fee": D("0.3"), "fee_in": "other", "fee_value": D(9)}, D("0.45")),
            ({"fee": D("0.3"), "fee_in": "other"}, D(0)),
        ],
    )
    def test_of_a_sale_that_was_mostly_the_owners_a_share_of_the_fee_is_booked(
        self, fee: dict[str, Any], fees: Decimal
    ) -> None:
        after = self.short(self.FOUND, fill("t9", "99", quantity="30", price="90", **fee))
        outside = after.orders[1]
        assert (outside.filled, outside.known, outside.value) == (D("1.5"), D("1.5"), D(135))
        assert fees_in(outside, "quote") == fees
        told = heard(after, Tell("reduced", "s1", "closed_outside")).reports[-1]
        assert (told.value, told.fees, told.estimated) == (D(135), fees, False)

    def test_a_fee_that_was_taken_in_pieces_has_left_the_account_and_brought_nothing(self) -> None:
        sale = fill("t9", "99", quantity="29", price="90", fee=D(1), fee_in="base")
        after = self.short(self.FOUND, sale)
        assert (after.orders[1].filled, after.orders[1].value) == (D("1.5"), D("130.5"))
        told = heard(after, Tell("reduced", "s1", "closed_outside")).reports[-1]
        assert (told.quantity, told.fees, told.estimated) == (D("1.5"), 0, False)

    def test_of_several_sales_each_gives_the_same_share(self) -> None:
        sales = [
            fill(f"t{number}", "99", quantity=quantity, price=price, fee=D(fee))
            for number, (quantity, price, fee) in enumerate(
                [("7", "91", "0.7"), ("3", "90", "0.3"), ("4", "89", "4")]
            )
        ]
        outside = self.short(self.FOUND, *sales).orders[1]
        assert outside.known == outside.filled == D("1.5")
        assert outside.value == pytest.approx(D("1.5") * 1263 / 14)
        assert fees_in(outside, "quote") == pytest.approx(D("1.5") * 5 / 14)

    def test_a_sale_that_was_of_two_positions_is_booked_once(self) -> None:
        second: Order = order(id="e2", signal_id="s2", fills=(fill("t3", "2", "buy", "2", "100"),))
        sale = fill("t9", "99", quantity="3", fee=D(3))
        after = self.short(self.FOUND.with_order(second), sale, base="1")
        assert after.unexplained == ()
        assert [(each.known, fees_in(each, "quote")) for each in after.orders[2:]] == [
            (D(2), D(2)), (D(1), D(1)),
        ]  # fmt: skip

    def test_what_an_earlier_sale_was_booked_with_explains_no_other_loss(self) -> None:
        sale = fill("t9", "99", quantity="1.6", fee=D("1.6"))
        after = self.short(self.FOUND, sale)
        again = self.short(after, sale, base="0.4")
        assert [each.known for each in again.orders[1:]] == [D("1.5"), D("0.1")]
        gone = self.short(after, sale, base="0.3")
        assert gone.orders[2].fills == ()
        assert gone.unexplained == ("0.2 pieces of s1 are gone, and no trade shows where",)

    def test_pieces_that_no_trade_explains_are_booked_at_cost_and_named(self) -> None:
        foreign = fill("t9", "99", "buy", "5")
        after = self.short(self.FOUND, foreign)
        gone, words = (
            after.orders[1],
            "1.5 pieces are gone and no trade shows where; counted at 100 a ",
        )
        assert (gone.value, gone.ending) == (D(150), "gone")
        assert str(gone.why).startswith(words + "piece, which is what they cost")
        told = heard(after, Tell("reduced", "s1", "closed_outside"))
        assert told.reports[-1].words == gone.why
        sold = order("exit", state="done", ending="filled", filled=D("0.5"), value=D(45))
        last = heard(told.with_order(sold), Tell("exited", "s1", "user")).reports[-1]
        assert (last.quantity, last.words) == (D("0.5"), "")
        assert after.unexplained == ("1.5 pieces of s1 are gone, and no trade shows where",)

    def test_dust_goes_first(self) -> None:
        after = self.short(self.FOUND._replace(dust=D(1)), base="2.4")
        assert (after.dust, len(after.orders)) == (D("0.4"), 1)

    def test_a_balance_that_changes_meanwhile_is_looked_at_anew(self) -> None:
        first = heard(self.FOUND, overview(base="0.5"))
        assert first.short_at == NOW + 20_000
        assert heard(first, overview(base="2", at=NOW + 31_000)).short_at is None
        doubted = first.with_order(order("exit", state="unknown"))
        assert heard(doubted, overview(base="0.5", at=NOW + 31_000)).short_at is None

    def test_less_than_a_step_is_nothing_while_fees_are_guessed(self) -> None:
        found = ledger(order(), told=("entered",))
        assert heard(found, overview(base="1.9995")).short_at is None
        assert heard(self.FOUND, overview(base="1.9995")).short_at is not None

    def test_a_loss_is_shared_by_positions_in_their_order(self) -> None:
        second: Order = order(id="e2", signal_id="s2", fills=(fill("t3", "2", "buy", "2", "100"),))
        found = self.FOUND.with_order(second)
        after = self.short(found, fill("t9", "99", quantity="3"), base="1")
        assert [(each.signal_id, each.filled) for each in after.orders[2:]] == [
            ("s1", D(2)), ("s2", D(1)),
        ]  # fmt: skip

    def test_reports_act_in_their_order_though_the_clock_was_set_back(self) -> None:
        found = ledger(order(), told=("entered",))
        sold = order("exit", state="done", ending="filled", filled=D(2), value=D(198))
        found = heard(found.with_order(sold), Tell("exited", "s1", "user"), at=NOW - 60_000)
        assert [each.at for each in found.reports] == sorted(each.at for each in found.reports)


class TestFlat:
    def test_a_run_that_wants_and_knows_nothing_is_flat(self) -> None:
        assert is_flat(None, None)
        assert is_flat(None, ENTER._replace(want="flat"))
        assert is_flat(ledger(order(), told=("entered", "exited")), None)

    @pytest.mark.parametrize(
        ("found", "wanted"),
        [
            (None, ENTER),
            (ledger(), HOLD),
            (ledger(order(), told=("entered",)), None),
            (ledger(order(), working(), told=("entered", "exited")), None),
        ],
    )
    def test_a_run_that_wants_holds_or_has_something_is_not(
        self, found: OrderLedger | None, wanted: DesiredPosition | None
    ) -> None:
        assert not is_flat(found, wanted)


class TestInPlace:
    def test_a_stop_whose_trigger_is_not_shown_is_not_in_place(self) -> None:
        wanted, now = HOLD._replace(target=None), NOW + 120_000
        assert is_in_place(working(), wanted, BINANCE_SPOT, MARKET, now)
        assert not is_in_place(working(trigger=None), wanted, BINANCE_SPOT, MARKET, now)


def test_without_a_price_the_least_quantity_is_that_of_the_market():
    assert MARKET.least(D(0)) == D("0.001")
    assert MARKET.least(D(100)) == D("0.050")
