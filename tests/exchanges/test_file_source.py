from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradenb.core.candles.arrays import Intake
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.errors import CandleError, UnknownName, UsageError
from tradenb.exchanges.tables.file_source import file_exchange
from tradenb.exchanges.tables.frame_source import frame_exchange

NEW_YEAR = 1_704_067_200_000
MINUTE = 60_000
NAMES = ("timestamp", "open", "high", "low", "close", "volume")
RULES = Rules()
FORMATS = ("parquet", "csv", "npy")


def frame(count=5, first=0):
    prices = 100.0 + np.arange(first, first + count)
    times = NEW_YEAR + MINUTE * np.arange(first, first + count)
    columns = (times, prices, prices + 2, prices - 1, prices + 0.1, 10.0 * prices)
    return pd.DataFrame(dict(zip(NAMES, columns, strict=True)))


def write(path: Path, data: pd.DataFrame) -> Path:
    match path.suffix.lower():
        case ".parquet":
            data.to_parquet(path, index=False)
        case ".csv":
            data.to_csv(path, index=False)
        case ".npy":
            np.save(path, data.to_numpy(dtype=np.float64))
    return path


def load(source, symbol="BTCUSDT", **keywords):
    return source.load(CandleRequest(symbol=symbol, rules=RULES, **keywords))


def table(candles):
    return [getattr(candles, name).tolist() for name in ("time", *NAMES[1:])]


def expected(data):
    return [data[name].tolist() for name in NAMES]


def refusal(path):
    with pytest.raises(CandleError) as caught:
        load(file_exchange(path), Path(path).name.split("-")[0].split(".")[0])
    return caught.value


# ----------------------------------------------------------------------------- which files, whose


def test_it_is_a_source_of_candles(tmp_path):
    write(tmp_path / "BTCUSDT-1m.npy", frame())
    source = file_exchange(tmp_path / "*.npy")
    assert isinstance(source, CandleSource)
    assert source.name == "files"
    assert file_exchange(tmp_path, name="mine").name == "mine"
    assert repr(source) == f"file_exchange({tmp_path}/*.npy)"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_each_kind_gives_its_candles(tmp_path, suffix):
    write(tmp_path / f"BTCUSDT-1m-2024.{suffix}", frame())
    loaded = load(file_exchange(tmp_path / "*"))
    assert table(loaded.candles) == expected(frame())
    assert loaded.intake == Intake(rows=5)


@pytest.mark.parametrize("suffix", ["PARQUET", "Csv", "NPY"])
def test_the_case_of_the_suffix_does_not_matter(tmp_path, suffix):
    with (tmp_path / f"BTCUSDT.{suffix}").open("wb") as file:
        file.write(write(tmp_path / f"x.{suffix.lower()}", frame()).read_bytes())
    assert len(load(file_exchange(tmp_path / "BTC*")).candles) == 5


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT-1m-2024-03", "BTCUSDT"),
        ("BTCUSDT:USDT-1h", "BTCUSDT:USDT"),
        ("ETHUSDT", "ETHUSDT"),
        ("BTC-USD", "BTC-USD"),
        ("BTC-EUR-1m", "BTC-EUR"),
        ("BTC-USD-2024-03-01", "BTC-USD"),
        ("BTC_USDT_USDT-1m-futures", "BTC_USDT_USDT"),
        ("BTCUSDT_240628-1m-2024-03", "BTCUSDT_240628"),
        ("BRK-B-1d", "BRK-B"),
        ("1000SHIBUSDT-1m", "1000SHIBUSDT"),
        ("XBTUSD_1", "XBTUSD"),
        ("EURUSD_M1", "EURUSD"),
        ("EURUSD_M1_202401020000_202403292359", "EURUSD"),
        ("btcusd_1-min_data", "btcusd"),
        ("Binance_BTCUSDT_minute", "BTCUSDT"),
        ("BITSTAMP_BTCUSD, 60", "BTCUSD"),
        ("EURUSD_Candlestick_1_M_BID_01.01.2024-31.01.2024", "EURUSD"),
        ("BTCUSDT-1m (1)", "BTCUSDT"),
        ("BTCUSDT/2024-03", "BTCUSDT"),
        ("BTC-USD/1m/20240301", "BTC-USD"),
        ("ETHUSDT/1h", "ETHUSDT"),
    ],
)
def test_the_symbol_is_the_name_up_to_a_timeframe_or_a_date(tmp_path, name, symbol):
    path = tmp_path / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    source = file_exchange(write(path, frame()))
    assert source.symbols == (symbol,)
    assert load(source, symbol).intake == Intake(rows=5)


