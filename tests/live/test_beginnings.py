"""How runs begin: beside others that cannot, again after they were left, with changed settings."""

from __future__ import annotations

import threading

import pytest

import tradenb as tn
from tests.live.fakes import HISTORY, once, world_of
from tests.live.fakes import until as at_minute
from tests.live.fast import rows, until
from tests.sources import T0, candles, flat, minute
from tradenb.bus import bus
from tradenb.core import risk
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExchangeError
from tradenb.live.live_run import record_of
from tradenb.store.control import send
from tradenb.store.paths import Key
from tradenb.testing.world.inline_workers import Hang
from tradenb.testing.world.simulated_world import Action, World


def never(ctx):
    return None


def opens(ctx):
    return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)


def opens_once(ctx):
    if ctx.state.get("done"):
        return None
    ctx.state["done"] = True
    return opens(ctx)


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.realtime
@pytest.mark.parametrize("trouble", ["raises", "hangs"])
def test_a_run_that_cannot_begin_holds_up_no_run_that_shares_its_rule(
    quick, gate, trouble, monkeypatch
):
    monkeypatch.setattr("tradenb.live.loop.startup.TOGETHER_S", 0.5)

    def bad(symbol, since, limit):
        if symbol == "BADUSDT" and trouble == "raises":
            raise LookupError("no such symbol")
        if symbol == "BADUSDT":
            gate.wait()
        return rows(since, limit, quick.clock.now())

    source = tn.exchange(f"bad-{trouble}", now=quick.clock.now)(bad)
    shared = tn.strategy("shared", every="1m", risk=tn.risks.max_open(3, name="p"))(never)
    good = quick.start(shared, exchange=source)
    until(lambda: record_of(good).last_ticks, "a tick")
    quick.start(shared, symbol="BADUSDT", exchange=source)
    ticks = record_of(good).last_ticks
    before = len(ticks)
    until(
        lambda: len(ticks) > before + 3,
        "ticks beside the one that cannot begin",
    )
    assert good.error is None


@pytest.mark.realtime
@pytest.mark.parametrize("hangs", ["load", "server_now"])
def test_a_run_whose_exchange_does_not_answer_is_released_at_once(quick, gate, hangs, monkeypatch):
    monkeypatch.setattr("tradenb.live.loop.feed.LOAD_S", 1e6)
    monkeypatch.setattr("tradenb.live.loop.startup.CALL_S", 1e6)

    class Silent:
        def __getattr__(self, name):
            return getattr(quick.exchange, name)

    asked = threading.Event()

    def answer(*_):
        asked.set()
        gate.wait()
        raise LookupError("too late")

    source = Silent()
    setattr(source, hangs, answer)
    run = quick.start(tn.strategy("calm", every="1m")(never), exchange=source)
    assert asked.wait(240)
    run.release()
    assert run.wait(240)
    assert run.status == "idle"


class Slow:
    """An exchange whose history comes when a gate is opened."""

    def __init__(self, exchange, gate):
        self.exchange, self.gate, self.asked = exchange, gate, threading.Event()

    def __getattr__(self, name):
        return getattr(self.exchange, name)

    def load(self, *given):
        self.asked.set()
        self.gate.wait(240)
        return self.exchange.load(*given)


@pytest.mark.realtime
def test_a_stop_that_was_given_before_the_release_is_obeyed(quick, gate):
    slow = Slow(quick.exchange, gate)
    run = quick.start(tn.strategy("calm", every="1m")(never), exchange=slow)
    assert slow.asked.wait(240)
    run.stop()
    run.release()
    assert not run.wait(0.5)  # a few looks of the loop
    gate.set()
    assert run.wait(240)
    assert run.status == "done"


