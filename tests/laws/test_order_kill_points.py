"""One life of a position, killed at every disk operation and around every request, and restarted.

Entry, protection, cancel, exit: whenever the process dies, with and without the power, nothing is
lost and nothing doubled. Released at any request, nothing is left without its stop. ORDER_KILLS
says at how many operations; `make orders` kills at all.
"""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

import tradenb as tn
from tests.brokers.test_live_orders import QUICK, once, path
from tests.laws.mutants import Mutant, planted, rewritten
from tests.order_lives.live_order_life import SYMBOL, OrderWorld, violations
from tests.sources import MINUTE, frame, minute
from tradenb.core.orders import protection
from tradenb.store.paths import Key
from tradenb.testing.crashes import spread
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_requests import NewOrder, QueryOpenOrders
from tradenb.testing.world.simulated_world import Action

KILLS = os.environ.get("ORDER_KILLS", "24")
BLOCKS = 48 if KILLS == "all" else 4
KEY = Key("orders-once", "BTCUSDT")
CHANGES = frozenset(
    {"create", "append", "write", "sync", "replace", "link", "unlink", "sync_folder", "truncate",
     "make_folder", "lock", "unlock", "close"}
)  # fmt: skip
"""What changes something; dying before a look is dying before the change that follows."""
STEP = Decimal("0.0001")
"""What the market trades at least."""
SOURCE = tn.frame_exchange({SYMBOL: frame(path(*[100.0] * 120))})


def world():
    made = OrderWorld(SOURCE, once, start=minute(74) + 2_500, rules=QUICK)
    made.exchange.tells_time = False
    made.arm()
    return made


def flatten(at):
    return Action(at, lambda process: process.run(SYMBOL, "orders-once").flatten())


def lived(made):
    """Live through entry, protection and exit; False if the process dies."""
    return made.live(minute(80), [flatten(minute(77) + 5_000)])


def left(made, power):
    """What is wrong after the process died and another one had time to put everything right."""
    if power == "lost":
        made.disk.power_loss()
    now = made.clock.true_now()
    assert made.live(now + 420_000, [flatten(now + 200_000)])
    found = violations(made)
    bought = [order for order in made.venue.orders.values() if order.side == "BUY"]
    if len(bought) > 1:
        found.append(f"bought {len(bought)} times")
    if made.venue.live_orders(SYMBOL):
        found.append("orders rest")
    kinds = [event.kind for event in made.events(made.wanted[0])]
    filled = any(order.executed for order in bought)
    if kinds.count("opened") != filled or kinds.count("closed") != filled:
        found.append(f"filled: {filled}, events {kinds}")
    journal = made.disk.files().get(made.home.orders(KEY), b"")
    unknown = [order.client_id for order in bought if order.client_id.encode() not in journal]
    return found + [f"the journal lacks {id}" for id in unknown]


@pytest.fixture(scope="module")
def operations():
    """The operations of an undisturbed life that change something, by number."""
    made = world()
    before = len(made.disk.operations)
    assert lived(made)
    assert [event.kind for event in made.events(made.wanted[0])].count("closed") == 1
    names = [each.name for each in made.disk.operations[before:]]
    assert {"sync", "write"} <= {*names}
    return [at for at, name in enumerate(names) if name in CHANGES]


@pytest.mark.no_cover
@pytest.mark.parametrize("power", ["lost", "kept"])
@pytest.mark.parametrize("block", range(BLOCKS))
def test_killed_at_a_disk_operation_nothing_is_lost_or_doubled(operations, block, power):
    wanted = None if KILLS == "all" else int(KILLS)
    points = [operations[place] for place in spread(len(operations), wanted)][block::BLOCKS]
    assert points
    for at in points:
        made = world()
        made.disk.crash(at)
        assert not lived(made), at
        assert left(made, power) == [], f"operation {at}, power {power}"


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("way", "fault", "power"),
    [(0, "drop", "lost"), (1, "drop", "kept"), (2, "accept", "lost"), (3, "accept", "kept")],
)
def test_killed_at_a_request_nothing_is_lost_or_doubled(way, fault, power):
    """Before it arrives, and after it was obeyed but before its answer is there.

    Each request is killed in one of the four ways; `make orders` does it in all of them.
    """
    number = requests()
    assert number > 20
    for at in range(number) if KILLS == "all" else range(way, number, 4):
        assert killed_at_request(at, fault, power) == [], f"request {at}, {fault}, power {power}"


def killed_at_request(number, fault, power):
    """What is wrong after the process died at a request."""
    made, seen = world(), []
    process = made.process()

    def dies(request, role, at):
        del role, at
        seen.append(request)
        if len(seen) != number + 1:
            return None
        process.kill()
        return VenueFault(fault, "silence", times=1)

    made.wire._draw = dies
    assert not process.live(minute(80), [flatten(minute(77) + 5_000)])
    made.wire._draw = None
    return left(made, power)