def test_symbols_with_a_dash_are_not_joined(tmp_path):
    for place, name in enumerate(("BTC-USD", "BTC-EUR", "BTC-GBP-1m-2024")):
        write(tmp_path / f"{name}.npy", frame(first=place * 5))
    source = file_exchange(tmp_path)
    assert source.symbols == ("BTC-EUR", "BTC-GBP", "BTC-USD")
    assert [len(load(source, symbol).candles) for symbol in source.symbols] == [5, 5, 5]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Binance_BTCUSDT_minute", "Bitstamp_BTCUSDT_minute"),
        ("BTCUSDT-1m-2024-01", "OKX_BTCUSDT-1m-2024-02"),
        ("Kraken_BTCUSDT_1", "BTCUSDT_5"),
    ],
)
def test_files_of_two_exchanges_are_not_joined(tmp_path, one, other):
    for place, name in enumerate((one, other)):
        write(tmp_path / f"{name}.npy", frame(first=place * 5))
    with pytest.raises(UsageError, match="may be two markets"):
        file_exchange(tmp_path)
    assert file_exchange({"BTCUSDT": tmp_path}).symbols == ("BTCUSDT",)


def test_a_dict_says_which_symbol_is_where(tmp_path):
    write(tmp_path / "part one.npy", frame())
    write(tmp_path / "part two.npy", frame(first=5))
    write(tmp_path / "other.npy", frame())
    source = file_exchange({"BTC/USDT": tmp_path / "part*", "ETHUSDT": [tmp_path / "other.npy"]})
    assert source.symbols == ("BTCUSDT", "ETHUSDT")
    assert load(source).intake == Intake(rows=10)
    assert "BTCUSDT: " in repr(source)
    with pytest.raises(UsageError, match="at least one file"):
        file_exchange({})


def test_a_folder_of_folders_is_one_of_symbols(tmp_path):
    for name in ("BTCUSDT/2024-01", "BTCUSDT/2024-02", "ETHUSDT/1m/2024-01"):
        path = tmp_path / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, frame(first=5 * ("02" in name)))
    assert file_exchange(tmp_path).symbols == ("BTCUSDT", "ETHUSDT")
    assert file_exchange(tmp_path / "ETHUSDT").symbols == ("ETHUSDT",)
    assert file_exchange(tmp_path / "**/*.npy").symbols == ("BTCUSDT", "ETHUSDT")


def test_a_file_name_without_a_symbol_is_refused(tmp_path):
    write(tmp_path / "my data-1m.npy", frame())
    with pytest.raises(UsageError, match=r"'my data-1m.npy' must begin with a symbol"):
        file_exchange(tmp_path)


def test_a_string_a_path_a_folder_a_pattern_and_a_list_of_them_are_taken(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    one = write(tmp_path / "BTCUSDT-1.npy", frame())
    two = write(tmp_path / "deep" / "er" / "ETHUSDT-1m-[1].npy", frame())
    (tmp_path / "notes.txt").write_text("not read")
    write(tmp_path / ".hidden-1.npy", frame())
    with contextlib.chdir(tmp_path):
        taken_from(one, two, tmp_path)


def taken_from(one, two, folder):
    assert file_exchange(str(one)).symbols == ("BTCUSDT",)
    assert file_exchange(two).symbols == ("ETHUSDT",)
    assert file_exchange(folder).symbols == ("BTCUSDT",)
    assert file_exchange("*.npy").symbols == ("BTCUSDT",)
    assert file_exchange("**/*.npy").symbols == ("BTCUSDT", "ETHUSDT")
    assert file_exchange("deep/../*.np?").symbols == ("BTCUSDT",)
    both = file_exchange(iter([one, "deep/er", "B*"]))
    assert both.symbols == ("BTCUSDT", "ETHUSDT")
    assert load(both).intake == Intake(rows=5)  # matched twice, read once


def test_a_pattern_means_the_folder_it_was_given_in(tmp_path):
    write(tmp_path / "BTCUSDT-1.npy", frame())
    with contextlib.chdir(tmp_path):
        source = file_exchange("*.npy")
    assert len(load(source).candles) == 5


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "BTCUSDT-1.npy", frame())
    assert file_exchange("~/*.npy").symbols == ("BTCUSDT",)