@pytest.mark.realtime
def test_a_stop_that_was_given_before_the_release_of_a_position_is_obeyed(quick, gate):
    spec = tn.strategy("opens", every="1m")(opens)
    run = quick.start(spec)
    until(lambda: run.position, "a position")
    run.release()
    assert run.wait(240)
    slow = Slow(quick.exchange, gate)
    again = quick.start(spec, exchange=slow)
    assert slow.asked.wait(240)
    again.stop()
    again.release()
    assert not again.wait(0.5)  # a few looks of the loop
    gate.set()
    assert again.wait(240)
    assert again.stopping
    assert again.position


@pytest.mark.realtime
def test_a_run_without_candles_is_stopped_without_a_storm_of_requests(quick):
    asked = []

    def down(symbol, since, limit):
        asked.append(since)
        raise LookupError("down")

    source = tn.exchange("down", now=quick.clock.now)(down)
    run = quick.start(tn.strategy("calm", every="1m")(never), exchange=source)
    until(lambda: run.error, "the error")
    before = len(asked)
    run.stop()
    assert run.wait(240)
    assert len(asked) <= before + 10
    assert "down" in str(run.error)


class Down:
    """The exchange of a world, which loads nothing before minute 12."""

    def __init__(self, world):
        self.world = world

    def __getattr__(self, name):
        return getattr(self.world.exchange, name)

    def load(self, request):
        if self.world.clock.now() < minute(12):
            raise LookupError("down")
        return self.world.exchange.load(request)


class Hanging(Down):
    """The exchange of a world, which never answers a request for the history."""

    def load(self, request):
        raise Hang


def stop_here(process):
    process.runs[0].stop()


def stop_by_file(process):
    world, key = process.world, Key("a", "BTCUSDT")
    send(world.disk, world.home, key, "stop", wall=world.clock.now())


@pytest.mark.parametrize("stop", [stop_here, stop_by_file])
@pytest.mark.parametrize("count", [1, 2])
def test_a_start_that_the_exchange_does_not_answer_ends_soon_after_its_stop(stop, count):
    specs = [StrategySpec(name=name, function=once(2), every="1m") for name in "ab"[:count]]
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    runs = [("BTCUSDT", spec) for spec in specs]
    account = tn.Account(cash=1_000, quote=10)  # runs that share money tick together
    world = World({"BTCUSDT": grid}, start=T0, runs=runs, account=account)
    process, seen = world.process(), []
    for run in process.runs:
        record_of(run).source = Hanging(world)

    def look(process):
        seen.append([record_of(run).status for run in process.runs])

    asked, later = minute(1), minute(1) + 8_000
    process.live(minute(2), [Action(asked, look), Action(asked, stop), Action(later, look)])
    assert seen[0] == ["running"] * count
    assert seen[1:] == ([] if count == 1 else [["idle", "running"]])  # without runs it has ended
    assert list(world.disk.names(world.home.control(Key("a", "BTCUSDT")))) == []


def test_what_an_unbegun_run_with_a_position_is_asked_waits_for_its_candles():
    spec = StrategySpec(name="a", function=once(2), every="1m")
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)])
    world.live(at_minute(5))

    process = world.process()
    record_of(process.runs[0]).source = Down(world)
    process.live(at_minute(20), [Action(minute(8), lambda process: process.runs[0].stop())])
    run = process.runs[0]
    assert run.stopping
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(20)
    assert len(process.world.exchange.requests) < 40


@pytest.mark.realtime
def test_a_position_that_is_abandoned_while_the_history_is_on_its_way_does_not_come_back(
    quick, gate, monkeypatch
):
    monkeypatch.setattr("tradenb.live.loop.startup.TOGETHER_S", 0.2)
    spec = tn.strategy("opens-once", every="1m")(opens_once)
    run = quick.start(spec)
    until(lambda: run.position, "a position")
    run.release()
    assert run.wait(20)
    cursor = record_of(run).state.cursor
    until(lambda: quick.clock.now() > cursor + 600_000, "ten minutes")
    slow = Slow(quick.exchange, gate)
    again = quick.start(spec, exchange=slow)
    assert slow.asked.wait(60)
    again.abandon(90)
    until(lambda: again.position is None, "the end of the position")
    gate.set()
    until(lambda: record_of(again).last_ticks, "a tick")
    assert again.position is None
    assert [each for each in again.events().kind if each != "skipped"] == ["opened", "closed"]