def requests():
    """How many requests an undisturbed life makes."""
    made = world()
    assert lived(made)
    return len(made.wire.calls)


@tn.strategy("orders-moved", every="5m", history="30m")
def moved(ctx):
    if ctx.state.get("done"):
        return None
    ctx.state["done"] = True
    return tn.long(stop_loss=tn.percent(1), trail=1.0)


@moved.manage(every="1m")
def sells_a_half_and_then_the_rest(ctx):
    minutes = (ctx.now - minute(75)) // MINUTE
    return tn.close(fraction=0.5) if minutes == 4 else tn.close() if minutes == 6 else None


RISING = tn.frame_exchange({SYMBOL: frame(path(*[100.0] * 75, *range(101, 121)))})


def entering():
    """A world with a process that will buy, trail its stop, sell a half and then the rest."""
    made = OrderWorld(RISING, moved, start=minute(74) + 2_500, rules=QUICK)
    made.exchange.tells_time = False
    made.arm()
    return made, made.process()


def release(process):
    for run in process.runs:
        run.release()


def released_at_request(number, fault=None):
    """The world whose run was released when it made a request, and how many it made."""
    made, process = entering()
    seen = []

    def releases(request, role, at):
        del role, at
        seen.append(request)
        if len(seen) != number + 1:
            return None
        release(process)
        return fault and VenueFault(fault, "silence", times=1)

    made.wire._draw = releases
    assert process.live(minute(83))
    return made, len(seen)


def bare(made):
    """The pieces that no resting order would sell."""
    resting = [each.remaining for each in made.venue.live_orders(SYMBOL) if each.side == "SELL"]
    return made.coins - max(resting, default=0)


@pytest.mark.parametrize(("fault", "way"), [(None, 0), ("drop", 1), ("accept", 2)])
def test_a_release_at_a_request_leaves_nothing_without_its_stop(fault, way):
    """While an entry is sent, a stop is moved, a part or all is sold; the answer may be lost.

    Each request is lost in one of the ways; `make orders` does it in all of them.
    """
    made, number = released_at_request(-1)
    asked = {type(call.request).__name__ for call in made.wire.calls}
    assert {"NewOrder", "CancelOrder"} <= asked
    assert made.coins == 0
    each = fault is None or KILLS == "all"
    for at in range(number) if each else range(way, number, 3):
        made, _ = released_at_request(at, fault)
        assert bare(made) < STEP, f"request {at}"
        assert sum(order.side == "BUY" for order in made.venue.orders.values()) <= 1


@pytest.mark.parametrize(
    ("request_of", "since", "seconds"), [(NewOrder, 75.0, 40), (QueryOpenOrders, 75.3, 0)]
)
def test_a_release_beside_a_silent_exchange_takes_no_longer_than_it_must(
    request_of, since, seconds, caplog
):
    """With an entry in doubt it ends after 40 s, and says so; protected it ends at once."""
    made, process, silent = *entering(), []

    def draw(request, role, at):
        del role
        if isinstance(request, request_of) and at > minute(0) + since * MINUTE:
            silent.append(at)
            release(process)
        return VenueFault("drop", "silence", times=1) if silent else None

    made.wire._draw = draw
    assert process.live(minute(83))
    assert made.clock.true_now() - silent[0] == seconds * 1_000
    assert ("guard --once" in caplog.text) == (seconds > 0)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("brokers.order_manager:OrderManager._is_over", ("self._port is None", "True")),
        ("core.orders.protection:is_at_rest", ("any(order.is_unsettled for", "any(False for")),
    ],
)
def test_a_release_that_ends_too_early_is_caught(place, change, monkeypatch):
    planted(Mutant("a release ends too early", f"tradenb.{place}", rewritten(*change)), monkeypatch)
    monkeypatch.setattr("tradenb.brokers.order_manager.is_at_rest", protection.is_at_rest)
    _, number = released_at_request(-1)
    ends = (released_at_request(at, fault)[0] for at in range(number) for fault in (None, "accept"))
    assert any(bare(made) > 1 for made in ends)


MUTANTS = (
    Mutant(
        "an entry leaves before it is on disk",
        "tradenb.brokers.order_manager:OrderManager._enter",
        rewritten(
            "if not await self._commit(lambda ledger: intended(ledger, order)):", "if False:"
        ),
    ),
    Mutant(
        "the journal is not synced",
        "tradenb.store.journal.order_journal:OrderJournal.note",
        rewritten("sync=is_gone or is_sent", "sync=False"),
    ),
    Mutant(
        "a restart forgets that an order was being sent",
        "tradenb.brokers.order_manager:restarted",
        rewritten("orders=orders,", "orders=tuple(each for each in orders if each.is_done),"),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_wrong_order_of_steps_is_caught(mutant, monkeypatch):
    planted(mutant, monkeypatch)
    assert any(killed_at_request(at, "accept", "lost") for at in range(requests()))