@pytest.mark.parametrize("pattern", ["*.parquet", "none.npy", "not/there/*.npy", "empty"])
def test_no_match_names_the_pattern_and_what_the_folder_holds(tmp_path, pattern):
    write(tmp_path / "BTCUSDT-1.npy", frame())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        file_exchange(tmp_path / pattern)
    words = str(caught.value)
    assert words.startswith(f"no file matches '{tmp_path / pattern}'; ")
    holds = "empty' contains nothing" if pattern == "empty" else "contains BTCUSDT-1.npy, empty/"
    assert holds in words


def test_of_a_full_folder_a_dozen_names_are_listed(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02}.txt").touch()
    with pytest.raises(UsageError, match=r"10.txt, 11.txt and 8 more$"):
        file_exchange(tmp_path / "*.npy")


def test_a_file_of_another_kind_is_refused(tmp_path):
    write(tmp_path / "BTCUSDT-1.npy", frame())
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes.txt' cannot be read, only .csv, .feather, .json"):
        file_exchange(tmp_path / "*")


def test_an_empty_list_is_refused():
    with pytest.raises(UsageError, match="at least one file, was an empty list"):
        file_exchange([])


def test_an_unknown_symbol_is_answered_with_a_near_one(tmp_path):
    write(tmp_path / "BTCUSDT-1.npy", frame())
    with pytest.raises(UnknownName, match="unknown symbol 'BTCUSD'; did you mean 'BTCUSDT'"):
        load(file_exchange(tmp_path), "BTCUSD")


# -------------------------------------------------------------------------- several files of one


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_are_joined_in_order_of_their_first_candles(tmp_path, suffix):
    write(tmp_path / f"BTCUSDT-1m-b.{suffix}", frame(5, first=0))
    write(tmp_path / f"BTCUSDT-1m-a.{suffix}", frame(4, first=5))
    write(tmp_path / f"BTCUSDT-1m-c.{suffix}", frame(3, first=12))
    told = []
    source = file_exchange(tmp_path)
    loaded = load(source, progress=lambda *done: told.append(done))
    assert loaded.intake == Intake(rows=12, filled=3)
    assert loaded.candles.shown.time.tolist() == [NEW_YEAR + MINUTE * k for k in range(15)]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_kinds_may_be_mixed_and_a_file_without_rows_does_not_matter(tmp_path):
    write(tmp_path / "BTCUSDT-1m-a.npy", frame(5))
    write(tmp_path / "BTCUSDT-1m-b.csv", frame(5, first=5))
    write(tmp_path / "BTCUSDT-1m-c.parquet", frame(0))
    assert load(file_exchange(tmp_path)).intake == Intake(rows=10)


def test_one_candle_in_two_files_is_a_duplicate(tmp_path):
    write(tmp_path / "BTCUSDT-1m-a.npy", frame(5))
    write(tmp_path / "BTCUSDT-1m-b.npy", frame(5, first=4))
    assert load(file_exchange(tmp_path)).intake == Intake(rows=10, duplicates_same=1)


