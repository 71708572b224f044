"""`tradenb reconcile`: what differs, without changing it, and what a person accepts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.test_guard import KEY, cancel_protection, opened
from tests.order_lives.live_order_life import SYMBOL
from tests.sources import minute
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.brokers.unattended.reconcile_now import Comparison, accepted, compared
from tradenb.cli import main
from tradenb.cli.order_verbs import reconcile_runs
from tradenb.core.orders.apply import NO_KEY
from tradenb.core.orders.client_ids import client_id
from tradenb.errors import ExchangeError, StateError
from tradenb.live.live_run import record_of
from tradenb.store.control import leave_accepted, take_accepted
from tradenb.store.paths import Key
from tradenb.testing.venue.venue_requests import NewOrder
from tradenb.testing.world.simulated_world import Action

D = Decimal
FOREIGN = client_id("another home", "x", "entry", 1)


def comparison(made, key=KEY):
    return made.clock.run(
        compared(made.disk, made.home, made.clock, key, broker_of=lambda *_: made.broker)
    )


def accept(made, found):
    return made.clock.run(accepted(made.disk, made.home, made.clock, found))


def ledger(made):
    return made.checkpoint(made.wanted[0]).ledger


def buys_with_our_tag(made):
    made.feed.advance(made.clock.true_now())
    order = NewOrder(SYMBOL, "BUY", "MARKET", D("0.1"), FOREIGN)
    made.venue.handle(order, at=made.clock.true_now())


def whats(found):
    return [each.what.split(" order")[0] for each in found.differences]


def test_where_nothing_differs_only_the_pieces_of_the_owner_are_told():
    found = comparison(opened())
    assert whats(found) == ["pieces"]
    assert found.differences[0].then == "the rest is the owner's, and is never sold"
    assert found.open == ()


def test_looking_changes_nothing_and_shows_what_the_exchange_did():
    made = opened()
    cancel_protection(made)
    before = made.disk.read(made.home.document(KEY), limit=1 << 20)
    orders = len(made.venue.orders)
    found = comparison(made)
    (row, _) = found.differences
    assert row.what.startswith("protection order 746e62")
    assert row.here.startswith("working, 0 of ")
    assert row.there.startswith("cancelled, 0 of ")
    assert made.disk.read(made.home.document(KEY), limit=1 << 20) == before
    assert len(made.venue.orders) == orders


def test_pieces_that_are_gone_are_shown():
    made = opened()
    cancel_protection(made)
    order = NewOrder(SYMBOL, "SELL", "MARKET", made.venue.total("BTC") - D(1), "web")
    made.venue.handle(order, at=made.clock.true_now())
    assert "sold by somebody else" in comparison(made).differences[-1].then


def test_an_order_that_nobody_knows_is_asked_about_and_accepted_for_good():
    made = opened()
    buys_with_our_tag(made)
    found = comparison(made)
    (words,) = found.open
    assert words == f"order {FOREIGN} of an unknown signal traded"
    assert ledger(made).stops == ()
    assert accept(made, found) == "accepted"
    assert ledger(made).accepted == (words,)
    assert comparison(made).open == ()
    assert made.live(minute(95))
    assert ledger(made).stops == ()


def test_a_process_that_has_the_run_takes_what_is_accepted():
    made = opened()
    said = []

    def asks(process):
        del process
        buys_with_our_tag(made)
        record_of(made.now_running.runs[0]).ledger = record_of(
            made.now_running.runs[0]
        ).ledger._replace(check_due=True)

    def accepts(process):
        words = record_of(process.runs[0]).ledger.stops
        said.extend(words)
        leave_accepted(made.disk, made.home, KEY, words)

    process = made.now_running = made.process()
    steps = [Action(minute(82), asks), Action(minute(84), accepts)]
    assert process.live(minute(90), steps)
    assert said == [f"order {FOREIGN} of an unknown signal traded"]
    assert ledger(made).stops == ()
    assert ledger(made).accepted == tuple(said)
    assert take_accepted(made.disk, made.home, KEY) == ()


def test_what_a_held_run_does_not_take_is_said():
    made = opened()
    buys_with_our_tag(made)
    found = comparison(made)
    process = made.process()
    assert "does it hang?" in accept(made, found)
    assert take_accepted(made.disk, made.home, KEY) == found.open
    process._release_handles()


def test_a_key_that_works_again_is_accepted_once_nothing_is_said_of_it():
    made = opened()
    found = comparison(made)._replace(open=(NO_KEY,))
    process = made.process()
    assert accept(made, found) == "accepted by the process that has the run"
    process._release_handles()
    with DocumentRun(made.disk, made.home, KEY, made.clock) as run:
        run.commit_ledger(run.known_ledger._replace(stops=(NO_KEY,)))
    process = made.process()
    assert "does it hang?" in accept(made, found)
    process._release_handles()


def test_an_exchange_that_does_not_answer_and_a_run_without_orders_are_told():
    made = opened()
    made.answers = False
    with pytest.raises(ExchangeError, match="is the exchange reachable"):
        comparison(made)
    with pytest.raises(StateError, match="has no orders"):
        comparison(made, Key("dip", SYMBOL))


@pytest.mark.no_cover
@pytest.mark.parametrize("data", [b"", b"{}", b"5", b"[1, null]", b"\xff"])
def test_a_file_that_cannot_be_read_accepts_nothing(data):
    made = opened()
    made.disk.plant(made.home.control(KEY) / ".accepted", data)
    assert take_accepted(made.disk, made.home, KEY) == ()


@pytest.mark.parametrize(
    ("said", "last"),
    [
        ("", "entries wait. If that was you, --accept takes it as your own doing"),
        ("accepted", "entries go on where the account is armed; a disarmed one needs tradenb arm"),
        ("left for the process", "entries wait until it takes that"),
    ],
)
def test_the_last_line_says_whether_entries_go_on(said, last):
    found = Comparison(KEY, "live:x", (), ("3 pieces are gone",), "looked at")
    assert reconcile_runs._words(found, said).splitlines()[-1] == last


def test_a_home_without_brokers_has_nothing_to_compare(capsys):
    assert main(["reconcile"]) == 0
    assert "sends orders" in capsys.readouterr().out
    assert main(["reconcile", "dip"]) == 2
    assert "run with a broker" in capsys.readouterr().err
