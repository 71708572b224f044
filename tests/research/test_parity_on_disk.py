"""Parity over restarts and across processes: what a run saw is on disk."""

from __future__ import annotations

import platform
import signal

import numpy as np
import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.live.fast import until
from tests.live.processes import bot, child
from tests.research.planted import BUYS, Planted, frame_of
from tests.sources import candles, market, minute
from tradenb.errors import UsageError
from tradenb.live.live_run import record_of
from tradenb.research.parity.evidence import evidence_of
from tradenb.research.parity.seen_candles import views_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Key, find_home
from tradenb.testing.world.fake_exchange import FakeExchange
from tradenb.testing.world.simulated_world import Action, World

ROWS = market(8, 900)
LINES = """
import tradenb as tn
from tests.research.test_parity_on_disk import moving, exchange_of, ROWS

run = tn.live.rehearse("BTCUSDT", strategy=moving(), exchange=exchange_of(ROWS), speed=None)
run.wait()
run.raise_if_failed()
"""


def exchange_of(rows):
    return tn.frame_exchange(frame_of(rows))


def moving(never=False):
    @tn.strategy("moving", every="5m", history="2h")
    def moving(ctx):
        if never:
            return None
        if ctx.candles("5m", 12, allow_fewer=True).close.mean() < ctx.price:
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=30)
        return tn.short(take_profit=0.98 * ctx.price, stop_loss=1.02 * ctx.price, minutes=30)

    return moving


def indicated():
    @tn.strategy("indicated", every="5m", history="2h")
    def indicated(ctx):
        side = tn.long if ctx.indicators["mean"] < ctx.price else tn.short
        up = 1 if side is tn.long else -1
        sides = {
            "take_profit": ctx.price * (1 + 0.02 * up),
            "stop_loss": ctx.price * (1 - 0.02 * up),
        }
        return side(**sides, minutes=30)

    @indicated.indicators("5m")
    def means(df):
        return {"mean": df.close.ewm(span=40).mean()}

    return indicated


def columns():
    @tn.strategy("columns", every="5m", history="2h", vectorised=True)
    def columns(df):
        up = np.where(df.close.ewm(span=40).mean() < df.close, 1, -1)
        sides = {"take_profit": df.close * (1 + 0.02 * up), "stop_loss": df.close * (1 - 0.02 * up)}
        return {"position": up, "minutes": 30, **sides}

    return columns


def world_of(rows, make=moving):
    return World({"BTCUSDT": candles(rows)}, start=minute(200), runs=[("BTCUSDT", make())])


class Restarted:
    """A run whose process is killed in the middle, and whose exchange may change its mind."""

    def __init__(self, make=moving):
        self.world = world_of(ROWS, make)
        self.process = self.world.process()
        kill = Action(minute(500) + 30_000, lambda process: process.kill())
        assert not self.process.live(minute(900), [kill])

    def go_on(self, rows=ROWS):
        self.world.exchange = FakeExchange({"BTCUSDT": candles(rows)}, self.world.clock)
        process = self.world.process()
        assert process.live(minute(890) + 5_000)
        return process.runs[0]

    @property
    def path(self):
        return self.world.home.recording(Key("moving", "BTCUSDT"))


def other(rows, *places):
    """The same rows, but for some whose close an exchange has revised."""
    rows = list(rows)
    for place in places:
        opened, high, low, close, volume = rows[place]
        rows[place] = (opened, high + 4, low, close + 4, volume)
    return rows


@pytest.mark.no_cover
def test_a_run_that_was_killed_and_restarted_is_compared_as_a_whole():
    run = Restarted().go_on()
    found = tn.parity(run, exchange=exchange_of(ROWS))
    assert found.clean
    assert found.notes == []
    assert len(found.live) > 15
    assert found.live[0].opened_at < minute(300)
    assert found.live[-1].opened_at > minute(800)


@pytest.mark.no_cover
@pytest.mark.parametrize("others", [0, 1])
def test_a_run_on_a_shared_account_says_with_whom_it_shared_it(others):
    account = tn.Account(cash=1_000, percent=40)
    several = [("BTCUSDT", moving()), ("ETHUSDT", moving())][: 1 + others]
    world = World(
        {symbol: candles(ROWS) for symbol, _ in several},
        start=minute(200),
        runs=several,
        account=account,
    )
    process = world.process()
    assert process.live(minute(500) + 5_000)
    market = tn.frame_exchange({symbol: frame_of(ROWS) for symbol, _ in several})
    found = tn.parity(process.runs[0], exchange=market)
    words = "account 'paper' was shared with ETHUSDT:moving: this run is gone through alone"
    assert [note.partition(",")[0] for note in found.notes] == [words] * others


@pytest.mark.no_cover
@pytest.mark.parametrize("make", some_to_soak([columns, indicated, moving], keep=3))
def test_candles_that_changed_while_nobody_ran_are_taken_as_each_process_saw_them(make):
    restarted = Restarted(make)
    now = other(ROWS, *range(480, 496))
    run = restarted.go_on(now)
    evidence = evidence_of(run)
    views, _ = views_of(evidence, candles(now))
    assert [view.since for view in views] == [minute(200), minute(500)]
    place = views[0].candles.index(minute(490))
    assert views[1].candles.close[place] == views[0].candles.close[place] + 4
    found = tn.parity(run, exchange=exchange_of(now))
    assert set(found.causes) == {"candle revised"}
    assert found.notes == []