def test_files_that_overlap_by_more_are_refused_by_name(tmp_path):
    write(tmp_path / "BTCUSDT-1m-a.npy", frame(5))
    write(tmp_path / "BTCUSDT-1m-b.npy", frame(5, first=3))
    error = refusal(tmp_path / "BTCUSDT-*.npy")
    assert (error.code, error.index) == ("order", 0)
    assert str(error) == (
        "BTCUSDT-1m-b.npy begins at 2024-01-01 00:03, before BTCUSDT-1m-a.npy ends "
        "(2024-01-01 00:04); files of one symbol may overlap by one candle at most: remove or "
        "cut one"
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_bad_row_is_named_by_its_file_and_its_row_there(tmp_path, suffix):
    write(tmp_path / f"BTCUSDT-1m-a.{suffix}", frame(5))
    bad = frame(5, first=5)
    bad.loc[2, "high"] = 1.0
    write(tmp_path / f"BTCUSDT-1m-b.{suffix}", bad)
    write(tmp_path / f"BTCUSDT-1m-c.{suffix}", frame(5, first=10))
    error = refusal(tmp_path / f"BTCUSDT-*.{suffix}")
    assert (error.code, error.index) == ("low_high", 2)
    assert str(error).startswith(f"BTCUSDT-1m-b.{suffix}: candle in row 2 (2024-01-01 00:07): high")


@pytest.mark.parametrize(("file", "row"), [("a", 0), ("a", 4), ("b", 0), ("b", 4)])
def test_the_first_and_the_last_row_of_a_file_are_its_own(tmp_path, file, row):
    for name, first in (("a", 0), ("b", 5)):
        data = frame(5, first=first)
        data.loc[row, "low"] = -1.0 if name == file else data.loc[row, "low"]
        write(tmp_path / f"BTCUSDT-1m-{name}.npy", data)
    error = refusal(tmp_path / "BTCUSDT-*.npy")
    assert str(error).startswith(f"BTCUSDT-1m-{file}.npy: candle in row {row} (")
    assert error.index == row


def test_a_refusal_of_all_rows_names_all_files(tmp_path):
    hours = frame(5)
    hours["timestamp"] = NEW_YEAR + 60 * MINUTE * np.arange(5)
    write(tmp_path / "BTCUSDT-1h.npy", hours)
    error = refusal(tmp_path / "BTCUSDT-1h.npy")
    assert error.code == "step"
    assert str(error).startswith("BTCUSDT-1h.npy: candles look like 1h; say timeframe=")


# -------------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("suffix", FORMATS)
def test_candles_are_kept_until_a_file_changes_comes_or_goes(tmp_path, suffix):
    path = write(tmp_path / f"BTCUSDT-1m-a.{suffix}", frame(5))
    source = file_exchange(tmp_path)
    first = load(source)
    assert load(source) is first
    write(path, frame(6))
    assert len(load(source).candles) == 6
    more = write(tmp_path / f"BTCUSDT-1m-b.{suffix}", frame(5, first=6))
    assert len(load(source).candles) == 11
    more.unlink()
    assert len(load(source).candles) == 6
    same_size = load(source)
    os.utime(path, ns=(1, 1))
    assert load(source) is not same_size
    assert len(first.candles) == 5


def test_only_the_file_of_the_symbol_is_read(tmp_path):
    write(tmp_path / "BTCUSDT-1.npy", frame())
    (tmp_path / "ETHUSDT-1.npy").write_bytes(b"not an array")
    assert len(load(file_exchange(tmp_path)).candles) == 5


def test_candles_outlive_a_file_that_is_truncated(tmp_path):
    path = write(tmp_path / "BTCUSDT-1.npy", frame(50_000))
    candles = load(file_exchange(path)).candles
    path.write_bytes(b"")
    assert candles.close.sum() == frame(50_000)["close"].to_numpy().sum()


# ---------------------------------------------------------------------------------- unreadable


@pytest.mark.parametrize("suffix", ["parquet", "npy"])
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_file_is_named(tmp_path, suffix, damage):
    path = write(tmp_path / f"BTCUSDT-1.{suffix}", frame(500))
    path.write_bytes(path.read_bytes()[:700] if damage == "cut" else b"garbage" * 100)
    error = refusal(path)
    assert error.code == "columns"
    assert str(error).startswith(f"BTCUSDT-1.{suffix} cannot be read as {suffix}: ")
    assert error.__cause__ is not None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_no_bytes_is_refused(tmp_path, suffix):
    (tmp_path / f"BTCUSDT-1.{suffix}").touch()
    assert f"BTCUSDT-1.{suffix}" in str(refusal(tmp_path / f"BTCUSDT-1.{suffix}"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_without_rows_is_refused_as_empty(tmp_path, suffix):
    path = write(tmp_path / f"BTCUSDT-1.{suffix}", frame(0))
    error = refusal(path)
    assert error.code == "empty"
    assert path.name in str(error)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_missing_columns_are_named_with_the_file(tmp_path, suffix):
    path = write(tmp_path / f"BTCUSDT-1.{suffix}", frame().drop(columns=["low", "high"]))
    error = refusal(path)
    assert error.code == "columns"
    assert str(error) == (
        f"BTCUSDT-1.{suffix}: columns are missing: high, low; "
        "found: 'timestamp', 'open', 'close', 'volume'"
    )


# ------------------------------------------------------------------------------------- Parquet


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_without_volume_has_a_volume_of_0(tmp_path, suffix, caplog):
    path = write(tmp_path / f"BTCUSDT-1.{suffix}", frame().drop(columns="volume"))
    source = file_exchange(path)
    assert load(source).candles.volume.tolist() == [0.0] * 5
    assert ["no volume" in words for words in caplog.messages] == [True]
    with pytest.raises(CandleError, match="the candles have no volume, which the average price"):
        source.load(CandleRequest(symbol="BTCUSDT", rules=Rules(price="average")))


def parquet(tmp_path, data, **keywords):
    path = tmp_path / "BTCUSDT-1.parquet"
    data.to_parquet(path, **keywords)
    return path


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("place", ["column", "unnamed index", "index named when"])
def test_parquet_times_of_any_unit_and_zone_are_exact(tmp_path, unit, zone, place):
    data = frame()
    times = pd.to_datetime(data["timestamp"], unit="ms").dt.as_unit(unit)
    times = times.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else times
    if place == "column":
        data["timestamp"] = times
    else:
        data = data.drop(columns="timestamp").set_index(pd.DatetimeIndex(times))
        data.index.name = "when" if place == "index named when" else None
    path = parquet(tmp_path, data)
    assert table(load(file_exchange(path)).candles) == expected(frame())


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [0, 1, 3, 4]], ids=["range", "column"])
def test_parquet_with_an_index_of_whole_ms_is_read(tmp_path, rows):
    """Of evenly spaced times pandas stores first, last and step only."""
    data = frame().iloc[rows]
    loaded = load(file_exchange(parquet(tmp_path, data.set_index("timestamp"))))
    assert loaded.candles.start == NEW_YEAR
    assert loaded.intake == Intake(rows=len(rows), filled=5 - len(rows))


def test_parquet_with_an_index_of_plain_numbers_needs_a_column_of_times(tmp_path):
    assert len(load(file_exchange(parquet(tmp_path, frame().iloc[[0, 1, 2]]))).candles) == 3
    path = parquet(tmp_path, frame().drop(columns="timestamp").iloc[[0, 2, 3]])
    assert "columns are missing: timestamp" in str(refusal(path))


def test_parquet_written_by_others_in_upper_case_and_other_types_is_read(tmp_path):
    path = tmp_path / "BTCUSDT-1.parquet"
    data = frame()
    columns = {
        "Open_Time": pa.array(data["timestamp"].tolist(), pa.uint64()),
        "OPEN": pa.array(data["open"].tolist(), pa.float32()),
        "High": pa.array(data["high"].astype(int).tolist(), pa.int32()),
        "low": pa.array([Decimal(str(low)) for low in data["low"]], pa.decimal128(10, 2)),
        "Close": pa.array(data["close"].tolist()),
        "Volume": pa.array(data["volume"].tolist()),
        "trades": pa.array(["x"] * 5),
    }
    pq.write_table(pa.table(columns), path)
    assert table(load(file_exchange(path)).candles) == expected(data)


def test_parquet_in_many_row_groups_is_read_in_order(tmp_path):
    path = parquet(tmp_path, frame(1000), index=False, row_group_size=64)
    assert table(load(file_exchange(path)).candles) == expected(frame(1000))


def test_a_missing_number_or_time_in_parquet_is_named(tmp_path):
    error = refusal(parquet(tmp_path, frame().astype({"close": "Float64"}).replace(102.1, pd.NA)))
    assert (error.code, error.index) == ("not_finite", 2)
    assert str(error) == (
        "BTCUSDT-1.parquet: candle in row 2 (2024-01-01 00:02): close is empty; drop the row"
    )
    times = pd.to_datetime(frame()["timestamp"], unit="ms").where([True, True, False, True, True])
    error = refusal(parquet(tmp_path, frame().assign(timestamp=times)))
    assert (error.code, error.index) == ("grid", 2)
    assert "time is missing (NaT)" in str(error)


def test_strings_in_parquet_are_no_prices(tmp_path):
    error = refusal(parquet(tmp_path, frame().assign(close=frame()["close"].astype(str))))
    assert "candle in row 0 (2024-01-01 00:00): close must be a number, was '100.1'" in str(error)


# ----------------------------------------------------------------------------------------- CSV


def csv(tmp_path, text):
    path = tmp_path / "BTCUSDT-1.csv"
    path.write_text(text, encoding="utf-8")
    return path


HEADER = "timestamp,open,high,low,close,volume\n"
ROW = "1704067200000,100,102,99,101,5\n"


def test_csv_prices_survive_to_the_last_bit(tmp_path):
    random = np.random.default_rng(1)
    data = frame(3000)
    data["volume"] = random.random(3000) * 10.0 ** random.integers(-8, 8, 3000)
    path = write(tmp_path / "BTCUSDT-1.csv", data)
    assert load(file_exchange(path)).candles.volume.tolist() == data["volume"].tolist()


def test_csv_prices_that_begin_whole_may_go_on_with_fractions(tmp_path):
    """The types are not guessed from the first block of the file."""
    rows = [f"{NEW_YEAR + MINUTE * k},100,101,99,100,{k}\n" for k in range(80_000)]
    rows += [f"{NEW_YEAR + MINUTE * 80_000},100.5,101.5,99.5,100.5,1e-3\n"]
    path = csv(tmp_path, HEADER + "".join(rows))
    assert path.stat().st_size > 2**21
    candles = load(file_exchange(path)).candles
    assert (candles.open[-1], candles.volume[-1]) == (100.5, 0.001)


@pytest.mark.parametrize(
    "times",
    [
        "2024-01-01 00:00",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00.000",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T00:00:00Z",
        "2024-01-01",
        "1704067200000.0",
    ],
)
def test_csv_times_may_be_written_in_many_ways(tmp_path, times):
    path = csv(tmp_path, HEADER + ROW.replace("1704067200000", times))
    assert load(file_exchange(path)).candles.start == NEW_YEAR


def test_csv_with_a_byte_order_mark_quotes_spaces_and_other_columns_is_read(tmp_path):
    header = '\ufeffNote,"Volume", Close ,HIGH,low,Open,Date\n'
    path = csv(tmp_path, header + '"a,b",5,101,102,99,100,2024-01-01\n')
    candles = load(file_exchange(path)).candles
    assert table(candles) == [[NEW_YEAR], [100.0], [102.0], [99.0], [101.0], [5.0]]


def test_csv_columns_that_are_not_needed_may_be_called_anything(tmp_path):
    path = csv(tmp_path, HEADER.replace("\n", ",0,0\n") + ROW.replace("\n", ",x,y\n"))
    assert len(load(file_exchange(path)).candles) == 1


def test_csv_without_a_header_is_refused_with_its_first_line(tmp_path):
    error = refusal(csv(tmp_path, ROW * 3))
    assert error.code == "columns"
    assert str(error) == (
        "BTCUSDT-1.csv: the header is missing, and the order of the columns is not clear from the "
        "candles; put a first line above them: timestamp,open,high,low,close,volume"
    )
    error = refusal(csv(tmp_path, ROW.replace(",5\n", "\n") * 3))
    assert "the header is missing: the first line must be timestamp,open," in str(error)


def test_csv_with_an_empty_first_line_is_refused(tmp_path):
    assert "the first line is empty" in str(refusal(csv(tmp_path, "\n" + HEADER + ROW)))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1704067260000,100,102,abc,101,5", "low must be a number, was 'abc'"),
        ("1704067260000,100,102,1_0,101,5", "low must be a number, was '1_0'"),
        ("1704067260000,100,102,,101,5", "low is empty; drop the row"),
        ("noon,100,102,99,101,5", "time must be ISO 8601 like .* was 'noon'"),
        (",100,102,99,101,5", "time must be whole ms since the epoch|time must be ms .* was None"),
    ],
)
def test_a_csv_value_that_is_none_is_named_by_its_row(tmp_path, row, words):
    path = csv(tmp_path, HEADER + ROW + row + "\n" + ROW.replace("72000", "73200"))
    error = refusal(path)
    assert error.index == 1
    where = r"candle in row 1( \(2024-01-01 00:01\))?: "
    with pytest.raises(CandleError, match=f"BTCUSDT-1.csv: {where}({words})"):
        raise error


