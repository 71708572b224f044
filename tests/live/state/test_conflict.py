"""Somebody else wrote the document of a run: it says so, stands still, and the user decides."""

from __future__ import annotations

import errno
import json
import threading

import pytest

import tradenb as tn
from tests.live.fast import until
from tradenb.cli import main
from tradenb.live.following import Following
from tradenb.live.live_run import record_of
from tradenb.store.document import document_store
from tradenb.store.document.commit import encode
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home

pytestmark = pytest.mark.realtime

THEIRS = 1_000_000
KEY = Key("counts", "BTCUSDT")


@pytest.fixture
def counts():
    @tn.strategy("counts", every="1m", risk=tn.risks.max_open(9, name="shared"))
    def counts(ctx):
        ctx.state["asked"] = ctx.state.get("asked", 0) + 1

    return counts


@pytest.fixture
def beside():
    @tn.strategy("beside", every="1m", risk=tn.risks.max_open(9, name="shared"))
    def beside(ctx):
        return None

    return beside


def document():
    return find_home().document(KEY)


def asked() -> int:
    found = read_document(DiskFilesystem(), document())
    return json.loads(found.body["user_state"])["asked"]


def written_by_another(run):
    """Replace the document of a run, as a synchronised folder would; return when it is noticed."""
    until(lambda: record_of(run).last_ticks and document().exists(), "a tick")
    found = read_document(DiskFilesystem(), document())
    body = {**found.body, "user_state": json.dumps({"asked": THEIRS})}
    document().write_bytes(encode(found.seq + 70, body))
    until(lambda: run.undecided, "that somebody else wrote it")


def files(word: str) -> list[str]:
    return [path.name for path in document().parent.iterdir() if word in path.name]


def test_fault_29_it_is_said_what_decides_and_the_rest_of_the_group_goes_on(
    quick, counts, beside, capsys
):
    run, other = quick.start(counts), quick.start(beside)
    written_by_another(run)
    for words in (repr(run), str(run.error), run._repr_html_()):
        assert "tradenb resolve BTCUSDT:counts" in words
        assert "run.keep_ours() or run.take_theirs()" in words
    assert not run.saved
    (row,) = [row for row in tn.live.list().to_dict("records") if row["id"] == run.id]
    assert (row["status"], row["saved"]) == ("running", False)
    assert main(["status"]) == 1
    assert "tradenb resolve BTCUSDT:counts" in capsys.readouterr().out
    assert main(["doctor"]) == 1
    assert "tradenb resolve BTCUSDT:counts" in capsys.readouterr().out
    ticks = len(record_of(other).last_ticks)
    until(lambda: len(record_of(other).last_ticks) > ticks + 3, "ticks of the other run")
    assert (other.saved, other.undecided) == (True, False)
    assert asked() == THEIRS  # nobody wrote over it


def test_fault_29_keep_ours_goes_on_with_what_the_run_had(quick, counts):
    run = quick.start(counts)
    written_by_another(run)
    run.keep_ours()
    until(lambda: run.saved and not run.undecided, "the decision")
    assert asked() < THEIRS
    assert len(files(".foreign-")) == 1
    assert files(".ours-") == []
    assert run.error is None
    with pytest.raises(tn.StateError, match="nothing to decide"):
        run.keep_ours()


def test_fault_29_take_theirs_goes_on_from_what_is_on_disk(quick, counts):
    run = quick.start(counts)
    written_by_another(run)
    run.take_theirs()
    until(lambda: asked() > THEIRS, "an ask on their state")
    assert (run.saved, run.undecided, run.error) == (True, False, None)
    assert len(files(".replaced-")) == 1


def test_a_decision_that_comes_while_one_is_looked_for_is_not_lost(quick, counts):
    run = quick.start(counts)
    right, said = record_of(run).storage.decision, []

    def looking():
        found = right()
        if not said:
            said.append(run.take_theirs())
        return found

    record_of(run).storage.decision = looking
    written_by_another(run)
    until(lambda: run.saved and not run.undecided, "the decision")
    assert said
    assert asked() >= THEIRS


