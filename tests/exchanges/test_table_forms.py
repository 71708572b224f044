"""Files in the forms that people have: each gives the same five candles, or is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import logging
import lzma
import random
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest
from tradenb.errors import CandleError, TradenbError
from tradenb.exchanges.tables.file_source import file_exchange

FIRST = 1_709_251_200_000
MINUTE = 60_000
NAMES = ("open", "high", "low", "close", "volume")
VALUES = [
    [100, 101.5, 99, 100.5, 5.25],
    [100.5, 102, 100, 101.5, 6.5],
    [101.5, 103, 101, 102.5, 7.125],
    [102.5, 102.75, 100.5, 101, 8.5],
    [101, 101.25, 98.5, 99, 9.75],
]

VISION = """\
1709251200000,100,101.5,99,100.5,5.25,1709251259999,526.1,12,2.5,250.0,0
1709251260000,100.5,102,100,101.5,6.5,1709251319999,657.2,11,3.5,352.0,0
1709251320000,101.5,103,101,102.5,7.125,1709251379999,727.0,14,0.5,51.0,0
1709251380000,102.5,102.75,100.5,101,8.5,1709251439999,865.0,9,8.5,864.0,0
1709251440000,101,101.25,98.5,99,9.75,1709251499999,975.0,10,1.5,149.0,0
"""
BITSTAMP = """\
Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price
1709251200,100,101.5,99,100.5,5.25,526.1,100.2
1709251260,100.5,102,100,101.5,6.5,657.2,101.1
1709251320,101.5,103,101,102.5,7.125,727.0,102.0
1709251380,102.5,102.75,100.5,101,8.5,865.0,101.8
1709251440,101,101.25,98.5,99,9.75,975.0,100.0
"""
DOWNLOAD = """\
https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume BTC,Volume USD
1709251440,2024-03-01 00:04:00,BTC/USD,101,101.25,98.5,99,9.75,975.0
1709251380,2024-03-01 00:03:00,BTC/USD,102.5,102.75,100.5,101,8.5,865.0
1709251320,2024-03-01 00:02:00,BTC/USD,101.5,103,101,102.5,7.125,727.0
1709251260,2024-03-01 00:01:00,BTC/USD,100.5,102,100,101.5,6.5,657.2
1709251200,2024-03-01 00:00:00,BTC/USD,100,101.5,99,100.5,5.25,526.1
"""
KRAKEN = """\
1709251200,100,101.5,99,100.5,5.25,12
1709251260,100.5,102,100,101.5,6.5,11
1709251320,101.5,103,101,102.5,7.125,14
1709251380,102.5,102.75,100.5,101,8.5,9
1709251440,101,101.25,98.5,99,9.75,10
"""
COINBASE = """\
1709251440,98.5,101.25,101,99,9.75
1709251380,100.5,102.75,102.5,101,8.5
1709251320,101,103,101.5,102.5,7.125
1709251260,100,102,100.5,101.5,6.5
1709251200,99,101.5,100,100.5,5.25
"""
BITFINEX = """\
1709251200000,100,100.5,101.5,99,5.25
1709251260000,100.5,101.5,102,100,6.5
1709251320000,101.5,102.5,103,101,7.125
1709251380000,102.5,101,102.75,100.5,8.5
1709251440000,101,99,101.25,98.5,9.75
"""
METATRADER_5 = """\
<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>
2024.03.01\t00:00:00\t100\t101.5\t99\t100.5\t5.25\t0\t3
2024.03.01\t00:01:00\t100.5\t102\t100\t101.5\t6.5\t0\t3
2024.03.01\t00:02:00\t101.5\t103\t101\t102.5\t7.125\t0\t3
2024.03.01\t00:03:00\t102.5\t102.75\t100.5\t101\t8.5\t0\t3
2024.03.01\t00:04:00\t101\t101.25\t98.5\t99\t9.75\t0\t3
"""
METATRADER_4 = """\
2024.03.01,00:00,100,101.5,99,100.5,5.25
2024.03.01,00:01,100.5,102,100,101.5,6.5
2024.03.01,00:02,101.5,103,101,102.5,7.125
2024.03.01,00:03,102.5,102.75,100.5,101,8.5
2024.03.01,00:04,101,101.25,98.5,99,9.75
"""
TRADINGVIEW = """\
time,open,high,low,close,Volume,MA #1
2024-03-01T01:00:00+01:00,100,101.5,99,100.5,5.25,100
2024-03-01T01:01:00+01:00,100.5,102,100,101.5,6.5,100
2024-03-01T01:02:00+01:00,101.5,103,101,102.5,7.125,100
2024-03-01T01:03:00+01:00,102.5,102.75,100.5,101,8.5,100
2024-03-01T01:04:00+01:00,101,101.25,98.5,99,9.75,100
"""
YAHOO = """\
Price,Close,High,Low,Open,Volume,Close,High,Low,Open,Volume
Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD,ETH-USD,ETH-USD,ETH-USD,ETH-USD,ETH-USD
Datetime,,,,,,,,,,
2024-03-01 00:00:00+00:00,100.5,101.5,99,100,5.25,7,7,7,7,1
2024-03-01 00:01:00+00:00,101.5,102,100,100.5,6.5,7,7,7,7,1
2024-03-01 00:02:00+00:00,102.5,103,101,101.5,7.125,7,7,7,7,1
2024-03-01 00:03:00+00:00,101,102.75,100.5,102.5,8.5,7,7,7,7,1
2024-03-01 00:04:00+00:00,99,101.25,98.5,101,9.75,7,7,7,7,1
"""
DUKASCOPY = """\
Gmt time,Open,High,Low,Close,Volume
01.03.2024 00:00:00.000,100,101.5,99,100.5,5.25
01.03.2024 00:01:00.000,100.5,102,100,101.5,6.5
01.03.2024 00:02:00.000,101.5,103,101,102.5,7.125
01.03.2024 00:03:00.000,102.5,102.75,100.5,101,8.5
01.03.2024 00:04:00.000,101,101.25,98.5,99,9.75
"""
SEMICOLONS = """\
Datum;Date;Open;High;Low;Close;Volume
x;2024-03-01 00:00;100;101,5;99;100,5;5,25
x;2024-03-01 00:01;100,5;102;100;101,5;6,5
x;2024-03-01 00:02;101,5;103;101;102,5;7,125
x;2024-03-01 00:03;102,5;102,75;100,5;101;8,5
x;2024-03-01 00:04;101;101,25;98,5;99;9,75
"""

FORMS = {
    "vision_ms": (VISION, "klines of Binance"),
    "vision_us": (
        re.sub(r"17092\d{8}", lambda at: at[0] + ("999" if at[0][-1] == "9" else "000"), VISION),
        "times in µs",
    ),
    "vision_futures": (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n" + VISION,
        "",
    ),
    "python_binance": (
        "Open time,Open,High,Low,Close,Volume,Close time,Quote,Trades,Base,Quotes,Ignore\n"
        + VISION,
        "",
    ),
    "kaggle_bitstamp": (BITSTAMP, "times in s"),
    "cryptodatadownload": (DOWNLOAD, "the header is in line 2; times in s; newest first"),
    "kraken": (KRAKEN, "OHLCVT of Kraken; times in s"),
    "coinbase": (COINBASE, "time, low, high, open, close, volume; times in s; newest first"),
    "bitfinex": (BITFINEX, "time, open, close, high, low, volume"),
    "metatrader_5": (METATRADER_5, "taken for UTC; separated by tabs"),
    "metatrader_4": (METATRADER_4, "whose zone is taken for UTC"),
    "tradingview": (TRADINGVIEW, ""),
    "yfinance": (YAHOO, "yfinance"),
    "dukascopy": (DUKASCOPY, ""),
    "dukascopy_local": (
        DUKASCOPY.replace("Gmt", "Local")
        .replace(".000,", ".000 GMT+0100,")
        .replace(" 00:0", " 01:0"),
        "",
    ),
    "semicolons": (SEMICOLONS, "separated by ;; decimals with a comma"),
    "tabs": (TRADINGVIEW.replace(",", "\t"), "separated by tabs"),
}


def load(path, symbol="BTC-USD", rules=None):
    source = file_exchange({symbol: path})
    return source, source.load(CandleRequest(symbol=symbol, rules=rules or Rules()))


def values(loaded):
    columns = [getattr(loaded.candles, name).tolist() for name in NAMES]
    return [list(row) for row in zip(*columns, strict=True)]


def assert_the_five(path, words=""):
    source, loaded = load(path)
    assert values(loaded) == VALUES
    assert loaded.candles.time.tolist() == [FIRST + MINUTE * place for place in range(5)]
    assert words in source.forms.get(path.name, "")
    if not words:
        assert not source.forms


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_its_candles_and_says_what_it_was_taken_for(tmp_path, name):
    text, words = FORMS[name]
    path = tmp_path / "BTC-USD-1m.csv"
    path.write_text(text, encoding="utf-8")
    assert_the_five(path, words)


def zipped(data, count=1):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for place in range(count):
            file.writestr(f"{place}.csv", data)
    return archive.getvalue()


PACKS = {
    ".csv.gz": gzip.compress,
    ".csv.xz": lzma.compress,
    ".csv.bz2": bz2.compress,
    ".zip": zipped,
    ".csv": lambda data: data,
}


@pytest.mark.parametrize("suffix", PACKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_packed_and_encoded_files_are_read(tmp_path, suffix, encoding):
    path = tmp_path / f"BTC-USD-1m{suffix}"
    path.write_bytes(PACKS[suffix](TRADINGVIEW.encode(encoding)))
    assert_the_five(path, "UTF-16" if encoding == "utf-16" else "")


def test_json_feather_and_workbooks_are_read(tmp_path):
    rows = [[FIRST + MINUTE * place, *row] for place, row in enumerate(VALUES)]
    names = ["date", *NAMES]
    table = pd.DataFrame(rows, columns=names)
    dated = table.assign(date=pd.to_datetime(table.date, unit="ms", utc=True))
    (tmp_path / "BTC_USD-1m.json").write_text(json.dumps(rows))
    (tmp_path / "records.json").write_text(table.to_json(orient="records"))
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    dated.to_feather(tmp_path / "BTC_USD-1m.feather")
    naive = dated.assign(date=dated.date.dt.tz_localize(None))
    naive.to_excel(tmp_path / "BTC-USD-1m.xlsx", index=False)
    for path in sorted(tmp_path.iterdir()):
        _, loaded = load(path)
        assert values(loaded) == VALUES, path.name
        assert loaded.candles.start == FIRST


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", gzip.compress(b"x"), "it looks like gzip; rename it to .csv.gz"),
        ("a.csv", zipped(b"x"), "it looks like a zip file or a workbook"),
        ("a.zip", zipped(b"x", 2), "the archive holds 2 files"),
        ("a.csv.gz", b"no gzip", "cannot be read as csv"),
        ("a.json", b'{"a": 1}', "JSON must be a list of rows"),
        ("a.csv", VISION.replace("526.1", "5.1").encode(), "order of the columns is not clear"),
        ("a.csv", KRAKEN.replace("12\n", "1.5\n").encode(), "order of the columns is not clear"),
        ("a.csv", COINBASE.splitlines()[0].encode(), "order of the columns is not clear"),
        ("a.csv", SEMICOLONS.replace(",5;", ",500;").replace(",5\n", ",500\n")
         .replace(",25", ",250").replace(",75", ",750").encode(), "must be a number, was"),
        ("a.csv", BITSTAMP.replace("_(BTC)", "_(XRP)").encode(), "rename it to volume"),
        ("a.csv", TRADINGVIEW.replace("+01:00,100,", ",100,").encode(), "name no zone"),
        ("a.csv", DUKASCOPY.replace("Gmt", "Local").encode(), "name no zone"),
        ("a.csv", f"{TRADINGVIEW.strip()}\nTotal,,,,,,\n".encode(), "row 5: .* was 'Total'"),
        ("a.csv", BITSTAMP.replace("1709251", "1.709251E+9,").encode(), "cannot be read"),
        ("a.csv", BITSTAMP.replace("1709251200", "1.7092512E+09").encode(), "with an exponent"),
        ("a.csv", YAHOO.replace("BTC-USD", "XRP-USD").encode(), "not BTC-USD"),
        ("a.csv", TRADINGVIEW.replace("2024-03-01T01", "03/01/2024 01").encode(), "ISO 8601"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_what_could_be_two_things_is_refused(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_bytes(text)
    with pytest.raises(CandleError, match=words):
        load(path)


def test_candles_without_volume_are_read_where_no_rule_needs_it(tmp_path, caplog):
    path = tmp_path / "EURUSD-1m.csv"
    path.write_text("\n".join(line.rsplit(",", 1)[0] for line in DUKASCOPY.splitlines()))
    with caplog.at_level(logging.WARNING, "tradenb"):
        _, loaded = load(path)
    assert loaded.candles.volume.tolist() == [0.0] * 5
    assert ["no volume" in words for words in caplog.messages] == [True]
    for rules in (Rules(price="average"), Rules(touch="average_price")):
        with pytest.raises(CandleError, match="have no volume, which the average price needs"):
            load(path, rules=rules)


# --------------------------------------------------------------------------- a thousand files


class Fuzz:
    """A file of some candles in some form."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        numbers = np.random.default_rng(seed)
        count = self.random.randint(2, 12)
        level = self.random.choice([0.02, 1.1, 100.0, 60_000.0])
        close = level * np.exp(np.cumsum(numbers.normal(0, 0.003, count)))
        opened = np.r_[level, close[:-1]] * (1 + numbers.normal(0, 1e-4, count))
        high = np.maximum(opened, close) * (1 + numbers.exponential(1e-3, count))
        low = np.minimum(opened, close) * (1 - numbers.exponential(1e-3, count))
        volume = numbers.exponential(self.random.choice([1.0, level, 1e4]), count) + 0.001
        digits = self.random.choice([3, 5, 8])
        columns = [opened, high, low, close, volume]
        self.columns = [np.round(column, digits).tolist() for column in columns]
        self.times = [FIRST + MINUTE * place for place in range(count)]

    def written(self) -> tuple[str, bytes]:
        pick = self.random.choice
        cells = [self._times(pick(["ms", "s", "us", "ns", "iso", "zone", "dots", "mt"]))]
        comma = pick([False, False, True])
        for column in self.columns:
            texts = [repr(value) for value in column]
            cells.append([text.replace(".", ",") for text in texts] if comma else texts)
        names = [pick(["timestamp", "Date", "time", "Unix"]), *NAMES]
        for extra in range(self.random.randint(0, 3)):
            names.append(f"extra {extra}")
            cells.append([str(self.random.random()) for _ in self.times])
        if self.random.random() < 0.8:
            order = self.random.sample(range(len(names)), len(names))
        else:
            order = list(range(len(names)))
        rows = [[cells[place][row] for place in order] for row in range(len(self.times))]
        if self.random.random() < 0.3:
            rows.reverse()
        if self.random.random() < 0.1:
            self.random.shuffle(rows)
        header = [names[place] for place in order]
        lines = [header, *rows] if self.random.random() < 0.7 else rows
        between = pick([",", ",", ";", "\t", "|"])
        text = "".join(between.join(line) + "\n" for line in lines)
        if self.random.random() < 0.1:
            text = "https://example.com\n" + text
        suffix = pick([".csv", ".csv", *PACKS])
        data = text.encode(pick(["utf-8", "utf-8-sig", "utf-16"]))
        return f"BTC-USD-1m{suffix}", PACKS[suffix](data)

    def _times(self, kind: str) -> list[str]:
        if kind in ("ms", "s", "us", "ns"):
            scale = {"ms": (1, 1), "s": (1, 1000), "us": (1000, 1), "ns": (1_000_000, 1)}[kind]
            return [str(at * scale[0] // scale[1]) for at in self.times]
        moments = [pd.Timestamp(at, unit="ms", tz="UTC") for at in self.times]
        if kind == "zone":
            return [at.tz_convert("Asia/Tokyo").isoformat() for at in moments]
        form = {"iso": "%Y-%m-%d %H:%M:%S", "dots": "%d.%m.%Y %H:%M:%S", "mt": "%Y.%m.%d %H:%M"}
        return [at.strftime(form[kind]) for at in moments]


def test_a_thousand_files_give_their_candles_or_are_refused(tmp_path):
    right = 0
    for seed in range(1_000):
        fuzz = Fuzz(seed)
        name, data = fuzz.written()
        path: Path = tmp_path / f"{seed}-{name}"
        path.write_bytes(data)
        try:
            _, loaded = load(path)
        except TradenbError:
            continue
        finally:
            path.unlink()
        right += 1
        found = [getattr(loaded.candles, one).tolist() for one in NAMES]
        assert loaded.candles.time.tolist() == fuzz.times, (seed, data)
        assert found == fuzz.columns, (seed, data)
    assert right > 500


def test_a_source_shows_what_its_files_were_taken_for(tmp_path):
    path = tmp_path / "BTC-USD-1m.csv"
    path.write_text(KRAKEN)
    source = tn.file_exchange(path)
    tn.candles("BTC-USD", exchange=source)
    assert "OHLCVT of Kraken" in source._repr_html_()
