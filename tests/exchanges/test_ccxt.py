"""The client of ccxt against an exchange on loopback: symbols, prices, errors, sessions."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import pytest

import tradenb as tn
from tests.exchanges.wire import END, RULES, as_frame, exchange_on, loaded, same, served
from tests.sources import DAY, MINUTE, T0, frame, market
from tradenb.engine.ports import CandleRequest
from tradenb.exchanges.ccxt.ccxt_client import ccxt_names
from tradenb.exchanges.ccxt.ccxt_options import ORDINARY
from tradenb.exchanges.ccxt.portal import Portal


def test_candles_are_those_of_the_exchange_to_the_last_bit():
    rows = frame(market(3, 1_500))
    rows["volume"] = rows["volume"] * 1e-9 + 1 / 3  # no eight decimals
    with served({"BTC/USDT": rows}) as server:
        ours = loaded(exchange_on(server), end=T0 + 1_500 * MINUTE).candles
    theirs = tn.frame_exchange(rows).load(CandleRequest(symbol="X", rules=RULES)).candles
    assert same(ours, theirs)


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTCUSDT"])
def test_both_forms_of_a_symbol_are_one_market(symbol):
    with served() as server:
        ex = exchange_on(server)
        found = ex.load(CandleRequest(symbol=symbol, start=T0, end=END, rules=RULES))
        assert ex.format_price(symbol, 100.123) == "100.12"
    assert same(found.candles, as_frame())


def test_prices_and_amounts_are_written_as_the_exchange_takes_them():
    with served() as server:
        ex = exchange_on(server)
        assert ex.format_price("BTCUSDT", 101.238) == "101.24"
        assert ex.format_amount("BTCUSDT", 1.9999) == "1.999"
        with pytest.raises(
            tn.UsageError, match=r"does not accept amount 0.0001 .*minimum amount precision"
        ):
            ex.format_amount("BTCUSDT", 0.0001)
        for bad in (float("nan"), 0, -1, "2", None):
            with pytest.raises(tn.UsageError, match="must be a finite number above 0"):
                ex.format_price("BTCUSDT", bad)


def test_an_unknown_symbol_is_answered_with_the_nearest():
    with served() as server, pytest.raises(tn.UnknownName, match=r"'BTCUSDC'.*'BTCUSDT'"):
        exchange_on(server).format_price("BTC/USDC", 1.0)


def test_a_symbol_that_is_several_markets_is_refused_and_they_are_listed():
    frames = {"A/BCUSDT": frame(market(1, 9)), "AB/CUSDT": frame(market(2, 9))}
    with served(frames) as server:
        server._markets.clear()
        server._markets |= {item.base + "-" + item.quote: item for item in _apart(frames)}
        with pytest.raises(tn.UsageError, match="is ambiguous on binance; pass one of"):
            exchange_on(server).format_price("ABCUSDT", 1.0)


def _apart(frames):
    from tradenb.exchanges.tables.frame_source import rows_from_frame
    from tradenb.testing.server.binance_api import market_of

    made = [market_of(name, rows_from_frame(rows)) for name, rows in frames.items()]
    return [item._replace(symbol=f"{item.base}-{item.quote}") for item in made]


def test_an_unknown_exchange_is_answered_with_the_nearest_without_importing_ccxt():
    code = (
        "import sys, tradenb as tn\n"
        "try: tn.ccxt_exchange('binanse')\n"
        "except tn.UnknownName as error: print(error)\n"
        "tn.ccxt_exchange('binance'); print('ccxt' in sys.modules, 'aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    words, imported = done.stdout.splitlines()
    assert "'binanse'" in words
    assert "did you mean 'binance'" in words
    assert imported == "False False"


def test_every_exchange_of_ccxt_is_known():
    import ccxt.async_support

    assert set(ccxt.async_support.exchanges) <= set(ccxt_names())


def test_the_same_call_gives_the_same_object_and_a_pickle_finds_it():
    with served() as server:
        one = tn.ccxt_exchange("binance", **server.options)
        assert tn.ccxt_exchange("binance", **server.options) is one
        assert pickle.loads(pickle.dumps(one)) is one
        assert tn.ccxt_exchange("binance", timeout=5_000, **server.options) is not one


def test_its_name_is_enough_where_an_exchange_is_wanted():
    plain = tn.ccxt_exchange("binance")
    assert tn.ccxt_exchange("binance") is plain
    assert repr(plain) == "ccxt_exchange('binance')"

    @tn.strategy("idle", every="1h")
    def idle(ctx):
        return None

    with pytest.raises(tn.UsageError, match="pass start="):
        tn.backtest.run("BTCUSDT", strategy=idle, exchange="binance")


def test_start_is_wanted_and_end_is_now_by_default():
    with served(at=END + 30_000) as server:
        ex = exchange_on(server)
        found = ex.load(CandleRequest(symbol="BTCUSDT", start=T0, rules=RULES)).candles
        assert found.end == END
        with pytest.raises(tn.UsageError, match="pass start="):
            ex.load(CandleRequest(symbol="BTCUSDT", rules=RULES))
        with pytest.raises(tn.CandleError, match="no candle has closed between"):
            loaded(ex, END + DAY, END + 2 * DAY)


def test_a_period_without_candles_is_said_so():
    with served() as server, pytest.raises(tn.CandleError, match="the exchange has no candles"):
        loaded(exchange_on(server), T0 - 3 * DAY, T0 - DAY)


def test_options_that_ccxt_does_not_take_are_a_usage_error():
    with served() as server, pytest.raises(tn.UsageError, match="rejects these options"):
        loaded(exchange_on(server, rateLimit="soon", enableRateLimit=True))


def test_tab_shows_what_a_user_may_call():
    shown = {name for name in dir(tn.ccxt_exchange("binance")) if not name.startswith("_")}
    assert shown >= {"load", "name"}
    assert "made_of" not in shown


def test_many_threads_share_one_client_and_its_markets():
    with served() as server:
        ex = exchange_on(server, cache=False)
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(loaded(ex).candles)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert server.count("exchangeInfo") == 1
        assert server.count("time") == 1
    assert len(found) == 6
    assert all(same(item, as_frame()) for item in found)


@pytest.mark.parametrize(
    "leaving", ["", "os._exit(0)", pytest.param("raise SystemExit(0)", marks=pytest.mark.soak)]
)
def test_no_session_is_left_open_however_a_program_ends(leaving):
    code = f"""
