"""The loop sleeps while there is nothing to do, whatever its groups are busy with."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from types import SimpleNamespace

import pytest

from tests.live.fakes import once
from tests.sources import candles, flat, minute
from tradenb.engine.specs import risks
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.loop import worker_threads
from tradenb.live.loop.scheduler import Scheduler, grouped
from tradenb.live.loop.worker_threads import MOST_AT_ONCE, MOST_PARTS, ThreadWorkers, spread
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.testing.world.inline_workers import Hang, InlineWorkers
from tradenb.testing.world.simulated_world import Action, Process, World

TICKS = 4
BOOKS = [risks.max_open(5, name=f"book-{n}") for n in range(3)]


def thinking(seconds: float):
    def asked(ctx):
        if seconds:
            raise Hang(seconds)

    return asked


def drawn(random: Random, count: int) -> list[StrategySpec]:
    """Strategies that think for up to a minute, some of them with rules in common."""
    return [
        StrategySpec(
            name=f"s{n}",
            function=thinking(random.choice((0, 0, 0, 20, 55))),
            every=random.choice(("1m", "1m", "3m")),
            risk=tuple(random.sample(BOOKS, random.choice((0, 0, 1, 1, 2)))),
        )
        for n in range(count)
    ]


def lived(specs: list[StrategySpec], monkeypatch, *, later: int) -> tuple[int, int, World]:
    """Let runs tick, the last of them added later; return wake-ups, ticks of groups, the world."""
    runs = [("BTCUSDT", spec) for spec in specs]
    first, later_runs = runs[: len(runs) - later], runs[len(runs) - later :]
    world = World({"BTCUSDT": candles(flat(40))}, start=minute(8) + 30_000, runs=first)
    wakes, ticks = 0, 0
    wait, tick = world.clock.wait, Scheduler._tick

    async def counted_wait(woken, until):
        nonlocal wakes
        wakes += 1
        assert wakes < 100 * TICKS * len(specs), "the loop spins"
        await wait(woken, until)

    async def counted_tick(self, group):
        nonlocal ticks
        ticks += 1
        await tick(self, group)

    def add(process: Process) -> None:
        for run in later_runs:
            process._open(*run)

    monkeypatch.setattr(world.clock, "wait", counted_wait)
    monkeypatch.setattr(Scheduler, "_tick", counted_tick)
    world.live(minute(8 + TICKS) + 20_000, [Action(minute(10) + 10_000, add)] * bool(later))
    return wakes, ticks, world


@pytest.mark.parametrize("seed", range(25))
def test_fault_93_the_loop_wakes_up_for_the_begin_and_the_end_of_ticks_only(seed, monkeypatch):
    random = Random(seed)
    specs = drawn(random, random.randrange(2, 9))
    wakes, ticks, _ = lived(specs, monkeypatch, later=random.randrange(2))
    # One to begin a tick and one at its end; each run is added once and released once.
    assert wakes <= 2 * ticks + 2 * len(specs) + 2


def test_fault_93_a_run_that_joins_a_group_which_is_asked_lets_the_loop_sleep(monkeypatch):
    slow = StrategySpec(name="slow", function=thinking(20), every="1m", risk=(BOOKS[0],))
    quick = StrategySpec(name="quick", function=thinking(0), every="1m", risk=(BOOKS[0],))
    wakes, ticks, world = lived([slow, quick], monkeypatch, later=1)
    assert wakes <= 2 * ticks + 6
    assert world.checkpoint(("BTCUSDT", quick)).state.cursor == minute(8 + TICKS)


def test_fault_93_a_group_that_thinks_makes_no_other_late(monkeypatch):
    slow = StrategySpec(name="slow", function=thinking(50), every="1m", risk=(BOOKS[0],))
    asked_at = []
    free = StrategySpec(name="free", function=lambda ctx: asked_at.append(ctx.now), every="1m")
    _, _, world = lived([slow, free], monkeypatch, later=0)
    assert asked_at == [minute(n) for n in range(9, 9 + TICKS)]
    assert world.checkpoint(("BTCUSDT", free)).state.cursor == minute(8 + TICKS)


class _Run:
    """A run as far as its group is concerned."""

    def __init__(self, place: int, rules: tuple[str, ...]) -> None:
        self.place = place
        self.storage = self
        self.home = "home"
        self.account = None
        self.spec = StrategySpec(
            name=f"s{place}",
            function=thinking(0),
            every="1m",
            risk=tuple(risks.max_open(1, name=name) for name in rules),
        )


@pytest.mark.parametrize("seed", range(10))
def test_runs_are_one_group_where_rules_lead_from_one_to_the_other(seed):
    random = Random(seed)
    names = [f"rule-{n}" for n in range(8)]
    runs = [
        _Run(place, tuple(random.sample(names, random.choice((0, 1, 1, 2))))) for place in range(12)
    ]
    random.shuffle(runs)
    expected: list[set[_Run]] = []
    for run in runs:
        own = {rule.name for rule in run.spec.risk}
        sharing = [
            group for group in expected if own & {r.name for each in group for r in each.spec.risk}
        ]
        expected = [group for group in expected if group not in sharing]
        expected.append({run}.union(*sharing))
    found = grouped(runs)
    assert {frozenset(group) for group in found} == {frozenset(group) for group in expected}
    assert all(group == sorted(group, key=lambda run: run.place) for group in found)


def test_a_command_that_is_given_while_its_group_ticks_is_obeyed_when_the_tick_ends(monkeypatch):
    slow = StrategySpec(name="slow", function=thinking(25), every="1m", risk=(BOOKS[0],))
    other = StrategySpec(name="other", function=thinking(0), every="1m", risk=(BOOKS[0],))
    runs = [("BTCUSDT", slow), ("BTCUSDT", other)]
    world = World({"BTCUSDT": candles(flat(40))}, start=minute(8), runs=runs)
    ended = []

    def stop(process: Process) -> None:
        process.runs[1].stop()

    def look(process: Process) -> None:
        ended.append(process.runs[1].status)

    actions = [Action(minute(10) + 5_000, stop), Action(minute(10) + 40_000, look)]
    world.live(minute(11) - 5_000, actions)
    assert ended == ["done"]


def hand_overs(runs):
    """So many hand-overs to workers it takes a group of runs to tick and to look for requests."""
    specs = [
        StrategySpec(name=f"s{n}", function=thinking(0), every="1d", risk=(BOOKS[0],))
        for n in range(runs)
    ]
    names = [("BTCUSDT", spec) for spec in specs]
    world = World({"BTCUSDT": candles(flat(40))}, start=minute(8) + 30_000, runs=names)
    process, counts = world.process(), []

    def count(process: Process) -> None:
        counts.append(process.workers.calls)

    process.live(minute(14), [Action(minute(at) + 30_000, count) for at in (10, 13)])
    assert {world.checkpoint(name).state.cursor for name in names} == {minute(13)}
    return counts[1] - counts[0]


@pytest.mark.no_cover
def test_fault_93_a_tick_looks_for_requests_and_commits_in_one_hand_over_each(monkeypatch):
    spec = StrategySpec(name="once", function=once(10), every="1m")
    run = ("BTCUSDT", spec)
    world = World({"BTCUSDT": candles(flat(40))}, start=minute(8) + 30_000, runs=[run])
    call, moments = InlineWorkers.call, []

    def counted(self, function, *args, seconds):
        if seconds is None:  # ours: neither the exchange's nor a user's
            moments.append(world.clock.true_now())
        return call(self, function, *args, seconds=seconds)

    monkeypatch.setattr(InlineWorkers, "call", counted)
    world.live(minute(13))
    assert [event.kind for event in world.events(run)] == ["opened"]
    assert [moments.count(minute(at) + 2_001) for at in range(9, 13)] == [2, 2, 2, 2]


@pytest.mark.no_cover
def test_fault_93_a_large_group_takes_no_more_hand_overs_than_a_small_one(monkeypatch):
    few = hand_overs(2)
    assert hand_overs(8) == few
    monkeypatch.setattr(worker_threads, "SMALLEST_PART", 1)  # then sixteen runs are many
    assert hand_overs(24) == hand_overs(16) <= MOST_PARTS * few


def test_fault_93_what_others_have_seen_is_committed_first_and_in_order(monkeypatch):
    specs = [
        StrategySpec(
            name=f"s{n}",
            function=once(9) if n in (3, 12) else thinking(0),
            every="1m" if n in (3, 12) else "1d",
            risk=(BOOKS[0],),
        )
        for n in range(20)
    ]
    dip = (100.0, 100.0, 97.0, 99.0, 1.0)
    names = [("BTCUSDT", spec) for spec in specs]
    grid = candles([*flat(10), dip, *flat(30)])
    world = World({"BTCUSDT": grid}, start=minute(8) + 30_000, runs=names)
    order, commit = [], DiskStorage.commit

    def noted(self, checkpoint):
        order.append((checkpoint.state.strategy, [event.kind for event in checkpoint.outbox]))
        return commit(self, checkpoint)

    monkeypatch.setattr(DiskStorage, "commit", noted)
    forget = Action(minute(10) + 30_000, lambda process: order.clear())
    world.live(minute(11) + 20_000, [forget])
    assert order[:2] == [("s3", ["closed"]), ("s12", ["closed"])]
    assert {name for name, _ in order} == {spec.name for spec in specs}


def test_what_is_spread_over_threads_comes_back_in_order_and_no_part_is_left_behind():
    done = []

    def halved(number):
        done.append(number)
        if number == 9:
            raise ValueError("nine")
        return number / 2

    async def both():
        workers = ThreadWorkers()
        found = await spread(workers, lambda number: 2 * number, range(100))
        with pytest.raises(ValueError, match="nine"):
            await spread(workers, halved, range(30))
        workers.close()
        return found

    assert asyncio.run(both()) == [2 * number for number in range(100)]
    # All but what followed the error in its own part.
    assert sorted(done) == [*range(10), *range(16, 30)]


@pytest.fixture
def many():
    """Calls at one moment, more than are under way at one time, each until it is let go."""
    workers, go, started, peak = ThreadWorkers(), threading.Event(), threading.Semaphore(0), []

    def wait(number: int) -> int:
        peak.append(number)
        started.release()
        go.wait()
        return number

    async def call(count: int, seconds: float | None = None) -> list[object]:
        calls = [workers.call(wait, number, seconds=seconds) for number in range(count)]
        return await asyncio.gather(*calls, return_exceptions=True)

    yield SimpleNamespace(workers=workers, go=go, started=started, peak=peak, call=call)
    go.set()
    workers.close()


def test_fault_93_no_more_calls_are_under_way_than_help_each_other(monkeypatch, many):
    monkeypatch.setattr(worker_threads, "TURN_S", 3_600.0)

    async def made() -> list[object]:
        calls = asyncio.ensure_future(many.call(MOST_AT_ONCE + 8))
        for _ in range(MOST_AT_ONCE):
            await asyncio.to_thread(many.started.acquire)
        assert len(many.peak) == MOST_AT_ONCE
        many.go.set()
        return await calls

    assert asyncio.run(made()) == [*range(MOST_AT_ONCE + 8)]
    assert len(many.workers._idle) == MOST_AT_ONCE


def test_fault_93_calls_that_hang_hold_up_others_for_a_moment_only(many):
    async def made() -> list[object]:
        calls = asyncio.ensure_future(many.call(MOST_AT_ONCE + 8))
        for _ in range(MOST_AT_ONCE + 8):  # all begin while none has returned
            await asyncio.to_thread(many.started.acquire)
        many.go.set()
        return await calls

    assert asyncio.run(made()) == [*range(MOST_AT_ONCE + 8)]


def test_fault_93_functions_of_users_and_requests_wait_for_no_turn(monkeypatch, many):
    monkeypatch.setattr(worker_threads, "TURN_S", 3_600.0)

    async def made() -> list[object]:
        calls = asyncio.ensure_future(many.call(MOST_AT_ONCE + 8, seconds=60.0))
        for _ in range(MOST_AT_ONCE + 8):
            await asyncio.to_thread(many.started.acquire)
        assert await many.workers.call(max, 3, 4, seconds=None) == 4
        many.go.set()
        return await calls

    assert asyncio.run(made()) == [*range(MOST_AT_ONCE + 8)]
