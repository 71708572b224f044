"""What live runs and rehearsals are given is checked as a backtest checks it, before they start."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.sources import exchange, flat, minute
from tradenb.live.live_run import record_of


def strategy() -> object:
    return tn.strategy("dip", every="5m")(lambda ctx: None)


def clock() -> object:
    return tn.exchange("clock")(lambda symbol, since, limit: [])


@pytest.mark.parametrize("rules", [{}, {"fee_percent": 0.2}, 0, "reference"])
def test_rules_that_are_no_rules_start_nothing(rules, tmp_path):
    given = {"strategy": strategy(), "rules": rules, "home": tmp_path}
    with pytest.raises(tn.UsageError, match=r"rules must be tn\.Rules\(\.\.\.\), was"):
        tn.live.background("BTCUSDT", exchange=clock(), **given)
    with pytest.raises(tn.UsageError, match=r"rules must be tn\.Rules\(\.\.\.\), was"):
        tn.live.rehearse("BTCUSDT", exchange=exchange(flat(20)), **given)
    with pytest.raises(tn.UsageError, match=r"rules must be tn\.Rules\(\.\.\.\), was"):
        tn.export(tmp_path / "bot.py", given["strategy"], symbol="BTCUSDT", exchange=clock(),
                  rules=rules)  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_run_is_not_the_home_of_runs(tmp_path):
    for look in (tn.live.attach, tn.live.list):
        with pytest.raises(tn.UsageError, match="was 'BTCUSDT:dip'; without it all runs come"):
            look("BTCUSDT:dip")
    assert tn.live.attach(str(tmp_path / "not there yet")) == []
    (tmp_path / "odd:name").mkdir()
    assert tn.live.attach(str(tmp_path / "odd:name")) == []


@pytest.mark.parametrize("home", [5, ["dump"], b"dump"])
def test_a_home_that_is_no_path_is_said(home):
    with pytest.raises(tn.UsageError, match="home must be a folder such as"):
        tn.live.background("BTCUSDT", strategy=strategy(), exchange=clock(), home=home)
    with pytest.raises(tn.UsageError, match="home must be a folder such as"):
        tn.live.list(home)


def test_a_rehearsal_from_a_later_start_to_an_earlier_end_is_a_mistake_of_the_call(tmp_path):
    source = exchange(flat(20))
    with pytest.raises(tn.UsageError, match="start must be before end"):
        tn.live.rehearse("BTCUSDT", strategy=strategy(), exchange=source, home=tmp_path,
                         start=minute(10), end=minute(5))  # fmt: skip


@pytest.mark.parametrize("speed", [0, -1, math.nan, "fast", [600]])
def test_a_speed_that_is_none_is_said(speed, tmp_path):
    source = exchange(flat(20))
    with pytest.raises(tn.UsageError, match="speed must be a number above 0, or None"):
        tn.live.rehearse("BTCUSDT", strategy=strategy(), exchange=source, home=tmp_path,
                         speed=speed)  # fmt: skip


def test_a_rehearsal_takes_an_exchange_by_its_name(tmp_path: Path) -> None:
    @tn.exchange("recorded")
    def recorded(symbol, since, limit):
        rows = [[minute(count), 100.0, 100.0, 100.0, 100.0, 1.0] for count in range(20)]
        return [row for row in rows if row[0] >= (since or 0)][:limit]

    given = {"strategy": strategy(), "start": minute(0), "end": minute(20), "speed": None}
    run = tn.live.rehearse("BTCUSDT", exchange="recorded", home=tmp_path, **given)
    assert run.wait(240)
    run.raise_if_failed()
    assert "nothing to compare" in str(tn.parity(run, exchange="recorded"))
    with pytest.raises(tn.UnknownName, match="did you mean 'recorded'"):
        tn.live.rehearse("BTCUSDT", exchange="recordet", home=tmp_path, **given)


def test_a_done_run_that_is_stopped_again_stays_done(tmp_path: Path) -> None:
    def once(ctx):
        return None

    spec = tn.strategy("once", every="5m")(once)
    source = exchange(flat(2_000))
    run = tn.live.rehearse("BTCUSDT", strategy=spec, exchange=source, speed=60, home=tmp_path)
    run.stop()
    assert run.wait(240)
    assert run.status == "done"
    run.stop()
    assert run.status == "done"
    with pytest.raises(tn.StateError, match="only a running run takes flatten"):
        run.flatten()


@pytest.mark.realtime
def test_endless_ids_of_a_cancel_are_refused_where_they_are_given(tmp_path: Path) -> None:
    given = {"strategy": strategy(), "exchange": exchange(flat(2_000)), "home": tmp_path}
    run = tn.live.rehearse("BTCUSDT", speed=60, **given)
    until(lambda: record_of(run).committed, "a commit")
    (elsewhere,) = tn.live.attach(tmp_path)
    endless = "c" * 1_000_000
    for handle in (run, elsewhere):
        with pytest.raises(tn.UsageError, match="id must be at most 300 characters, was 1,0"):
            handle.cancel(endless)
        with pytest.raises(tn.UsageError, match="cancel_id must be at most 300 characters"):
            handle.cancel(cancel_id=endless)
    run.release()
    assert run.wait(240)
    with pytest.raises(tn.UsageError, match="cancel_id of a command must be at most 300"):
        tn.backtest.run(
            "BTCUSDT",
            strategy=given["strategy"],
            exchange=given["exchange"],
            commands=[{"at": minute(5), "kind": "cancel", "cancel_id": endless}],
        )


@pytest.mark.realtime
def test_a_rehearsal_with_endless_notes_and_ids_has_a_small_document_and_journal(tmp_path):
    def wordy(ctx):
        if ctx.now == minute(30):
            long = {"id": "i" * 300, "note": "n" * 2_000}
            return tn.long(take_profit=105, stop_loss=95, entry=101.0, minutes=60, **long)
        endless = {"id": "i" * 1_000_000} if ctx.now % 600_000 else {"note": "n" * 1_000_000}
        return tn.long(take_profit=105, stop_loss=95, minutes=60, **endless)

    spec = tn.strategy("wordy", every="5m")(wordy)
    given = {"strategy": spec, "exchange": exchange(flat(120)), "home": tmp_path}
    first = tn.live.rehearse("BTCUSDT", speed=600, **given)
    until(lambda: first.position, "a position")
    first.release()
    assert first.wait(240)
    run = tn.live.rehearse("BTCUSDT", speed=None, **given)
    assert run.wait(240)
    events = run.events()
    refused = events[events.kind == "rejected"]
    assert set(refused.note.str.split(" | ").str[0]) == {"id_length", "note_length"}
    (opened,) = events[events.kind == "opened"].note
    assert opened == f"{'n' * 2_000}; entry already reached"
    assert "closed" in set(events.kind)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.json*")) < 100_000