import os, sys, warnings
warnings.simplefilter("always")
import tradenb as tn
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest
request = CandleRequest(symbol="BTCUSDT", start={T0}, end={END}, rules=Rules())
ex = tn.ccxt_exchange("binance", cache=False, **eval(sys.argv[1]))
ex.load(request)
print("loaded", flush=True)
{leaving}
"""
    with served() as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "always", "-c", code, repr(server.options)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "loaded\n"
    for words in ("nclosed", "close()", "Task was destroyed", "never retrieved"):
        assert words not in done.stderr


def test_a_portal_closes_what_is_idle_and_opens_it_again():
    portal = Portal(idle_s=0.01)
    closed = threading.Event()

    async def close():
        closed.set()

    async def work():
        return threading.current_thread().name

    portal.when_idle(close)
    try:
        assert portal.call(work) == "tradenb-exchanges"
        assert closed.wait(240)
        assert portal.call(work) == "tradenb-exchanges"
    finally:
        portal.close()
    assert portal.call(work) == "tradenb-exchanges"
    portal.close()


def test_a_session_that_was_closed_for_being_idle_is_opened_by_the_next_call(monkeypatch):
    from tradenb.exchanges.ccxt import ccxt_source as module

    portal = Portal(idle_s=0.0)
    monkeypatch.setattr(module, "portal", portal)
    with served() as server:
        ex = exchange_on(server, cache=False)
        try:
            for _ in range(3):
                assert same(
                    loaded(ex, end=T0 + 50 * MINUTE).candles, as_frame(end=T0 + 50 * MINUTE)
                )
        finally:
            portal.close()


def test_a_forked_child_talks_on_a_thread_of_its_own():
    code = f"""
import os, sys, warnings
warnings.simplefilter("ignore")
import tradenb as tn
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest
request = CandleRequest(symbol="BTCUSDT", start={T0}, end={END}, rules=Rules())
ex = tn.ccxt_exchange("binance", cache=False, **eval(sys.argv[1]))
def load(): return len(ex.load(request).candles)
print(load(), flush=True)
child = os.fork()
if not child:
    print(load(), flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], load(), flush=True)
