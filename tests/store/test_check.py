"""One line for every file of a home, and nothing touched."""

from __future__ import annotations

import errno

from tests.store.life import Life, Memory
from tests.store.samples import BAK, DOCUMENT, HOME, KEY, T0, body, row
from tradenb.store.codec import dump, framed
from tradenb.store.control import send
from tradenb.store.document.commit import encode
from tradenb.store.document.migrations import VERSION
from tradenb.store.home_check import GOOD, check_home
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Key
from tradenb.testing.world.fake_disk import FakeDisk


def home_of_two_ticks() -> FakeDisk:
    disk = FakeDisk()
    life = Life(disk, Memory())
    life.tick()
    life.tick()
    life.lock.release()
    return disk


def verdicts(disk: FakeDisk) -> dict[str, tuple[str, str]]:
    before = disk.files()
    found = check_home(disk, HOME)
    assert disk.files() == before
    assert [item.path for item in found] == sorted({item.path for item in found})
    return {str(item.path.relative_to(HOME.data)): (item.verdict, item.words) for item in found}


def test_an_empty_home_has_nothing_to_say():
    assert check_home(FakeDisk(), HOME) == []


def test_all_is_well():
    disk = home_of_two_ticks()
    found = verdicts(disk)
    assert {name: verdict for name, (verdict, _) in found.items()} == dict.fromkeys(found, "ok")
    assert set(found) == {str(path.relative_to(HOME.data)) for path in disk.files()}
    assert found["state/dip/BTCUSDT.json"][1] == "generation 2 of BTCUSDT:dip"
    assert found["state/dip/BTCUSDT.json.bak"][1] == "generation 1 of BTCUSDT:dip"
    assert found["journal/dip/BTCUSDT.jsonl"][1] == "up to event 2"
    assert "last locked by process" in found["state/dip/BTCUSDT.json.lock"][1]


def test_what_a_run_went_through_is_known():
    disk = home_of_two_ticks()
    Recording(disk, HOME.recording(KEY)).append([[T0, 1.0, 1.0, 1.0, 1.0, 0.0]], sync=True)
    verdict, words = verdicts(disk)["lived/dip/BTCUSDT.jsonl"]
    assert verdict in GOOD
    assert words.endswith("bytes recorded for tn.parity")


def test_what_is_wrong_with_a_run_now_is_known():
    disk = home_of_two_ticks()
    disk.plant(HOME.error(KEY), b"{}")
    verdict, _ = verdicts(disk)["error/dip/BTCUSDT.json"]
    assert verdict in GOOD


def test_everything_that_can_be_wrong_is_said():
    disk = home_of_two_ticks()
    disk.plant(DOCUMENT.with_name("ETHUSDT.json"), b"damaged")
    disk.plant(DOCUMENT.with_name("XRPETH.json"), disk.files()[DOCUMENT])
    disk.plant(DOCUMENT.with_name("ADAUSDT.json"), framed(VERSION + 1, 1, b"{}"))
    disk.plant(BAK, encode(1, body(1)))
    disk.plant(DOCUMENT.with_name("BTCUSDT.json.corrupt-3-7"), b"damaged")
    disk.plant(DOCUMENT.with_name("BTCUSDT.json.replaced-3-7"), encode(3, body(3)))
    disk.plant(DOCUMENT.with_name("BTCUSDT.json.7-1.tmp"), b"half")
    disk.plant(DOCUMENT.with_name("notes.txt"), b"")
    journal = HOME.journal(KEY)
    disk.plant(journal, dump(row(1)) + b"\n" + b"torn")
    disk.plant(journal.with_name("ETHUSDT.jsonl"), b"damaged\n")
    disk.plant(journal.with_name("notes"), b"")
    disk.plant(journal.with_name("BTCUSDT.jsonl.torn-3-7"), b"torn")
    disk.plant(HOME.view("signal", KEY), b"{}")
    disk.remove(HOME.view("partial", KEY))
    disk.plant(HOME.kill, b"flatten")
    disk.plant(HOME.data / "thumbs.db", b"")
    send(disk, HOME, KEY, "stop", wall=T0)
    disk.plant(HOME.control(KEY) / "x.json.refused-1", b"")
    disk.plant(HOME.view("signal", Key("dip", "OLD")).with_name(".OLD.json.tmp"), b"")
    found = verdicts(disk)
    said = {name: verdict for name, (verdict, _) in found.items()}
    assert {name: verdict for name, verdict in said.items() if verdict != "ok"} == {
        "control/dip/BTCUSDT/x.json.refused-1": "kept",
        "journal/dip/BTCUSDT.jsonl": "damaged",
        "journal/dip/BTCUSDT.jsonl.torn-3-7": "kept",
        "journal/dip/ETHUSDT.jsonl": "damaged",
        "journal/dip/notes": "unknown",
        "partial/dip/BTCUSDT.json": "stale",
        "signal/dip/.OLD.json.tmp": "leftover",
        "signal/dip/BTCUSDT.json": "stale",
        "state/dip/ADAUSDT.json": "newer",
        "state/dip/BTCUSDT.json.7-1.tmp": "leftover",
        "state/dip/BTCUSDT.json.corrupt-3-7": "kept",
        "state/dip/BTCUSDT.json.replaced-3-7": "kept",
        "state/dip/ETHUSDT.json": "damaged",
        "state/dip/XRPETH.json": "damaged",
        "state/dip/notes.txt": "unknown",
        "thumbs.db": "unknown",
    }
    assert "not a document of a run" in found["state/dip/ETHUSDT.json"][1]
    assert "state of BTCUSDT:dip" in found["state/dip/XRPETH.json"][1]
    assert "update tradenb" in found["state/dip/ADAUSDT.json"][1]
    assert "up to event 1, then 4 bytes" in found["journal/dip/BTCUSDT.jsonl"][1]
    assert found["KILL"][1] == "the kill switch is on: flatten"
    assert set(said.values()) - GOOD == {"damaged", "newer", "stale", "unknown"}


def test_what_cannot_be_read_is_said_and_the_rest_is_read():
    class Failing(FakeDisk):
        def read(self, path, *, limit, start=0):
            if path == DOCUMENT:
                raise OSError(errno.EACCES, "Permission denied")
            return super().read(path, limit=limit, start=start)

        def names(self, folder):
            if folder == HOME.journal(KEY).parent:
                raise OSError(errno.EACCES, "Permission denied")
            return super().names(folder)

    disk = Failing()
    for path, data in home_of_two_ticks().files().items():
        disk.plant(path, data)
    found = verdicts(disk)
    assert found["state/dip/BTCUSDT.json"][0] == "unreadable"
    assert "Permission denied" in found["state/dip/BTCUSDT.json"][1]
    assert found["state/dip/BTCUSDT.json.bak"][0] == "ok"
    assert found["journal/dip"][0] == "unreadable"


def test_the_list_has_an_end(monkeypatch):
    monkeypatch.setattr("tradenb.store.home_check._MOST", 3)
    assert len(check_home(home_of_two_ticks(), HOME)) == 3
