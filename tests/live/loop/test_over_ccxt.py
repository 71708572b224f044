"""The live loop over ccxt and an exchange on loopback: the events of the candles as a frame.

The loop, its files, ccxt's client and the exchange share one stepped clock, so every minute is
asked for when it has closed, and nothing depends on how fast the machine is.
"""

from __future__ import annotations

import threading

import pandas as pd
import pytest

import tradenb as tn
from tests.exchanges.wire import SHORT
from tests.live.fast import until
from tests.sources import MINUTE, T0, frame, market, minute
from tradenb.bus import bus
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.live.live_run import record_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Supervisor
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.live.stepped_clock import SteppedClock
from tradenb.store.paths import find_home
from tradenb.testing.server.exchange_server import ExchangeServer
from tradenb.testing.world.comparable_events import comparable

RULES = Rules(candle_retries=2, candle_retry_seconds=1)
WAIT_S = 240
ROWS = market(31, 400)
START = minute(60)


def deciding(name="lively"):
    """A strategy that opens longs and shorts, at the market and by limit, and often."""

    @tn.strategy(name, every="5m", history="1h")
    def lively(ctx):
        close = ctx.candles("5m", 6).close
        price, mean = ctx.price, close.mean()
        if price < 0.9995 * mean:
            return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=45)
        if price > 1.0005 * mean:
            entry = 1.001 * price
            return tn.short(
                entry=entry, take_profit=0.99 * entry, stop_loss=1.01 * entry, minutes=90
            )
        return None

    return lively


class Life:
    """Live runs of one home on one stepped clock, over an exchange on loopback."""

    def __init__(self, frames, tmp_path, *, start=START, specs=None, **options):
        self.home, self.start = tmp_path, start
        self.clock = SteppedClock(start)
        self.server = ExchangeServer(frames, clock=self.clock, weight_limit=10**9).start()
        self.specs: list[StrategySpec] = specs or [deciding()]
        self.exchange = self.connected(**options)
        self.runs: list[RunRecord] = []

    def connected(self, **options):
        return CcxtExchange(
            "binance",
            {"enableRateLimit": False, **self.server.options, **options},
            home=self.home,
            now=self.clock.now,
            monotonic=lambda: self.clock.now() / 1000,
            sleep=lambda seconds: None,  # the clock of the loop is the only one that moves
        )

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        for run in self.runs:
            run.release()
        self.server.close()

    def live(self, end, *, symbols=("BTCUSDT",), on_tick=None):
        """Live until a close time, as one process would."""
        supervisor = Supervisor(self.clock, ThreadWorkers(), bus, end=end)
        self.runs = []
        for symbol in symbols:
            for spec in self.specs:
                storage = DiskStorage(
                    find_home(self.home), symbol, spec, "binance", now=self.clock.now, durable=False
                )
                run = RunRecord(
                    symbol, spec, self.exchange, RULES, storage, self.clock, supervisor.wake
                )
                run.checkpoint = storage.open()
                self.runs.append(run)
        for run in self.runs:
            supervisor.add(run)
        for run in self.runs:
            assert run.ended.wait(WAIT_S)
            assert run.status != "running"
        return self

    def events(self, place=0):
        return self.runs[place].storage.events()


def backtest(rows, end, *, start=START, symbol="BTCUSDT", spec=None):
    result = tn.backtest.run(
        symbol,
        strategy=spec or deciding(),
        exchange=tn.frame_exchange(rows),
        start=start,
        end=end,
        rules=RULES,
    )
    return result.event_list


def alike(ours, theirs):
    assert len(theirs) > 3
    assert comparable(ours) == comparable(theirs)


def assert_true(known, rows, end):
    """What a run knows is what the exchange had, to the last bit."""
    source = tn.frame_exchange(rows)
    true = source.load(CandleRequest(symbol="BTCUSDT", rules=RULES)).candles
    wanted = true.between(known.start, known.end)
    assert known.end >= end
    for name in ("time", "open", "high", "low", "close", "volume"):
        assert getattr(known, name).tobytes() == getattr(wanted, name).tobytes()


def test_live_over_ccxt_is_the_backtest_of_the_frame_bit_for_bit(tmp_path):
    rows, end = frame(ROWS), minute(180)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.live(end)
        alike(life.events(), backtest(rows, end))
        # One request for each minute, whatever came before.
        since = [item.query["startTime"] for item in life.server.requests if item.path == "klines"]
        assert len(since) == len(set(since)) == 120 + 1