@pytest.mark.no_cover
def test_what_a_power_loss_took_is_said_and_taken_as_it_is_today():
    restarted = Restarted()
    whole = restarted.world.disk.files()[restarted.path]
    lines = whole.splitlines(keepends=True)
    restarted.world.disk.plant(restarted.path, b"".join(lines[:-25]) + lines[-25][:17])
    found = tn.parity(restarted.go_on(), exchange=exchange_of(ROWS))
    assert found.clean
    (note,) = found.notes
    saw = "25 of the minutes that the run saw are not on disk"
    assert note == f"{saw}; today's candles are used for them"
    assert "note: 25 of the minutes" in repr(found)


@pytest.mark.no_cover
def test_a_command_that_a_commit_has_survives_a_power_loss():
    @tn.strategy("held", every="1m", history="10m")
    def held(ctx):
        return tn.long(stop_loss=tn.percent(19)) if ctx.now < minute(215) else None

    world = World({"BTCUSDT": candles(ROWS)}, start=minute(200), runs=[("BTCUSDT", held)])
    process = world.process()
    given = Action(minute(220) + 20_000, lambda process: process.runs[0].flatten())
    dies = Action(minute(220) + 25_000, lambda process: process.kill())
    assert not process.live(minute(300), [given, dies])
    world.disk.power_loss()
    process = world.process()
    assert process.live(minute(300))
    run = process.runs[0]
    assert "flattened" in set(run.events().exit_reason)
    assert set(tn.parity(run, exchange=exchange_of(ROWS)).causes) == {"user action"}


@pytest.mark.no_cover
def test_minutes_that_the_exchange_has_no_more_are_taken_as_they_were_seen():
    found = tn.parity(Restarted().go_on(), exchange=exchange_of([None] * 300 + ROWS[300:]))
    assert found.clean
    (note,) = found.notes
    assert note.startswith("fake no longer has ")


def test_a_disk_that_is_full_for_the_record_ends_no_tick(monkeypatch, caplog):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    world = world_of(ROWS)
    process = world.process()
    with monkeypatch.context() as patch:
        patch.setattr(Recording, "append", full)
        assert process.live(minute(260) + 5_000)
    assert record_of(process.runs[0]).committed.cursor == minute(260)
    assert sum("the recording for tn.parity has a gap" in line for line in caplog.messages) == 1
    with pytest.raises(UsageError, match="there is no record of the candles it saw"):
        tn.parity(process.runs[0], exchange=exchange_of(ROWS))


@pytest.mark.no_cover
def test_asks_left_out_over_many_ticks_and_what_the_kill_switch_did_are_known():
    world = world_of(ROWS)
    process = world.process()
    kill = world.home.kill
    actions = [
        Action(minute(400) + 30_000, lambda _: world.disk.plant(kill, b"flatten\n")),
        Action(minute(480) + 30_000, lambda _: world.disk.remove(kill)),
    ]
    assert process.live(minute(600) + 5_000, actions)
    found = tn.parity(process.runs[0], exchange=exchange_of(ROWS))
    assert set(found.causes) == {"user action"}
    assert len(found.live) > 10
    assert not any(minute(405) < trade.opened_at < minute(480) for trade in found.live)


@pytest.mark.realtime
def test_a_rehearsal_of_a_process_that_was_killed_is_compared_from_here(tmp_path):
    key, home = Key("moving", "BTCUSDT"), find_home().rehearsal
    with child(bot(tmp_path / "rehearsal.py", LINES)) as dying:
        record = Recording(DiskFilesystem(), home.recording(key))
        until(lambda: sum(1 for _ in record.read()) > 300 or dying.process.poll(), "progress")
        assert dying.process.poll() is None, dying.words
        dying.process.send_signal(signal.SIGKILL)
        dying.process.wait()
    assert tn.live.attach() == []
    (handle,) = tn.live.attach(ended=True)
    assert repr(handle) == "<attached rehearsal BTCUSDT:moving idle>"
    with pytest.raises(UsageError, match="the strategy 'moving' is not defined here; run the cell"):
        tn.parity(handle)
    moving()
    with pytest.raises(UsageError, match=r"exchange .* is not known here; pass exchange="):
        tn.parity(handle)
    found = tn.parity("BTCUSDT:moving", exchange=exchange_of(ROWS))
    assert found.clean
    assert len(found.live) > 5
    assert tn.parity(tn.live.attach(ended=True), exchange=exchange_of(ROWS)).clean
    changed = tn.parity(handle, strategy=moving(never=True), exchange=exchange_of(ROWS))
    assert set(changed.causes) == {"code changed"}
    assert changed.notes == []
    path = home.recording(key)
    version = f'"python":"{platform.python_version()}"'
    path.write_text(path.read_text().replace(version, '"python":"3.9.1"'))
    (note,) = tn.parity(handle, strategy=moving(never=True), exchange=exchange_of(ROWS)).notes
    assert note.startswith("the run used Python 3.9.1, this is 3.")


@pytest.mark.no_cover
@pytest.mark.realtime
def test_a_run_that_goes_on_is_compared_up_to_its_last_commit(tmp_path):
    run = tn.live.rehearse(
        "BTCUSDT", strategy=moving(), exchange=exchange_of(ROWS), speed=None, home=tmp_path
    )
    record = record_of(run)
    until(lambda: record.committed and record.committed.cursor > minute(60), "an hour")
    early = tn.parity(run)
    assert run.wait(240)
    late = tn.parity(run)
    assert early.clean
    assert late.clean
    assert 0 < len(early.live) <= len(late.live)


@pytest.mark.no_cover
def test_a_run_begun_anew_is_compared_without_the_one_before_it():
    planted = Planted()
    run = planted.simulated([Action(minute(700), lambda process: process.runs[0].stop())])
    assert run.status == "done"
    evidence = evidence_of(run)
    assert [command["kind"] for command in evidence.commands] == ["stop"]
    assert tn.parity(run, **planted.today()).clean
    assert len(tn.parity(run, **planted.today()).live) < len(BUYS)
