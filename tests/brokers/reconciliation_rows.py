"""The rows of reconciliation: what happens, what is made of it, and the rule switched off."""

from __future__ import annotations

from tests.brokers.reconciliation_case import (
    ALL,
    ENTRY,
    FAR,
    HELD,
    SYMBOL,
    Case,
    D,
    FoundBy,
    Row,
)
from tradenb.core.orders.answers import NEWEST_TRADES
from tradenb.core.orders.client_ids import client_id
from tradenb.live.live_run import record_of
from tradenb.store.paths import Key
from tradenb.testing.venue.venue_balances import VenueFees
from tradenb.testing.venue.venue_events import fill_target, place_foreign
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewOrder

BEFORE = ENTRY - 1
LATER = HELD + 2
START: tuple[FoundBy, ...] = ("start",)

# --- 1 to 6: our orders --------------------------------------------------------------------------


def target_fills_in_part(case: Case) -> None:
    fill_target(case.venue, SYMBOL, D("0.5"), case.now)


def rest_is_protected_anew(case: Case) -> None:
    assert ("partial", "take_profit") in case.told
    assert case.orders("protection")[0].ending in ("filled", "cancelled")
    assert case.is_protected()
    assert D("2.4") < case.covered < D("2.5")


def answer_is_lost(case: Case) -> None:
    case.cancel_by_hand()
    case.meet("protection", VenueFault("accept", "reset"))


def found_and_not_sent_again(case: Case) -> None:
    assert len(case.sent("protection")) == 2
    assert not any(order.is_in_doubt for order in case.ledger.orders)
    assert case.is_protected()


def request_is_lost(case: Case) -> None:
    case.cancel_by_hand()
    case.meet("protection", VenueFault("drop", "reset"))


def proved_absent_and_sent_again(case: Case) -> None:
    assert [order.ending for order in case.orders("protection")] == ["cancelled", "absent", None]
    _, absent, _ = case.orders("protection")
    assert (absent.done_at or 0) > absent.dies_at + 2_000
    assert case.is_protected()


def protection_disappears(case: Case) -> None:
    legs = case.venue.live_orders(SYMBOL)
    case.cancel_by_hand()
    case.wire._views.hidden.update({leg.order_id: FAR for leg in legs})


def gone_and_protected_anew(case: Case) -> None:
    assert [order.ending for order in case.orders("protection")] == ["absent", None]
    assert case.is_protected()


def trades_come_late(case: Case) -> None:
    legs = case.venue.live_orders(SYMBOL)
    case.wire._views.trades.update({leg.order_id: FAR for leg in legs})


def closed_to_the_digit(case: Case) -> None:
    assert case.told[-1] == ("closed", "stop_loss")
    assert case.world.coins < D("0.0001")
    (trade,) = case.state.trades
    assert abs(D(repr(trade.pnl)) - (case.venue.total("USDT") - 10_000)) < D("0.001")


def status_comes_late(case: Case) -> None:
    legs = case.venue.live_orders(SYMBOL)
    case.wire._views.statuses.update({leg.order_id: case.now + 260_000 for leg in legs})
    case.venue.book.fees = VenueFees(taker=D("0.0005"))  # which nothing but its trades tells


def trades_are_shown_twice(case: Case) -> None:
    case.wire._views.doubled_until = FAR


def counted_once(case: Case) -> None:
    assert case.is_protected()
    assert (case.ledger.unexplained, case.ledger.stops) == ((), ())
    (entry,) = case.orders("entry")
    assert len(entry.fills) == 1


def trade_changes(case: Case) -> None:
    trades = case.venue.trades
    trades[-1] = trades[-1]._replace(price=trades[-1].price + 1)


def person_is_asked(case: Case) -> None:
    assert len(case.ledger.unexplained) == 1
    assert case.is_protected()


def half_is_closed(case: Case) -> None:
    case.handle.close(0.5)


def person_is_asked_about_the_part(case: Case) -> None:
    assert ("partial", "user") in case.told
    assert case.orders("part")[0].id in case.ledger.unexplained[0]
    assert case.is_protected()


def person_is_asked_about_the_protection(case: Case) -> None:
    assert case.orders("protection")[0].id in case.ledger.unexplained[0]
    rest_is_protected_anew(case)


def all_is_closed(case: Case) -> None:
    case.handle.flatten()


def person_is_asked_about_the_exit(case: Case) -> None:
    assert case.told[-1] == ("closed", "flattened")
    assert [order.id in case.ledger.unexplained[0] for order in case.orders("exit")] == [True]


