"""Faults of group E: the loop and user code. Each test is named after its number in docs/faults.md.

Faults 66, 68 and 69 need real threads and processes: `test_robust.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.live.fakes import as_undisturbed, kinds, once, told, until, world_of
from tests.sources import T0, flat, market, minute, through
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.store.paths import Key
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.inline_workers import Hang, InlineWorkers
from tradenb.testing.world.simulated_world import Action, World

STOPPED = [*flat(5), *through(100, 97), *flat(60)]
CLOSED = (7, "closed", 98.0, "stop_loss")


def closed(world: World) -> list[tuple]:
    return [row[:4] for row in told(world) if row[1] == "closed"]


@pytest.mark.no_cover
@pytest.mark.parametrize("at", [*range(0, 60, 3)])
def test_fault_59_an_exception_at_any_call_of_the_loop_ends_nothing(at, monkeypatch):
    right = InlineWorkers.call

    async def failing(self, function, *args, seconds):
        if self.calls == at:
            self.calls += 1
            raise RuntimeError("as the test says")
        return await right(self, function, *args, seconds=seconds)

    monkeypatch.setattr(InlineWorkers, "call", failing)
    world = world_of(once(2), STOPPED)
    world.live(until(20))
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(20)
    assert kinds(world).count("opened") == kinds(world).count("closed") <= 1


def test_fault_60_a_strategy_that_hangs_is_left_behind_and_exits_go_on():
    def hangs(ctx):
        if ctx.now == minute(2):
            return once(2)(ctx)
        if ctx.now > minute(8):
            raise Hang
        return None

    world = world_of(hangs, STOPPED)
    world.live(until(20))
    assert closed(world) == [CLOSED]
    assert kinds(world).count("error") == 1
    assert kinds(world).count("skipped") == 1
    assert world.checkpoint(world.wanted[0]).state.cursor >= minute(19)


@pytest.mark.parametrize("answer", ["long", 7, {"position": "up"}, [1], float("nan"), object()])
def test_fault_60_a_strategy_that_answers_nonsense_is_refused(answer):
    world = world_of(lambda ctx: answer if ctx.now == minute(2) else None, flat(20))
    world.live(until(5))
    assert kinds(world) == ["rejected"]


def test_fault_60_a_strategy_that_recurses_without_end_is_an_error_event():
    def recurses(ctx):
        return recurses(ctx)

    world = world_of(recurses, flat(20), every="5m")
    world.live(until(6))
    assert kinds(world) == ["error"]


def test_fault_60_a_strategy_cannot_change_the_candles():
    def scribbles(ctx):
        close = ctx.candles("1m", 3).close
        assert isinstance(close, np.ndarray)
        close[:] = 0.0

    world = world_of(scribbles, flat(20))
    world.live(until(3))
    assert set(kinds(world)) == {"error"}


def test_fault_61_a_callback_that_raises_is_an_error_event_and_is_called_once():
    called = []

    def raises(event):
        called.append(event.seq)
        raise ValueError("as the test says")

    world = world_of(once(2), STOPPED, opened=raises, closed=raises)
    world.live(until(20))
    assert closed(world) == [CLOSED]
    assert len(called) == len(set(called)) == 2
    assert kinds(world).count("error") == 2


def test_fault_61_a_callback_that_hangs_delays_no_exit():
    def hangs(event):
        raise Hang

    world = world_of(once(2), STOPPED, opened=hangs)
    world.live(until(20))
    assert closed(world) == [CLOSED]


def test_fault_61_an_async_callback_that_raises_is_an_error_event():
    async def raises(event):
        raise ValueError("as the test says")

    world = world_of(once(2), STOPPED, opened=raises)
    world.live(until(20))
    assert "error" in kinds(world)
    assert closed(world) == [CLOSED]


def test_fault_62_a_subscriber_that_raises_on_an_error_event_disturbs_nobody():
    def raises(event):
        raise ValueError("as the test says")

    world = world_of(lambda ctx: 1 / 0, flat(20), every="5m")
    world.bus.subscribe(raises, channel="errors")
    world.live(until(12))
    assert kinds(world) == ["error", "error"]
    assert [event.kind for event in world.announced] == ["error", "error"]


def test_fault_63_a_start_that_fails_three_times_succeeds_at_the_fourth():
    world = world_of(once(8), [*flat(10), *through(100, 97), *flat(60)])
    world.exchange.troubles = [Trouble("error", T0, minute(3) + 1)]
    world.live(until(20))
    assert closed(world) == [(12, "closed", 98.0, "stop_loss")]
    assert world.checkpoint(world.wanted[0]).start == minute(3)


def test_fault_64_a_stop_follows_the_open_position_to_its_close():
    world = world_of(busy, STOPPED)
    stop = Action(minute(3) + 30_000, lambda process: process.runs[0].stop())
    again = Action(minute(4) + 30_000, lambda process: process.runs[0].stop())
    world.live(until(20), [stop, again])
    checkpoint = world.checkpoint(world.wanted[0])
    assert (checkpoint.state.done, kinds(world)[-1]) == (True, "closed")
    assert kinds(world).count("opened") == 1


def test_fault_64_after_a_stop_the_next_start_is_a_new_run_with_rising_numbers():
    world = world_of(busy, market(2, 60))
    world.live(until(20), [Action(minute(3) + 30_000, lambda process: process.runs[0].stop())])
    before = len(world.events(world.wanted[0]))
    world.live(world.clock.true_now() + 10 * 60_000)
    numbers = [event.seq for event in world.events(world.wanted[0])]
    assert len(numbers) > before
    assert numbers == list(range(1, len(numbers) + 1))


def busy(ctx):
    return {
        "position": "long",
        "take_profit": 1.04 * ctx.price,
        "stop_loss": 0.98 * ctx.price,
        "minutes": 30,
    }


def test_fault_70_the_kill_switch_stops_entries_and_keeps_positions():
    world = world_of(once(4), STOPPED)
    world.disk.plant(world.home.kill, b"halt\n")
    world.live(until(20))
    assert kinds(world) == ["skipped"]


def test_fault_70_the_log_says_when_the_kill_switch_is_turned(caplog):
    world = world_of(once(2), flat(60))
    kill = world.home.kill
    steps = [
        Action(minute(4) + 30_000, lambda _: world.disk.plant(kill, b"halt\n")),
        Action(minute(7) + 30_000, lambda _: world.disk.remove(kill)),
    ]
    with caplog.at_level("WARNING", "tradenb"):
        assert world.live(until(10), steps)
    said = [text for text in caplog.messages if "kill switch" in text]
    assert [text.rpartition(" is ")[2] for text in said] == [
        "on: halt", "off: entries are possible again",
    ]  # fmt: skip


def test_fault_70_the_kill_switch_closes_what_is_open():
    world = world_of(once(2), flat(60))
    turn = Action(
        minute(4) + 30_000, lambda process: world.disk.plant(world.home.kill, b"flatten\n")
    )
    world.live(until(20), [turn])
    assert [row[1:4] for row in told(world) if row[1] == "closed"] == [
        ("closed", 100.0, "flattened")
    ]


def test_a_release_by_a_control_file_is_obeyed_once():
    from tradenb.store.control import send

    world = world_of(once(8), STOPPED)
    key = Key("a", "BTCUSDT")
    send(world.disk, world.home, key, "release", wall=T0)
    world.live(until(5))
    world.live(until(12))
    assert "opened" in kinds(world)


def test_runs_of_one_symbol_share_its_history_though_they_start_one_after_the_other():
    def looks(ctx):
        assert ctx.candles("1m", 1).close[-1] == ctx.price

    spec = StrategySpec(name="b", function=looks, every="1m", history="5d")
    world = world_of(looks, market(3, 30))
    world.wanted.append(("BTCUSDT", spec))
    world.live(until(10))
    assert [world.events(run) for run in world.wanted] == [[], []]


def test_a_crash_in_the_middle_leaves_the_same_events():
    whole, killed = (world_of(once(2), STOPPED) for _ in range(2))
    whole.live(until(20))
    killed.disk.crash(180)
    assert not killed.live(until(20))
    killed.live(until(20))
    assert as_undisturbed(killed, whole)


def test_fault_17_a_state_folder_that_is_deleted_is_made_again_and_the_log_says_so(caplog):
    world = world_of(once(3), flat(20))
    action = Action(minute(5) + 30_000, lambda process: world.disk.remove(world.home.state))
    assert world.live(until(8), [action])
    assert "was missing or damaged; it was written again from memory" in caplog.text
    checkpoint = world.checkpoint(world.wanted[0])
    assert (checkpoint.state.cursor, checkpoint.state.opened_at) == (minute(8), minute(3))


def test_fault_61_a_slow_subscriber_has_ten_seconds_a_minute_and_no_more():
    world = world_of(once(3), [*flat(5), *through(100, 103.5), *flat(20)])
    told = []

    def slow(event):
        told.append(event.kind)
        raise Hang(9.0)

    world.bus.subscribe(slow)
    ticks = []
    world.bus.subscribe(ticks.append, channel="ticks")
    world.live(until(10))
    assert kinds(world).count("milestone") > 5
    assert "milestone" in told
    assert all(tick.wall - tick.at < 30_000 for tick in ticks)
    assert [tick.at for tick in ticks] == [minute(n) for n in range(1, 11)]
