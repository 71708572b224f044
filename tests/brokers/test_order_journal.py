"""`data/orders`: on disk before a request leaves, and what it is good for without a document."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.brokers.test_guard import (
    KEY,
    cancel_protection,
    died_at_its_entry,
    entries,
    guard,
    opened,
)
from tests.brokers.test_live_orders import kinds, world
from tests.order_lives.live_order_life import SYMBOL
from tests.sources import minute
from tradenb.brokers.unattended.force_close import has_sold, runs_with_orders
from tradenb.brokers.unattended.reconcile_now import compared
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import ExecutionReport, Fill, Order
from tradenb.errors import StateCorrupt, StateError, StateWriteError
from tradenb.live.live_run import record_of
from tradenb.store.document.ledger_record import ledger_to_record
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.home_check import check_home
from tradenb.store.journal.order_journal import OrderJournal, noted
from tradenb.store.paths import Home, bak_of
from tradenb.store.retire import retire
from tradenb.testing.world.simulated_world import Action

D = Decimal
DISK = DiskFilesystem(durable=False)


def order(id="746e621" + "0" * 25, **values):
    known = {"signal_id": "s1", "role": "entry", "attempt": 1, "side": "buy", "type": "ioc"}
    return Order(id, **known | {"quantity": D(2), "sent_at": 5_000} | values)


def document(made):
    return made.home.document(KEY)


def content(made, path):
    return made.disk.read(path, limit=1 << 22)


def lose_the_document(made):
    made.disk.plant(document(made), b"{")


# --- the file ------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    return OrderJournal(DISK, tmp_path / "orders" / "dip" / "BTCUSDT.jsonl")


def test_each_change_is_a_line_and_the_last_form_is_read(journal):
    ledger = OrderLedger("a run", (order(),))
    journal.note(ledger, 7)
    journal.note(ledger, 8)
    size = journal.path.stat().st_size
    journal.note(ledger.with_order(order(queries=3)), 9)
    assert journal.path.stat().st_size == size
    fill = Fill("t1", "9", 6_000, "buy", D("1.5"), D("99.5"), D("0.1"), "base")
    done = order(state="done", ending="filled", filled=D("1.5"), fills=(fill,))
    report = ExecutionReport(1, 6_500, "entered", "s1", D("1.4"), D("99.5"))
    journal.note(OrderLedger("a run", (done,), reports=(report,)), 10)
    ((name, found),) = OrderJournal(DISK, journal.path).read().items()
    assert name == "a run"
    assert list(found.orders.values()) == [done] == found.left
    gone = report._replace(seq=2, kind="exited")
    journal.note(OrderLedger("a run", (done,), reports=(report, gone)), 11)
    assert OrderJournal(DISK, journal.path).read()["a run"].left == []


def test_a_torn_line_is_skipped_and_a_strange_one_is_an_error(journal):
    journal.note(OrderLedger("a run", (order(),)), 7)
    with journal.path.open("ab") as file:
        file.write(b'{"run": "a run", "order": {"id"')
    assert len(journal.read()["a run"].orders) == 1
    with journal.path.open("ab") as file:
        file.write(b'\n{"run": "a run", "order": {"id": 5}}\n')
    with pytest.raises(StateError, match="none of its own"):
        journal.read()


def test_a_journal_that_cannot_be_written_is_raised_once_the_document_is_committed(journal):
    journal.path.parent.parent.write_text("a file")
    committed = []
    ledger = OrderLedger("a run", (order(),))
    with pytest.raises(StateWriteError, match="orders"), noted(journal, ledger, 7):
        committed.append(1)
    assert committed == [1]


# --- a long one ----------------------------------------------------------------------------------

RUN = "sandbox:x BTCUSDT dip 0"


def over(n, reports_made=None):
    """A ledger whose position n ended after its first report, and of which n + 1 lives."""
    exited = ExecutionReport(n, 6_000, "exited", f"s{n}")
    done = order(f"746e621{n:025}", signal_id=f"s{n}", state="done", ending="filled")
    lives = order(f"746e621{n + 1:025}", signal_id=f"s{n + 1}", state="working")
    return OrderLedger(RUN, (done, lives), reports=(exited,), reports_made=reports_made or n)


def rotated(journal, positions=30):
    long = OrderJournal(DISK, journal.path, rotate_bytes=2_000)
    for n in range(1, positions + 1):
        long.note(over(n), n)
    return sorted(journal.path.parent.iterdir(), key=lambda file: (len(file.name), file.name))


def test_a_long_journal_is_continued_in_other_files_and_says_what_one_file_says(journal, tmp_path):
    current, *numbered = rotated(journal)
    assert current == journal.path
    assert [file.suffix for file in numbered] == [f".{n}" for n in range(1, len(numbered) + 1)]
    assert len(numbered) > 2
    assert all(file.stat().st_size < 4_000 for file in numbered)
    one = OrderJournal(DISK, tmp_path / "one.jsonl")
    for n in range(1, 31):
        one.note(over(n), n)
    assert journal.read() == one.read()


def test_a_start_reads_the_last_file_alone_and_older_ones_for_an_older_document(journal):
    _, oldest, *_ = rotated(journal)
    with oldest.open("ab") as file:
        file.write(b'{"run": "a run", "order": {"id": 5}}\n')
    found = journal.read(since=over(30))[RUN]
    assert over(30).orders[1] in found.left
    assert len(found.orders) < 12
    for ledger in (OrderLedger(RUN), over(30)._replace(run="another")):
        with pytest.raises(StateError, match="none of its own"):
            journal.read(since=ledger)


def test_an_order_that_lives_is_found_by_a_start_however_long_ago_it_was_sent(journal):
    protection = order("746e622" + "0" * 25, signal_id="s0", role="protection", side="sell")
    long = OrderJournal(DISK, journal.path, rotate_bytes=2_000)
    for n in range(1, 31):
        ledger = over(n)
        long.note(ledger._replace(orders=(protection, *ledger.orders)), n)
    assert protection.id.encode() not in b"".join(
        line for line in journal.path.read_bytes().splitlines() if b"carried" not in line
    )
    found = journal.read(since=over(30))[RUN]
    assert protection in found.left


def test_a_process_that_dies_between_two_files_loses_nothing(journal):
    before = rotated(journal)
    journal.path.rename(journal.path.with_name(f"{journal.path.name}.{len(before)}"))
    assert over(30).orders[1] in journal.read(since=over(30))[RUN].left
    OrderJournal(DISK, journal.path).note(over(31), 31)
    assert b'"carried"' in journal.path.read_bytes().splitlines()[0]


def test_doctor_knows_every_file_of_a_long_journal(tmp_path):
    home = Home(tmp_path)
    files = rotated(OrderJournal(DISK, home.orders(KEY)))

    def verdicts():
        found = {each.path: each.verdict for each in check_home(DISK, home)}
        return {found[file] for file in files}

    assert verdicts() == {"damaged"}  # no document, and the last position is not over
    told = ExecutionReport(31, 6_000, "exited", "s31")
    OrderJournal(DISK, home.orders(KEY)).note(OrderLedger(RUN, reports=(told,)), 31)
    assert verdicts() == {"ok"}


# --- before the request leaves -------------------------------------------------------------------


def test_every_order_is_synced_in_the_journal_before_its_request_leaves():
    made = world(*[100.0] * 400)
    made.arm()
    seen = []

    def looks(request, role, at):
        del at
        id = getattr(request, "client_id", None) or getattr(request, "list_id", None)
        if role is not None and id and type(request).__name__ in ("NewOrder", "NewList"):
            after = made.disk.copy()
            after.power_loss()
            seen.append((role, id.encode() in after.files()[made.home.orders(KEY)]))

    made.wire._draw = looks
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert made.live(minute(90), [flatten])
    assert [role for role, _ in seen] == ["entry", "protection", "exit"]
    assert all(there for _, there in seen)


def test_a_paper_run_has_no_journal_of_orders(tmp_path):
    made = world(*[100.0] * 400)
    made.wanted, made.broker = made.wanted, None
    assert made.live(minute(90))
    assert not [path for path in made.disk.files() if "orders" in path.parts]


def test_an_entry_that_cannot_be_written_down_is_not_sent_and_an_exit_is():
    made = world(*[100.0] * 400)
    made.arm()
    process = made.process()
    storage = record_of(process.runs[0]).storage

    def full(*_):
        raise OSError(28, "No space left on device")

    storage.order_journal.note = full
    assert process.live(minute(80))
    assert entries(made) == []
    assert kinds(made)[-1][:2] == ("rejected", "not_sent")

    made = opened()
    process = made.process()
    record_of(process.runs[0]).storage.order_journal.note = full
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert process.live(minute(90), [flatten])
    assert made.coins < D("0.001")


def test_a_journal_that_is_deleted_while_its_run_lives_is_written_anew_and_told():
    made = world(*[100.0] * 400)
    made.arm()
    path, there = made.home.orders(KEY), []
    deletes = Action(minute(85), lambda process: made.disk.remove(path))
    looks = Action(minute(95.5), lambda process: there.append(made.disk.exists(path)))
    assert made.live(minute(100), [deletes, looks])
    assert there == [True]  # nothing had changed but that all was looked at
    ((name, found),) = OrderJournal(made.disk, path).read().items()
    ledger = made.checkpoint(made.wanted[0]).ledger
    assert (name, [each.id for each in found.left]) == (ledger.run, [o.id for o in ledger.orders])
    told = [each.note for each in made.events(made.wanted[0]) if each.kind == "error"]
    assert len(told) == 1
    assert f"{path} was gone" in told[0]
    with pytest.raises(StateCorrupt, match=r"says that protection order 746e62\w+ was sent at"):
        OrderJournal(made.disk, path).refuse_to_forget(document(made))


# --- a document that is gone, or older -----------------------------------------------------------


def test_an_older_generation_without_the_entry_is_completed_and_the_position_protected():
    made = died_at_its_entry()
    lose_the_document(made)
    assert made.live(minute(85))
    assert len(entries(made)) == 1
    assert len(made.venue.live_orders(SYMBOL)) == 2
    ledger = made.checkpoint(made.wanted[0]).ledger
    assert ledger.stops == ledger.unexplained == ()
    assert kinds(made)[-1][:2] == ("opened", None)


def test_guard_completes_it_too():
    made = died_at_its_entry()
    lose_the_document(made)
    (row,) = guard(made)
    assert row.safe, row
    assert len(made.venue.live_orders(SYMBOL)) == 2
    assert len(entries(made)) == 1


def test_without_its_journal_it_is_found_disarms_and_is_not_entered_twice():
    made = died_at_its_entry()
    lose_the_document(made)
    made.disk.remove(made.home.orders(KEY))
    assert made.live(minute(85))
    assert len(entries(made)) == 1
    assert "unknown signal" in made.checkpoint(made.wanted[0]).ledger.stops[0]


def of_before_the_signal():
    """A world with a position, and a document that was restored from before it."""
    made = world(*[100.0] * 400)
    made.arm()
    assert made.live(minute(70))
    old = content(made, document(made))
    assert made.live(minute(80))
    made.disk.plant(document(made), old)
    made.disk.remove(bak_of(document(made)))
    return made


def test_a_document_from_before_the_signal_sells_it_and_asks():
    made = of_before_the_signal()
    assert made.coins > 1
    assert made.live(minute(85))
    assert made.coins < D("0.001")
    assert made.venue.live_orders(SYMBOL) == ()
    (words,) = made.checkpoint(made.wanted[0]).ledger.unexplained
    assert words.startswith("the document is older than its orders: ")


def test_guard_sells_what_a_document_from_before_the_signal_does_not_know():
    made = of_before_the_signal()
    assert made.coins > 1
    (row,) = guard(made)
    assert "the document is older than its orders: " in row.words
    assert made.coins < D("0.001")
    assert made.venue.live_orders(SYMBOL) == ()


def test_a_document_from_before_the_signal_has_not_sold():
    made = of_before_the_signal()
    assert [held.key for held in runs_with_orders(made.disk, made.home)] == [KEY]
    assert not has_sold(made.disk, made.home, KEY)
    made.disk.remove(made.home.orders(KEY))
    assert list(runs_with_orders(made.disk, made.home)) == []
    assert has_sold(made.disk, made.home, KEY)


def test_a_journal_that_cannot_be_read_leaves_no_run_flat():
    made = of_before_the_signal()
    made.disk.plant(made.home.orders(KEY), b'{"run": "a run", "order": {"id": 5}}\n')
    assert [held.key for held in runs_with_orders(made.disk, made.home)] == [KEY]
    assert not has_sold(made.disk, made.home, KEY)
    (row,) = guard(made)
    assert not row.safe
    assert "none of its own" in row.words


def test_reconcile_holds_the_exchange_against_what_the_journal_knows_too():
    made = of_before_the_signal()
    looking = compared(made.disk, made.home, made.clock, KEY, broker_of=lambda *_: made.broker)
    found = made.clock.run(looking)
    assert "the document is older than its orders: " in found.open[0]


@pytest.mark.no_cover
@pytest.mark.parametrize("taken_at", [70, 80], ids=["before its signal", "while it is open"])
def test_an_older_document_sells_nothing_of_the_owner_when_its_position_is_gone(taken_at):
    made = world(*[100.0] * 400)
    made.arm()
    assert made.live(minute(taken_at))
    old = content(made, document(made))
    assert made.live(minute(80.5))
    cancel_protection(made)
    held = made.venue.total("BTC")
    made.venue.trade_by_hand(SYMBOL, "SELL", D("6.99"), at=made.clock.true_now())
    assert held - made.venue.total("BTC") == D("6.99")
    assert made.live(minute(100))
    assert kinds(made)[-1][:2] == ("closed", "closed_outside")
    made.venue.trade_by_hand(SYMBOL, "BUY", D(7), at=made.clock.true_now())
    owned = made.venue.total("BTC")
    made.disk.plant(document(made), old)
    made.disk.plant(bak_of(document(made)), old)
    assert made.live(minute(120))
    assert made.venue.total("BTC") == owned
    assert made.venue.live_orders(SYMBOL) == ()
    ledger = made.checkpoint(made.wanted[0]).ledger
    older = "the document is older than its orders: orders-once-BTCUSDT-1704071700000 came back"
    assert ledger.unexplained == ((older,) if taken_at == 70 else ())


def test_a_lost_document_with_an_order_that_was_sent_fails_closed_and_is_told():
    made = died_at_its_entry()
    for path in (document(made), bak_of(document(made))):
        made.disk.remove(path)
    with pytest.raises(StateCorrupt, match=r"says that entry order 746e62\w+ was sent at"):
        made.process()
    (finding,) = [
        each for each in check_home(made.disk, made.home) if each.path == made.home.orders(KEY)
    ]
    assert finding.verdict == "damaged"
    assert "kill --by-tag" in finding.words
    assert len(entries(made)) == 1
    made.disk.remove(made.home.orders(KEY))
    assert made.live(minute(95))


def test_what_is_over_can_be_lost_and_begun_anew():
    made = opened()
    flatten = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert made.live(minute(90), [flatten])
    for path in (document(made), bak_of(document(made))):
        made.disk.remove(path)
    assert made.live(minute(92))
    assert [each.verdict for each in check_home(made.disk, made.home)
            if each.path == made.home.orders(KEY)] == ["ok"]  # fmt: skip


def test_orders_that_a_ledger_has_forgotten_are_not_taken_in_again(journal):
    old = order(state="done", ending="filled", filled=D(2), sent_at=1_000, signal_id="s0")
    journal.note(OrderLedger("x BTCUSDT dip 0", (old,)), 7)
    kept = order("746e621" + "1" * 25, state="done", ending="expired", sent_at=9_000)
    ledger = OrderLedger("x BTCUSDT dip 0", past=(kept,))
    body = {
        "account": "x", "symbol": "BTCUSDT", "strategy": "dip", "start": 0,
        "state": {"ids": []}, "ledger": ledger_to_record(ledger),
    }  # fmt: skip
    assert journal.recovered(body) == body
    body["ledger"] = None
    assert len(journal.recovered(body)["ledger"]["orders"]) == 1


def test_what_is_over_and_forgotten_stays_forgotten_whatever_the_past_begins_with(journal):
    gone = order(state="done", ending="filled", filled=D(2), sent_at=5_000, signal_id="s0")
    exited = ExecutionReport(1, 6_500, "exited", "s0", D(2), D(100))
    journal.note(OrderLedger("x BTCUSDT dip 0", (gone,), reports=(exited,)), 7)
    back = order("746e621" + "1" * 25, state="done", ending="filled", sent_at=1_000)
    ledger = OrderLedger("x BTCUSDT dip 0", past=(back,), reports_made=1)
    body = {
        "account": "x", "symbol": "BTCUSDT", "strategy": "dip", "start": 0,
        "state": {"ids": []}, "ledger": ledger_to_record(ledger),
    }  # fmt: skip
    assert journal.recovered(body) == body
    body["ledger"] = ledger_to_record(ledger._replace(reports_made=0))
    assert len(journal.recovered(body)["ledger"]["orders"]) == 1


def test_a_run_that_is_retired_takes_its_journal_along():
    made = opened()
    stop = Action(minute(85), lambda process: process.run(SYMBOL, "orders-once").stop())
    flatten = Action(minute(86), lambda process: process.run(SYMBOL, "orders-once").flatten())
    assert made.live(minute(90), [stop, flatten])
    there = retire(made.disk, made.home, KEY, now=5)
    assert made.disk.exists(there / "orders" / "orders-once" / "BTCUSDT.jsonl")