def test_csv_with_a_row_too_short_cannot_be_read(tmp_path):
    error = refusal(csv(tmp_path, HEADER + ROW + "1704067260000,100\n"))
    assert "BTCUSDT-1.csv cannot be read as csv: " in str(error)
    assert "Expected 6 columns, got 2" in str(error)


# ----------------------------------------------------------------------------------------- npy


def npy(tmp_path, array):
    path = tmp_path / "BTCUSDT-1.npy"
    np.save(path, array)
    return path


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("count", [1, 5, 4096, 10_000])
def test_npy_in_either_order_and_of_any_length_is_read(tmp_path, order, count):
    array = np.array(frame(count).to_numpy(dtype=np.float64), order=order)
    candles = load(file_exchange(npy(tmp_path, array))).candles
    assert table(candles) == expected(frame(count))
    assert candles.close.flags.c_contiguous


@pytest.mark.parametrize("names", [NAMES, "tohlcv", [name.upper() for name in NAMES]])
def test_npy_with_named_fields_is_read_in_any_order(tmp_path, names):
    kinds = ["<i8", "<f8", "<f4", "<i4", ">f8", "<f8"]
    fields = list(zip(names, kinds, strict=True))[::-1]
    array = np.zeros(5, dtype=fields)
    data = frame()
    data["low"] -= data["low"] % 1
    for name, column in zip(names, NAMES, strict=True):
        array[name] = data[column]
    assert table(load(file_exchange(npy(tmp_path, array))).candles) == expected(data)


