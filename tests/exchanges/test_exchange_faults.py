"""Faults of the wire, and of the candles on it, met by ccxt's own client."""

from __future__ import annotations

import logging

import pytest

import tradenb as tn
from tests.exchanges.wire import END, ROWS, SHORT, as_frame, exchange_on, loaded, same, served
from tests.sources import MINUTE, T0, frame
from tradenb.testing.server.server_candles import ServerClock

NONE = tn.Rules(candle_retries=0)


class Monotonic:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_fault_34_an_exchange_that_does_not_answer_is_given_up():
    with served() as server:
        ex = exchange_on(server, **SHORT["silence"])
        trouble = server.trouble("silence")
        with pytest.raises(
            tn.ExchangeError, match=r"failed 1 times.*did not respond in time"
        ) as refused:
            loaded(ex, rules=NONE)
        assert refused.value.retryable
        trouble.end()
        assert same(loaded(ex).candles, as_frame())


def test_fault_34_also_where_ccxt_itself_would_wait_for_ever(monkeypatch):
    monkeypatch.setattr("tradenb.exchanges.ccxt.ccxt_client.CALL_S", 0.3)
    with served() as server:
        ex = exchange_on(server, timeout=600_000)
        server.trouble("silence")
        with pytest.raises(tn.ExchangeError, match="did not respond in time"):
            loaded(ex, rules=NONE)


@pytest.mark.parametrize("kind", ["drip", "half_close", "reset"])
def test_fault_35_an_answer_that_does_not_come_whole_is_asked_for_again(kind):
    with served() as server:
        ex = exchange_on(server, **SHORT.get(kind, {}))
        trouble = server.trouble(kind, times=2, seconds=0.05)
        assert same(loaded(ex).candles, as_frame())
        assert trouble.met == 2


@pytest.mark.parametrize("kind", ["drip", "half_close", "reset"])
def test_fault_35_an_answer_that_never_comes_whole_is_a_retryable_error(kind):
    with served() as server:
        ex = exchange_on(server, **SHORT.get(kind, {}))
        server.trouble(kind, seconds=0.05)
        with pytest.raises(tn.ExchangeError, match="failed 1 times") as refused:
            loaded(ex, rules=NONE)
    assert refused.value.retryable


ANSWERS = [
    ("unavailable", {"status": 500}),
    ("unavailable", {"status": 503}),
    ("unavailable", {"status": 504}),
    ("html", {"status": 200}),
    ("html", {"status": 403}),
    ("html", {"status": 502}),
    ("empty", {}),
    ("truncated", {}),
]


@pytest.mark.parametrize(("kind", "more"), ANSWERS)
@pytest.mark.parametrize("path", ["klines", "exchangeInfo", "time"])
def test_fault_36_what_is_no_answer_is_asked_for_again(kind, more, path):
    with served() as server:
        ex = exchange_on(server)
        trouble = server.trouble(kind, times=1, path=path, **more)
        if path != "klines":  # before the first page there is no retry
            with pytest.raises(tn.ExchangeError) as refused:
                loaded(ex)
            assert refused.value.retryable
        assert same(loaded(ex).candles, as_frame())
        assert trouble.met == 1


@pytest.mark.parametrize(("kind", "more"), ANSWERS)
def test_fault_36_what_is_never_an_answer_is_said_in_one_line_and_nothing_is_kept(kind, more):
    with served() as server:
        ex = exchange_on(server)
        trouble = server.trouble(kind, **more)
        with pytest.raises(tn.MarketError) as refused:
            loaded(ex)
        trouble.end()
        assert "binance" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 800
        assert refused.value.retryable
        assert same(loaded(ex).candles, as_frame())


@pytest.mark.parametrize(("kind", "status"), [("rate_limit", 429), ("banned", 418)])
def test_fault_36_an_exchange_that_wants_to_be_left_alone_is(kind, status):
    now = Monotonic()
    with served() as server:
        ex = exchange_on(server, monotonic=now)
        server.trouble(kind, times=1, seconds=120)
        with pytest.raises(tn.ExchangeError, match="rate limited; retry after") as refused:
            loaded(ex, rules=NONE)
        assert refused.value.retryable
        assert [item.status for item in server.requests][-1] == status
        asked = len(server.requests)
        for seconds in (1, 60, 58):
            now.seconds += seconds
            with pytest.raises(
                tn.ExchangeError, match=r"not requested, rate limited for another \d+ s"
            ):
                loaded(ex, rules=NONE)
        assert len(server.requests) == asked
        now.seconds += 2
        assert same(loaded(ex).candles, as_frame())