# --- 7 to 10: others -----------------------------------------------------------------------------


def sent_and_not_written_down(case: Case) -> None:
    case.cancel_by_hand()
    case.place_protection(2, D("4.995"))


def adopted(case: Case) -> None:
    assert [order.attempt for order in case.orders("protection")] == [1, 2]
    assert len(case.sent("protection")) == 2
    assert case.ledger.stops == ()
    assert case.is_protected()


def another_home_buys(case: Case) -> None:
    id = client_id("another home", "x", "entry", 1)
    case.place(NewOrder(SYMBOL, "BUY", "LIMIT", D(1), id, D(50), time_in_force="GTC"))


def disarmed_and_left_alone(case: Case) -> None:
    assert "unknown signal" in case.tripped
    assert case.is_protected()
    assert [order.client_id[6] for order in case.venue.live_orders(SYMBOL)] == ["5", "4", "1"]


def another_home_bought(case: Case) -> None:
    id = client_id("another home", "x", "entry", 1)
    case.place(NewOrder(SYMBOL, "BUY", "MARKET", D(1), id))


def disarmed_and_not_touched(case: Case) -> None:
    assert "unknown signal traded" in case.tripped
    assert case.is_protected()
    assert D("0.9") < case.world.coins - case.held < D(1)


def stranger_orders(case: Case) -> None:
    place_foreign(case.venue, SYMBOL, case.now)


def its_order_is_left_alone(case: Case) -> None:
    assert (case.ledger.unexplained, case.ledger.stops, case.tripped) == ((), (), "")
    assert case.is_protected()
    assert len(case.venue.live_orders(SYMBOL)) == 3


def stranger_trades(case: Case) -> None:
    case.venue.trade_by_hand(SYMBOL, "BUY", D(1), at=case.now)
    case.venue.trade_by_hand(SYMBOL, "SELL", D("0.5"), at=case.now)


def stranger_trades_often(case: Case) -> None:
    for _ in range(NEWEST_TRADES):
        case.venue.trade_by_hand(SYMBOL, "BUY", D("0.1"), at=case.now)
    case.venue.trade_by_hand(SYMBOL, "SELL", D("9.5"), at=case.now)


def its_trades_are_read_and_left_alone(case: Case) -> None:
    assert (case.ledger.unexplained, case.ledger.stops, case.tripped) == ((), (), "")
    assert case.is_protected()
    assert D("0.4") < case.world.coins - case.held < D("0.5")
    assert (case.ledger.checked_at or 0) > case.venue.trades[-1].at


def owner_sells_all(case: Case) -> None:
    case.cancel_by_hand()
    all_of_it = case.venue.total("BTC") // D("0.0001") * D("0.0001")
    case.venue.trade_by_hand(SYMBOL, "SELL", all_of_it, at=case.now)


def closed_outside(case: Case) -> None:
    assert case.told[-1] == ("closed", "closed_outside")
    assert case.events[-1].price == 100.0
    assert case.events[-1].note is None
    assert case.ledger.unexplained == ()


def owner_withdraws(case: Case) -> None:
    case.cancel_by_hand()
    case.venue.book.balances.add("BTC", -case.venue.total("BTC"))


def closed_and_asked(case: Case) -> None:
    assert case.told[-1] == ("closed", "closed_outside")
    assert "no trade shows where; counted at 100" in case.events[-1].note
    assert "no trade shows" in case.ledger.unexplained[0]


def owner_buys(case: Case) -> None:
    case.venue.trade_by_hand(SYMBOL, "BUY", D(3), at=case.now)


def own_pieces_are_sold(case: Case) -> None:
    assert case.told[-1] == ("closed", "stop_loss")
    assert case.world.coins == D("2.997")


# --- 13 to 17: protection, and what nobody wants ------------------------------------------------


def protection_is_cancelled(case: Case) -> None:
    case.cancel_by_hand()


def protected_anew(case: Case) -> None:
    assert [order.ending for order in case.orders("protection")] == ["cancelled", None]
    assert case.is_protected()


def second_protection_appears(case: Case) -> None:
    case.place_protection(2, D("1.5"))


def newer_is_cancelled(case: Case) -> None:
    assert [order.ending for order in case.orders("protection")] == [None, "cancelled"]
    assert case.is_protected()


def order_of_the_past_appears(case: Case) -> None:
    case.place_protection(2, D("1.5"), "97")