def test_a_stop_leaves_no_position_behind_where_the_loop_was_started_again_without_candles():
    world = world_of(once(2), flat(60))

    def dies(process):
        record = record_of(process.runs[0])
        record.feed, record.source = None, Down(world)  # as the loop after it finds them
        process.runs[0].stop()

    process = world.process()
    process.live(at_minute(20), [Action(minute(8), dies)])
    assert process.runs[0].stopping
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(20)


@pytest.mark.parametrize("tick_ms", [100, 60_001])
def test_a_start_at_a_rate_limit_asks_again_and_says_so_when_it_is_over(tick_ms):
    spec = StrategySpec(name="a", function=once(2), every="1m")
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    rules = tn.Rules(tick_ms=tick_ms, candle_retry_seconds=5)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)], rules=rules)
    asked = []

    class Limited:
        def __getattr__(self, name):
            return getattr(world.exchange, name)

        def load(self, request):
            asked.append(world.clock.now())
            left = (minute(2) - world.clock.now()) / 1000
            if left > 0:
                words = f"not requested, rate limited for another {left:.0f} s"
                raise ExchangeError(words, retryable=True, retry_after=left)
            return world.exchange.load(request)

    process = world.process()
    record_of(process.runs[0]).source = Limited()
    process.live(at_minute(5))
    first, second = asked
    assert first < minute(1)
    assert minute(2) <= second < minute(2) + 1_000
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(5)


@pytest.mark.realtime
def test_a_run_that_is_being_left_is_begun_anew_by_the_next_start(quick):
    spec = tn.strategy("opens", every="1m")(opens)
    run = quick.start(spec)
    until(lambda: run.position, "a position")
    run.release()
    again = quick.start(spec)
    assert again is not run
    assert run.status == "idle"
    assert again.status == "running"
    until(lambda: record_of(again).last_ticks, "a tick of the new one")
    again.flatten()
    until(lambda: "closed" in set(again.events().kind), "the close")


@pytest.mark.realtime
def test_a_run_that_was_stopped_with_nothing_open_is_begun_anew_by_the_next_start(quick):
    spec = tn.strategy("calm", every="1m")(never)
    run = quick.start(spec)
    until(lambda: record_of(run).last_ticks, "a tick")
    run.stop()
    again = quick.start(spec)
    assert (run.status, again.status) == ("done", "running")


def test_a_changed_interval_counts_from_the_next_start():
    asked = []

    def spec(every):
        def look(ctx):
            asked.append((ctx.now - T0) // 60_000)

        return StrategySpec(name="a", function=look, every=every)

    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec("5m"))])
    world.live(at_minute(11))
    world.wanted = [("BTCUSDT", spec("1m"))]
    world.live(at_minute(14))
    assert asked == [5, 10, 12, 13, 14]


def test_a_start_after_the_clock_was_put_right_saves_its_state():
    spec = StrategySpec(name="a", function=once(2, minutes=2), every="1m")
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)])
    world.live(at_minute(7), [Action(minute(5) + 30_000, lambda process: process.runs[0].stop())])
    checkpoint = world.checkpoint(world.wanted[0])
    assert checkpoint.state.done
    assert checkpoint.state.trades
    world.clock.jump(-4 * 60_000)
    process = world.process()
    process.live(at_minute(9))
    assert process.runs[0].saved
    assert process.runs[0].error is None


def test_each_run_asks_its_own_rule_though_another_has_the_same_name():
    def named(name, at, count):
        rule = RiskSpec(name="p", function=risk.max_open(count))
        return StrategySpec(name=name, function=once(at), every="1m", risk=(rule,))

    specs = [named("a", 3, 5), named("b", 4, 1)]
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec) for spec in specs])
    world.live(at_minute(6))
    kinds = [[event.kind for event in world.events(run)] for run in world.wanted]
    assert kinds == [["opened"], ["rejected"]]


