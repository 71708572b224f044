"""The table of `next_action`, line by line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.core.orders.situations import (
    ENTER,
    EXIT,
    HOLD,
    NOW,
    action,
    heard,
    ledger,
    order,
    working,
)
from tradenb.core.orders.answers import (
    Cancelled,
    NotFound,
    OpenOrdersFailed,
    QueryFailed,
    Refused,
)
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_actions import (
    Cancel,
    Query,
    QueryOpen,
    Reconcile,
    Submit,
    Tell,
    Wait,
)
from tradenb.core.orders.order_records import FLAT, Fill, Leg

BOUGHT = ledger(order(), told=("entered",))


def submitted(found: object) -> Submit:
    assert isinstance(found, Submit), found
    return found


class TestEntering:
    def test_an_entry_is_an_ioc_order_with_a_limit_and_a_death_date(self) -> None:
        entry = submitted(action(ledger(), ENTER)).order
        assert (entry.role, entry.type, entry.side) == ("entry", "ioc", "buy")
        assert (entry.quantity, entry.price) == (Decimal(2), Decimal("100.2"))
        assert entry.dies_at - entry.sent_at == 3_000

    def test_a_late_entry_is_told_and_not_sent(self) -> None:
        late = action(ledger(), ENTER, now=NOW + 30_001)
        assert late == Tell("not_entered", "s1", "late")

    def test_an_entry_of_another_process_is_never_sent(self) -> None:
        assert action(ledger(started_at=NOW + 1), ENTER) == Tell("not_entered", "s1", "late")

    @pytest.mark.parametrize("values", [{"unexplained": ("a sale",)}, {"stops": ("a copy",)}])
    def test_nothing_is_entered_while_something_is_not_explained(
        self, values: dict[str, tuple[str, ...]]
    ) -> None:
        (words,) = next(iter(values.values()))
        assert action(ledger(**values), ENTER) == Tell("not_entered", "s1", "limits", words)

    def test_what_the_gate_refuses_is_told(self) -> None:
        assert action(ledger(), ENTER, refused="max_order") == Tell(
            "not_entered", "s1", "limits", "max_order"
        )

    @pytest.mark.parametrize(
        ("ending", "why"),
        [("expired", "unfilled"), ("absent", "absent"), ("refused", "refused"),
         ("not_sent", "not_sent"), ("would_trigger", "unfilled")],
    )  # fmt: skip
    def test_an_entry_that_came_to_nothing_is_told_with_its_reason(
        self, ending: str, why: str
    ) -> None:
        failed = order(filled=Decimal(0), value=Decimal(0), ending=ending)
        assert action(ledger(failed), ENTER) == Tell("not_entered", "s1", why)

    def test_an_entry_that_filled_in_part_is_told_as_entered(self) -> None:
        part = order(filled=Decimal(1), ending="expired")
        assert action(ledger(part), ENTER) == Tell("entered", "s1")

    def test_an_entry_that_rests_is_cancelled(self) -> None:
        resting = working("entry", filled=Decimal(0), ending=None)
        assert isinstance(action(ledger(resting), ENTER), Cancel)

    def test_a_signal_that_was_told_is_not_entered_again(self) -> None:
        over = ledger(order(filled=Decimal(0), ending="absent"), told=("not_entered",))
        assert isinstance(action(over, ENTER), Wait)

    def test_an_entry_that_fills_after_it_was_told_absent_is_sold(self) -> None:
        late = ledger(order(), told=("not_entered",))
        exit_order = submitted(action(late, ENTER)).order
        assert (exit_order.role, exit_order.quantity) == ("exit", Decimal(2))


class TestDoubts:
    def test_nothing_is_sent_while_an_order_is_in_doubt(self) -> None:
        doubted = order("protection", state="unknown", seen_at=None)
        found = ledger(order(), doubted, told=("entered",))
        assert action(found) == Query(doubted)
        failed = heard(found, QueryFailed("protection-1"))
        assert action(failed) == Wait(NOW + 5_500)

    def test_two_queries_without_a_find_lead_to_a_look_at_everything(self) -> None:
        found = ledger(order(), order("protection", state="unknown"), told=("entered",))
        found = heard(found, NotFound("protection-1"))
        found = heard(found, NotFound("protection-1"), NOW + 7_000)
        assert isinstance(action(found, now=NOW + 7_000), Reconcile)

    def test_a_query_before_the_request_has_died_proves_nothing(self) -> None:
        found = ledger(order("protection", state="unknown"))
        for at in (NOW + 1_000, NOW + 4_000):
            found = heard(found, NotFound("protection-1"), at)
        assert found.orders[0].misses == 0

    def test_queries_wait_longer_and_longer_and_never_stop(self) -> None:
        found, at, waits = ledger(order("exit", state="unknown")), NOW + 60_000, []
        for _ in range(18):
            found = heard(found, QueryFailed("exit-1"), at)
            wait = action(found, FLAT, now=at)
            assert isinstance(wait, Wait)
            waits.append(wait.until - at)
            at = wait.until
        assert waits == [500, 1_000, *[2_000] * 12, 4_000, 8_000, 15_000, 15_000]

    def test_a_query_that_fails_after_one_that_found_nothing_waits_longer_and_longer(self) -> None:
        found, at, waits = ledger(order("exit", state="unknown")), NOW + 60_000, []
        found = heard(found, NotFound("exit-1"), at)
        for _ in range(3):
            wait = action(found, FLAT, now=at)
            assert isinstance(wait, Wait)
            waits.append(wait.until - at)
            at = wait.until
            found = heard(found, QueryFailed("exit-1"), at)
        assert waits == [2_000, 500, 1_000]

    def test_a_cancelled_order_is_queried_before_its_end_is_believed(self) -> None:
        found = heard(ledger(order(), working(), told=("entered",)), Cancelled("protection-1"))
        assert found.orders[-1].state == "cancelling"
        assert isinstance(action(found, EXIT), Query)


class TestReconciling:
    def test_a_start_begins_with_a_full_look(self) -> None:
        assert action(OrderLedger("run", started_at=NOW), FLAT) == Reconcile(NOW - 60_000)

    def test_a_look_that_fails_is_made_again_and_reducing_orders_wait_for_three(self) -> None:
        fresh = ledger(order(), told=("entered",), check_due=True, check_failed_at=NOW + 5_000)
        assert action(fresh._replace(checks_failed=1)) == Wait(NOW + 5_500)
        third = fresh._replace(checks_failed=3)
        assert submitted(action(third)).order.role == "protection"

    def test_everything_is_looked_at_when_a_copied_entry_would_show(self) -> None:
        assert isinstance(action(BOUGHT._replace(checked_at=NOW + 3_900)), Reconcile)
        assert isinstance(action(BOUGHT), Submit)

    def test_everything_is_looked_at_every_ten_minutes(self) -> None:
        assert isinstance(action(ledger(), FLAT, now=NOW + 604_002), Reconcile)
        assert action(ledger(looked_at=NOW + 590_000), FLAT) == Wait(NOW + 604_002)

    def test_a_full_look_goes_back_to_the_oldest_order_and_without_one_to_the_last_look(
        self,
    ) -> None:
        days = 20 * 86_400_000
        late = {"check_due": True, "checked_at": NOW + days, "now": NOW + days + 600_000}
        at = late.pop("now")
        old = order(sent_at=NOW - 5_000)
        since = NOW - 60_000
        assert action(ledger(old, told=("entered",), **late), now=at) == Reconcile(since - 5_000)
        day_before = NOW + 19 * 86_400_000 - 60_000
        assert action(ledger(**late), FLAT, now=at) == Reconcile(day_before)
        assert action(ledger(past=(old,), **late), FLAT, now=at) == Reconcile(day_before)
        lately = order(sent_at=NOW + days - 1_000)
        kept = ledger(past=(lately,), **late)
        assert action(kept, FLAT, now=at) == Reconcile(NOW + days - 61_000)
        fresh = ledger(check_due=True, checked_at=NOW, started_at=NOW - 7)
        assert action(fresh, FLAT, now=NOW + 600_000) == Reconcile(since - 7)

    @pytest.mark.parametrize(("known", "since"), [(False, NOW - 600_000), (True, NOW)])
    def test_trades_that_a_past_order_lacks_are_read_while_a_position_lives(
        self, known: bool, since: int
    ) -> None:
        sold = order("exit", id="e1", signal_id="s0", sent_at=NOW - 600_000, state="done",
                     ending="filled", filled=Decimal(1))  # fmt: skip
        trade = Fill("t1", "7", NOW, "sell", Decimal(1), Decimal(90))
        found = ledger(order(), working(), told=("entered",), check_due=True,
                       past=(sold._replace(fills=(trade,) if known else ()),))  # fmt: skip
        assert action(found) == Reconcile(since - 60_000)

    def test_an_order_that_nobody_looks_at_keeps_nobody_awake(self) -> None:
        strange = ledger(working(signal_id=""), checked_at=NOW)
        assert action(strange, FLAT) == Wait(NOW + 15_000)
        assert action(strange, FLAT, now=NOW + 15_000) == QueryOpen()
        seen = strange._replace(looked_at=NOW + 15_000)
        assert action(seen, FLAT, now=NOW + 15_000) == Wait(NOW + 30_000)


class TestHolding:
    def test_what_is_held_is_protected_by_stop_and_target(self) -> None:
        guard = submitted(action(BOUGHT)).order
        assert (guard.type, guard.quantity) == ("list", Decimal(2))
        assert (guard.trigger, guard.price) == (Decimal(95), Decimal(110))
        assert len({guard.id, *guard.leg_ids}) == 3

    def test_without_a_target_there_is_a_stop_alone(self) -> None:
        guard = submitted(action(BOUGHT, HOLD._replace(target=None))).order
        assert (guard.type, guard.price, guard.trigger) == ("stop", None, Decimal(95))

    def test_a_market_without_stops_at_market_gets_a_limit_below(self) -> None:
        from tests.core.orders.situations import MARKET

        market = MARKET._replace(stop_market=False)
        guard = submitted(action(BOUGHT, HOLD._replace(target=None), market=market)).order
        assert (guard.type, guard.price) == ("stop_limit", Decimal("93.10"))

    def test_what_rests_is_read_every_fifteen_seconds_and_trades_once_a_minute(self) -> None:
        found = ledger(order(), working(), told=("entered",))
        wanted = HOLD._replace(target=None)
        assert action(found, wanted) == Wait(NOW + 15_000)
        assert action(found, wanted, now=NOW + 15_000) == QueryOpen()
        found = found._replace(looked_at=NOW + 45_000)
        assert action(found, wanted, now=NOW + 59_999) == Wait(NOW + 60_000)
        assert action(found, wanted, now=NOW + 60_000) == QueryOpen(trades=True)

    def test_while_nothing_rests_it_is_read_once_a_minute(self) -> None:
        found = ledger(looked_at=NOW + 10_000)
        assert action(found, FLAT, now=NOW + 69_999) == Wait(NOW + 70_000)
        assert action(found, FLAT, now=NOW + 70_000) == QueryOpen()

    def test_trades_are_read_until_ten_minutes_after_a_position(self) -> None:
        sold = order("exit", state="done", ending="filled", done_at=NOW + 10_000)
        for ms, trades in ((609_999, True), (610_000, False)):
            at = NOW + ms
            found = ledger(past=(order(), sold), looked_at=at - 60_000, checked_at=at - 1)
            assert action(found, FLAT, now=at) == QueryOpen(trades=trades)

    def test_a_light_look_that_failed_is_made_again_sooner(self) -> None:
        found = ledger(order(), working(), told=("entered",), looked_at=NOW + 15_000)
        wanted = HOLD._replace(target=None)
        found = found._replace(looks_failed=1)
        assert action(found, wanted, now=NOW + 15_000) == Wait(NOW + 15_500)
        found = found._replace(looks_failed=2)
        assert action(found, wanted, now=NOW + 15_500) == Wait(NOW + 16_000)

    def test_trades_are_read_by_the_next_look_where_the_first_one_of_a_minute_failed(self) -> None:
        found = ledger(order(), working(), told=("entered",), looked_at=NOW + 45_000)
        failed = heard(found, OpenOrdersFailed(), NOW + 60_100)
        wanted = HOLD._replace(target=None)
        assert action(failed, wanted, now=NOW + 60_600) == QueryOpen(trades=True)

    @pytest.mark.parametrize(
        ("stop", "minutes", "replaced"),
        [("95.1", 1, False), ("96", 1, True), ("96", 0, False)],
    )
    def test_a_stop_that_moved_is_replaced_once_a_minute(
        self, stop: str, minutes: int, replaced: bool
    ) -> None:
        found = ledger(order(), working(), told=("entered",), checked_at=NOW + 50_000)
        wanted = HOLD._replace(target=None, stop=Decimal(stop))
        found = found.with_order(working(seen_at=NOW + minutes * 60_000))
        moved = action(found, wanted, now=NOW + minutes * 60_000 + 5_000)
        assert isinstance(moved, Cancel) == replaced

    def test_a_target_that_is_taken_away_is_replaced(self) -> None:
        legs = (Leg("stop", "8", open=True), Leg("target", "9", open=True))
        guard = working(type="list", price=Decimal(110), legs=legs, seen_at=NOW + 60_000)
        found = ledger(order(), guard, told=("entered",), checked_at=NOW + 50_000)
        assert isinstance(action(found, now=NOW + 60_000), Wait)
        gone = action(found, HOLD._replace(target=None), now=NOW + 60_000)
        assert gone == Cancel(guard)

    def test_a_list_whose_target_filled_in_part_protects_no_more(self) -> None:
        legs = (
            Leg("stop", "8", open=False),
            Leg("target", "9", open=True, filled=Decimal(1), value=Decimal(110)),
        )
        guard = working(type="list", price=Decimal(110), legs=legs, filled=Decimal(1),
                        value=Decimal(110))  # fmt: skip
        found = ledger(order(), guard, told=("entered",))
        assert action(found) == Tell("reduced", "s1", "take_profit")
        assert action(heard(found, Tell("reduced", "s1", "take_profit"))) == Cancel(guard)

    def test_a_part_is_sold_after_the_protection_is_gone(self) -> None:
        wanted = HOLD._replace(target=None, quantity=Decimal("1.5"), reason="user")
        found = ledger(order(), working(), told=("entered",))
        assert isinstance(action(found, wanted), Cancel)
        part = submitted(action(BOUGHT, wanted)).order
        assert (part.role, part.quantity, part.reason) == ("part", Decimal("0.5"), "user")

    @pytest.mark.parametrize(("kept", "sold"), [("0.053", "1.947"), ("0.052", "2")])
    def test_what_no_order_could_protect_is_sold_with_the_part(self, kept: str, sold: str) -> None:
        wanted = HOLD._replace(target=None, quantity=Decimal(kept), reason="take_profit")
        part = submitted(action(BOUGHT, wanted)).order
        assert (part.role, part.quantity, part.reason) == ("part", Decimal(sold), "take_profit")

    def test_a_position_without_protection_for_thirty_seconds_is_sold(self) -> None:
        found = BOUGHT._replace(checked_at=NOW + 30_000)
        sold = submitted(action(found, now=NOW + 30_001)).order
        assert (sold.role, sold.reason) == ("exit", "unprotected")

    def test_another_process_tries_to_protect_it_first(self) -> None:
        found = BOUGHT._replace(started_at=NOW + 60_000, checked_at=NOW + 66_000)
        assert submitted(action(found, now=NOW + 66_100)).order.role == "protection"

    @pytest.mark.parametrize(("price", "reason"), [("94", "stop_loss"), ("111", "take_profit")])
    def test_protection_that_would_trigger_at_once_is_an_exit(
        self, price: str, reason: str
    ) -> None:
        first = submitted(action(BOUGHT)).order
        found = heard(BOUGHT.with_order(first), Refused(first.id, "no", would_trigger=True))
        found = found._replace(check_due=False)
        sold = submitted(action(found, price=Decimal(price))).order
        assert (sold.role, sold.reason) == ("exit", reason)

    def test_protection_that_is_refused_is_tried_again_at_growing_distances(self) -> None:
        found, at, waits = BOUGHT, NOW + 5_000, []
        for _ in range(4):
            guard = submitted(action(found, now=at)).order
            found = heard(found.with_order(guard), Refused(guard.id, "no"), at)
            found = found._replace(check_due=False)
            wait = action(found, now=at)
            if not isinstance(wait, Wait):
                break
            waits.append(wait.until - at)
            at = wait.until
        assert waits[:2] == [1_000, 5_000]

    def test_what_is_worth_too_little_at_the_stop_is_sold_while_it_can_be(self) -> None:
        few = ledger(order(filled=Decimal("0.052"), value=Decimal("5.2")), told=("entered",))
        sold = submitted(action(few)).order
        assert (sold.role, sold.reason) == ("exit", "unprotected")

    def test_an_entry_that_was_not_sent_yet_is_told_as_flattened(self) -> None:
        assert action(ledger(), EXIT) == Tell("not_entered", "s1", "flattened")

    def test_an_entry_too_small_for_an_order_is_told_with_its_size(self) -> None:
        told = action(ledger(), ENTER._replace(quantity=Decimal("0.0104")))
        assert isinstance(told, Tell)
        assert (told.reason, told.words) == (
            "limits", "0.010 pieces at 100.2 are too few for an order",
        )  # fmt: skip

    def test_an_entry_is_put_on_the_steps_of_the_market(self) -> None:
        wanted = ENTER._replace(quantity=Decimal("1.23456"), limit=Decimal("100.2078"))
        order_ = submitted(action(ledger(), wanted)).order
        assert (order_.quantity, order_.price) == (Decimal("1.234"), Decimal("100.20"))

    def test_a_stop_that_rests_is_kept_though_the_last_price_is_too_low_to_sell(self) -> None:
        found = ledger(
            order(filled=Decimal("0.06"), value=Decimal(6)),
            working(quantity=Decimal("0.06")),
            told=("entered",),
        )
        assert isinstance(action(found, HOLD, price=Decimal(60)), Wait)

    def test_a_reconciliation_goes_back_to_the_oldest_order_that_is_kept(self) -> None:
        kept = order(sent_at=NOW + 500_000, filled=Decimal(0), state="done", ending="expired")
        late = NOW + 2_000_000
        found = ledger(past=(kept,), check_due=True, started_at=NOW)
        assert action(found, FLAT, now=late) == Reconcile(NOW + 440_000)
        assert action(ledger(check_due=True), FLAT, now=late) == Reconcile(
            ledger().started_at - 60_000
        )

    def test_what_is_too_little_to_sell_is_told_as_left(self) -> None:
        dust = ledger(order(filled=Decimal("0.04"), value=Decimal(4)), told=("entered",))
        assert action(dust) == Tell("exited", "s1", "dust")


class TestLeaving:
    def test_an_exit_cancels_the_protection_first(self) -> None:
        guard = working()
        found = ledger(order(), guard, told=("entered",))
        assert action(found, EXIT) == Cancel(guard)

    @pytest.mark.parametrize(
        ("cancels", "wait"),
        [(1, 1_000), (3, 1_000), (4, 2_000), (5, 5_000), (6, 15_000), (99, 15_000)],
    )
    def test_a_cancel_is_asked_for_again_more_and_more_seldom(self, cancels, wait) -> None:
        guard = working(cancelled_at=NOW + 4_500, cancels=cancels)
        found = ledger(order(), guard, told=("entered",))
        assert action(found, EXIT) == Wait(NOW + 4_500 + wait)
        assert action(found, EXIT, now=NOW + 4_500 + wait) == Cancel(guard)

    def test_cancels_count_in_a_row(self) -> None:
        found = ledger(order(), working(cancelled_at=NOW, cancels=7), told=("entered",))
        soon = heard(found, Cancelled("protection-1"), NOW + 59_999)
        assert soon.of("s1", "protection")[0].cancels == 8
        later = heard(found, Cancelled("protection-1"), NOW + 60_000)
        assert later.of("s1", "protection")[0].cancels == 1

    def test_an_exit_sells_at_market_what_is_held(self) -> None:
        sold = submitted(action(BOUGHT, EXIT)).order
        assert (sold.type, sold.quantity, sold.reason) == ("market", Decimal(2), "strategy")

    def test_the_exchange_has_five_seconds_to_sell_at_a_touched_stop(self) -> None:
        wanted = EXIT._replace(reason="stop_loss", since=NOW + 60_000)
        found = ledger(order(), working(), told=("entered",), checked_at=NOW + 50_000)
        assert isinstance(action(found, wanted, now=NOW + 60_100), Query)
        seen = found.with_order(working(seen_at=NOW + 60_200))
        assert action(seen, wanted, now=NOW + 60_300) == Wait(NOW + 65_000)
        assert isinstance(action(seen, wanted, now=NOW + 65_000), Query)
        failed = heard(seen, QueryFailed("protection-1"), NOW + 65_000)
        assert action(failed, wanted, now=NOW + 65_100) == Wait(NOW + 65_500)
        again = seen.with_order(working(seen_at=NOW + 65_000))
        assert isinstance(action(again, wanted, now=NOW + 65_100), Cancel)

    def test_a_touched_stop_without_protection_is_sold_at_once(self) -> None:
        wanted = EXIT._replace(reason="stop_loss")
        assert submitted(action(BOUGHT, wanted)).order.role == "exit"

    def test_an_exit_that_began_is_gone_through_with(self) -> None:
        half = order("exit", state="done", ending="expired", filled=Decimal(1),
                     value=Decimal(100), reason="unprotected")  # fmt: skip
        again = submitted(action(ledger(order(), half, told=("entered",)))).order
        assert (again.role, again.attempt, again.reason) == ("exit", 2, "unprotected")

    def test_another_signal_is_left_before_anything_is_entered(self) -> None:
        other = ENTER._replace(signal_id="s2")
        assert submitted(action(BOUGHT, other)).order.role == "exit"

    def test_an_entry_nobody_wants_any_more_is_told_and_sold(self) -> None:
        assert submitted(action(ledger(order()), FLAT)).order.role == "exit"
        gone = order("exit", state="done", ending="filled", filled=Decimal(2), value=Decimal(190),
                     reason="flattened")  # fmt: skip
        found = ledger(order(), gone)
        assert action(found, FLAT) == Tell("entered", "s1", "")
        found = heard(found, Tell("entered", "s1"))
        assert action(found, FLAT) == Tell("exited", "s1", "flattened")

    def test_an_entry_without_a_fill_that_nobody_wants_is_told(self) -> None:
        found = ledger(order(filled=Decimal(0), value=Decimal(0), ending="expired"))
        assert action(found, FLAT) == Tell("not_entered", "s1", "flattened")

    def test_a_position_of_another_process_is_sold_after_a_look_at_everything(self) -> None:
        found = ledger(order(), told=("entered",), started_at=NOW + 10_000)
        early = action(found, EXIT, now=NOW + 11_000)
        assert early == Wait(NOW + 15_000)
        assert isinstance(action(found, EXIT, now=NOW + 15_000), Reconcile)
        looked = found._replace(checked_at=NOW + 15_000)
        assert isinstance(action(looked, EXIT, now=NOW + 15_100), Submit)

    def test_its_protection_stays_until_it_can_be_sold(self) -> None:
        started = NOW + 10_000
        found = ledger(
            order(), working(), told=("entered",), started_at=started, checked_at=started
        )
        assert action(found, EXIT, now=started + 100) == Wait(started + 5_000)
        seen = found._replace(checked_at=started + 5_000)
        assert action(seen, EXIT, now=started + 5_100) == Cancel(working())

    def test_a_position_without_an_entry_in_the_ledger_is_not_touched(self) -> None:
        assert isinstance(action(ledger(), HOLD), Wait)

    @pytest.mark.parametrize(
        ("role", "legs", "reason"),
        [
            ("protection", (), "stop_loss"),
            ("protection", (Leg("target", "9", open=False, filled=Decimal(2)),), "take_profit"),
            ("outside", (), "closed_outside"),
        ],
    )
    def test_an_exit_is_told_with_the_reason_of_the_order_that_filled(
        self, role: str, legs: tuple[Leg, ...], reason: str
    ) -> None:
        sold = order(role, state="done", ending="filled", filled=Decimal(2), value=Decimal(220),
                     legs=legs)  # fmt: skip
        assert action(ledger(order(), sold, told=("entered",))) == Tell("exited", "s1", reason)
