"""A process that was stopped for a while, and whose lock file was removed: another one has its run.

Two that send orders for one position would cancel each other's stops and sell beside each other.
"""

from __future__ import annotations

import os

import pytest

from tests.brokers.test_live_orders import SYMBOL, once, world
from tests.sources import minute
from tradenb.live.state.error_file import noted_error
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action

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