def test_callbacks_of_what_is_on_disk_are_called_though_a_later_commit_fails():
    called = []

    def note(event):
        called.append((event.kind, (event.at - T0) // 60_000))

    def always(ctx):
        return {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 2}

    spec = StrategySpec(
        name="a", function=always, every="1m", callbacks={"opened": note, "closed": note}
    )
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    world = World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec)])
    process = world.process()
    storage = record_of(process.runs[0]).storage
    right, failed = storage.commit, []

    def commit(checkpoint):
        if (
            checkpoint.state.cursor == minute(3)
            and checkpoint.state.signal is not None
            and not failed
        ):
            failed.append(checkpoint)
            raise tn.StateWriteError("as the test says")
        return right(checkpoint)

    storage.commit = commit
    process.live(at_minute(6))
    assert failed
    events = world.events(world.wanted[0])
    told = [(e.kind, (e.at - T0) // 60_000) for e in events if e.kind in ("opened", "closed")]
    assert called == told


@pytest.mark.realtime
def test_a_rehearsal_is_not_heard_by_those_who_listen_to_live_runs(tmp_path):
    from tests.sources import exchange

    live, rehearsed = [], []
    spec = tn.strategy("opens", every="1h")(opens)
    with (
        tn.subscribe(live.append, mode="live"),
        tn.subscribe(rehearsed.append, mode="rehearsal", kinds={"opened"}),
    ):
        run = tn.live.rehearse("BTCUSDT", strategy=spec, exchange=exchange(flat(130)), speed=None)
        assert run.wait(240)
    assert live == []
    assert [event.kind for event in rehearsed] == ["opened"]


@pytest.mark.realtime
def test_a_rehearsal_that_cannot_save_its_last_state_ends_at_its_end_and_says_so(monkeypatch):
    from tests.sources import exchange
    from tradenb.live.state.disk_storage import DiskStorage

    right, last = DiskStorage.commit, []

    def commit(self, checkpoint):
        last.append(checkpoint.state.cursor)
        if checkpoint.state.cursor >= minute(30):
            raise tn.StateWriteError("as the test says")
        return right(self, checkpoint)

    monkeypatch.setattr(DiskStorage, "commit", commit)
    spec = tn.strategy("calm", every="1m")(never)
    run = tn.live.rehearse(
        "BTCUSDT", strategy=spec, exchange=exchange(flat(130)), end=minute(30), speed=None
    )
    assert run.wait(240)
    assert max(last) == minute(30)
    assert "as the test says" in str(run.error)


@pytest.mark.realtime
def test_runs_of_one_process_have_places_of_their_own(quick, tmp_path):
    specs = [tn.strategy(name, every="1m")(never) for name in "abc"]
    first, second = (quick.start(spec, home=tmp_path) for spec in specs[:2])
    for run in (first, second):
        until(lambda run=run: record_of(run).committed, "a commit")
        run.release()
        assert run.wait(240)
    quick.run_registry._runs.clear()  # as in the next process
    started = [quick.start(specs[n], home=tmp_path) for n in (1, 2, 0)]
    assert sorted(record_of(run).place for run in started) == [0, 1, 2]


@pytest.mark.realtime
def test_a_rehearsal_begun_anew_tells_its_own_story_and_the_old_one_is_kept(tmp_path):
    from tests.sources import exchange

    def bought(ctx):
        return tn.long(id=f"own-{ctx.now}", take_profit=150.0, stop_loss=85.0, minutes=5)

    spec, source = tn.strategy("bought", every="1h")(bought), exchange(flat(130))

    def lived():
        run = tn.live.rehearse("BTCUSDT", strategy=spec, exchange=source, speed=None, home=tmp_path)
        assert run.wait(240)
        return run.events()

    first, second = lived(), lived()
    assert list(first.kind) == ["opened", "closed"] * 2
    assert second.drop(columns="wall").equals(first.drop(columns="wall"))
    kept = list(tmp_path.glob("rehearsal/data/journal/bought/*.before-*"))
    assert len(kept) == 1


@pytest.mark.realtime
def test_a_rehearsal_that_goes_on_is_returned_and_another_is_refused_in_words(tmp_path):
    from tests.sources import exchange

    spec, source = tn.strategy("calm", every="1m")(never), exchange(flat(600))
    settings = {"strategy": spec, "exchange": source, "speed": 60, "home": tmp_path}
    run = tn.live.rehearse("BTCUSDT", **settings)
    try:
        assert tn.live.rehearse("BTCUSDT", **settings | {"speed": 600}) is run
        with pytest.raises(tn.AlreadyRunning, match=r"another exchange; end that with run"):
            tn.live.rehearse("BTCUSDT", **settings | {"exchange": exchange(flat(600))})
        until(lambda: record_of(run).committed, "a commit")
        (row,) = tn.live.list(tmp_path).to_dict("records")
        assert (row["id"], row["mode"], row["status"]) == (run.id, "rehearsal", "running")
        (handle,) = tn.live.attach(tmp_path)
        assert "rehearsal BTCUSDT:calm running, held by process" in repr(handle)
        assert "calm on BTCUSDT, rehearsal" in handle._repr_html_()
        assert "calm on BTCUSDT, rehearsal" in run._repr_html_()
    finally:
        run.release()
        assert run.wait(240)
    assert repr(handle) == "<attached rehearsal BTCUSDT:calm idle>"
    assert "idle" in handle._repr_html_()


@pytest.mark.realtime
def test_a_run_without_candles_is_listed_and_can_be_stopped_from_outside(quick, tmp_path):
    def down(symbol, since, limit):
        raise LookupError("down")

    source = tn.exchange("down", now=quick.clock.now)(down)
    run = quick.start(tn.strategy("calm", every="1m")(never), exchange=source, home=tmp_path)
    until(lambda: run.error, "the error")
    (row,) = tn.live.list(tmp_path).to_dict("records")
    assert (row["id"], row["status"]) == (run.id, "running")
    (handle,) = tn.live.attach(tmp_path)
    assert handle._repr_html_() is None  # it has no document yet
    handle.stop()
    assert handle.wait(240)
    assert run.status == "idle"
    assert tn.live.attach(tmp_path) == []
    assert tn.live.list(tmp_path).empty


@pytest.mark.realtime
def test_a_start_says_that_a_rule_was_declared_again_since(quick, tmp_path, caplog):
    spec = tn.strategy("a", every="1m", risk=tn.risks.max_open(1, name="book"))(never)
    tn.risks.max_open(2, name="book")
    run = quick.start(spec, home=tmp_path)
    assert "strategy 'a' uses an older version of risk rule 'book'" in caplog.text
    run.release()
    assert run.wait(240)


@pytest.mark.realtime
def test_what_was_told_before_a_clean_end_is_not_told_again_at_the_next_start(quick, tmp_path):
    heard: list[tuple[int, str]] = []
    spec = tn.strategy("a", every="1m")(opens)
    with bus.subscribe(lambda event: heard.append((event.seq, event.kind)), mode="live"):
        run = quick.start(spec, home=tmp_path)
        until(lambda: run.position, "a position")
        run.release()
        assert run.wait(240)
        run = quick.start(spec, home=tmp_path)
        until(lambda: run.position, "the position again")
        run.stop()
        run.flatten()
        assert run.wait(240)
        run = quick.start(spec, home=tmp_path)
        until(lambda: run.position, "another position")
        run.release()
        assert run.wait(240)
    assert [seq for seq, _ in heard] == sorted({seq for seq, _ in heard})
    told = [kind for _, kind in heard if kind in ("opened", "closed")]
    assert told == ["opened", "closed", "opened"]
