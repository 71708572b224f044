"""A position on a symbol that gives no candle any more is ended at the price of a person."""

from __future__ import annotations

import json
import math

import pytest

import tradenb as tn
from tests.live.fakes import SYMBOL, kinds, once, told, until, world_of
from tests.sources import flat, minute
from tests.store.samples import body, changed
from tradenb.cli import main
from tradenb.core.prices import pnl_percent
from tradenb.store.control import send
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key, find_home
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action

KEY = Key("a", SYMBOL)
DIP = Key("dip", "BTCUSDT")
DISK = DiskFilesystem(durable=False)


def at(minutes, act):
    return Action(minute(minutes) + 30_000, act)


def by_handle(world):
    return lambda process: process.runs[0].abandon(95.0)


def by_file(world):
    return lambda process: send(
        world.disk, world.home, KEY, "abandon", wall=world.clock.now(), price=95.0
    )


@pytest.mark.parametrize("way", [by_handle, by_file])
def test_fault_90_a_position_on_a_symbol_that_is_gone_is_closed_at_the_price_of_the_user(way):
    closed = []
    world = world_of(once(2), flat(6), closed=closed.append)
    assert world.live(until(40), [at(20, way(world))])
    assert told(world) == [
        (2, "opened", 100.0, None, False),
        (6, "closed", 95.0, "abandoned", True),
    ]
    event = world.events(world.wanted[0])[-1]
    assert event.pnl_percent == pnl_percent("long", 100.0, 95.0, world.rules)
    assert [each.seq for each in world.announced] == [1, 2]
    assert [each.exit_reason for each in closed] == ["abandoned"]
    state = world.checkpoint(world.wanted[0]).state
    assert (state.signal, state.cursor) == (None, minute(6))
    assert [(each.exit_reason, each.late) for each in state.trades] == [("abandoned", True)]


def test_fault_90_a_waiting_entry_is_cancelled_and_a_pending_stop_ends_the_run():
    world = world_of(once(2, entry=99.0), flat(6))
    actions = [at(15, lambda process: process.runs[0].stop()), at(20, by_handle(world))]
    assert world.live(until(30), actions)
    assert told(world)[-1] == (6, "cancelled", 95.0, "user", True)
    assert world.checkpoint(world.wanted[0]).state.done


def test_fault_90_while_candles_come_a_flatten_is_the_way_and_abandon_is_refused():
    world = world_of(once(2), flat(20))

    def refused(process):
        with pytest.raises(tn.StateError, match=r"still gets candles .*flatten"):
            process.runs[0].abandon(95.0)
        for price in (0, -1.0, math.nan, math.inf, 1e-320, 1e300, "95", True, None):
            with pytest.raises(tn.UsageError, match="must be a number above 0"):
                process.runs[0].abandon(price)

    assert world.live(until(8), [at(5, refused)])
    assert kinds(world) == ["opened"]


def test_fault_90_a_run_whose_history_is_refused_after_a_restart_can_be_ended_too():
    world = world_of(once(2), flat(6))
    assert world.live(until(5))
    world.clock.advance(3_600)
    now = world.clock.true_now()
    world.exchange.troubles = [Trouble("error", now, now + 7_200_000)]
    actions = [
        Action(now + 100_000, by_handle(world)),
        Action(now + 300_000, lambda process: process.runs[0].stop()),
    ]
    process = world.process()
    assert process.live(now + 600_000, actions)
    assert told(world)[-1] == (5, "closed", 95.0, "abandoned", True)
    assert process.runs[0].status != "running"
    assert world.checkpoint(world.wanted[0]).state.signal is None


@pytest.fixture
def home():
    """A run that no process holds, with an open position."""
    found = find_home()
    with FileLock(DISK, found.lock(DIP)) as lock:
        store = DocumentStore(DISK, found.document(DIP), guard=lock.assure)
        store.load()
        store.commit(changed(3, "state", "commands", to=[]))
    Journal(DISK, found.journal(DIP)).append(body(3)["outbox"])
    return found


def test_fault_90_tradenb_retire_names_the_way_out_and_takes_it(home, capsys):
    assert main(["retire", "BTCUSDT:dip"]) == 1
    assert "tradenb retire BTCUSDT:dip --abandon PRICE" in capsys.readouterr().err
    assert main(["retire", "BTCUSDT:dip", "--abandon", "-5"]) == 2
    assert "must be a number above 0, from 1e-100 to 1e+100, was -5" in capsys.readouterr().err
    assert main(["retire", "BTCUSDT:dip", "--abandon", "90", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    entry = body(3)["state"]["signal"]["entry"]
    gain = pnl_percent("long", entry, 90.0, tn.Rules())
    assert (facts["ended"], facts["price"], facts["pnl_percent"]) == ("closed", 90.0, gain)
    (folder,) = (home.root / "retired").iterdir()
    (journal,) = folder.rglob("*.jsonl")
    last = json.loads(journal.read_text().splitlines()[-1])
    assert (last["seq"], last["kind"], last["exit_reason"]) == (4, "closed", "abandoned")
    assert not home.document(DIP).exists()


def test_fault_90_a_run_that_no_process_holds_is_ended_by_its_handle(home):
    (run,) = tn.live.attach(ended=True)
    run.abandon(90)
    assert run.position is None
    assert read_document(DISK, home.document(DIP)).body["last_event_seq"] == 4
    assert run.events().iloc[-1].exit_reason == "abandoned"
    with pytest.raises(tn.StateError, match="holds nothing that could be abandoned"):
        run.abandon(90)
