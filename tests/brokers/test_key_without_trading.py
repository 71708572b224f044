"""A key that may read and not trade any more: the exchange refuses its orders and cancels alone."""

from __future__ import annotations

import pytest

from tests.brokers.test_live_orders import ACCOUNT, SYMBOL, once, world
from tests.sources import minute
from tradenb.brokers.arming.arm_file import read_arm
from tradenb.core.orders.ledger import NO_KEY
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.world.simulated_world import Action


def reads_only(made):
    for method in ("POST", "DELETE"):
        made.wire.faults.append(VenueFault("drop", "revoked", method=method, times=None))


def flattened(made, run):
    run.flatten()


def moved(made, run):
    run.move(stop_loss=99.5)


def cancelled_by_hand(made, run):
    leg = made.venue.live_orders(SYMBOL)[0]
    made.venue.cancel_by_hand(leg.order_id, at=made.clock.true_now())


def told(made):
    return {event.exit_reason for event in made.events(made.wanted[0]) if event.kind == "alarm"}


@pytest.mark.parametrize("act", [flattened, moved, cancelled_by_hand])
def test_what_cannot_be_done_at_the_exchange_is_told_and_done_once_the_key_may(act):
    made = world(*[100.0] * 200)
    made.arm()

    def acts(process):
        reads_only(made)
        act(made, process.run(SYMBOL, once.name))

    assert made.live(minute(84), [Action(minute(80) + 1_000, acts)])
    events = made.events(made.wanted[0])
    assert [event.exit_reason for event in events if event.kind == "alarm"].count(
        "key_refused"
    ) == 1
    cancels = [call for call in made.wire.calls if type(call.request).__name__.startswith("Cancel")]
    assert len(cancels) < 25  # in three minutes
    assert read_arm(made.disk, made.home, ACCOUNT).arm.tripped == NO_KEY
    made.arm()  # before the key may trade: disarmed once more
    assert made.live(minute(86))
    assert read_arm(made.disk, made.home, ACCOUNT).arm.tripped == NO_KEY
    made.wire.faults.clear()
    made.arm()
    assert made.live(minute(90))
    assert not read_arm(made.disk, made.home, ACCOUNT).arm.tripped
    triggers = [each.stop_price for each in made.venue.live_orders(SYMBOL) if each.stop_price]
    assert triggers == ([99.5] if act is moved else [])
    assert (made.coins < 1) == (act is not moved)


def test_an_entry_that_the_key_may_not_send_disarms_at_once():
    made = world(*[100.0] * 120)
    made.arm()
    reads_only(made)
    assert made.live(minute(78))
    assert made.venue.orders == {}
    assert "key_refused" in told(made)
    assert read_arm(made.disk, made.home, ACCOUNT).arm.tripped == NO_KEY
