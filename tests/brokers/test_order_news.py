"""Alarms and permissions as events: numbered, in the journal, told once; and the channels."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.test_live_orders import SYMBOL, once, world
from tests.core.orders.situations import MARKET
from tests.order_lives.live_order_life import ACCOUNT
from tests.sources import minute
from tradenb.brokers.arming.arm_file import read_arm, trip
from tradenb.brokers.arming.permission import Permission, permission_of
from tradenb.brokers.order_news import OrderNews
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import CURES, Alarm, AlarmName
from tradenb.core.timeframe import MINUTE
from tradenb.live.live_run import record_of
from tradenb.live.state.error_file import noted_error
from tradenb.store.paths import Key
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewList, NewOrder
from tradenb.testing.world.simulated_world import Action

OF_ORDERS = ("alarm", "armed", "disarmed")


def told(made):
    return [
        (event.kind, event.exit_reason, event.note)
        for event in made.events(made.wanted[0])
        if event.kind in OF_ORDERS
    ]


def test_a_permission_is_told_once_with_its_limits_also_over_restarts():
    made = world(*[100.0] * 120)
    made.arm(max_open=3)
    assert made.live(minute(70))
    assert made.live(minute(72))
    ((kind, reason, note),) = told(made)
    assert (kind, reason) == ("armed", None)
    assert note.startswith(f"{ACCOUNT} until 2024-01-08 01:00:02 UTC: max_order 1000, ")
    assert "max_open 3, max_daily_loss 1000, orders_an_hour 10000" in note


def test_events_of_orders_are_numbered_with_the_others():
    made = world(*[100.0] * 120)
    made.arm()
    assert made.live(minute(90))
    events = made.events(made.wanted[0])
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    assert [event.kind for event in events[:3]] == ["armed", "entering", "opened"]
    assert made.checkpoint(made.wanted[0]).last_seq == len(events)


def test_a_permission_that_a_rule_ended_is_an_alarm_and_one_ended_by_hand_is_not():
    for by_hand in (False, True):
        made = world(*[100.0] * 120)
        made.arm()

        def end(process, made=made, by_hand=by_hand):
            del process
            now = made.clock.true_now()
            trip(made.disk, made.home, ACCOUNT, "21 lost today", now, by_hand=by_hand)

        assert made.live(minute(70), [Action(minute(65), end)])
        kinds = [(kind, reason) for kind, reason, _ in told(made)]
        alarm = [] if by_hand else [("alarm", "tripped")]
        assert kinds == [("armed", None), *alarm, ("disarmed", None)]
        assert told(made)[-1][2] == "disarmed: 21 lost today; arm again with a new code"


def armed_world():
    made = world(*[100.0] * 400)
    made.arm()
    return made


def looks(process):
    """Let the next turn of its orders be a full look."""
    run = record_of(process.runs[0])
    run.ledger = run.ledger._replace(check_due=True)


def key_ends(made):
    def ends(process):
        made.wire.faults.append(VenueFault("drop", "revoked", times=None))
        looks(process)

    return ends


def of_permissions(made):
    return [kind for kind, reason, _ in told(made) if reason in (None, "tripped")]


def test_a_key_that_ends_twice_disarms_and_alarms_twice():
    made = armed_world()

    def works(process):
        made.wire.faults.clear()
        made.arm()
        looks(process)

    steps = [(80, key_ends(made)), (90, works), (100, key_ends(made))]
    assert made.live(minute(110), [Action(minute(at), act) for at, act in steps])
    assert of_permissions(made) == ["armed", "alarm", "disarmed"] * 2


def test_a_permission_for_a_key_that_still_does_not_work_ends_again():
    made = armed_world()
    steps = [(80, key_ends(made)), (90, lambda _: made.arm())]
    assert made.live(minute(100), [Action(minute(at), act) for at, act in steps])
    assert of_permissions(made) == ["armed", "alarm", "disarmed"] * 2
    assert "key" in read_arm(made.disk, made.home, ACCOUNT).arm.tripped


def test_a_start_does_not_disarm_again_for_what_was_found_before_the_permission():
    made = armed_world()
    assert made.live(minute(90), [Action(minute(80), key_ends(made))])
    assert made.checkpoint(made.wanted[0]).ledger.stops
    made.wire.faults.clear()
    made.arm()
    assert made.live(minute(100))
    assert of_permissions(made) == ["armed", "alarm", "disarmed", "armed"]
    assert not read_arm(made.disk, made.home, ACCOUNT).arm.tripped
    assert made.checkpoint(made.wanted[0]).ledger.trouble_at is None


def test_refusals_before_a_permission_do_not_end_it():
    made = armed_world()

    def refused(process):
        run = record_of(process.runs[0])
        run.ledger = run.ledger._replace(refusals=3, check_due=True)

    def armed(process):
        made.arm()
        looks(process)

    steps = [(80, refused), (90, armed)]
    assert made.live(minute(95), [Action(minute(at), act) for at, act in steps])
    assert of_permissions(made) == ["armed", "alarm", "disarmed", "armed"]
    assert made.live(minute(110), [Action(minute(100), refused)])
    assert "3 orders were refused" in read_arm(made.disk, made.home, ACCOUNT).arm.tripped


@pytest.mark.parametrize("after", range(0, 15_000, 3_000))
def test_a_new_permission_is_taken_within_seconds_without_a_look_at_the_exchange(after):
    made = world(*[100.0] * 400)
    made.arm()

    def ends(process):
        del process
        trip(made.disk, made.home, ACCOUNT, "21 lost today", made.clock.true_now())

    at = minute(90) + after
    assert made.live(at + 3_000, [Action(minute(80), ends), Action(at, lambda _: made.arm())])
    assert [kind for kind, *_ in told(made)][-2:] == ["disarmed", "armed"]


def test_an_expiry_is_told_and_a_new_permission_too():
    made = world(*[100.0] * 120)
    made.arm()
    now = made.clock.true_now()
    path = made.home.arm(ACCOUNT)
    short = made.disk.read(path, limit=9_999).replace(
        str(now + 7 * 24 * 60 * MINUTE).encode(), str(now + 3 * MINUTE).encode()
    )
    made.disk.plant(path, short)
    assert made.live(minute(75), [Action(minute(70), lambda _: made.arm())])
    assert [kind for kind, _, _ in told(made)] == ["armed", "disarmed", "armed"]


def test_a_position_without_a_stop_is_an_alarm_with_its_beginning_and_its_cure():
    made = world(*[100.0] * 120)
    made.arm()
    process = made.process()
    heard = []
    with made.bus.subscribe(heard.append, channel="alarms"):

        def refuse(_):
            leg = made.venue.live_orders(SYMBOL)[0]
            made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())
            made.wire._draw = nothing_new

        assert process.live(minute(84), [Action(minute(80) + 5_000, refuse)])
        alarms = record_of(process.runs[0]).alarms
    assert "unprotected" in [alarm.name for alarm in alarms]
    first = next(note for _, reason, note in told(made) if reason == "unprotected")
    assert "pieces have no stop at the exchange since 2024-01-01 01:20:" in first
    assert first.endswith("(docs/orders.md, unprotected)")
    assert {(event.kind, event.seq) for event in heard} == {("alarm", 0)}
    assert {event.exit_reason for event in heard} >= {"unprotected"}


def nothing_new(request, role, at):
    """Lose each order that is sent; what is asked is answered."""
    del role, at
    lost = isinstance(request, NewList | NewOrder)
    return VenueFault("drop", "reset", times=None) if lost else None


def test_the_channel_of_orders_has_each_change_of_an_order():
    made = world(*[100.0] * 80, 103.0, *[103.0] * 40)
    made.arm()
    heard = []
    with made.bus.subscribe(heard.append, channel="orders"):
        assert made.live(minute(90))
    found = [(each.order.role, each.order.state, each.order.ending) for each in heard]
    assert found[0] == ("entry", "sending", None)
    assert ("entry", "done", "filled") in found
    assert ("protection", "working", None) in found
    assert found[-1] == ("protection", "done", "filled")
    assert {(each.symbol, each.strategy, each.account) for each in heard} == {
        (SYMBOL, once.name, ACCOUNT)
    }
    assert len(found) == len(set(found))


def test_kinds_apply_to_alarms_on_the_channel_of_events():
    made = world(*[100.0] * 120)
    made.arm()
    heard = []
    with made.bus.subscribe(heard.append, kinds={"armed"}):
        assert made.live(minute(66))
    assert [(event.kind, event.seq) for event in heard] == [("armed", 1)]


def test_what_follows_from_no_file_is_left_for_other_processes_until_it_is_over():
    made = world(*[100.0] * 120)
    made.arm()
    made.answers = False
    noted = []

    def look(process):
        del process
        noted.append(noted_error(made.disk, made.home.error(Key(once.name, SYMBOL))).warnings)
        made.answers = True

    process = made.process()
    assert process.live(minute(75), [Action(minute(70), look)])
    ((words,),) = noted
    assert words.startswith("the exchange shows no market with OCO orders since 2024-01-01 01:00")
    left = noted_error(made.disk, made.home.error(Key(once.name, SYMBOL)))
    assert left.warnings == ()


class Run:
    def __init__(self, ledger):
        self.ledger, self.alarms = ledger, ()


def test_an_alarm_lasts_until_it_is_over_and_may_come_again():
    said = []
    run = Run(OrderLedger("r", unexplained=("3 pieces are gone",)))
    news = OrderNews(run, lambda *each: said.append(each) is None)
    nothing = Permission(ACCOUNT, None, "not armed")
    news.look(nothing, 5)
    assert said == []  # before the market is known, nothing is held against it
    run.ledger = run.ledger._replace(market=MARKET)
    news.look(nothing, 5)
    news.look(nothing, 6)
    assert [each[:2] for each in said] == [("alarm", "unexplained")]
    run.ledger = run.ledger._replace(unexplained=())
    news.look(nothing, 7)
    assert run.alarms == ()
    run.ledger = run.ledger._replace(unexplained=("3 pieces are gone",))
    news.look(nothing, 8)
    assert len(said) == 2
    news.say("no_market", "the exchange shows no market", 9)
    news.say("no_market", "the exchange shows no market", 10)
    assert [each.name for each in run.alarms] == ["no_market", "unexplained"]
    news.end("no_market")
    assert [each.name for each in run.alarms] == ["unexplained"]
    assert len(said) == 3


def test_an_alarm_that_comes_and_goes_is_told_once_in_five_minutes_with_how_often_it_came():
    said = []
    run = Run(OrderLedger("r", market=MARKET))
    news = OrderNews(run, lambda *each: said.append(each) is None)

    def look(second, failed):
        run.ledger = run.ledger._replace(checks_failed=failed)
        news.look(Permission(ACCOUNT, None, "not armed"), second * 1_000)
        return [note for _, _, note in said]

    first = look(0, 5)
    assert len(first) == 1
    for second in range(10, 280, 20):
        assert look(second, 0) == first
        assert look(second + 10, 5) == first
        assert [each.name for each in run.alarms] == ["no_answers"]
    assert look(299, 0) == first
    assert run.alarms == ()
    _, counted = look(300, 0)
    assert counted.endswith("; it came 14 more times since 1970-01-01 00:00 UTC")
    assert len(look(601, 0)) == 2
    assert len(look(602, 5)) == 3


def test_another_trouble_under_the_name_of_one_that_was_told_is_told_at_once():
    said = []
    run = Run(OrderLedger("r", market=MARKET))
    news = OrderNews(run, lambda *each: said.append(each) is None)
    for at, words in enumerate(("the disk is full", "the disk is full", "it is read-only")):
        news.say("not_saved", words, at)
        news.end("not_saved")
    assert [note.partition(" since")[0] for _, _, note in said] == [
        "the disk is full", "it is read-only",
    ]  # fmt: skip


@pytest.mark.parametrize("name", AlarmName.__args__)
def test_each_alarm_has_a_cure_and_says_where_to_read_on(name):
    assert name in CURES
    text = Alarm(name, "3 pieces", 0).text
    assert text.startswith("3 pieces since 1970-01-01 00:00 UTC. ")
    assert text.endswith(f"(docs/orders.md, {name})")


def test_a_permission_in_words():
    made = world(*[100.0] * 70)
    now = made.clock.true_now()
    missing = permission_of(read_arm(made.disk, made.home, ACCOUNT), ACCOUNT, now)
    assert (missing.since, missing.tripped) == (None, "")
    assert missing.words == f"account {ACCOUNT} is not armed; arm it with tn.arm or tradenb arm"
    made.arm(max_order=Decimal(100))
    armed = permission_of(read_arm(made.disk, made.home, ACCOUNT), ACCOUNT, now)
    assert armed.since == now
    assert "max_order 100, " in armed.words