def test_npy_of_whole_numbers_is_read(tmp_path):
    array = frame().round().to_numpy().astype(np.int64)
    assert load(file_exchange(npy(tmp_path, array))).candles.open.tolist() == [
        100,
        101,
        102,
        103,
        104,
    ]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((5, 5)), r"shape \(n, 6\), .* was float64 of shape \(5, 5\)"),
        (np.zeros(6), r"was float64 of shape \(6,\)"),
        (np.zeros((5, 6, 1)), r"of shape \(5, 6, 1\)"),
        (np.zeros((5, 6), dtype=complex), "was complex128"),
        (np.zeros((5, 6), dtype="U3"), "was <U3"),
        (np.zeros(5, dtype=[("t", "i8"), ("o", "f8")]), "columns are missing: high, low"),
        (np.zeros(5, dtype=object), "cannot be read as npy: .*[Oo]bject"),
    ],
    ids=["5", "1d", "3d", "complex", "text", "fields", "object"],
)
def test_npy_of_another_shape_or_type_is_refused(tmp_path, array, words):
    error = refusal(npy(tmp_path, array))
    assert error.code == "columns"
    with pytest.raises(CandleError, match=words):
        raise error


def test_a_time_in_npy_that_is_no_whole_number_is_named(tmp_path):
    array = frame().to_numpy(dtype=np.float64)
    array[3, 0] += 0.5
    error = refusal(npy(tmp_path, array))
    assert (error.code, error.index) == ("grid", 3)
    assert "BTCUSDT-1.npy: candle in row 3: time must be whole ms" in str(error)