"""
    with served() as server:
        done = subprocess.run(
            [sys.executable, "-c", code, repr(server.options)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split() == ["3000", "3000", "0", "3000"]


def test_candles_of_tn_are_a_frame_in_any_timeframe():
    with served() as server:
        ex = exchange_on(server)
        found = tn.candles("BTC/USDT", exchange=ex, start=T0, end=END, progress=False)
        hours = tn.candles("BTC/USDT", exchange=ex, start=T0, end=END, timeframe="1h")
    assert found.index.name == "time"
    assert str(found.index.tz) == "UTC"
    assert list(found.columns) == ["open", "high", "low", "close", "volume"]
    assert found["close"].to_numpy().tobytes() == as_frame().close.tobytes()
    assert len(hours) == 50
    assert hours["high"].iloc[0] == found["high"].iloc[:60].max()


def test_candles_of_tn_come_from_any_source_and_the_bar_is_shown_when_it_takes_long(
    monkeypatch, capsys
):
    walk = tn.testing.random_walk(seed=1, days=3)
    assert len(tn.candles("BTCUSDT", exchange=walk)) == 3 * 1_440
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("tradenb.exchanges.candles_function._DELAY_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with served() as server:
        tn.candles("BTCUSDT", exchange=exchange_on(server), start=T0, end=END)
    assert "BTCUSDT" in capsys.readouterr().err
    with pytest.raises(tn.UsageError, match="exchange must be an exchange such as"):
        tn.candles("BTCUSDT", exchange=5)
    with pytest.raises(tn.CandleError, match="there are candles from"):
        tn.candles("BTCUSDT", exchange=walk, start="2030-01-01")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"optoins": {}}, "binance has no option 'optoins'; did you mean 'options'"),
        ({"timout": 5_000}, "binance has no option 'timout'; did you mean 'timeout'"),
        ({"ratelimit": 50}, "binance has no option 'ratelimit'; did you mean 'rateLimit'"),
        ({"httpproxy": "http://x"}, "'httpproxy'; did you mean 'httpProxy'"),
        ({"defaultType": "future"}, r"'defaultType'; pass options={'defaultType': \.\.\.}$"),
        ({"zzzz": 1}, "binance has no option 'zzzz'; usual ones are enableRateLimit, headers, "),
    ],
)
def test_a_mistyped_option_is_refused_with_the_nearest_one(given, words):
    with pytest.raises(tn.UnknownName, match=words):
        tn.ccxt_exchange("binance", **given)


@pytest.mark.parametrize("name", ["apikey", "api_key", "APIKEY", "apiKeey", "Secret", "passwort"])
def test_a_mistyped_secret_is_refused_and_not_shown(name):
    with pytest.raises(tn.UnknownName, match=rf"no option '{name}'; did you mean '\w") as caught:
        tn.ccxt_exchange("binance", **{name: "s3cr3t-of-mine"})
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.__cause__)


def test_what_ccxt_leaves_free_is_free_and_what_it_knows_is_taken():
    ex = tn.ccxt_exchange("binance", options={"anything": 1}, httpProxy="http://p", hostname="h")
    assert repr(ex) == "ccxt_exchange('binance')"
    assert tn.ccxt_exchange("binance", asyncio_loop=None, nonce=lambda: 1)


@pytest.mark.parametrize("name", ["sandbox", "testnet"])
def test_a_test_market_is_given_where_this_version_of_ccxt_looks_for_it(name):
    import ccxt.async_support

    assert tn.ccxt_exchange("binance", options={name: True})
    if "testnet" in ccxt.async_support.binance({name: True}).urls["api"]["public"]:
        assert tn.ccxt_exchange("binance", **{name: True})
    else:
        with pytest.raises(tn.UnknownName, match=f"pass options={{'{name}': ...}}"):
            tn.ccxt_exchange("binance", **{name: True})


def test_the_ordinary_options_are_those_of_every_exchange_of_ccxt():
    import ccxt.async_support

    made = [getattr(ccxt.async_support, name)() for name in ("binance", "kraken", "bybit", "okx")]
    assert [name for name in ORDINARY for it in made if not hasattr(it, name)] == []
