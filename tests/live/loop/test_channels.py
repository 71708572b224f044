"""What a live run tells on each channel, and the four files that say what it holds."""

from __future__ import annotations

import json

import pytest

import tradenb as tn
from tests.sources import exchange, flat, minute

RULES = tn.Rules(schedule_await_minutes=3)
MINUTES = 40


@pytest.fixture
def mixed():
    """Raises, opens, waits in vain and waits for what comes, one after another."""

    @tn.risk("alone")
    def alone(book, candidate):
        return "taken" if book.open_count else None

    @tn.strategy("mixed", every="5m", risk=[alone])
    def mixed(ctx):
        turn = ctx.now // 300_000 % 4
        if turn == 0:
            raise ValueError("not now")
        entry = {1: None, 2: 90.0, 3: 99.0}[turn]
        return tn.long(entry=entry, take_profit=103.0, stop_loss=85.0, minutes=2)

    return mixed


@pytest.fixture
def source():
    """Flat, with a dip to 98.5 in each minute 17 of twenty."""
    rows = flat(MINUTES)
    for dip in (16, 36):
        rows[dip] = (100.0, 100.0, 98.5, 100.0, 1.0)
    return exchange(rows)


def rehearsed(spec, source, home, until=MINUTES):
    run = tn.live.rehearse("BTCUSDT", strategy=spec, exchange=source, rules=RULES, speed=None,
                           home=home, end=minute(until))  # fmt: skip
    assert run.wait(240)
    assert run.error is None
    return run


def test_each_channel_tells_its_own(mixed, source, tmp_path):
    told = {channel: [] for channel in ("events", "ticks", "errors", "performance")}
    handles = [tn.subscribe(told[channel].append, channel=channel) for channel in told]
    run = rehearsed(mixed, source, tmp_path)
    for handle in handles:
        handle.close()

    fed = [tick for tick in told["ticks"] if tick.candles]
    assert [tick.at for tick in fed] == [minute(count) for count in range(1, MINUTES + 1)]
    actions = {tick.action for tick in fed}
    assert actions == {"idle", "scheduled", "active", "opened", "closed", "cancelled"}
    assert {tick.price for tick in fed} == {100.0}

    journal = run.events()
    assert [event.seq for event in told["events"] if event.kind != "error"] == journal.seq[
        journal.kind != "error"
    ].tolist()
    assert len(told["errors"]) == (journal.kind == "error").sum() > 0
    assert all("not now" in event.note for event in told["errors"])

    measured = told["performance"]
    assert {each.metric_type for each in measured} == {"live_tick"}
    assert all(each.duration_ms > 0 and not each.backtest for each in measured)
    named = {(each.strategy, each.symbol, each.exchange) for each in measured}
    assert named == {("mixed", "BTCUSDT", source.name)}
    assert measured[0].previous_timestamp is None
    before = [each.timestamp for each in measured[:-1]]
    assert [each.previous_timestamp for each in measured[1:]] == before


def read(home, kind, name="mixed/BTCUSDT"):
    return json.loads((home / "rehearsal" / "data" / kind / f"{name}.json").read_text())


@pytest.mark.parametrize(("until", "held"), [(6, "signal"), (11, "schedule")])
def test_the_four_files_say_what_is_held(mixed, source, tmp_path, until, held):
    run = rehearsed(mixed, source, tmp_path, until)
    found = run.position if held == "signal" else run.scheduled
    assert found is not None
    assert found.signal.id in json.dumps(read(tmp_path, held))
    other = "schedule" if held == "signal" else "signal"
    assert found.signal.id not in json.dumps(read(tmp_path, other))
    assert found.signal.id in json.dumps(read(tmp_path, "risk", "alone")["signals"])
    assert read(tmp_path, "partial")["seq"] == read(tmp_path, held)["seq"]