@pytest.mark.parametrize(("flag", "theirs"), [("--keep-ours", False), ("--take-theirs", True)])
def test_fault_29_a_terminal_decides_for_a_run_that_goes_on(quick, counts, flag, theirs, capsys):
    run = quick.start(counts)
    written_by_another(run)
    assert main(["resolve", "count"]) == 4
    said = capsys.readouterr()
    assert "ours:   nothing open" in said.out
    assert "theirs: nothing open" in said.out
    assert "--keep-ours or --take-theirs" in said.err
    assert main(["resolve", run.id, flag]) == 0
    assert "sent to the process that has the run" in capsys.readouterr().out
    until(lambda: run.saved and not run.undecided, "the decision")
    until(lambda: (asked() >= THEIRS) == theirs, "the state")
    assert main(["resolve", run.id]) == 1


@pytest.mark.parametrize(("flag", "theirs"), [("--keep-ours", False), ("--take-theirs", True)])
def test_fault_29_the_decision_outlives_the_process(quick, counts, flag, theirs, capsys):
    run = quick.start(counts)
    written_by_another(run)
    tn.live.attach()[0].release()
    assert run.wait(240)
    with pytest.raises(tn.StateConflict, match="nothing starts until you decide"):
        quick.start(counts)
    assert main(["resolve", run.id, flag, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decided"] is not None
    assert (asked() >= THEIRS) == theirs
    again = quick.start(counts)
    until(lambda: record_of(again).last_ticks, "a tick")
    assert (again.saved, again.undecided) == (True, False)
    assert (asked() >= THEIRS) == theirs
    assert files(".ours-") == []


def test_a_loop_over_events_does_not_wait_for_a_decision(quick, counts):
    run = quick.start(counts)
    written_by_another(run)
    with pytest.raises(tn.StateConflict):
        next(iter(Following("BTCUSDT", "counts", lambda: (run, True))))
    assert run.status == "running"  # it is still to be decided, here
    run.keep_ours()
    until(lambda: run.saved and not run.undecided, "the decision")


def test_events_that_nobody_asks_for_begin_nothing(counts):
    from tradenb.bus import bus
    from tradenb.live.run_registry import run_registry

    @tn.exchange("never")
    def never(symbol, since, limit):
        raise AssertionError("asked")

    before = bus.wants("events", "live")
    events = tn.live.run("BTCUSDT", strategy=counts, exchange=never)
    assert bus.wants("events", "live") == before
    assert not run_registry.is_running("BTCUSDT", counts)
    assert "not begun" in repr(events)
    with pytest.raises(tn.UsageError, match="rules must be"):
        tn.live.run("BTCUSDT", strategy=counts, exchange=never, rules={"fee": 1})


# ---------------------------------------------------------- nothing that ours holds is forgotten


@pytest.fixture
def holds():
    """It opens at once and holds on; its rule lets one in."""

    @tn.strategy("counts", every="1m", risk=tn.risks.max_open(1, name="one"))
    def counts(ctx):
        price = ctx.price
        return tn.long(take_profit=1.5 * price, stop_loss=0.9 * price, minutes=1_000)

    return counts


def emptied_by_another(run):
    """Let the document say that nothing is held."""
    until(lambda: run.position, "a position")
    until(document().exists, "a commit")
    found = read_document(DiskFilesystem(), document())
    state = {**found.body["state"], "signal": None, "scheduled": None, "opened_at": None}
    state["milestones"] = {"gained": 0, "lost": 0}
    document().write_bytes(encode(found.seq + 70, {**found.body, "state": state}))


@pytest.fixture
def wants():
    """It wants the place that another holds."""

    @tn.strategy("beside", every="1m", risk=tn.risks.max_open(1, name="one"))
    def beside(ctx):
        price = ctx.price
        return tn.long(take_profit=1.5 * price, stop_loss=0.9 * price, minutes=1_000)

    return beside


@pytest.fixture
def full(monkeypatch):
    """A disk that is full when what a run had is to be kept, until it is cleared."""
    right, full = document_store.keep_ours_aside, threading.Event()
    full.set()

    def keep(*given, **more):
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return right(*given, **more)

    monkeypatch.setattr(document_store, "keep_ours_aside", keep)
    return full


def test_both_states_count_in_the_risk_books_until_it_is_decided(quick, holds, wants):
    run = quick.start(holds)
    emptied_by_another(run)
    run.cancel()
    until(lambda: run.undecided, "that somebody else wrote it")
    assert len(files(".ours-")) == 1
    other = quick.start(wants)
    until(lambda: {*other.events()["kind"]} - {"skipped"}, "an answer")
    assert set(other.events()["kind"]) - {"skipped"} == {"rejected"}  # skipped: a busy machine
    assert other.position is None


def test_both_states_count_though_ours_could_not_be_kept_on_a_full_disk(quick, holds, wants, full):
    run = quick.start(holds)
    emptied_by_another(run)
    run.cancel()
    until(lambda: run.undecided, "that somebody else wrote it")
    assert files(".ours-") == []
    other = quick.start(wants)
    until(lambda: {*other.events()["kind"]} - {"skipped"}, "an answer")
    assert set(other.events()["kind"]) - {"skipped"} == {"rejected"}  # skipped: a busy machine
    view = json.loads(find_home().risk_view("one").read_text())
    assert "counts" in json.dumps(view)
    full.clear()
    until(lambda: files(".ours-"), "that ours is kept")
    run.take_theirs()
    until(lambda: run.saved and not run.undecided, "the decision")
    assert len(files(".replaced-")) == 1
    until(lambda: run.position or other.position, "that the place is taken")


def test_theirs_is_not_taken_while_ours_would_be_lost(quick, holds, full):
    run = quick.start(holds)
    emptied_by_another(run)
    run.cancel()
    until(lambda: run.undecided, "that somebody else wrote it")
    run.take_theirs()
    until(lambda: "decide again" in str(run.error), "a refusal")
    assert run.undecided
    assert run.position
    run.keep_ours()
    until(lambda: run.saved and not run.undecided, "the decision")
    assert run.position


def test_a_run_that_is_undecided_is_not_retired(quick, counts, capsys):
    run = quick.start(counts)
    written_by_another(run)
    run.release()
    assert run.wait(240)
    assert main(["retire", "BTCUSDT:counts"]) == 4
    assert "until you decide which one holds" in capsys.readouterr().err
    assert document().exists()


def test_what_was_asked_for_is_asked_of_the_state_that_holds(quick, holds):
    run = quick.start(holds)
    until(lambda: run.position, "a position")
    found = until(lambda: read_document(DiskFilesystem(), document()), "the document")
    document().write_bytes(encode(found.seq + 70, found.body))
    run.flatten()
    run.stop()
    until(lambda: run.undecided, "that somebody else wrote it")
    run.take_theirs()
    assert run.wait(240)
    assert run.status == "done"
    assert list(run.events()["exit_reason"])[-1] == "flattened"


def test_a_document_that_has_gone_leaves_ours_to_be_decided_on(quick, counts, capsys):
    run = quick.start(counts)
    written_by_another(run)
    run.release()
    assert run.wait(240)
    for path in document().parent.iterdir():
        if path.name.endswith((".json", ".bak")):
            path.unlink()
    assert "another program wrote its state" in tn.live.list()["last_error"].iloc[-1]
    assert main(["resolve", "BTCUSDT:counts", "--take-theirs"]) == 1
    assert "there is no other state" in capsys.readouterr().err
    assert main(["resolve", "BTCUSDT:counts", "--keep-ours"]) == 0
    assert asked() < THEIRS


def test_another_process_sees_that_it_is_undecided(quick, counts):
    run = quick.start(counts)
    written_by_another(run)
    (handle,) = tn.live.attach()
    assert "another program wrote its state" in handle._repr_html_()
    assert "another program wrote its state" in handle.report()


def test_a_damaged_document_leaves_its_run_and_the_others_within_reach(quick, counts, beside):
    run, other = quick.start(counts), quick.start(beside)
    until(lambda: record_of(run).last_ticks and document().exists(), "a tick")
    until(lambda: record_of(other).last_ticks, "a tick of the other")
    other.release()
    assert other.wait(240)
    for path in (document(), find_home().document(Key("beside", "BTCUSDT"))):
        path.write_bytes(b"garbage\n")
        path.with_name(f"{path.name}.bak").unlink(missing_ok=True)
    (handle,) = tn.live.attach(ended=True)
    assert (handle.id, handle.status) == (run.id, "running")
