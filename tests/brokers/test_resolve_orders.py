"""`tradenb resolve` of a run that sends orders: what the exchange holds, on whose account."""

from __future__ import annotations

import json
import threading

import pytest

import tradenb as tn
from tests.brokers.test_guard import KEY, opened
from tests.live.fast import until
from tradenb.cli import main
from tradenb.live.live_run import record_of
from tradenb.live.resolve_conflict import conflict_of
from tradenb.store.codec import encode
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import find_home

DISK = DiskFilesystem(durable=False)


@pytest.fixture
def conflict(monkeypatch):
    """A world with an open position, whose files are on a real disk, where two states are."""
    made = opened()
    home = find_home()
    for path, data in made.disk.files().items():
        real = home.root / path.relative_to(made.home.root)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(data)
    monkeypatch.setattr(
        "tradenb.live.resolve_conflict.recorded_broker", lambda disk, home, account: made.broker
    )

    def with_theirs(**changes):
        document = home.document(KEY)
        found = read_document(DISK, document)
        document.with_name(f"{document.name}.ours-{found.seq}-7").write_bytes(document.read_bytes())
        document.write_bytes(encode(VERSION, found.seq + 70, {**found.body, **changes}))
        return made

    return with_theirs


def test_it_shows_what_the_exchange_holds_and_how_each_state_fits(conflict, capsys):
    made = conflict(ledger={"run": "sandbox:memory:00000000 BTCUSDT orders-once 1704070800000"})
    assert main(["resolve", KEY.id]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("  sandbox:memory:00000000: ")
    assert "sell " in lines[3]
    assert " rests" in lines[3]
    assert lines[4].startswith("    ours: pieces: ")
    assert "of an unknown signal" in lines[5]
    assert made.venue.live_orders("BTCUSDT") != ()


def test_an_exchange_that_does_not_answer_hides_no_state(conflict, capsys):
    conflict().answers = False
    assert main(["resolve", KEY.id, "--json"]) == 4
    facts = json.loads(capsys.readouterr().out)
    assert "is the exchange reachable" in facts["exchange"][0]
    assert facts["ours"].startswith("long since")


@pytest.mark.parametrize("flag", ["--take-theirs", "--keep-ours"])
def test_a_state_with_orders_is_not_given_up_for_one_of_another_account(conflict, flag, capsys):
    conflict(account="paper", ledger=None)
    code = main(["resolve", KEY.id, flag])
    said = capsys.readouterr()
    if flag == "--keep-ours":
        assert code == 0
        return
    assert code == 1
    assert "has orders on account sandbox:memory:00000000" in said.err
    assert conflict_of(find_home(), KEY) is not None


def test_states_of_one_account_are_chosen_from_as_before(conflict):
    conflict(price=5.0)
    assert main(["resolve", KEY.id, "--take-theirs"]) == 0
    assert conflict_of(find_home(), KEY) is None


@pytest.mark.realtime
def test_guard_gives_a_run_up_to_the_choice_between_its_states(conflict):
    conflict(price=5.0)
    guard = FileLock(DISK, find_home().lock(KEY), yields=True)
    guard.acquire()
    codes = []
    choice = threading.Thread(target=lambda: codes.append(main(["resolve", KEY.id, "--keep-ours"])))
    choice.start()
    until(lambda: guard.is_wanted or codes, "a wish for the lock")
    guard.release()
    choice.join(60)
    assert codes == [0]
    assert conflict_of(find_home(), KEY) is None


def test_a_process_does_not_take_the_state_of_another_account():
    made = opened()
    process = made.process()
    storage = record_of(process.runs[0]).storage
    found = read_document(made.disk, made.home.document(KEY))
    theirs = {**found.body, "account": "paper", "ledger": None}
    made.disk.plant(made.home.document(KEY), encode(VERSION, found.seq + 70, theirs))
    with pytest.raises(tn.StateError, match="the other state is of account paper"):
        storage.take_theirs()
    assert record_of(process.runs[0]).desired.want == "hold"
    process._release_handles()
