"""The four files that people look at: made of documents, each with its document's number."""

from __future__ import annotations

import errno
import json

import pytest

from tests.store.samples import HOME, KEY, body, changed, signal, trade
from tradenb.errors import StateWriteError
from tradenb.store.codec import Generation
from tradenb.store.paths import Key
from tradenb.store.view_files import behind, risk_view, run_views, write_views
from tradenb.testing.world.fake_disk import FakeDisk

SIGNAL, SCHEDULE, PARTIAL = (HOME.view(kind, KEY) for kind in ("signal", "schedule", "partial"))


def shown(body_: dict, seq: int = 9) -> dict:
    views = run_views(HOME.views(KEY), Generation(seq, body_, 1))
    assert list(views) == [SIGNAL, SCHEDULE, PARTIAL]
    return {path.parent.parent.name: json.loads(data) for path, data in views.items()}


def test_an_open_signal_and_its_milestones():
    found = shown(body(3))
    assert found["signal"] == {"seq": 9, **signal(3), "opened_at": signal(3)["at"]}
    assert found["schedule"] == {"seq": 9}
    assert found["partial"] == {
        "seq": 9,
        "signal_id": signal(3)["id"],
        "gained": 20,
        "lost": 10,
        "levels": [10, 20, -10],
    }


def test_a_scheduled_signal():
    found = shown(body(4))
    assert found["schedule"] == {"seq": 9, **signal(4)}
    assert found["signal"] == found["partial"] == {"seq": 9}


def test_nothing_held():
    assert shown(body(5)) == {name: {"seq": 9} for name in ("signal", "schedule", "partial")}


def test_they_are_written_for_people():
    text = run_views(HOME.views(KEY), Generation(1, body(3), 1))[SIGNAL].decode()
    assert text.startswith('{\n  "seq": 1,\n  "id": "dip-BTCUSDT-3",\n')
    assert "\u4e2d" in text
    odd = changed(3, "state", "signal", "note", to="\ud800")
    assert shown(odd)["signal"]["note"] == "\ud800"


def generation(n: int, symbol: str, *, order: int = 0, risk: tuple[str, ...] = ("portfolio",)):
    text = json.dumps(body(n)).replace("BTCUSDT", symbol)
    return Generation(n, {**json.loads(text), "order": order, "risk": list(risk)}, 1)


def test_a_risk_rule_shows_the_runs_that_name_it():
    runs = [
        generation(4, "ETHUSDT", order=1),
        generation(3, "BTCUSDT", order=0),
        generation(6, "ADAUSDT", risk=("other",)),
        generation(5, "XRPETH", order=2),
    ]
    ((path, data),) = risk_view(HOME, "portfolio", runs).items()
    found = json.loads(data)
    assert path == HOME.risk_view("portfolio")
    assert found["seq"] == {"BTCUSDT:dip": 3, "ETHUSDT:dip": 4, "XRPETH:dip": 5}
    assert [(held["symbol"], held["state"]) for held in found["signals"]] == [
        ("BTCUSDT", "open"),
        ("ETHUSDT", "scheduled"),
    ]
    closed = [item["closed_at"] for item in found["trades"]]
    assert closed == sorted(closed)
    assert len(closed) == 9


def test_a_risk_rule_shows_the_last_hundred_trades():
    many = body(300)
    many["state"]["trades"] = [trade(n) for n in range(1, 301)]
    (data,) = risk_view(HOME, "portfolio", [Generation(1, many, 1)]).values()
    assert json.loads(data)["trades"] == [trade(n) for n in range(201, 301)]


def test_what_is_missing_stale_or_damaged_is_behind():
    disk = FakeDisk()
    views = run_views(HOME.views(KEY), Generation(2, body(3), 1))
    assert behind(disk, views) == views
    write_views(disk, views)
    assert behind(disk, views) == {}
    disk.plant(SIGNAL, b"{")
    disk.remove(PARTIAL)
    assert set(behind(disk, views)) == {SIGNAL, PARTIAL}
    write_views(disk, views)
    later = run_views(HOME.views(KEY), Generation(3, body(3), 1))
    assert behind(disk, later) == {}  # it shows the same
    changed = run_views(HOME.views(KEY), Generation(3, body(4), 1))
    assert behind(disk, changed) == changed


def test_one_view_that_cannot_be_written_does_not_stop_the_others():
    for at in range(12):
        disk = FakeDisk()
        write_views(disk, run_views(HOME.views(KEY), Generation(2, body(3), 1)))
        views = run_views(HOME.views(KEY), Generation(3, body(4), 1))
        disk.fail(at, errno.ENOSPC)
        with pytest.raises(StateWriteError, match=r"No space left"):
            write_views(disk, views)
        assert len(behind(disk, views)) <= 1
        write_views(disk, views)
        assert behind(disk, views) == {}


def test_views_of_names_that_are_no_file_names():
    views = run_views(HOME.views(Key("dip", "BTCUSDT:USDT")), generation(3, "BTCUSDT:USDT"))
    assert [path.name for path in views] == ["BTCUSDT%3AUSDT.json"] * 3
    assert HOME.view("signal", Key("dip", "BTCUSDT:USDT")) in views
