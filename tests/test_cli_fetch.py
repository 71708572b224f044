"""`tradenb fetch`, and the demo on an exchange: with a network, and without one."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.sources import DAY, MINUTE, T0, frame, market
from tradenb.cli import main
from tradenb.exchanges.ccxt import ccxt_factory as connect
from tradenb.testing.server.exchange_server import ExchangeServer
from tradenb.testing.server.server_candles import ServerClock

DAYS = 8
ROWS = market(4, DAYS * 1_440)


@pytest.fixture
def server(monkeypatch):
    """Put an exchange on loopback where the command line looks for binance."""
    clock = ServerClock(T0 + DAYS * DAY + 5 * MINUTE)
    with ExchangeServer({"BTCUSDT": frame(ROWS)}, clock=clock) as made:
        real = connect.ccxt_exchange
        options = {"enableRateLimit": False, **made.options}

        def without_waiting(name, **own):
            exchange = real(name, **own, **options)
            monkeypatch.setattr(exchange, "_sleep", lambda seconds: None)
            return exchange

        monkeypatch.setattr(connect, "ccxt_exchange", without_waiting)
        yield made


def fetch(*more):
    return main(["fetch", "BTC/USDT", "--exchange", "binance", "--start", "2024-01-02", *more])


def test_fetch_says_what_it_has_and_asks_for_it_once(server, capsys):
    assert fetch("--end", "2024-01-04") == 0
    asked = len(server.requests)
    assert fetch("--end", "2024-01-04") == 0
    assert len(server.requests) == asked
    said, again = capsys.readouterr().out.splitlines()
    assert said == again
    assert said.startswith(
        "BTCUSDT of binance: 2,880 candles, 2024-01-02 00:00 to 2024-01-04 00:00"
    )


def test_fetch_speaks_json_and_goes_on_until_now(server, capsys):
    assert fetch("--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["symbol"], said["exchange"], said["candles"]) == ("BTCUSDT", "binance", 7 * 1_440)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_fetch_writes_a_file_that_can_be_read_back(server, tmp_path, name):
    file = tmp_path / name
    assert fetch("--end", "2024-01-03", "--out", str(file)) == 0
    found = pd.read_csv(file) if name.endswith("csv") else pd.read_parquet(file)
    assert len(found) == 1_440
    assert found["close"].iloc[0] == ROWS[1_440][3]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--out", "x.xlsx"], "must end in .parquet or .csv"),
        (["--end", "yesterday"], "end must be ISO 8601"),
        (["--end", "2020-01-01"], "end must be after start"),
    ],
)
def test_fetch_refuses_what_cannot_be(server, capsys, more, words):
    assert fetch(*more) in (1, 2)
    assert words in capsys.readouterr().err


def test_fetch_writes_one_symbol_to_a_file(server, capsys):
    symbols = ["BTC/USDT", "ETH/USDT"]
    more = ["--exchange", "binance", "--start", "2024-01-02", "--out", "x.csv"]
    assert main(["fetch", *symbols, *more]) == 2
    assert "candles of one symbol" in capsys.readouterr().err


def test_fetch_of_an_unknown_exchange_or_symbol_names_the_nearest(server, capsys, monkeypatch):
    assert main(["fetch", "BTC/USDC", "--exchange", "binance", "--start", "2024-01-02"]) == 2
    assert "did you mean 'BTCUSDT'?" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["fetch", "BTC/USDT", "--exchange", "binanse", "--start", "2024-01-02"]) == 2
    assert "did you mean 'binance'" in capsys.readouterr().err


def test_the_demo_takes_the_candles_of_a_real_exchange(server, tmp_path, capsys):
    report = tmp_path / "report.html"
    arguments = ["demo", "--exchange", "binance", "--days", "4", "--no-rehearsal"]
    assert main([*arguments, "--report", str(report)]) == 0
    out = capsys.readouterr().out
    assert "2024-01-05 00:00 to 2024-01-09 00:00" in out
    assert "random walk" not in out
    assert report.exists()


def test_the_demo_says_that_there_is_no_network_and_goes_on_without(server, tmp_path, capsys):
    server.close()
    arguments = ["demo", "--exchange", "binance", "--days", "8", "--no-rehearsal"]
    assert main([*arguments, "--report", str(tmp_path / "report.html")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("note: binance cannot be reached, so this is a random walk (")
    assert "2024-01-01 00:00 to 2024-01-09 00:00" in out
