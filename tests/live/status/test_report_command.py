"""`tradenb report`: what ran under a home, from its files, as a person reads it."""

from __future__ import annotations

import json

import pytest

import tradenb as tn
from tests.live.processes import rehearsed
from tradenb.cli import main
from tradenb.core.trades import trades_of
from tradenb.engine.serialise import event_to_row, row_to_event
from tradenb.store.paths import Key, find_home


def ran(home):
    """Live through some hours; return the backtest over the same."""
    what = rehearsed(200)
    run = tn.live.rehearse(**what, home=home)
    assert run.wait(240)
    run.raise_if_failed()
    del what["speed"]
    return tn.backtest.run(what.pop("symbol"), **what, progress=False)


def test_the_reports_tell_what_the_backtest_tells(tmp_path, capsys):
    result = ran(tmp_path)
    folder = tmp_path / "out"
    place = str(tmp_path / "rehearsal")
    assert main(["report", "--home", place, "-o", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in said["written"]] == ["BTCUSDT:busy"]
    text = (folder / "BTCUSDT-busy.md").read_text()
    page = (folder / "BTCUSDT-busy.html").read_text()
    assert f"| closed signals | {len(result.trade_list)} |" in text
    assert "busy on BTCUSDT" in page
    assert ", rehearsal</title>" in page
    assert "<p>Rehearsal · " in page
    assert f"{result.figures['win_rate']:.1f}" in page


@pytest.mark.no_cover
def test_a_rehearsal_is_pointed_at_where_the_home_has_no_live_run(tmp_path, capsys):
    run = tn.live.rehearse(**rehearsed(200), home=tmp_path)
    assert run.wait(240)
    words = f"rehearsals are under --home {tmp_path / 'rehearsal'}"
    assert main(["report", "--home", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert words in capsys.readouterr().out
    assert main(["retire", "BTCUSDT:busy", "--home", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.no_cover
def test_a_page_makes_the_folder_that_it_goes_to(tmp_path):
    result = ran(tmp_path)
    run = tn.live.attach(tmp_path, ended=True)[0]
    for told in (result, run):
        page = told.report(tmp_path / type(told).__name__ / "deep" / "page.html")
        assert page.read_text().startswith("<!doctype html>")


def test_trades_are_those_of_the_events(tmp_path):
    what = rehearsed(450)
    del what["speed"]
    result = tn.backtest.run(what.pop("symbol"), **what, progress=False)
    events = [row_to_event(event_to_row(event)) for event in result.event_list]
    assert trades_of(events) == result.trade_list
    assert len(result.trade_list) > 10


def test_nothing_to_report_and_what_cannot_be_read(tmp_path, capsys):
    given = ["--home", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main(["report", *given]) == 1
    assert "no runs to report under" in capsys.readouterr().out
    document = find_home(tmp_path).document(Key("dip", "BTCUSDT"))
    document.parent.mkdir(parents=True)
    document.write_text("no state")
    assert main(["report", *given]) == 1
    assert "BTCUSDT:dip: " in capsys.readouterr().out
    assert document.read_text() == "no state"
