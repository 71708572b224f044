"""Real orders on a disk that takes nothing, and the kill switch at every operation on the disk."""

from __future__ import annotations

import errno
import os

import pytest

from tests.brokers.reconciliation_case import ALL, ENTRY, HELD, Case, D, Row
from tests.sources import minute
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action

ALL_KILLS = os.environ.get("ORDER_KILLS") == "all"
NOTHING = Row("nothing", lambda _: None, lambda _: None)
DISKS = pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])


def case() -> Case:
    made = Case(NOTHING, ALL[1])
    made.world.arm()
    made.process = made.world.process()
    return made


@DISKS
@pytest.mark.parametrize("since", [ENTRY - 1, ENTRY], ids=["before the close", "after the close"])
def test_no_entry_is_sent_that_cannot_be_written(error, since):
    made = case()
    late = 1_000 if since == ENTRY else 0
    fail = Action(minute(since) + late, lambda _: made.world.disk.fail(0, error, forever=True))
    assert made.process.live(minute(80), [fail])
    assert made.sent("entry") == []
    made.world.disk.heal()
    assert made.world.live(minute(85))
    assert made.sent("entry") == []


@DISKS
def test_protection_and_exit_go_on_and_the_next_start_finds_them(error):
    made = case()
    disk = made.world.disk
    covered = []

    def fail(process):
        disk.fail(0, error, forever=True)
        made.world.feed.advance(made.now)
        made.cancel_by_hand()

    def kill(process):
        covered.append(made.covered)
        disk.plant(made.world.home.kill, b"flatten")

    def die(process):
        covered.append(made.covered)
        process.kill()

    actions = [Action(minute(HELD), fail), Action(minute(79), kill), Action(minute(81), die)]
    assert not made.process.live(minute(82), actions)
    assert covered == [D("4.9950"), 0]
    assert made.world.coins < D("0.0001")
    assert [order.ending for order in made.orders("protection")] == [None]  # on disk: as it was

    disk.heal()
    assert made.world.live(minute(90))
    assert made.told[-1] == ("closed", "flattened")
    assert [order.ending for order in made.orders("protection")] == ["cancelled", "cancelled"]
    assert [order.ending for order in made.orders("exit")] == ["filled"]
    assert made.ledger.stops == ()
    (trade,) = made.state.trades
    assert trade.pnl == pytest.approx(float(made.venue.total("USDT") - 10_000))


def kill_at(made: Case, operation: int) -> None:
    """Put the kill switch on disk just before an operation, counted from the start."""
    disk = made.world.disk
    step = disk._step

    def counted(*args, **more):
        if len(disk.operations) == operation:
            disk.plant(made.world.home.kill, b"halt")
        return step(*args, **more)

    disk._step = counted


def operations_of_an_entry() -> range:
    """Disk operations from the close of the entry's candle until its request."""
    made, marks = case(), []

    def mark(*_):
        marks.append(len(made.world.disk.operations))

    made.wire._draw = lambda request, role, at: mark() if role == "entry" else None
    assert made.process.live(minute(ENTRY + 1), [Action(minute(ENTRY) - 1, mark)])
    return range(marks[0], marks[1])


@pytest.mark.no_cover
def test_no_entry_leaves_after_the_kill_switch_is_on_disk_at_any_operation():
    operations = operations_of_an_entry()
    assert len(operations) > 50
    last = operations[-60:]  # the gate, the intent, the request
    for operation in (*operations[:-60:8], *last[:: 1 if ALL_KILLS else 2], last[-1]):
        made = case()
        kill_at(made, operation)
        assert made.process.live(minute(ENTRY + 1))
        assert made.world.disk.exists(made.world.home.kill)
        assert made.sent("entry") == [], f"{operation} of {operations}"


@pytest.mark.parametrize("left", [None, b"", b"half of it"], ids=["deleted", "emptied", "damaged"])
def test_a_document_that_somebody_spoils_is_written_again_and_the_log_says_so(left, caplog):
    made = case()
    disk, key = made.world.disk, Key(made.world.wanted[0][1].name, made.world.wanted[0][0])
    document = made.world.home.document(key)

    def spoil(process):
        made.world.feed.advance(made.now)
        made.cancel_by_hand()  # so that the next commit is one of its orders
        disk.unlink(document)
        if left is not None:
            disk.plant(document, left)

    assert made.process.live(minute(HELD) + 50_000, [Action(minute(HELD) + 20_000, spoil)])
    assert made.covered == D("4.9950")
    assert caplog.text.count("was missing or damaged; it was written again from memory") == 1
    assert made.world.live(minute(85))
    assert made.covered == D("4.9950")