def cancelled_in_idleness(case: Case) -> None:
    assert case.state.signal is None
    assert case.venue.live_orders(SYMBOL) == ()
    assert case.world.coins < D("0.0001")


def document_is_edited(case: Case) -> None:
    record = record_of(case.handle)
    record.ledger = case.running._replace(orders=(), reports=())
    record.storage.commit_ledger(record.ledger)


def person_is_asked_about_all(case: Case) -> None:
    assert "no order here has bought" in case.ledger.unexplained[0]
    assert case.covered > 4


def document_is_edited_and_the_journal_gone(case: Case) -> None:
    document_is_edited(case)
    case.world.disk.remove(case.world.home.orders(Key("orders-rows", SYMBOL)))


def journal_knows_it(case: Case) -> None:
    assert (case.ledger.unexplained, case.ledger.stops) == ((), ())
    assert len(case.sent("entry")) == 1
    assert case.is_protected()


# --- 18 to 25: money, pieces, and the exchange itself -------------------------------------------


def late_trades(case: Case) -> None:
    case.meet("entry", VenueFault("trades_late", seconds=40))


def fee_is_taken_in_pieces(case: Case) -> None:
    (entry,) = case.orders("entry")
    assert [(fill.fee, fill.fee_in) for fill in entry.fills] == [(entry.filled / 1_000, "base")]
    assert case.held == case.world.coins == entry.filled * D("0.999")
    assert case.is_protected()


def fee_in_bnb(case: Case) -> None:
    case.venue.book.fees = VenueFees(paid_in="BNB")
    case.venue.book.balances.add("BNB", D(50))
    case.meet("entry", VenueFault("trades_late", seconds=40))


def all_pieces_are_held(case: Case) -> None:
    (entry,) = case.orders("entry")
    assert [fill.fee_in for fill in entry.fills] == ["other"]
    assert case.held == case.world.coins == entry.filled
    assert case.is_protected()


def target_fills_but_for_dust(case: Case) -> None:
    fill_target(case.venue, SYMBOL, D("0.9999"), case.now)


def told_and_kept_as_dust(case: Case) -> None:
    assert case.told[-1] == ("closed", "take_profit")
    assert case.ledger.dust == case.world.coins > 0
    assert case.venue.live_orders(SYMBOL) == ()


def entry_fills_a_little(case: Case) -> None:
    case.meet("entry", VenueFault("partial", share=D("0.005")))


def never_topped_up(case: Case) -> None:
    assert case.told == [("entering", None), ("opened", None), ("closed", "dust")]
    assert len(case.sent("entry")) == 1
    assert case.ledger.dust == case.world.coins > 0


def money_is_gone(case: Case) -> None:
    case.venue.book.balances.add("USDT", D(-9_900))


def money_cannot_be_read(case: Case) -> None:
    case.wire.faults.append(VenueFault("drop", "504", path="account", times=None))


def no_entry(case: Case) -> None:
    assert case.told == [("entering", None), ("rejected", "limits")]
    assert case.sent("entry") == []
    assert case.events[-1].note


def market_is_halted(case: Case) -> None:
    case.venue.change_market(SYMBOL, is_trading=False)


def steps_change(case: Case) -> None:
    case.venue.change_market(SYMBOL, tick_size=D("0.1"), step_size=D("0.01"))
    case.cancel_by_hand()


def protected_on_the_new_steps(case: Case) -> None:
    assert case.covered == D("4.99")


def key_is_revoked(case: Case) -> None:
    case.wire.faults.append(VenueFault("drop", "revoked", times=None))


def disarmed_behind_protection(case: Case) -> None:
    assert "key" in case.tripped
    assert case.covered > 4


def no_purchase(case: Case) -> None:
    entering, (kind, reason) = case.told
    assert (entering, kind) == (("entering", None), "rejected")
    assert reason in ("limits", "absent")
    assert case.sent("entry") == []


def maintenance(case: Case) -> None:
    case.wire._closed_until = case.now + 100_000


def looks_go_on(case: Case) -> None:
    assert case.told == [("entering", None), ("opened", None)]
    assert case.is_protected()
    assert sum(call.reply.status == 503 for call in case.wire.calls) >= 3
    assert case.ledger.checks_failed == 0


def time_goes_back(case: Case) -> None:
    case.world.ahead_ms = -600_000
    case.cancel_by_hand()