def test_two_strategies_on_one_symbol_make_one_request_a_minute(tmp_path):
    rows, end = frame(ROWS), minute(120)
    specs = [deciding("one"), deciding("two")]
    with Life({"BTCUSDT": rows}, tmp_path, specs=specs) as life:
        life.live(end)
        since = [item.query["startTime"] for item in life.server.requests if item.path == "klines"]
        assert len(since) == len(set(since)) == 60 + 1
        for place, spec in enumerate(specs):
            alike(life.events(place), backtest(rows, end, spec=spec))


def test_after_a_restart_the_events_go_on_as_if_nothing_had_been(tmp_path):
    rows, end = frame(ROWS), minute(180)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.live(minute(110))
        life.exchange = life.connected()  # as a new process has it
        life.live(end)
        alike(life.events(), backtest(rows, end))


REAL = [
    ("BTCUSDT-1m-2024-03.parquet", "BTCUSDT", "2024-03-05 12:00"),
    pytest.param(
        "ADAUSDT-1m-2025-06.parquet", "ADAUSDT", "2025-06-13 00:00", marks=pytest.mark.soak
    ),
    pytest.param(
        "DOGEUSDT-1m-2025-06.parquet", "DOGEUSDT", "2025-06-20 00:00", marks=pytest.mark.soak
    ),
    ("XRPETH-1m-2019-10.parquet", "XRPETH", "2019-10-12 08:00"),
]


@pytest.mark.realtime
@pytest.mark.parametrize(("file", "symbol", "start"), REAL)
def test_backtest_rehearsal_and_restart_over_ccxt_are_the_frame_on_real_candles(
    real_data, tmp_path, file, symbol, start
):
    rows, first = _real(real_data / file, start)
    end = first + 240 * MINUTE
    expected = backtest(rows, end, start=first, symbol=symbol)
    rules = RULES.model_copy(update={"candle_retry_seconds": 0})
    with ExchangeServer({symbol: rows}) as server:
        ex = CcxtExchange("binance", {"enableRateLimit": False, **server.options}, home=tmp_path)
        more = {"exchange": ex, "strategy": deciding(), "start": first, "end": end, "rules": rules}
        alike(tn.backtest.run(symbol, **more).event_list, expected)
        asked = len(server.requests)
        run = tn.live.rehearse(symbol, speed=None, home=tmp_path, **more)
        until(lambda: run.events().shape[0] > 2, "an event")
        run.release()
        assert run.wait(WAIT_S)
        again = tn.live.rehearse(symbol, speed=None, home=tmp_path, **more)
        assert again.wait(WAIT_S)
        again.raise_if_failed()
        alike(record_of(again).storage.events(), expected)
        assert len(server.requests) == asked


# A thin market is left out: that a minute had no trade is known only when a later candle is there,
# so a loop that lives through it leaves out asks that a backtest makes.
@pytest.mark.parametrize(("file", "symbol", "start"), REAL[:-1])
def test_every_minute_asked_for_over_ccxt_is_the_frame_on_real_candles(
    real_data, tmp_path, file, symbol, start
):
    rows, first = _real(real_data / file, start)
    end = first + 120 * MINUTE
    with Life({symbol: rows}, tmp_path, start=first) as life:
        life.live(first + 50 * MINUTE, symbols=(symbol,))
        life.exchange = life.connected()
        life.live(end, symbols=(symbol,))
        alike(life.events(), backtest(rows, end, start=first, symbol=symbol))


def _real(file, start):
    return pd.read_parquet(file), int(pd.Timestamp(start, tz="UTC").timestamp()) * 1000


PASSING = [
    ("unavailable", {"times": 2}),
    ("html", {"times": 2, "status": 200}),
    ("truncated", {"times": 2}),
    ("empty", {"times": 2}),
    ("reset", {"times": 2}),
    ("half_close", {"times": 2}),
    ("drip", {"times": 1, "seconds": 0.2}),
    ("silence", {"times": 1}),
    ("rate_limit", {"times": 1, "seconds": 90}),
    ("banned", {"times": 1, "seconds": 300}),
    ("null_volume", {"times": 2}),
    ("spike", {"times": 2}),
    ("late", {"times": 2}),
]


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_the_loop_lives_on_through_troubles_and_no_wrong_candle_enters(tmp_path, kind, more):
    rows, middle, end = frame(ROWS), minute(75), minute(100)
    with Life({"BTCUSDT": rows}, tmp_path, **SHORT.get(kind, {})) as life:
        life.live(middle)
        trouble = life.server.trouble(kind, **more)
        life.live(end)
        assert trouble.met > 0
        (run,) = life.runs
        state = run.instance.state
        assert state.cursor == end
        assert_true(run.instance.candles, rows, end)
        prices = [event.price for event in life.events() if event.price is not None]
        assert prices
        assert all(80 < price < 120 for price in prices)


