"""A run is released while its tick hangs on the exchange: what it holds has its stop, in time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.test_live_orders import SYMBOL, once, world
from tests.sources import minute
from tradenb.brokers.order_managers import END_S
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewOrder
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action

HANGS = minute(76)
"""From then on no request for candles is answered; each takes 30 s."""
AT = HANGS + 5_000
"""When the run is released. Its entry was sent a minute before."""


def released(silent_s):
    """The world whose run is released in a tick that hangs, and when it had ended, s after that.

    Its entry was filled, and the answer was lost; so is what it asks until `silent_s` after the
    release.
    """
    made = world(*[100.0] * 200)
    made.arm()
    made.exchange.troubles = [Trouble("hang", HANGS, minute(200))]
    sent = []

    def draw(request, role, at):
        if isinstance(request, NewOrder) and role == "entry":
            sent.append(at)
            return VenueFault("accept", "silence", times=1)
        silent = sent and at < AT + silent_s * 1000
        return VenueFault("drop", "silence", times=1) if silent else None

    made.wire._draw = draw
    release = Action(AT, lambda process: process.run(SYMBOL, once.name).release())
    assert made.live(minute(90), [release])
    assert len(sent) == 1
    assert made.coins > 4
    return made, (made.clock.true_now() - AT) / 1000


@pytest.mark.parametrize("silent_s", [0.1, 15])
def test_what_was_bought_gets_its_stop_while_the_tick_hangs(silent_s):
    made, seconds = released(silent_s)
    (stop,) = [each for each in made.venue.live_orders(SYMBOL) if each.type == "STOP_LOSS"]
    assert abs(stop.quantity - made.coins) < Decimal("0.0001")
    (placed,) = [call.at for call in made.wire.calls if "List" in type(call.request).__name__]
    assert silent_s < (placed - AT) / 1000 < silent_s + 2 < seconds
    assert seconds < END_S
    # The tick goes on for some seconds; nothing more is asked, and the stop is left alone.
    assert made.wire.calls[-1].at <= placed + 1_000


def test_where_the_exchange_never_answers_it_ends_after_the_time_that_is_promised(caplog):
    made, seconds = released(10_000)
    assert seconds == END_S
    assert made.venue.live_orders(SYMBOL) == ()
    assert "an order is in doubt or a stop is missing" in caplog.text
    made.exchange.troubles, made.wire._draw = [], None
    assert made.live(minute(100))
    assert len(made.venue.live_orders(SYMBOL)) == 2


@pytest.mark.parametrize(("command", "ends"), [("stop", ""), ("flatten", "closed")])
def test_what_was_asked_for_just_before_the_release_is_obeyed(command, ends):
    made = world(*[100.0] * 200)
    made.arm()

    def ask_and_release(process):
        run = process.run(SYMBOL, once.name)
        getattr(run, command)()
        run.release()

    assert made.live(minute(90), [Action(minute(80) + 20_000, ask_and_release)])
    assert made.clock.true_now() < minute(81)
    assert command in {each.kind for each in made.checkpoint(made.wanted[0]).state.commands}
    assert made.live(minute(95))
    state = made.checkpoint(made.wanted[0]).state
    assert (state.stopping, made.coins < 1) == (command == "stop", ends == "closed")
