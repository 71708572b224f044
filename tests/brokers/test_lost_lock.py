"""A process that was stopped for a while, and whose lock file was removed: another one has its run.

Two that send orders for one position would cancel each other's stops and sell beside each other.
"""

from __future__ import annotations

import os

import pytest

import tradenb as tn
from tests.brokers.test_live_orders import SYMBOL, once, path, world
from tests.sources import frame, minute
from tradenb.brokers.arming.armed_account import Decision
from tradenb.core.rules import Rules
from tradenb.live.live_run import record_of
from tradenb.live.state.error_file import noted_error
from tradenb.store.codec import encode
from tradenb.store.control import leave_accepted, send
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import read_document
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action, World

LOST = minute(80) + 1_000


def stop_is_cancelled(made, process):
    leg = made.venue.live_orders(SYMBOL)[0]
    made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())


def kill_is_turned_on(made, process):
    made.disk.plant(made.home.kill, b"flatten")


@pytest.mark.parametrize("act", [stop_is_cancelled, kill_is_turned_on])
def test_a_process_that_lost_its_run_to_another_one_does_nothing(act, caplog):
    made = world(*[100.0] * 200)
    made.arm()
    lost = Key(once.name, SYMBOL)
    lock, views = FileLock(made.disk, made.home.lock(lost)), [*made.home.views(lost).values()]

    def loses(process):
        act(made, process)
        made.disk.unlink(lock.path)
        lock.acquire()
        for view in views:
            made.disk.plant(view, b"theirs")

    assert made.live(minute(84), [Action(LOST, loses)])
    sent = [call.request for call in made.wire.calls if call.at >= LOST]
    assert sent == []
    assert f"process {os.getpid()} on {os.uname().nodename} has the run" in caplog.text
    assert "docs/orders.md, locked_out" in caplog.text
    assert f"{made.wanted[0][0]}:{once.name} is held by" in caplog.text
    assert noted_error(made.disk, made.home.error(lost)) is None  # it is that of the other one
    assert [made.disk.read(view, limit=1_000) for view in views] == [b"theirs"] * len(views)
    lock.release()  # the other one has ended
    assert made.live(minute(90))
    is_held = act is stop_is_cancelled
    assert len(made.venue.live_orders(SYMBOL)) == 2 * is_held
    assert (made.coins > 4) == is_held


LOST_KEY = Key(once.name, SYMBOL)


def taken_over(made):
    """Take the run over, as another process does."""
    made.disk.unlink(made.home.lock(LOST_KEY))
    lock = FileLock(made.disk, made.home.lock(LOST_KEY))
    lock.acquire()
    return lock


@pytest.mark.parametrize("kinds", [["release"], ["stop", "flatten"], ["take_theirs", "keep_ours"]])
def test_what_is_asked_of_the_run_is_left_to_the_process_that_has_it(kinds):
    made, seen = world(*[100.0] * 200), []
    made.arm()

    def loses(process):
        taken_over(made)
        for kind in kinds:
            send(made.disk, made.home, LOST_KEY, kind, wall=made.clock.now())
        leave_accepted(made.disk, made.home, LOST_KEY, ["x"])
        seen.append(made.disk.files())

    def looks(process):
        assert record_of(process.runs[0]).status == "running"
        seen.append(made.disk.files())

    assert made.live(minute(95), [Action(LOST, loses), Action(minute(94), looks)])
    assert seen[0] == seen[1] == made.disk.files()


@pytest.mark.parametrize("decision", ["keep_ours", "take_theirs"])
def test_a_decision_between_two_states_is_left_to_the_process_that_has_the_run(decision):
    made, seen = world(*[100.0] * 200), []
    made.arm()
    document = made.home.document(LOST_KEY)

    def is_written_over(process):
        found = read_document(made.disk, document)
        made.disk.plant(document, encode(VERSION, found.seq + 70, dict(found.body)))

    def decides(process):
        run = process.runs[0]
        assert run.undecided
        seen.append((taken_over(made), made.disk.files()))
        getattr(run, decision)()

    def looks(process):
        assert process.runs[0].undecided
        assert "is held by" in str(process.runs[0].error)
        seen.append((None, made.disk.files()))

    acts = [Action(LOST, is_written_over), Action(minute(85), decides), Action(minute(94), looks)]
    assert made.live(minute(95), acts)
    assert seen[0][1] == seen[1][1]


def shares(made):
    return {path: data for path, data in made.disk.files().items() if "shares" in path.parts}


def test_the_share_of_a_run_that_is_lost_while_its_entry_is_judged_is_left_alone(monkeypatch):
    made, left = world(*[100.0] * 200), []
    made.arm()
    made.live(minute(70))
    judged = Decision.problems

    def loses(*args):
        found = judged(*args)
        if not left:
            left.extend([taken_over(made), made.disk.files(), len(made.wire.calls)])
        return found

    monkeypatch.setattr(Decision, "problems", loses)
    assert made.live(minute(90))
    assert left[1]
    assert shares(made) == {p: d for p, d in left[1].items() if "shares" in p.parts}
    assert len(made.wire.calls) == left[2]


@pytest.mark.parametrize("role", ["protection", "exit"])
def test_an_order_is_not_sent_if_the_run_is_lost_while_it_is_written_down(role):
    made = world(*[100.0] * 200)
    made.arm()
    process, left = made.process(), []
    storage = record_of(process.runs[0]).storage
    commit = storage.commit_ledger

    def loses(ledger):
        if not left and any(
            each.role == role and each.state == "sending" for each in ledger.orders
        ):
            left.extend([taken_over(made), made.disk.files(), len(made.wire.calls)])
        return commit(ledger)

    storage.commit_ledger = loses
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, once.name).flatten())
    assert process.live(minute(90), [flatten])
    assert made.disk.files() == left[1]
    assert len(made.wire.calls) == left[2]


def test_the_runs_that_share_its_money_go_on_in_the_process_that_lost_one():
    def opens(ctx):
        return tn.long(take_profit=110.0, stop_loss=98.0) if ctx.now == minute(75) else None

    specs = [tn.strategy(f"shares-{name}", every="15m", history="30m")(opens) for name in "ab"]
    made = World(
        tn.frame_exchange({SYMBOL: frame(path(*[100.0] * 82, *[97.0] * 40))}),
        start=minute(60) + 2_500,
        runs=[(SYMBOL, spec) for spec in specs],
        rules=Rules(),
        account=tn.Account(cash=1_000, quote=100),
    )

    def loses(process):
        lock = made.home.lock(Key("shares-a", SYMBOL))
        made.disk.unlink(lock)
        FileLock(made.disk, lock).acquire()

    assert made.live(minute(95), [Action(LOST, loses)])
    assert [each.kind for each in made.events(made.wanted[0])] == ["opened"]
    assert [each.kind for each in made.events(made.wanted[1])] == ["opened", "closed"]
