"""What a trader reads in a terminal and in a cell when something is not as usual."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace

import pytest

import tradenb as tn
from tests.live.fast import rows, until
from tests.live.processes import bot, child, rehearsed
from tests.sources import exchange
from tests.sources import market as wild
from tradenb.cli import doctor_checks as checks
from tradenb.cli import main
from tradenb.cli.exchange_clocks import exchange_clocks
from tradenb.engine.specs.registry import registry
from tradenb.errors import ExchangeError, StateLocked
from tradenb.exchanges.ccxt.portal import Portal
from tradenb.exchanges.exchange_errors import translate_error
from tradenb.live.live_run import record_of
from tradenb.store.document.commit import encode
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key, find_home

BROKEN = """
import time
import tradenb as tn

@tn.exchange("down")
def down(symbol, since, limit):
    raise LookupError("the line is dead")

@tn.strategy("calm", every="1m")
def calm(ctx):
    return None

rules = tn.Rules(tick_ms=100, candle_retries=0)
tn.live.background("BTCUSDT", strategy=calm, exchange=down, rules=rules)
"""


@pytest.mark.realtime
def test_a_strategy_that_raised_is_in_the_list_the_status_the_cell_and_the_report(quick, capsys):
    @tn.strategy("breaks", every="1m")
    def breaks(ctx):
        raise KeyError("no such key")

    run = quick.start(breaks)
    until(lambda: "error" in set(run.events().kind), "the error")
    assert "no such key" in tn.live.list().last_error[0]
    assert main(["status"]) == 0
    assert "no such key" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert "no such key" in json.loads(capsys.readouterr().out)["runs"][0]["last_error"]
    assert "no such key" in run._repr_html_()
    assert "no such key" in run.report()


def test_a_rehearsal_that_came_to_its_end_is_done_and_has_ended_for_others(capsys):
    run = tn.live.rehearse(**rehearsed(200))
    assert run.wait(240)
    assert run.status == "done"
    assert main(["status"]) == 0
    assert " done " in capsys.readouterr().out.splitlines()[1]


@pytest.mark.no_cover
def test_a_report_is_short_markdown_or_a_page_with_a_price_chart(tmp_path):
    run = tn.live.rehearse(**rehearsed(200))
    assert run.wait(240)
    short = run.report()
    full = run.dump(tmp_path / "live.md").read_text()
    assert "The newest 10 of" in short
    assert len(full.splitlines()) > len(short.splitlines()) + 20
    page = run.report(tmp_path / "live.html")
    assert page.parent == tmp_path
    assert "Price, trades and equity" in page.read_text()
    with pytest.raises(tn.UsageError, match=r"live\.pdf"):
        run.report("live.pdf")
    what = rehearsed(200)
    result = tn.backtest.run(
        "BTCUSDT", strategy=what["strategy"], exchange=what["exchange"], progress=False
    )
    assert result.report() == result.to_markdown()


def test_tradenb_report_draws_the_price_from_files_that_are_those_of_the_run(tmp_path, capsys):
    what = rehearsed(200)
    assert tn.live.rehearse(**what, home=tmp_path).wait(240)
    files = tmp_path / "candles"
    files.mkdir()
    tn.candles("BTCUSDT", exchange=what["exchange"]).to_parquet(files / "BTCUSDT.parquet")
    tn.candles("BTCUSDT", exchange=exchange(wild(6, 450))).to_parquet(files / "other.parquet")
    given = ["report", "--home", str(tmp_path / "rehearsal"), "-o", str(tmp_path / "out")]
    page = tmp_path / "out" / "BTCUSDT-busy.html"

    assert main([*given, "--candles", str(files / "BTCUSDT.parquet")]) == 0
    assert "Price, trades and equity" in page.read_text()
    assert main(given) == 0
    assert "Price, trades and equity" not in page.read_text()
    assert "no price chart: no candle source for exchange" in page.read_text()
    (files / "BTCUSDT.parquet").unlink()
    (files / "other.parquet").rename(files / "BTCUSDT.parquet")
    capsys.readouterr()
    assert main([*given, "--candles", str(files / "BTCUSDT.parquet")]) == 0
    assert "these are not the candles of the run" in capsys.readouterr().out


@pytest.mark.realtime
def test_an_error_of_a_bot_is_said_once(tmp_path):
    with child("-m", "tradenb", "run", bot(tmp_path / "bot.py", BROKEN)) as found:
        until(lambda: sum("is dead" in line for line in found.lines) > 1, "two errors")
    assert not any("is dead" in line for line in found.errors)


def test_an_exchange_that_cannot_be_reached_is_said_so_without_addresses():
    class ClientConnectorError(Exception):
        pass

    class NetworkError(Exception):
        pass

    class ExchangeNotAvailable(NetworkError):
        pass

    class RequestTimeout(Exception):
        pass

    def words(error):
        found = translate_error(error, what="binance: list of markets", headers={}, now_ms=0)
        assert isinstance(found, ExchangeError)
        assert found.retryable
        return str(found)

    away = ExchangeNotAvailable("binance GET https://api.binance.com/api/v3/exchangeInfo")
    away.__cause__ = ClientConnectorError()
    assert words(away) == (
        "binance: list of markets: the exchange cannot be reached; check the network"
    )
    assert "the exchange did not respond in time; check the network" in words(
        RequestTimeout("binance GET url")
    )
    busy = ExchangeNotAvailable("binance GET https://api.binance.com/x 503 Service Unavailable")
    assert words(busy) == (
        "binance: list of markets: the request failed "
        "(ExchangeNotAvailable: 503 Service Unavailable)"
    )


def test_who_comes_second_is_told_in_one_piece(tmp_path):
    disk = DiskFilesystem()
    first, second = (FileLock(disk, tmp_path / "a.lock", what="BTCUSDT:dip") for _ in range(2))
    first.acquire()
    with pytest.raises(StateLocked) as refused:
        second.acquire()
    first.release()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [(200, "well", "200 ms ahead"), (-90_000, "wrong", "90.0 s behind; synchronise it")],
)
def test_the_doctor_compares_the_clock_with_the_exchange(monkeypatch, ahead, verdict, words):
    asked = SimpleNamespace(measure_clock=lambda: ahead)
    monkeypatch.setattr(
        "tradenb.exchanges.ccxt.ccxt_factory.ccxt_exchange", lambda name, home, **_: asked
    )
    (found,) = [
        check for check in checks.check_all(find_home(), "binance") if "binance" in check.name
    ]
    assert (found.verdict, words in found.words) == (verdict, True)


def test_the_doctor_is_quiet_about_an_exchange_that_cannot_be_asked(monkeypatch, capsys):
    def away():
        raise ExchangeError("binance: its time could not be had: the exchange cannot be reached")

    asked = SimpleNamespace(measure_clock=away)
    monkeypatch.setattr(
        "tradenb.exchanges.ccxt.ccxt_factory.ccxt_exchange", lambda name, home, **_: asked
    )
    assert main(["doctor", "--exchange", "binance"]) == 0
    assert "- clock against binance: unknown: binance" in capsys.readouterr().out


def test_the_doctor_ends_quietly_while_an_exchange_still_does_not_answer(monkeypatch):
    portal, asked = Portal(), threading.Event()

    async def no_answer():
        asked.set()
        await asyncio.sleep(3_600)

    def hangs():
        return portal.call(no_answer)

    monkeypatch.setattr(
        "tradenb.exchanges.ccxt.ccxt_factory.ccxt_exchange",
        lambda name, home, **_: SimpleNamespace(measure_clock=hangs),
    )
    monkeypatch.setattr("tradenb.cli.exchange_clocks.PATIENCE_S", 0.1)
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = {*threading.enumerate()}
    (found,) = exchange_clocks({"slow": ("slow", {})}, find_home().root)
    assert found == ("slow", None, "no answer in 0.1 s")
    asking = {*threading.enumerate()} - before
    assert asked.wait(60)
    portal.close()
    for thread in asking:
        thread.join(60)
    assert failed == []


@pytest.mark.realtime
def test_a_run_of_many_missing_minutes_says_so_in_its_cell(quick):
    clock = quick.clock

    @tn.exchange("holey", now=clock.now)
    def holey(symbol, since, limit):
        return [row for row in rows(since, limit, clock.now()) if row[0] // 60_000 // 7 % 2]

    calm = tn.strategy("calm", every="1m", history="6h")(lambda ctx: None)
    run = quick.start(calm, exchange=holey)
    until(lambda: record_of(run).last_ticks, "a tick")
    assert "of all candles" in run._repr_html_()
    assert "are missing" in run.report()


@pytest.mark.realtime
def test_the_document_says_which_version_of_the_strategy_ran(quick):
    def dip(ctx):
        return None

    calm = tn.strategy("calm", every="1m")(dip)
    assert registry.revision("strategy", "calm") == 1
    calm = tn.strategy("calm", every="5m")(dip)
    run = quick.start(calm)
    until(lambda: record_of(run).last_ticks, "a tick")
    found = read_document(DiskFilesystem(), find_home().document(Key("calm", "BTCUSDT")))
    assert found.body["revision"] == 2


@pytest.mark.realtime
def test_an_ended_run_is_retired_and_may_come_back(quick, capsys):
    @tn.strategy("opens", every="1m", risk=tn.risks.max_open(5, name="shared"))
    def opens(ctx):
        return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)

    home, key = find_home(), Key("opens", "BTCUSDT")
    run = quick.start(opens)
    until(lambda: record_of(run).committed and run.position, "a position on disk")
    assert main(["retire", "BTCUSDT:opens"]) == 3
    assert "held by process" in capsys.readouterr().err
    run.release()
    assert run.wait(240)
    assert main(["retire", "BTCUSDT:opens"]) == 1
    assert "holds a signal" in capsys.readouterr().err
    run = quick.start(opens)
    run.stop()
    run.flatten()
    assert run.wait(240)
    events = len(run.events())
    assert main(["retire", "BTCUSDT:opens", "--json"]) == 0
    folder = json.loads(capsys.readouterr().out)["folder"]
    assert tn.live.list().empty
    assert not list(home.keys(DiskFilesystem()))
    for kind in ("lived", "journal", "control"):
        left = [path.name for path in home.data.glob(f"{kind}/opens/**/*") if path.is_file()]
        assert [name for name in left if not name.endswith(".lock")] == []
    assert main(["retire", "BTCUSDT:opens"]) == 2
    for file in [path for path in home.root.glob("retired/**/*") if path.is_file()]:
        target = home.data / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    assert read_document(DiskFilesystem(), home.document(key)).body["state"]["done"]
    assert len(run.events()) == events


@pytest.mark.realtime
def test_a_run_that_saves_nothing_for_minutes_is_seen_in_the_status(quick, capsys):
    calm = tn.strategy("calm", every="1m")(lambda ctx: None)
    run = quick.start(calm)
    until(lambda: record_of(run).last_ticks, "a tick")
    assert main(["status"]) == 0
    assert "nothing new" not in capsys.readouterr().out
    path = find_home().document(Key("calm", "BTCUSDT"))
    old = read_document(DiskFilesystem(), path)
    run.release()
    assert run.wait(240)
    path.write_bytes(
        encode(old.seq + 9, {**old.body, "saved_at": old.body["saved_at"] - 86_400_000})
    )
    lock = FileLock(DiskFilesystem(), find_home().lock(Key("calm", "BTCUSDT")))
    with lock:
        assert main(["status"]) == 1
    assert "silent, nothing new for" in capsys.readouterr().out
