"""What must not end or hold up the loop: hanging and raising functions, a dead or frozen loop."""

from __future__ import annotations

import threading

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.sources import T0
from tradenb.bus import bus
from tradenb.clock import SystemClock
from tradenb.core.rules import Rules
from tradenb.live.live_run import record_of
from tradenb.live.loop.record import due_after
from tradenb.live.loop.tick import longest_call

pytestmark = pytest.mark.realtime


@pytest.fixture
def gate():
    """An event that lets whatever hangs go on when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def heard():
    events = []
    with bus.subscribe(events.append, channel="errors", mode="live"):
        yield events


def has(run, column, value):
    """Whether an event is in the journal."""
    return value in set(run.events()[column])


def never(ctx):
    return None


def test_fault_60_a_strategy_that_hangs_is_left_behind_and_not_asked_until_it_returns(quick, gate):
    asked = []

    @tn.strategy("hangs", every="1m")
    def hangs(ctx):
        asked.append(ctx.now)
        if len(asked) == 1:
            gate.wait()

    run = quick.start(hangs)
    until(lambda: len(run.ticks()) >= 4, "four ticks with candles")
    assert len(asked) == 1
    # A busy machine may feed two candles at once, and then the older ask is late, not busy.
    assert set(run.events().exit_reason.dropna()) <= {"busy", "late"}
    assert record_of(run).instance.busy()
    gate.set()
    until(lambda: len(asked) >= 2, "the next ask")


def test_fault_60_a_strategy_that_hangs_delays_no_next_candle_and_no_other_run(quick, gate):
    hangs = tn.strategy("hangs", every="1m")(lambda ctx: gate.wait() and None)
    other = tn.strategy("other", every="1m")(never)
    slow, fine = quick.start(hangs), quick.start(other, symbol="ETHUSDT")
    until(lambda: len(record_of(fine).last_ticks) >= 2, "ticks of the other while the first hangs")
    until(lambda: len(record_of(slow).last_ticks) >= 3, "further candles of the one that hangs")
    assert record_of(slow).instance.busy()


def test_an_ask_may_take_until_shortly_before_the_next_candle():
    rules, clock = Rules(settle_seconds=2), Stopped(T0 + 2_001)
    assert due_after(clock.now(), rules) == T0 + 62_001
    assert longest_call(clock, [rules]) == pytest.approx(54)
    assert longest_call(clock, [rules] * 3) == pytest.approx(27)
    assert longest_call(Stopped(T0 + 62_000), [rules]) == 1
    short = rules.model_copy(update={"signal_timeout_seconds": 5})
    assert longest_call(clock, [short]) == 5
    clock.stepped = True
    assert longest_call(clock, [rules]) == rules.signal_timeout_seconds


class Stopped:
    """A clock that stands."""

    stepped = False

    def __init__(self, now):
        self.now = lambda: now


def test_fault_61_a_subscriber_that_hangs_is_told_nothing_until_it_returns(quick, gate, caplog):
    told = []

    def hangs(tick):
        told.append(tick)
        gate.wait()

    with bus.subscribe(hangs, channel="ticks"):
        run = quick.start(tn.strategy("calm", every="1m")(never))
        until(lambda: len(record_of(run).last_ticks) >= 4, "four ticks")
    assert len(told) == 1
    assert "gets nothing more until it returns" in caplog.text


def test_fault_66_a_loop_that_died_is_started_again_and_says_so(make_quick, heard, caplog):
    quick = make_quick(pause_s=0.05)
    run = quick.start(tn.strategy("calm", every="1m")(never))
    until(lambda: record_of(run).last_ticks, "a tick")

    def die():
        raise SystemExit("a defect in the loop")

    quick.supervisor._scheduler._loop.call_soon_threadsafe(die)
    until(lambda: any("was started again" in event.note for event in heard), "the error event")
    before = len(record_of(run).last_ticks)
    until(lambda: len(record_of(run).last_ticks) > before + 1, "ticks after the death")
    assert run.status == "running"
    assert run.error is None
    closes = [tick.at for tick in record_of(run).last_ticks]
    assert closes == sorted(set(closes))


def test_fault_66_an_async_strategy_that_raises_system_exit_is_an_error_event(quick):
    @tn.strategy("exits", every="1m")
    async def exits(ctx):
        raise SystemExit(1)

    run = quick.start(exits)
    # A busy machine may lose whole minutes first, which are events of their own.
    storage = record_of(run).storage
    errors = until(lambda: [e for e in storage.events() if e.kind == "error"], "an error")
    assert "SystemExit" in errors[0].note


def test_fault_69_the_watchdog_speaks_though_the_loop_itself_is_blocked(make_quick, gate, heard):
    quick = make_quick(silent_s=0.5)
    run = quick.start(tn.strategy("calm", every="1m")(never))
    until(lambda: record_of(run).last_ticks, "a tick")
    quick.supervisor._scheduler._loop.call_soon_threadsafe(gate.wait)
    until(lambda: run.error, "the alarm")
    assert "no tick has finished" in str(run.error)
    until(lambda: heard, "the error event")
    assert (heard[0].kind, heard[0].symbol) == ("error", "BTCUSDT")
    gate.set()
    until(lambda: run.error is None, "the recovery")


def test_the_watchdog_is_silent_while_runs_tick(make_quick, heard):
    quick = make_quick(silent_s=5.0)
    run = quick.start(tn.strategy("calm", every="1m")(never))
    until(lambda: len(record_of(run).last_ticks) >= 3, "ticks")
    quick.supervisor._watchdog.check()
    assert not heard


def test_waiting_for_a_run_on_its_own_loop_is_refused(quick):
    failed = []

    @tn.strategy("waits", every="1m")
    async def waits(ctx):
        try:
            run.wait()
        except tn.UsageError as error:
            failed.append(str(error))

    run = quick.start(waits)
    until(lambda: failed, "the refusal")
    assert failed[0] == f"wait() would block the loop of {run.id} itself; remove it here"


def test_a_run_that_was_stopped_begins_anew_with_the_next_number(quick):
    @tn.strategy("opens", every="1m")
    def opens(ctx):
        return tn.long(take_profit=150.0, stop_loss=90.0, minutes=1)

    run = quick.start(opens)
    until(lambda: run.position, "a position")
    run.stop()
    assert run.wait(240)
    assert run.status == "done"
    count = len(run.events())
    again = quick.start(opens)
    assert again is not run
    until(lambda: len(again.events()) > count, "an event of the new run")
    numbers = list(again.events().seq)
    assert numbers == list(range(1, len(numbers) + 1))


def test_two_strategies_on_one_symbol_see_candles_though_the_second_wants_more(quick):
    seen = {"short": [], "long": []}

    def look(name, count):
        def strategy(ctx):
            seen[name].append(ctx.candles("1m", count).time[-1] + 60_000 - ctx.now)

        return strategy

    quick.start(tn.strategy("short", every="1m", history="1h")(look("short", 30)))
    until(lambda: seen["short"], "an ask of the first")
    quick.start(tn.strategy("long", every="1m", history="1d")(look("long", 1_000)))
    until(lambda: seen["long"] and len(seen["short"]) > 3, "asks of both")
    assert {*seen["short"], *seen["long"]} == {0}


def test_rehearsals_leave_no_thread_behind(tmp_path):
    from tests.sources import exchange, flat

    calm = tn.strategy("calm", every="1h")(never)
    before = threading.active_count()
    for _ in range(3):
        run = tn.live.rehearse("BTCUSDT", strategy=calm, exchange=exchange(flat(30)), speed=None)
        assert run.wait(240)
    until(lambda: threading.active_count() <= before, "the end of the threads")


def test_the_report_and_the_cell_show_words_of_users_as_words(quick, tmp_path):
    @tn.strategy("opens", every="1m")
    def opens(ctx):
        return tn.long(take_profit=150.0, stop_loss=90.0, minutes=1, note="<b>|x|</b>")

    run = quick.start(opens)
    until(lambda: has(run, "kind", "closed"), "a close")
    report = run.dump(tmp_path / "deep" / "live.md").read_text()
    assert report.startswith("# opens on BTCUSDT, live\n")
    assert "| closed signals |" in report
    assert "&lt;b&gt;\\|x\\|&lt;/b&gt;" in report
    assert "<b>" not in report
    html = run._repr_html_()
    assert "opens on BTCUSDT, live" in html
    assert "<script" not in html


def test_the_time_until_an_exit_is_not_spent_on_waiting(quick, monkeypatch):
    run = quick.start(tn.strategy("calm", every="1m")(never))
    until(lambda: record_of(run).last_ticks, "a tick")
    # From now on no wait ends because its time has come.
    monkeypatch.setattr(quick.clock, "wait", lambda woken, until: SystemClock().wait(woken, None))
    quick.supervisor.close(60.0)
    assert run.status == "idle"
