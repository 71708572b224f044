"""The live loop over ccxt and an exchange on loopback: the events of the candles as a frame.

The loop, its files, ccxt's client and the exchange share one stepped clock, so every minute is
asked for when it has closed, and nothing depends on how fast the machine is.
"""

from __future__ import annotations

import threading

import pandas as pd
import pytest

import tradenb as tn
from tests.sources import MINUTE, T0, frame, market, minute
from tradenb.bus import bus
from tradenb.core.rules import Rules
from tradenb.engine.specs import StrategySpec
from tradenb.exchanges.connected import CcxtExchange
from tradenb.live.disk import DiskShelf
from tradenb.live.engine import Engine
from tradenb.live.run import LiveRun
from tradenb.live.stepped import SteppedClock
from tradenb.live.workers import ThreadWorkers
from tradenb.store.paths import find_home
from tradenb.testing.server import ExchangeServer
from tradenb.testing.verdict import comparable

RULES = Rules(candle_retries=2, candle_retry_seconds=1)
WAIT_S = 100
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
        self.server = ExchangeServer(frames, clock=self.clock).start()
        self.specs: list[StrategySpec] = specs or [deciding()]
        self.exchange = self.connected(**options)
        self.runs: list[LiveRun] = []

    def connected(self, **options):
        return CcxtExchange(
            "binance",
            {"enableRateLimit": False, **self.server.options, **options},
            home=self.home,
            now=self.clock.now,
            monotonic=lambda: self.clock.now() / 1000,
        )

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        for run in self.runs:
            run.release()
        self.server.close()

    def live(self, end, *, symbols=("BTCUSDT",), on_tick=None):
        """Live until a close time, as one process would."""
        engine = Engine(self.clock, ThreadWorkers(), bus, end=end)
        self.runs = []
        for symbol in symbols:
            for spec in self.specs:
                shelf = DiskShelf(
                    find_home(self.home), symbol, spec, "binance", now=self.clock.now, durable=False
                )
                run = LiveRun(symbol, spec, self.exchange, RULES, shelf, self.clock, engine.wake)
                run.kept = shelf.open()
                self.runs.append(run)
        for run in self.runs:
            engine.add(run)
        for run in self.runs:
            run.wait(WAIT_S)
            assert run.status != "running"
        return self

    def events(self, place=0):
        return self.runs[place].shelf.events()


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


def decided(events):
    """Events without those that say that an ask came too late, which live alone has."""
    return [event for event in events if event.kind not in ("skipped", "error")]


def test_live_over_ccxt_is_the_backtest_of_the_frame_bit_for_bit(tmp_path):
    rows, end = frame(ROWS), minute(300)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.live(end)
        alike(life.events(), backtest(rows, end))
        # One request for each minute, whatever came before.
        since = [item.query["startTime"] for item in life.server.requests if item.path == "klines"]
        assert len(since) == len(set(since)) == 240 + 1


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
    rows, end = frame(ROWS), minute(300)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.live(minute(150))
        life.exchange = life.connected()  # as a new process has it
        life.live(end)
        alike(life.events(), backtest(rows, end))


@pytest.mark.parametrize(
    ("file", "symbol", "start", "minutes"),
    [
        ("BTCUSDT-1m-2024-03.parquet", "BTCUSDT", "2024-03-05 12:00", 300),
        ("ADAUSDT-1m-2025-06.parquet", "ADAUSDT", "2025-06-13 00:00", 240),
        ("XRPETH-1m-2019-10.parquet", "XRPETH", "2019-10-12 08:00", 240),
    ],
)
def test_backtest_rehearsal_and_restart_over_ccxt_are_the_frame_on_real_candles(
    real_data, tmp_path, file, symbol, start, minutes
):
    rows = pd.read_parquet(real_data / file)
    first = int(pd.Timestamp(start, tz="UTC").timestamp()) * 1000
    end = first + minutes * MINUTE
    expected = backtest(rows, end, start=first, symbol=symbol)
    spec = deciding()
    with ExchangeServer({symbol: rows}) as server:
        ex = CcxtExchange("binance", {"enableRateLimit": False, **server.options}, home=tmp_path)
        more = {"exchange": ex, "strategy": spec, "start": first, "end": end, "rules": RULES}
        more["rules"] = RULES.model_copy(update={"candle_retry_seconds": 0})
        tested = tn.backtest.run(symbol, **more)
        alike(tested.event_list, expected)
        asked = len(server.requests)
        run = tn.live.rehearse(symbol, speed=None, home=tmp_path, **more)
        run.wait(WAIT_S)
        run.raise_if_failed()
        alike(run.shelf.events(), expected)
        assert len(server.requests) == asked
    with Life({symbol: rows}, tmp_path / "live", start=first) as life:
        life.live(first + minutes // 3 * MINUTE, symbols=(symbol,))
        life.live(end, symbols=(symbol,))
        alike(life.events(), expected)


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
    rows, middle, end = frame(ROWS), minute(100), minute(140)
    with Life({"BTCUSDT": rows}, tmp_path, timeout=1_000) as life:
        life.live(middle)
        trouble = life.server.trouble(kind, **more)
        life.live(end)
        assert trouble.met > 0
        (run,) = life.runs
        state = run.instance.state
        assert state.cursor == end
        known = run.feed.history.candles if run.feed else run.instance.candles
        expected = tn.frame_exchange(rows).load(
            "BTCUSDT", start=None, end=None, history=0, rules=RULES
        )
        wanted = expected.candles.between(known.start, end)
        for name in ("open", "high", "low", "close", "volume"):
            assert getattr(known, name).tobytes() == getattr(wanted, name).tobytes()
        prices = [event.price for event in life.events() if event.price is not None]
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
    handle = tn.subscribe(seen.append, channel="errors", mode="live")
    try:
        with Life({"BTCUSDT": frame(ROWS)}, tmp_path) as life:
            life.live(minute(70))
            life.server.trouble("html", times=1, status=503)
            life.live(minute(80))
    finally:
        handle.close()
    words = " ".join(str(getattr(item, "note", item)) for item in seen)
    assert "binance: candles of BTC/USDT" in words
    assert "<html" not in words


def test_with_a_clock_that_is_ahead_the_loop_takes_no_forming_candle(tmp_path):
    """Fault 56: the loop believes that a minute is over 30 s before the exchange does."""
    rows, end = frame(ROWS), minute(120)
    with Life({"BTCUSDT": rows}, tmp_path) as life:
        life.server.skew_ms = -30_000
        life.live(end)
        ours = life.events()
    theirs = backtest(rows, end)
    known = {event.at: event.price for event in theirs}
    assert {event.at: event.price for event in ours}.items() <= known.items() or all(
        event.price in _closes() for event in decided(ours) if event.kind == "milestone"
    )
    assert len(decided(ours)) > 3


def _closes():
    return {row[3] for row in ROWS}


def test_no_thread_but_the_house_s_own_is_left(tmp_path):
    with Life({"BTCUSDT": frame(ROWS)}, tmp_path) as life:
        life.live(minute(65))
    names = {thread.name for thread in threading.enumerate() if not thread.daemon}
    assert names == {"MainThread"}
    assert T0 < START