def test_fault_36_a_backtest_waits_as_long_as_it_is_told_to_and_goes_on():
    now, naps = Monotonic(), []

    class Naps(list):
        def append(self, seconds):
            naps.append(seconds)
            now.seconds += seconds

    with served() as server:
        ex = exchange_on(server, monotonic=now, naps=Naps())
        server.trouble("rate_limit", times=1, seconds=45)
        assert same(loaded(ex).candles, as_frame())
    assert naps == [45]


def test_fault_36_too_many_requests_for_the_exchange_are_refused_by_it():
    with served(weight_limit=25) as server:
        ex = exchange_on(server)
        with pytest.raises(tn.ExchangeError, match="rate limited"):
            loaded(ex, rules=NONE)


def test_fault_48_after_six_hours_of_maintenance_the_candles_are_made_up_for():
    with served() as server:
        ex = exchange_on(server)
        trouble = server.trouble("unavailable", path="")
        for _ in range(6):
            server.clock.step(60)
            with pytest.raises(tn.ExchangeError):
                loaded(ex)
        trouble.end()
        assert same(loaded(ex).candles, as_frame())


@pytest.mark.parametrize("kind", ["duplicates", "unsorted", "short"])
def test_fault_49_pages_in_disorder_give_the_same_candles(kind):
    with served() as server:
        server.trouble(kind)
        assert same(
            loaded(exchange_on(server), end=T0 + 200 * MINUTE).candles,
            as_frame(end=T0 + 200 * MINUTE),
        )


def test_fault_49_minutes_that_are_missing_for_a_while_are_asked_for_again():
    with served() as server:
        gone = tuple(T0 + n * MINUTE for n in (5, 6, 1_500, 2_000))
        server.trouble("missing", times=3, minutes=gone)
        found = loaded(exchange_on(server))
    assert found.intake.filled == 0
    assert same(found.candles, as_frame())


def test_fault_49_minutes_that_never_come_are_shown_flat_and_counted():
    with served() as server:
        server.trouble("missing", minutes=(T0 + 5 * MINUTE, T0 + 6 * MINUTE))
        found = loaded(exchange_on(server))
    assert found.intake.filled == 2
    shown = found.candles.shown
    assert len(shown) == len(found.candles) + 2
    assert shown.open[5:7].tolist() == shown.close[5:7].tolist() == [shown.close[4]] * 2
    assert shown.volume[5:7].tolist() == [0.0, 0.0]


def test_fault_49_a_history_that_is_changed_later_changes_no_backtest():
    with served() as server:
        ex = exchange_on(server)
        first = loaded(ex).candles
        server.trouble("changed")
        assert same(loaded(exchange_on(server)).candles, first)
        assert not same(loaded(exchange_on(server, cache=False)).candles, first)


def test_fault_50_the_candle_that_is_not_over_is_left_out_by_the_time_of_the_exchange():
    for seconds in (0, 1, 30, 59):
        at = T0 + 100 * MINUTE + seconds * 1000
        with served(at=at) as server:
            ex = exchange_on(server, cache=False)
            found = loaded(ex, end=END).candles
            assert found.end == T0 + 100 * MINUTE
            assert same(found, as_frame(end=T0 + 100 * MINUTE))