# ------------------------------------------------------------------------ the same from all of them


def test_reading_files_imports_no_pandas(tmp_path, repository):
    write(tmp_path / "BTCUSDT-1m-1.parquet", frame(5))
    data = frame(5, first=5)
    data.index = pd.DatetimeIndex(pd.to_datetime(data.pop("timestamp"), unit="ms"))
    data.to_parquet(tmp_path / "BTCUSDT-1m-2.parquet")
    write(tmp_path / "BTCUSDT-1m-3.csv", frame(5, first=10))
    write(tmp_path / "BTCUSDT-1m-4.npy", frame(5, first=15))
    code = (
        "import sys; from tradenb.core.rules import Rules\n"
        "from tradenb.engine.ports import CandleRequest\n"
        "from tradenb.exchanges.tables.file_source import file_exchange\n"
        "assert 'pyarrow' not in sys.modules\n"
        f"source = file_exchange({str(tmp_path)!r})\n"
        "loaded = source.load(CandleRequest(symbol='BTCUSDT', rules=Rules()))\n"
        "assert len(loaded.candles) == 20, loaded\n"
        "assert 'pandas' not in sys.modules\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        "BTCUSDT-1m-2024-03",
        "ADAUSDT-1m-2025-06",
        "DOGEUSDT-1m-2025-06",
        "XRPETH-1m-2019-10",
    ],
)
def test_real_candles_are_the_same_from_frame_parquet_csv_and_npy(tmp_path, real_data, name):
    original = real_data / f"{name}.parquet"
    symbol = name.split("-")[0]
    data = pd.read_parquet(original)
    from_frame = load(frame_exchange(data), symbol)
    sources = [file_exchange(original)]
    sources += [file_exchange(write(tmp_path / f"{name}.{kind}", data)) for kind in FORMATS]
    for source in sources:
        loaded = load(source, symbol)
        assert loaded.intake == from_frame.intake
        assert loaded.candles.start == from_frame.candles.start
        for column in NAMES[1:]:
            found, wanted = getattr(loaded.candles, column), getattr(from_frame.candles, column)
            assert found.tobytes() == wanted.tobytes(), column


