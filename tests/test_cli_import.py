"""`tradenb import`: files of any form become one Parquet file under the home."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import tradenb as tn
from tradenb.cli import main

ROWS = "".join(
    f"{1_709_251_200 + 60 * place},{100 + place},{101.5 + place},{99 + place},{101 + place},1.5,3\n"
    for place in range(6)
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADENB_HOME", str(tmp_path / "home"))
    (tmp_path / "XBTUSD_1.csv").write_text(ROWS)
    return tmp_path


def test_what_was_imported_is_read_by_the_line_that_is_printed(home, capsys):
    assert main(["import", str(home / "XBTUSD*"), "--symbol", "BTC/USD"]) == 0
    said = capsys.readouterr().out
    assert "BTCUSD: 6 candles, 2024-03-01 00:00 to 2024-03-01 00:06" in said
    assert "XBTUSD_1.csv was read as: OHLCVT of Kraken; times in s" in said
    source = eval(said.rpartition("use it: ")[2], {"tn": tn})
    found = tn.candles("BTCUSD", exchange=source)
    wanted = tn.candles("X", exchange=tn.file_exchange({"X": home / "XBTUSD_1.csv"}))
    pd.testing.assert_frame_equal(found, wanted)


def test_an_import_speaks_json_and_replaces_nothing(home, capsys):
    command = ["import", str(home / "XBTUSD_1.csv"), "--symbol", "BTCUSD", "--json"]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["candles"], said["read_as"].keys()) == (6, {"XBTUSD_1.csv"})
    assert main(command) == 2
    assert "exists; move it away first" in capsys.readouterr().err


def test_what_is_refused_is_not_written(home, capsys):
    (home / "bad.csv").write_text(ROWS.replace("1.5,3", "1.5,3.5"))
    assert main(["import", str(home / "bad.csv"), "--symbol", "BTCUSD"]) == 1
    assert "the order of the columns is not clear" in capsys.readouterr().err
    assert not list((home / "home").glob("imported/*"))
    assert main(["import", str(home / "none*"), "--symbol", "BTCUSD"]) == 2


@pytest.mark.parametrize("given", ["data/x.csv", "BTCUSDT.parquet", "data/*.csv", "./deep/x"])
def test_a_path_in_place_of_an_exchange_is_told_how_to_be_one(given):
    with pytest.raises(tn.UsageError, match=r"exchange=tn.file_exchange\('"):
        tn.candles("BTCUSDT", exchange=given)