def test_fault_50_a_candle_that_closes_while_the_answer_comes_is_not_taken():
    """The answer was made before the close, so what it says of the candle is not the end of it."""
    clock = ServerClock(T0 + 100 * MINUTE - 5)
    with served(clock=clock) as server:
        seconds = Monotonic()
        ex = exchange_on(server, cache=False, monotonic=seconds, now=clock.now)
        assert ex.server_now("BTCUSDT") == clock.now()
        candles = ex._client.candles

        async def slow(symbol, since, limit):
            answer = await candles(symbol, since, limit)
            seconds.seconds += 60
            clock.step(1)
            return answer

        ex._client.candles = slow
        assert loaded(ex, end=T0 + 100 * MINUTE - MINUTE).candles.end == T0 + 99 * MINUTE
        from tradenb.exchanges.ccxt.portal import portal

        answer = portal.call(lambda: candles("BTCUSDT", T0 + 98 * MINUTE, 10))
        assert answer.rows.time[-1] + MINUTE <= answer.at


def test_fault_50_a_closed_candle_that_is_late_is_not_invented():
    end = T0 + 100 * MINUTE
    with served(at=end + 2_000) as server:
        trouble = server.trouble("late")
        ex = exchange_on(server)
        assert loaded(ex, end=end).candles.end == end - MINUTE
        trouble.end()
        assert same(loaded(ex, end=end).candles, as_frame(end=end))


@pytest.mark.parametrize(
    ("kind", "words"), [("spike", "price_anomaly_factor"), ("null_volume", "volume")]
)
def test_fault_51_what_cannot_be_is_refused_and_asked_for_again(kind, words):
    with served() as server:
        ex = exchange_on(server)
        trouble = server.trouble(kind)
        with pytest.raises(tn.CandleError, match=words) as refused:
            loaded(ex)
        assert trouble.met > 1
        assert "BTC" in str(refused.value)
        trouble.end()
        server.trouble(kind, times=1)
        assert same(loaded(ex).candles, as_frame())


def test_fault_51_a_minute_without_trades_is_a_candle():
    quiet = frame(ROWS).assign(volume=0.0)
    with served({"BTCUSDT": quiet}) as server:
        assert loaded(exchange_on(server)).candles.volume.max() == 0.0


@pytest.mark.parametrize("ahead", [3_000, 30_000, 90_000])
def test_fault_56_with_our_clock_ahead_the_forming_candle_is_not_taken(ahead, caplog):
    at = T0 + 100 * MINUTE - 1_000  # one second before the close of the exchange
    with served(at=at) as server, caplog.at_level(logging.WARNING, "tradenb"):
        ex = exchange_on(server, cache=False, now=lambda: at + ahead, monotonic=lambda: 0.0)
        assert loaded(ex).candles.end == T0 + 99 * MINUTE
        assert abs(ex.clock_ahead_ms - ahead) < 1_000
        rows = _recent(ex, T0 + 90 * MINUTE)
        assert rows.time[-1] == T0 + 98 * MINUTE
        assert f"{ahead / 1000:.1f} s ahead" in repr(ex)
    assert f"{ahead / 1000:.1f} s ahead of that of binance" in caplog.text


def test_fault_56_with_our_clock_behind_it_is_said_as_well(caplog):
    at = T0 + 100 * MINUTE
    with served(at=at) as server, caplog.at_level(logging.WARNING, "tradenb"):
        ex = exchange_on(server, cache=False, now=lambda: at - 30_000, monotonic=lambda: 0.0)
        assert loaded(ex).candles.end == T0 + 100 * MINUTE
    assert "30.0 s behind that of binance" in caplog.text


def test_fault_56_a_clock_of_the_exchange_that_is_wrong_decides_for_its_own_candles():
    at = T0 + 100 * MINUTE
    with served(at=at) as server:
        server.skew_ms = -90_000
        ex = exchange_on(server, cache=False, now=lambda: at, monotonic=lambda: 0.0)
        assert loaded(ex).candles.end == T0 + 98 * MINUTE


def test_fault_56_a_clock_that_is_right_is_not_spoken_of(caplog):
    at = T0 + 100 * MINUTE
    with served(at=at) as server, caplog.at_level(logging.WARNING, "tradenb"):
        ex = exchange_on(server, cache=False, now=lambda: at + 300, monotonic=lambda: 0.0)
        loaded(ex)
        assert repr(ex) == "ccxt_exchange('binance')"
    assert caplog.text == ""


def _recent(ex, since):
    import asyncio

    async def asked():
        return await ex.recent("BTCUSDT", since, 1_000)

    return asyncio.run(asked())