@pytest.mark.parametrize("pattern", [None, 5, [None], ["a.csv", 5], b"a.csv"])
def test_a_pattern_that_is_no_path_is_said(pattern):
    with pytest.raises(UsageError, match="pattern must be a file, a folder or a pattern"):
        file_exchange(pattern)


# ------------------------------------------------------------------------------- several markets


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_names_its_markets_is_asked_for_one(tmp_path, suffix):
    both = [frame(30).assign(symbol=name) for name in ("BTC/USDT", "ETH/USDT")]
    table = pd.concat(both).sort_values("timestamp", kind="stable")
    write(tmp_path / f"BTCUSDT-1m-all.{suffix}", table)
    assert load(file_exchange(tmp_path)).intake == Intake(rows=30)
    write(tmp_path / f"BTCUSDT-1m-all.{suffix}", table.assign(symbol=table.symbol + "_X"))
    error = refusal(tmp_path / f"BTCUSDT-1m-all.{suffix}")
    assert "holds 2 markets (BTC/USDT_X, ETH/USDT_X)" in str(error)


def test_a_file_of_hours_among_files_of_minutes_is_refused_by_name(tmp_path):
    hours = frame(8).assign(timestamp=NEW_YEAR + 60 * MINUTE * np.arange(8))
    write(tmp_path / "BTCUSDT-1h-2024-02.npy", hours)
    minutes = frame(100).assign(timestamp=NEW_YEAR + MINUTE * np.arange(600, 700))
    write(tmp_path / "BTCUSDT-1m-2024-03.npy", minutes)
    with pytest.raises(CandleError) as caught:
        load(file_exchange(tmp_path))
    error = caught.value
    assert error.code == "step"
    assert str(error).startswith("BTCUSDT-1h-2024-02.npy: candles look like 1h")