@pytest.mark.parametrize("kind", ["duplicates", "unsorted", "short", "changed"])
def test_troubles_that_ccxt_or_the_intake_mends_change_no_event(tmp_path, kind):
    rows, end = frame(ROWS), minute(120)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.live(minute(90))
        trouble = life.server.trouble(kind)
        if kind == "changed":  # the loop asks for what is new, and never for what it has
            life.exchange = life.connected()
        life.live(end)
        assert trouble.met > 0
        alike(life.events(), backtest(rows, end))


def test_what_a_user_sees_of_a_trouble_is_an_error_event_that_says_so(tmp_path):
    seen = []
    handle = tn.subscribe(seen.append, channel="errors")
    try:
        with Life({"BTCUSDT": frame(ROWS)}, tmp_path) as life:
            life.live(minute(70))
            life.server.trouble("html", times=5, status=503)
            life.live(minute(80))
    finally:
        handle.close()
    words = " ".join(str(getattr(item, "note", item)) for item in seen)
    assert "binance: candles of BTC/USDT" in words
    assert "<html" not in words


@pytest.mark.no_cover
@pytest.mark.parametrize("ahead", [3_000, 30_000, 55_000])
def test_fault_56_a_clock_that_is_a_little_ahead_changes_no_event(tmp_path, ahead):
    rows, end = frame(ROWS), minute(120)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.server.skew_ms = -ahead
        life.live(end)
        alike(life.events(), backtest(rows, end))


def test_fault_56_with_a_clock_far_ahead_no_forming_candle_enters_and_nothing_is_opened(
    tmp_path, caplog
):
    """The newest minute is over for us and not for the exchange, so every ask comes too late."""
    rows, end = frame(ROWS), minute(85)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.server.skew_ms = -75_000
        life.live(end)
        assert [event.kind for event in life.events()] == ["skipped", "error"]
        assert "candles of BTCUSDT arrive 7" in life.events()[1].note
        (run,) = life.runs
        assert run.instance.state.cursor == end
        assert_true(run.instance.candles, rows, end)
    assert "75.0 s ahead of that of binance" in caplog.text


def test_fault_86_candles_that_the_exchange_publishes_late_change_no_event(tmp_path):
    rows, end = frame(ROWS), minute(120)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        trouble = life.server.trouble("delayed", seconds=31)
        life.live(end)
        assert trouble.met > 60
        alike(life.events(), backtest(rows, end))


def test_fault_87_candles_that_the_exchange_changes_later_are_told(tmp_path):
    with Life({"BTCUSDT": frame(ROWS)}, tmp_path) as life:
        life.server.trouble("revised", seconds=5)
        life.live(minute(70))
        notes = [str(event.note) for event in life.events() if event.kind == "error"]
        assert notes
        assert "candles of BTCUSDT change after they were acted on" in notes[0]


def test_no_thread_but_the_house_s_own_is_left(tmp_path):
    with Life({"BTCUSDT": frame(ROWS)}, tmp_path) as life:
        life.live(minute(65))
    names = {thread.name for thread in threading.enumerate() if not thread.daemon}
    assert names == {"MainThread"}
    assert T0 < START


@pytest.mark.realtime
def test_a_run_in_the_background_lives_on_candles_of_ccxt(quick):
    """The registry, the supervisor and the clock of real runs, sixty times as fast."""
    clock = quick.clock
    first = clock.now() // MINUTE * MINUTE - 300 * MINUTE
    rows = frame(market(8, 2_000), first)
    with ExchangeServer({"BTCUSDT": rows}, clock=clock, weight_limit=10**9) as server:
        ex = CcxtExchange(
            "binance",
            {"enableRateLimit": False, **server.options},
            now=clock.now,
            monotonic=lambda: clock.now() / 1000,
        )
        run = quick.start(deciding(), exchange=ex)
        assert quick.start("lively", exchange=ex) is run
        until(lambda: len(run.ticks()) >= 3, "the third tick", seconds=60)
        run.release()
        assert run.wait(WAIT_S)
        run.raise_if_failed()
        instance = record_of(run).instance
        assert_true(instance.candles, rows, instance.state.cursor)
