"""`tradenb guard` looks after orders of runs that no process has; in virtual time and memory."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.brokers.test_live_orders import QUICK, kinds, path, world
from tests.order_lives.live_order_life import SYMBOL, OrderWorld
from tests.sources import frame, minute
from tradenb.brokers.arming.account_share import every_share
from tradenb.brokers.arming.arm_file import trip
from tradenb.brokers.order_manager import OrderManager
from tradenb.brokers.unattended import force_close, guard_runs
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.brokers.unattended.follow_orders import left_status
from tradenb.brokers.unattended.force_close import HeldRun, runs_on, runs_with_orders
from tradenb.brokers.unattended.guard_runs import guard_once
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import Alarm
from tradenb.errors import StateError
from tradenb.live.live_run import record_of
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key
from tradenb.testing.venue.venue_faults import VenueFault

D = Decimal
KEY = Key("orders-once", SYMBOL)


def guard(made, **more):
    broker = {"broker_of": lambda *_: made.broker}
    return made.clock.run(guard_once(made.disk, made.home, made.clock, **broker | more))


def opened(*prices, **more):
    """A world whose run has bought and been released: its position is protected."""
    made = world(*(prices or [100.0] * 400), **more)
    made.arm()
    assert made.live(minute(80))
    assert len(made.venue.live_orders(SYMBOL)) == 2
    return made


def entries(made):
    return [order for order in made.venue.orders.values() if order.side == "BUY"]


def cancel_protection(made):
    leg = made.venue.live_orders(SYMBOL)[0]
    made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())
    assert made.venue.live_orders(SYMBOL) == ()


def test_protection_that_is_gone_is_placed_again_and_the_next_start_goes_on_with_it():
    made = opened()
    (row,) = guard(made)
    assert (row.run, row.safe) == ("BTCUSDT:orders-once", True)
    cancel_protection(made)
    (row,) = guard(made)
    assert row.safe
    assert "protected by a stop at 99" in row.words
    assert len(made.venue.live_orders(SYMBOL)) == 2
    before = made.checkpoint(made.wanted[0])
    assert made.live(minute(90))
    after = made.checkpoint(made.wanted[0])
    assert after.ledger.orders == before.ledger.orders or len(after.ledger.orders) == 3
    assert after.state.is_open
    assert after.ledger.stops == ()


@pytest.mark.parametrize(("refused", "longest_ms"), [(True, 2_000), (False, 60_000)])
def test_a_key_that_is_refused_ends_the_look_and_an_exchange_that_is_silent_is_tried_again(
    refused, longest_ms
):
    made, tries = opened(), []

    class Closed:
        trouble, key_refused = "as the test says", refused

        def __init__(self, symbol, clock):
            self.now = clock.now

        async def open(self):
            tries.append(self.now())

    before = made.clock.now()
    (row,) = guard(made, broker_of=lambda *_: replace(made.broker, connect=Closed))
    assert not row.safe
    assert ("key_refused: as the test says" in row.words) == refused
    assert (len(tries) == 1) == refused
    assert longest_ms / 2 - 2_000 < made.clock.now() - before <= longest_ms


def test_on_an_account_are_runs_that_hold_something_and_those_that_a_process_has():
    def found(made, account):
        return [held.key for held in runs_on(made.disk, made.home, account)]

    made, flat = opened(), world(*[100.0] * 400)
    assert found(made, made.broker.id) == [KEY]
    assert found(made, "sandbox:loopback:another") == []
    assert flat.live(minute(70))
    assert found(flat, flat.broker.id) == []
    with FileLock(flat.disk, flat.home.lock(KEY)):
        assert found(flat, flat.broker.id) == [KEY]


def test_a_run_that_a_process_has_is_left_to_it_and_one_without_orders_too():
    made = opened()
    with FileLock(made.disk, made.home.lock(KEY)):
        assert guard(made) == []
    idle = world(*[100.0] * 400)
    assert idle.live(minute(70))
    calls = len(idle.wire.calls)
    assert guard(idle) == []
    assert len(idle.wire.calls) == calls


def died_at_its_entry(*prices):
    """A world whose process died when the exchange had taken its entry, and had not answered."""
    made = world(*(prices or [100.0] * 400))
    made.arm()
    process = made.process()

    def dies(request, role, at):
        del request, at
        if role == "entry":
            made.wire._draw = None
            process.kill()
            return VenueFault("accept", "silence", role="entry", times=1)
        return None

    made.wire._draw = dies
    assert not process.live(minute(80))
    assert len(entries(made)) == 1
    assert made.venue.live_orders(SYMBOL) == ()
    return made


def test_an_entry_whose_answer_was_lost_is_found_and_protected_not_sent_again():
    made = died_at_its_entry()
    (row,) = guard(made)
    assert row.safe, row
    assert len(entries(made)) == 1
    assert len(made.venue.live_orders(SYMBOL)) == 2
    assert made.live(minute(85))
    assert kinds(made)[-1][:2] == ("opened", None)


def test_what_has_expired_is_sold_and_its_run_hears_it():
    @tn.strategy("orders-brief", every="15m", history="30m")
    def brief(ctx):
        if ctx.state.get("done"):
            return None
        ctx.state["done"] = True
        return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1), minutes=30)

    source = tn.frame_exchange({SYMBOL: frame(path(*[100.0] * 400))})
    made = OrderWorld(source, brief, start=minute(60) + 2_500, rules=QUICK)
    made.exchange.tells_time = False
    made.arm()
    assert made.live(minute(80))
    made.clock.advance(20 * 60)
    assert guard(made)[0].safe
    assert made.coins > 1
    made.clock.advance(7 * 60)
    (row,) = guard(made)
    assert row.safe
    assert made.coins < D("0.001")
    assert made.venue.live_orders(SYMBOL) == ()
    assert made.live(minute(112))
    assert kinds(made)[-1][:2] == ("closed", "time_expired")


def test_what_was_sold_without_its_process_counts_in_the_loss_of_the_day():
    made = opened(*[100.0] * 85, *[95.0] * 300)
    made.clock.advance(8 * 60)
    (row,) = guard(made)
    assert row.words == "nothing is left at the exchange"
    assert made.coins < D("0.001")
    ((_, _, share),) = every_share(made.disk, made.home)
    assert made.live(minute(100))
    (trade,) = made.checkpoint(made.wanted[0]).state.trades
    assert trade.pnl < -1
    assert float(share.day_result) == pytest.approx(trade.pnl, abs=0.01)


def test_an_entry_that_its_state_has_not_heard_of_counts_in_the_loss_of_the_day():
    made = died_at_its_entry(*[100.0] * 85, *[95.0] * 300)
    assert guard(made)[0].safe
    ((_, _, bought),) = every_share(made.disk, made.home)
    made.clock.advance(12 * 60)
    assert guard(made)[0].words == "nothing is left at the exchange"
    ((_, _, sold),) = every_share(made.disk, made.home)
    assert made.live(minute(100))
    (trade,) = made.checkpoint(made.wanted[0]).state.trades
    assert -1 < float(bought.day_result) < 0
    assert trade.pnl < -1
    assert float(sold.day_result) == pytest.approx(trade.pnl, abs=0.01)


def test_the_kill_switch_sells():
    made = opened()
    made.disk.plant(made.home.kill, b"flatten")
    (row,) = guard(made)
    assert row == row._replace(safe=True, words="nothing is left at the exchange")
    assert made.coins < D("0.001")


def test_what_cannot_be_protected_is_sold_in_one_look():
    made = opened()
    cancel_protection(made)
    made.wire.faults.append(VenueFault("drop", "filter", role="protection", times=None))
    (row,) = guard(made)
    assert row.safe
    assert row.words.startswith("nothing is left at the exchange; tripped: ")
    assert made.coins < D("0.001")


def test_an_exchange_that_does_not_answer_is_not_safe_and_is_said():
    made = opened()
    made.answers = False
    (row,) = guard(made)
    assert not row.safe
    assert row.words.startswith("not reconciled now; as its document says: ")
    assert "no_market" in row.words


def test_ages_are_those_of_now_and_not_of_when_the_exchange_was_seen_last():
    made = opened()
    seen = made.clock.true_now()
    made.answers = False
    made.clock.advance(780.0)
    (row,) = guard(made)
    passed = (made.clock.true_now() - seen) // 60_000
    assert passed >= 13
    assert "last seen" in row.words
    assert f"({passed} min ago)" in row.words or f"({passed + 1} min ago)" in row.words


def test_a_position_has_no_stop_since_it_lost_it_and_not_since_somebody_looks():
    made = opened()
    cancel_protection(made)
    lost = made.clock.true_now()
    with DocumentRun(made.disk, made.home, KEY, made.clock) as run:
        orders = run.known_ledger.orders
        gone = [
            each._replace(state="done", ending="cancelled", done_at=lost, legs=())
            if each.role == "protection" else each
            for each in orders
        ]  # fmt: skip
        run.commit_ledger(run.known_ledger._replace(orders=tuple(gone), started_at=lost + 90_000))
        made.clock.advance(100.0)
        (shield,) = left_status(run).shields
    assert shield.since == lost
    assert shield.level == "bad"
    assert "(1 min)" in str(shield)


def test_a_protected_position_of_a_tripped_account_is_safe():
    made = opened()
    trip(made.disk, made.home, made.broker.id, "21 lost today", made.clock.true_now())
    (row,) = guard(made)
    assert row.safe, row
    assert "tripped: " in row.words


def test_that_an_account_was_disarmed_is_told_by_the_next_start():
    made = opened()
    trip(made.disk, made.home, made.broker.id, "by hand", made.clock.true_now(), by_hand=True)
    cancel_protection(made)  # so that guard commits
    assert guard(made)[0].safe
    assert made.live(minute(85))
    told = [event.kind for event in made.events(made.wanted[0])]
    assert [kind for kind in told if kind.endswith("armed")] == ["armed", "disarmed"]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("name", "safe"),
    [("fee_left_out", True), ("unexplained", True), ("unprotected", False),
     ("unknown_outcome", False), ("cannot_exit", False)],
)  # fmt: skip
def test_an_alarm_makes_a_protected_position_unsafe_only_if_it_is_about_its_end(
    monkeypatch, name, safe
):
    made = opened()

    def alarmed(run):
        found = left_status(run)
        return replace(found, alarms=(*found.alarms, Alarm(name, "words")))

    monkeypatch.setattr("tradenb.brokers.unattended.guard_runs.left_status", alarmed)
    (row,) = guard(made)
    assert row.safe is safe


def test_an_account_that_nobody_can_reach_is_told():
    made = opened()

    def nobody(*_):
        raise StateError("it is unknown how to reach it")

    (row,) = guard(made, broker_of=nobody)
    assert (row.safe, row.words) == (False, "it is unknown how to reach it")


def test_it_steps_back_from_a_run_that_wants_its_lock():
    made = opened()
    cancel_protection(made)
    lock = made.home.lock(KEY)
    wanted = lock.with_name("BTCUSDT.json.wanted.lock")
    with FileLock(made.disk, wanted):
        assert guard(made) == []
        assert made.venue.live_orders(SYMBOL) == ()
    with FileLock(made.disk, lock):
        pass
    assert made.live(minute(85))
    assert len(made.venue.live_orders(SYMBOL)) == 2


def test_a_document_that_two_wrote_is_not_touched():
    made = opened()
    aside = made.home.document(KEY)
    made.disk.plant(aside.with_name(f"{aside.name}.ours-3-1"), made.disk.read(aside, limit=1 << 20))
    before = made.disk.read(aside, limit=1 << 20)
    (row,) = guard(made)
    assert not row.safe
    assert "tradenb resolve" in row.words
    assert made.disk.read(aside, limit=1 << 20) == before


def test_it_enters_nothing_that_was_decided_but_not_sent():
    made = world(*[100.0] * 400)
    made.arm()
    process = made.process()
    # The tick of minute 75 commits that it is entering; the process dies before it sends.
    storage = record_of(process.runs[0]).storage
    storage.commit = dying(storage, process)
    assert not process.live(minute(80))
    assert made.checkpoint(made.wanted[0]).state.execution.want == "enter"
    for _ in range(3):
        guard(made)
    assert entries(made) == []
    checkpoint = made.checkpoint(made.wanted[0])
    assert checkpoint.ledger.unexplained == ()  # nobody is asked about what was never sent
    assert [report.kind for report in checkpoint.ledger.reports] == ["not_entered"]


def test_a_journal_that_tells_nothing_is_told_and_what_is_held_is_protected():
    made = opened()
    cancel_protection(made)
    journal = made.home.orders(KEY)
    made.disk.plant(journal, b'{"wall": 1, "run": "x", "order": {"id": 7}}\n')
    (row,) = guard(made)
    assert not row.safe
    assert "has a line that is none of its own" in row.words
    assert len(made.venue.live_orders(SYMBOL)) == 2


def test_one_run_that_cannot_be_looked_at_does_not_keep_it_from_the_others(monkeypatch):
    made = opened()
    cancel_protection(made)
    other = HeldRun(Key("another", SYMBOL), made.broker.id, None)
    found = list(runs_with_orders(made.disk, made.home))
    monkeypatch.setattr(guard_runs, "runs_with_orders", lambda *_: [other, *found])
    make = guard_runs.DocumentRun

    def made_of(disk, home, key, clock, **more):
        if key == other.key:
            raise RuntimeError("a fault of ours")
        return make(disk, home, key, clock, **more)

    monkeypatch.setattr(guard_runs, "DocumentRun", made_of)
    broken, row = guard(made)
    assert (broken.safe, broken.words) == (False, "a fault of ours")
    assert row.safe
    assert len(made.venue.live_orders(SYMBOL)) == 2


def test_a_lock_that_cannot_be_tried_is_that_of_a_process_nobody_knows(monkeypatch):
    made = opened()
    is_locked = made.disk.is_locked

    def unreadable(path):
        if path == made.home.lock(KEY):
            raise OSError(5, "Input/output error")
        return is_locked(path)

    monkeypatch.setattr(made.disk, "is_locked", unreadable)
    (held,) = runs_with_orders(made.disk, made.home)
    assert held.pid == 0
    assert guard(made) == []


def test_a_run_that_is_to_leave_sells_whatever_the_kill_switch_says():
    made = opened()
    made.disk.plant(made.home.kill, b"")
    with DocumentRun(made.disk, made.home, KEY, made.clock) as run:
        assert run.desired.want == "hold"
    with DocumentRun(made.disk, made.home, KEY, made.clock, leaves=True) as run:
        assert (run.desired.want, run.desired.reason) == ("exit", "flattened")


def dying(storage, process):
    """Commit, and die where that made the run enter."""
    commit = storage.commit

    def commits(checkpoint):
        done = commit(checkpoint)
        execution = checkpoint.state.execution
        if execution is not None and execution.want == "enter":
            process.kill()
        return done

    return commits


def test_a_forced_close_sells_though_the_kill_switch_only_halts(monkeypatch):
    made = opened()
    made.disk.plant(made.home.kill, b"")
    monkeypatch.setattr(force_close, "recorded_broker", lambda *_: made.broker)
    closing = force_close._close(made.disk, made.home, made.clock, KEY, 0)
    assert made.clock.run(closing).flat
    assert made.venue.live_orders(SYMBOL) == ()
    assert 2 <= made.venue.total("BTC") < D("2.01")  # the owner has two


@pytest.mark.parametrize("listens", [True, False])
def test_refusals_add_up_after_an_account_was_armed_again_also_where_nobody_listens(listens):
    """A run without a process is told of no permission, so its ledger names the one before."""
    permission = SimpleNamespace(since=2_000, tripped="", words="armed", account="a")
    run = SimpleNamespace(id="r", ledger=OrderLedger("r", armed_since=1_000), alarms=())
    tools = SimpleNamespace(
        permission=lambda: permission, accepted=tuple, tell=lambda *_: listens,
        clock=SimpleNamespace(now=lambda: 5_000),
    )  # fmt: skip
    manager = OrderManager(run, None, tools)
    found = []
    for _ in range(4):
        run.ledger = run.ledger._replace(refusals=run.ledger.refusals + 1)
        run.ledger = manager._accepted(run.ledger)
        found.append(run.ledger.refusals)
        manager._news.look(permission, 5_000)
    assert found == [0, 1, 2, 3]
