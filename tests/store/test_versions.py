"""Fault 19: documents of older and newer versions."""

from __future__ import annotations

import pytest

from tests.store.samples import (
    BAK,
    DOCUMENT,
    body,
)
from tests.store.stores import begun, two_generations
from tradenb.core.rules import Rules
from tradenb.errors import StateVersionError
from tradenb.store.codec import Damaged, Generation, dump, framed
from tradenb.store.document.commit import encode
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.ledger_record import ledger_from_record, ledger_to_record
from tradenb.store.document.migrations import MIGRATIONS, VERSION
from tradenb.store.document.read import decode, read_document
from tradenb.testing.world.fake_disk import Crash, FakeDisk

LEDGER = {
    "run": "sandbox:loopback:1a2b3c4d BTCUSDT dip 1700000040000",
    "orders": [
        {
            "id": "746e6217abcde8ab9cdef0123456789a", "signal_id": "dip-1", "role": "entry",
            "attempt": 1, "side": "buy", "type": "ioc", "quantity": "0.5", "price": "100.2",
            "state": "done", "ending": "filled", "sent_at": 1700000042000, "dies_at": 1700000045000,
            "exchange_id": "17", "filled": "0.5", "value": "50.05",
            "fills": [
                {
                    "id": "3", "exchange_id": "17", "at": 1700000042100, "side": "buy",
                    "quantity": "0.5", "price": "100.1", "fee": "0.0005", "fee_in": "base",
                }
            ],
        }
    ],
    "reports": [
        {
            "seq": 1, "at": 1700000042200, "kind": "entered", "signal_id": "dip-1",
            "quantity": "0.4995", "average": "100.1", "value": "50.05",
        }
    ],
    "reports_made": 1, "dust": "0.00001", "checked_at": 1700000041000,
}  # fmt: skip


def released(body_: dict) -> dict:
    """How version 0 would have written it."""
    old = {**body_, "exchange_name": body_["exchange"]}
    del old["exchange"]
    return old


def to_1(old: dict) -> dict:
    new = {**old, "exchange": old["exchange_name"]}
    del new["exchange_name"]
    return new


FROM_0 = {**MIGRATIONS, 0: to_1}


def since_2(body_: dict) -> dict:
    """What version 2 makes of a body of version 1."""
    return {**body_, "ledger": None}


def test_fault_19_an_older_version_is_migrated_and_written_anew_by_the_next_commit():
    disk = FakeDisk()
    disk.plant(DOCUMENT, framed(0, 41, dump(released(body(4)))))
    store = DocumentStore(disk, DOCUMENT, migrations=FROM_0)
    found = store.load()
    assert found.generation == Generation(41, since_2(body(4)), 0)
    assert decode(disk.files()[DOCUMENT], migrations=FROM_0).version == 0
    store.commit(body(5))
    assert decode(disk.files()[DOCUMENT]) == Generation(42, body(5), 2)
    assert decode(disk.files()[BAK], migrations=FROM_0).version == 0


def test_fault_19_killed_while_an_old_state_is_taken_over():
    for at in range(40):
        disk = FakeDisk()
        disk.plant(DOCUMENT, framed(0, 41, dump(released(body(4)))))
        disk.crash(at)
        try:
            store = DocumentStore(disk, DOCUMENT, migrations=FROM_0)
            store.load()
            store.commit(body(5))
        except Crash:
            disk.power_loss(at % 3 % (len(disk.pending) + 1), "kept" if at % 2 else "lost")
        disk.restart()
        found = DocumentStore(disk, DOCUMENT, migrations=FROM_0).load()
        assert not found.moved
        assert (found.seq, found.generation.body) in [
            (41, since_2(body(4))), (42, body(5)),
        ]  # fmt: skip


def test_fault_19_versions_that_never_were_are_damage():
    for version, data in [(0, dump(released(body(4)))), (1, dump(released(body(4))))]:
        with pytest.raises(Damaged):
            decode(framed(version, 1, data))
    with pytest.raises(Damaged, match="not a body of version 0"):
        decode(framed(0, 1, b"{}"), migrations=FROM_0)


@pytest.mark.parametrize("which", [DOCUMENT, BAK])
def test_fault_19_a_newer_version_is_refused_and_nothing_touched(which):
    disk = two_generations()
    disk.plant(which, framed(VERSION + 1, 9, b'{"what":"ever"}'))
    other = BAK if which == DOCUMENT else DOCUMENT
    disk.plant(other, b"damaged")
    before = disk.files()
    with pytest.raises(StateVersionError, match=f"{which}.*newer tradenb.*update"):
        begun(disk)
    with pytest.raises(StateVersionError):
        read_document(disk, DOCUMENT)
    assert disk.files() == before


def test_fault_19_the_released_versions_are_read(repository):
    folder = repository / "tests" / "store" / "golden"
    names = ["v1.json", "v1_rules.json", "v2_orders.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    ruled = {**body(6), "rules": Rules().model_dump(mode="json")}
    for name, seq, expected in zip(names, (5, 6), (body(5), ruled), strict=False):
        found = decode((folder / name).read_bytes())
        assert found == Generation(seq, since_2(expected), 1)
    assert VERSION == 2
    ordered = {**ruled, "account": "sandbox:loopback:1a2b3c4d", "ledger": LEDGER}
    data = (folder / "v2_orders.json").read_bytes()
    assert decode(data) == Generation(7, ordered, 2)
    assert encode(7, ordered) == data
    assert ledger_to_record(ledger_from_record(LEDGER)) == LEDGER


def test_rules_that_cannot_be_are_damage_and_are_named():
    for rules, words in [
        ({"fee_percent": -1.0}, "fee_percent: .* greater than or equal to 0"),
        ({"fees": 1.0}, "unknown rule 'fees'"),
        ([], "rules"),
    ]:
        with pytest.raises(Damaged, match=words):
            decode(framed(1, 5, dump({**body(5), "rules": rules})))