def entry_is_refused(case: Case) -> None:
    assert case.told == [("entering", None), ("rejected", "refused")]
    assert case.tripped == ""


def entry_is_copied(case: Case) -> None:
    case.meet("entry", VenueFault("twice", seconds=1))


def both_are_ours(case: Case) -> None:
    assert "two orders have the id" in case.tripped
    assert case.held == case.world.coins > 9
    assert case.is_protected()


ROWS = [
    Row("1 our order is further", target_fills_in_part, rest_is_protected_anew),
    Row("2 a doubt: it is there", answer_is_lost, found_and_not_sent_again, dies_in="protection"),
    Row(
        "3 a doubt: it is absent",
        request_is_lost,
        proved_absent_and_sent_again,
        dies_in="protection",
    ),
    Row("4 a resting order is nowhere", protection_disappears, gone_and_protected_anew),
    Row("5 a status without trades", trades_come_late, closed_to_the_digit, falls=True),
    Row("5 trades without a status", status_comes_late, closed_to_the_digit, falls=True),
    Row("6 the same trade again", trades_are_shown_twice, counted_once),
    Row("6 a trade with other numbers", trade_changes, person_is_asked),
    Row(
        "6 a trade of a part with other numbers",
        trade_changes,
        person_is_asked_about_the_part,
        at=LATER,
        first=half_is_closed,
    ),
    Row(
        "6 a trade of the protection with other numbers",
        trade_changes,
        person_is_asked_about_the_protection,
        at=HELD + 10,  # after a full look
        first=target_fills_in_part,
    ),
    Row(
        "6 a trade of the exit with other numbers",
        trade_changes,
        person_is_asked_about_the_exit,
        at=LATER,
        first=all_is_closed,
    ),
    Row("7 an order not written down", sent_and_not_written_down, adopted),
    Row("7 an order of nobody", another_home_buys, disarmed_and_left_alone),
    Row("7 an order of nobody that filled", another_home_bought, disarmed_and_not_touched),
    Row("8 a foreign order", stranger_orders, its_order_is_left_alone),
    Row("8 foreign trades", stranger_trades, its_trades_are_read_and_left_alone),
    Row(
        "8 more foreign trades than a look reads",
        stranger_trades_often,
        its_trades_are_read_and_left_alone,
    ),
    Row("9 a sale by hand", owner_sells_all, closed_outside),
    Row("9 pieces are gone", owner_withdraws, closed_and_asked),
    Row("10 more pieces", owner_buys, own_pieces_are_sold, falls=True),
    Row("13 no protection", protection_is_cancelled, protected_anew),
    Row("14 two protections", second_protection_appears, newer_is_cancelled),
    Row("16 an order while idle", order_of_the_past_appears, cancelled_in_idleness, ALL, 82, True),
    Row("17 no entry", document_is_edited, person_is_asked_about_all, found_by=ALL[1:]),
    Row("17 no entry, and the journal knows it", document_is_edited, journal_knows_it, START),
    Row(
        "17 no entry, and no journal",
        document_is_edited_and_the_journal_gone,
        person_is_asked_about_all,
        START,
    ),
    Row("18 a fee in pieces", late_trades, fee_is_taken_in_pieces, at=BEFORE, dies_in="entry"),
    Row("18 a fee in a third coin", fee_in_bnb, all_pieces_are_held, at=BEFORE, dies_in="entry"),
    Row("19 dust", target_fills_but_for_dust, told_and_kept_as_dust),
    Row("20 too small to sell", entry_fills_a_little, never_topped_up, at=BEFORE, dies_in="entry"),
    Row("21 no money", money_is_gone, no_entry, at=BEFORE),
    Row("21 no balance", money_cannot_be_read, no_entry, at=BEFORE),
    Row("22 other steps", steps_change, protected_on_the_new_steps),
    Row("22 a halt", market_is_halted, entry_is_refused, at=BEFORE),
    Row("23 the key is revoked", key_is_revoked, disarmed_behind_protection),
    Row("24 maintenance", maintenance, looks_go_on, found_by=ALL[:2]),
    Row("24 maintenance at a full look", maintenance, looks_go_on, found_by=ALL[2:], at=84),
    Row("24 the time goes back", time_goes_back, protected_anew, found_by=ALL[1:]),
    Row("24 maintenance at the entry", maintenance, no_purchase, at=BEFORE),
    Row("25 two orders under one id", entry_is_copied, both_are_ours, at=BEFORE, dies_in="entry"),
]
