from __future__ import annotations

import dataclasses
import gc
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest

from tests import reference
from tests.sources import from_threads
from tradenb.core.candles.arrays import Intake
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.errors import CandleError, UnknownName, UsageError
from tradenb.exchanges.tables.frame_source import frame_exchange, rows_from_frame

NEW_YEAR = 1_704_067_200_000
MINUTE = 60_000
NAMES = ("time", "open", "high", "low", "close", "volume")
RULES = Rules()


def frame(count=5, **columns):
    prices = 100.0 + np.arange(count)
    data = {
        "timestamp": NEW_YEAR + MINUTE * np.arange(count),
        "open": prices,
        "high": prices + 2,
        "low": prices - 1,
        "close": prices + 1,
        "volume": 10.0 * np.arange(count),
    }
    return pd.DataFrame({**data, **columns})


def load(source, symbol="BTCUSDT", rules=RULES):
    return source.load(CandleRequest(symbol=symbol, rules=rules))


def table(candles):
    return {name: getattr(candles, name).tolist() for name in NAMES}


EXPECTED = table(load(frame_exchange(frame())).candles)


def refusal(given):
    with pytest.raises(CandleError) as caught:
        load(frame_exchange(given))
    return caught.value


def moments(given=None, unit="ms", zone=None):
    times = pd.to_datetime((frame() if given is None else given)["timestamp"], unit="ms")
    times = times.dt.as_unit(unit)
    return times.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else times


# ------------------------------------------------------------------------------------- the source


def test_it_is_a_source_of_candles():
    source = frame_exchange(frame())
    assert isinstance(source, CandleSource)
    assert source.name == "frame"
    assert frame_exchange(frame(), name="mine").name == "mine"
    assert repr(source) == "frame_exchange('frame': any symbol)"


def test_the_candles_are_those_of_the_frame():
    loaded = load(frame_exchange(frame()))
    assert table(loaded.candles) == {
        "time": (NEW_YEAR + MINUTE * np.arange(5)).tolist(),
        "open": [100.0, 101.0, 102.0, 103.0, 104.0],
        "high": [102.0, 103.0, 104.0, 105.0, 106.0],
        "low": [99.0, 100.0, 101.0, 102.0, 103.0],
        "close": [101.0, 102.0, 103.0, 104.0, 105.0],
        "volume": [0.0, 10.0, 20.0, 30.0, 40.0],
    }
    assert loaded.intake == Intake(rows=5)


def test_one_frame_answers_for_any_symbol():
    source = frame_exchange(frame())
    assert load(source, "ANY") is load(source, "THING")


def test_a_dict_answers_for_its_symbols_only():
    source = frame_exchange({"BTC/USDT": frame(3), "ETHUSDT": frame(4)})
    assert len(load(source, "BTCUSDT").candles) == 3
    assert len(load(source, "BTC/USDT").candles) == 3
    assert len(load(source, "ETHUSDT").candles) == 4
    with pytest.raises(UnknownName, match="unknown symbol 'BTCUSD'; did you mean 'BTCUSDT'"):
        load(source, "BTCUSD")
    assert repr(source) == "frame_exchange('frame': BTCUSDT, ETHUSDT)"


def test_progress_is_told_once():
    told = []
    frame_exchange(frame()).load(
        CandleRequest(symbol="X", rules=RULES, progress=lambda *done: told.append(done))
    )
    assert told == [(1, 1)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], "frames must be a DataFrame of pandas or polars, .* was builtins.list"),
        (None, "was builtins.NoneType"),
        ({"BTCUSDT": np.zeros((3, 6))}, "was numpy.ndarray"),
        (frame()["open"], "was pandas.*Series"),
        ({}, "at least one DataFrame"),
        ({"BTCUSDT": frame(), "BTC/USDT": frame()}, "duplicate symbol 'BTCUSDT' in frames"),
        ({" ": frame()}, "symbol must not hold white space"),
    ],
)
def test_anything_else_is_a_usage_error(given, words):
    with pytest.raises(UsageError, match=words):
        frame_exchange(given)


# ------------------------------------------------------------------------------------ the columns


def test_upper_and_lower_case_and_further_columns_do_not_matter():
    given = frame().rename(columns=str.upper).assign(trades=1, note="x")
    assert table(load(frame_exchange(given)).candles) == EXPECTED


@pytest.mark.parametrize("name", ["timestamp", "Time", "DATETIME", "date", "open_time"])
def test_the_times_may_have_one_of_five_names(name):
    given = frame().rename(columns={"timestamp": name})
    assert rows_from_frame(given).time.tolist() == EXPECTED["time"]
    indexed = given.set_index(name)
    assert rows_from_frame(indexed).time.tolist() == EXPECTED["time"]


def test_a_timestamp_column_comes_before_the_index_and_the_index_before_other_names():
    wrong = pd.date_range("2020-01-01", periods=5, freq="min")
    assert rows_from_frame(frame().set_index(wrong)).time.tolist() == EXPECTED["time"]
    right = pd.DatetimeIndex(moments())
    given = frame().rename(columns={"timestamp": "date"}).assign(date=wrong).set_index(right)
    assert rows_from_frame(given).time.tolist() == EXPECTED["time"]
    assert rows_from_frame(frame().assign(date=wrong)).time.tolist() == EXPECTED["time"]


@pytest.mark.parametrize("write", [str, lambda at: at.to_pydatetime(), lambda at: at.date()])
def test_an_index_of_texts_or_dates_holds_the_times_where_no_column_does(write):
    days = pd.date_range("2024-01-01", periods=5, freq="D", tz="UTC")
    plain = frame().drop(columns="timestamp")
    expected = rows_from_frame(plain.set_index(days)).time.tolist()
    written = pd.Index([write(day) for day in days], dtype=object)
    assert rows_from_frame(plain.set_index(written)).time.tolist() == expected
    named = plain.assign(time=days).set_index(pd.Index(list("abcde")))
    assert rows_from_frame(named).time.tolist() == expected
    assert "time must be ISO 8601" in str(refusal(plain.set_index(pd.Index(list("abcde")))))


def test_missing_columns_are_named_together_with_those_found():
    error = refusal(frame().drop(columns=["volume", "timestamp"]).rename(columns={"low": "lo"}))
    assert (error.code, error.index) == ("columns", None)
    assert str(error) == (
        "columns are missing: low, timestamp; found: 'open', 'high', 'lo', 'close'; "
        "put the times into a column timestamp, in ms, or into the index as dates"
    )


@pytest.mark.parametrize("frames", [lambda each: each, lambda each: {"EURUSD": each}])
def test_candles_without_volume_are_read_where_no_rule_needs_it(frames, caplog):
    source = frame_exchange(frames(frame().drop(columns="volume")))
    assert load(source, "EURUSD").candles.volume.tolist() == [0.0] * 5
    load(source, "EURUSD")
    assert ["EURUSD" in words and "no volume" in words for words in caplog.messages] == [True]
    for rules in (Rules(price="average"), Rules(touch="average_price")):
        with pytest.raises(CandleError, match="EURUSD: the candles have no volume, which the aver"):
            load(source, "EURUSD", rules)


def test_a_column_that_looks_like_a_volume_is_not_taken_for_none():
    error = refusal(frame().rename(columns={"volume": "Volume BTC"}))
    assert "missing: volume; found: " in str(error)
    assert str(error).endswith("; rename yours to volume, or add it (0 where there is none)")


def test_a_frame_without_columns_says_so():
    assert "found: none" in str(refusal(pd.DataFrame()))


@pytest.mark.parametrize("name", ["close", "timestamp"])
def test_two_columns_that_differ_by_case_are_refused(name):
    error = refusal(frame().assign(**{name.upper(): 1}))
    assert error.code == "columns"
    assert f"column {name} is ambiguous: '{name}' and '{name.upper()}'" in str(error)


def test_two_further_columns_may_differ_by_case():
    found = load(frame_exchange(frame().assign(note=1, NOTE=2)))
    assert len(found.candles) == len(frame())


def test_an_empty_frame_is_refused():
    assert refusal(frame(0)).code == "empty"


def test_an_error_of_one_frame_of_many_names_the_symbol():
    source = frame_exchange({"BTCUSDT": frame(), "ETHUSDT": frame().assign(high=0.0)})
    load(source)
    with pytest.raises(CandleError, match="ETHUSDT: candle in row 0") as caught:
        load(source, "ETHUSDT")
    assert (caught.value.code, caught.value.index) == ("not_positive", 0)


# -------------------------------------------------------------------------------------- the times


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("place", ["column", "index", "arrow"])
def test_datetimes_of_any_unit_and_zone_are_converted_exactly(unit, zone, place):
    times = moments(unit=unit, zone=zone)
    if place == "index":
        given = frame().drop(columns="timestamp").set_index(pd.DatetimeIndex(times, name="when"))
    elif place == "arrow":
        kind = f"timestamp[{unit}, {zone}][pyarrow]" if zone else f"timestamp[{unit}][pyarrow]"
        given = frame().assign(timestamp=times.astype(kind))
    else:
        given = frame().assign(timestamp=times)
    assert rows_from_frame(given).time.tolist() == EXPECTED["time"]


@pytest.mark.parametrize(
    "kind", ["int64", "uint64", "float64", "Int64", "int64[pyarrow]", "object"]
)
def test_whole_ms_of_any_kind_are_times(kind):
    given = frame().assign(timestamp=frame()["timestamp"].astype(kind))
    assert rows_from_frame(given).time.tolist() == EXPECTED["time"]


@pytest.mark.parametrize(
    "values",
    [
        moments().dt.strftime("%Y-%m-%d %H:%M"),
        moments().dt.strftime("%Y-%m-%dT%H:%M:%SZ").astype(object),
        moments(zone="Europe/Berlin").astype("str"),
        moments(zone="Europe/Berlin").astype(object),
        [moment.to_pydatetime() for moment in moments()],
        [float(ms) for ms in EXPECTED["time"][:1]] + [str(m) for m in moments()[1:]],
    ],
    ids=["str", "object", "zone", "timestamps", "datetimes", "mixed"],
)
def test_iso_strings_and_objects_are_times(values):
    given = frame().assign(timestamp=pd.Series(values, dtype=getattr(values, "dtype", object)))
    assert rows_from_frame(given).time.tolist() == EXPECTED["time"]


@pytest.mark.parametrize(
    ("values", "row", "words"),
    [
        ([*EXPECTED["time"][:3], 1.5, 2.5], 3, "time must be whole ms since the epoch, was 1.5"),
        ([*EXPECTED["time"][:3], None, 2.5], 3, "time must be whole ms since the epoch, was nan"),
        ([*map(str, moments()[:2]), "noon", "", ""], 2, "time must be ISO 8601 .* was 'noon'"),
        ([*moments()[:3], pd.NaT, pd.NaT], 3, r"time is missing \(NaT\)"),
        ([*moments()[:3].astype(object), "x", None], 3, "was 'x'"),
        ([True] * 5, 0, "time must be ms since the epoch"),
        (
            moments(unit="ns") + pd.to_timedelta([0, 0, 0, 0, 5], unit="ns"),
            4,
            "time must be whole ms, was 2024-01-01T00:04:00.000000005",
        ),
        (pd.period_range("2024-01-01", periods=5, freq="min"), 0, "time must be ms"),
    ],
    ids=["fraction", "nan", "string", "nat", "object", "bool", "ns", "period"],
)
def test_what_is_no_time_is_refused_with_its_row_and_value(values, row, words):
    error = refusal(frame().assign(timestamp=values))
    assert (error.code, error.index) == ("grid", row)
    with pytest.raises(CandleError, match=f"candle in row {row}: .*{words}"):
        raise error


def test_missing_whole_numbers_are_named_too():
    times = pd.Series([*EXPECTED["time"][:4], None], dtype="Int64")
    assert refusal(frame().assign(timestamp=times)).index == 4


# ------------------------------------------------------------------------------------- the prices


@pytest.mark.parametrize(
    "kind", ["int64", "int32", "float32", "float64", "Float64", "double[pyarrow]", "object"]
)
def test_numbers_of_any_kind_become_float64(kind):
    given = frame().astype(dict.fromkeys(NAMES[1:], kind))
    candles = load(frame_exchange(given)).candles
    assert table(candles) == EXPECTED
    assert {getattr(candles, name).dtype for name in NAMES[1:]} == {np.dtype("float64")}


def test_decimals_and_whole_numbers_among_objects_are_numbers():
    values = [Decimal("10.5"), 20, np.int64(30), np.float32(0.5), 1]
    given = frame().assign(volume=pd.Series(values, dtype=object))
    assert load(frame_exchange(given)).candles.volume.tolist() == [10.5, 20, 30, 0.5, 1]


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", ["abc", "1_0", None, True, pd.NA, 1j])
def test_an_object_that_is_no_number_is_refused_with_its_row_and_value(name, value):
    values = frame()[name].astype(object)
    values[3] = value
    error = refusal(frame().assign(**{name: values}))
    assert (error.code, error.index) == ("not_finite", 3)
    words = f"{name} must be a number, was {value!r}; fix the cell or drop the row"
    words = f"{name} is empty; drop the row" if value is None else words
    assert str(error) == f"candle in row 3 (2024-01-01 00:03): {words}"


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        ("100.0", "df['close'].astype(float)"),
        (" -1e3", "df['close'].astype(float)"),
        ("1,000.50", "pd.read_csv takes thousands= and decimal="),
        ("100,5", "pd.read_csv takes thousands= and decimal="),
    ],
)
def test_a_number_that_is_text_says_how_to_convert_its_column(value, cure):
    error = refusal(frame().assign(close=pd.Series([value] * 5, dtype=object)))
    assert str(error) == (
        f"candle in row 0 (2024-01-01 00:00): close must be a number, was {value!r}; "
        f"it is text: convert the column ({cure})"
    )


@pytest.mark.parametrize("text", ["31/01/2024 00:00", "1.2.2024", "01-02-2024T05:00"])
def test_a_date_that_does_not_begin_with_the_year_says_how_to_convert_its_column(text):
    error = refusal(frame().assign(timestamp=pd.Series([text] * 5, dtype=object)))
    assert str(error) == (
        "candle in row 0: time must be ISO 8601 like '2024-03-01' or '2024-03-01T12:00', "
        f"was {text!r}; convert the column (pd.to_datetime, with dayfirst=True where the day "
        "comes first)"
    )


def test_columns_of_strings_are_refused():
    assert refusal(frame().assign(close=frame()["close"].astype(str))).index == 0
    assert refusal(frame().assign(close="1")).code == "not_finite"


def test_a_missing_number_is_refused_whatever_the_kind():
    for kind in ("float64", "Float64", "double[pyarrow]"):
        given = frame()
        given.loc[2, "open"] = np.nan
        error = refusal(given.astype({"open": kind}))
        assert (error.code, error.index) == ("not_finite", 2), kind


# ------------------------------------------------------------------- what is kept, and not copied


def test_columns_are_not_copied_and_cannot_be_made_writeable():
    given = frame()
    candles = load(frame_exchange(given)).candles
    assert all(np.shares_memory(getattr(candles, n), given[n].to_numpy()) for n in NAMES[1:])
    with pytest.raises(ValueError, match="WRITEABLE"):
        candles.close.flags.writeable = True


def written_to(given):
    given.iloc[0, given.columns.get_loc("open")] = 7.0
    given.loc[1, "close"] = 7.0
    given["high"] *= 3
    del given["volume"]
    given.columns = [name.upper() for name in given.columns]


def test_a_frame_written_to_before_the_first_use_changes_no_candle():
    given = frame()
    source = frame_exchange(given)
    written_to(given)
    assert table(load(source).candles) == EXPECTED


@pytest.mark.parametrize("consolidated", [False, True])
def test_a_frame_written_to_later_changes_no_candle(consolidated):
    given = frame().astype({"timestamp": float}).copy() if consolidated else frame()
    candles = load(frame_exchange(given)).candles
    gc.collect()  # the source is gone; the candles alone have to keep the data as they are
    written_to(given)
    assert given["OPEN"][0] == 7.0
    assert table(candles) == EXPECTED


def test_candles_are_checked_once_for_each_factor():
    source = frame_exchange(frame())
    first = load(source)
    assert load(source) is first
    strict = Rules(price_anomaly_factor=1.001)
    with pytest.raises(CandleError, match="the median of the closes"):
        load(source, rules=strict)
    assert load(source).intake == first.intake


def test_threads_that_ask_at_once_get_one_object():
    source = frame_exchange(frame(20_000))
    assert len({id(one) for one in from_threads(lambda: load(source))}) == 1


def test_importing_it_does_not_import_pandas(repository):
    code = "import sys, tradenb.exchanges.tables.frame_source; sys.exit('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, check=False)
    assert done.returncode == 0


# ---------------------------------------------------------------------------------- real candles


@pytest.mark.parametrize(
    ("file", "intake"),
    [
        (
            "BTCUSDT-1m-2024-03.parquet",
            Intake(rows=30_954, duplicates_same=30, duplicates_replaced=24),
        ),
        ("ADAUSDT-1m-2025-06.parquet", Intake(rows=43_200)),
        ("DOGEUSDT-1m-2025-06.parquet", Intake(rows=43_200)),
        (
            "XRPETH-1m-2019-10.parquet",
            Intake(rows=2_469, filled=1_091),
        ),
    ],
)
def test_real_candles_are_taken_in(real_data, file, intake):
    given = pd.read_parquet(real_data / file)
    loaded = load(frame_exchange(given))
    assert loaded.intake == intake
    grid, counts = reference.take_in(given.to_numpy().tolist(), factor=1000.0)
    assert table(loaded.candles) == {name: [getattr(c, name) for c in grid] for name in NAMES}
    assert dataclasses.asdict(intake) == dataclasses.asdict(counts)


# ------------------------------------------------------------------------------- several markets


def several(*names):
    parts = [frame(40).assign(symbol=name, close=lambda f: f.close) for name in names]
    return pd.concat(parts).sort_values("timestamp", kind="stable")


@pytest.mark.parametrize("column", ["symbol", "Ticker", "pair", "ASSET"])
def test_a_table_that_names_its_markets_is_asked_for_one(column):
    table = several("BTC/USDT", "ETH/USDT").rename(columns={"symbol": column})
    source = frame_exchange(table)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        loaded = source.load(CandleRequest(symbol=symbol, rules=Rules()))
        assert loaded.intake == Intake(rows=40)
    with pytest.raises(CandleError, match=r"holds 2 markets .*, and none of them is XRPUSDT"):
        source.load(CandleRequest(symbol="XRPUSDT", rules=Rules()))


def test_one_market_under_another_name_is_taken_as_it_is():
    loaded = load(frame_exchange(several("XBTUSD")))
    assert loaded.intake == Intake(rows=40)


def test_two_markets_that_are_not_named_are_refused_by_their_prices():
    one, other = (
        frame(40),
        frame(40).assign(
            **{name: lambda f, name=name: f[name] * 20 for name in ("open", "high", "low", "close")}
        ),
    )
    table = pd.concat([one, other]).sort_values("timestamp", kind="stable")
    with pytest.raises(CandleError, match="seems to hold several markets") as caught:
        load(frame_exchange(table))
    assert (caught.value.code, caught.value.index) == ("duplicates", 0)


def test_many_rows_of_one_time_with_other_values_are_refused():
    table = pd.concat([frame(100), frame(100)[:21].assign(volume=5_000.0)])
    table = table.sort_values("timestamp", kind="stable")
    with pytest.raises(CandleError, match="21 of 121 rows have the time of another"):
        load(frame_exchange(table))
    loaded = load(frame_exchange(table[2:]))
    assert loaded.intake.duplicates_replaced == 20


def test_a_time_of_day_is_no_date():
    table = frame(10).assign(timestamp=range(0, 600_000, 60_000))
    with pytest.raises(CandleError, match="looks like the time since midnight"):
        load(frame_exchange(table))


# ------------------------------------------------------------------------ other kinds of tables


def two_markets():
    one, other = frame(), frame(open=7.0, low=6.0, high=200.0)
    return {"BTC/USDT": one, "ETH/USDT": other}


def by_rows(order=("symbol", "time")):
    parts = [
        part.assign(symbol=symbol, time=pd.to_datetime(part.timestamp, unit="ms")).drop(
            columns="timestamp"
        )
        for symbol, part in two_markets().items()
    ]
    return pd.concat(parts).set_index(list(order))


def by_columns(level=0):
    parts = {
        symbol: part.set_index(pd.to_datetime(part.timestamp, unit="ms")).drop(columns="timestamp")
        for symbol, part in two_markets().items()
    }
    joined = pd.concat(parts, axis=1)
    return joined if level else joined.swaplevel(axis=1).sort_index(axis=1)


@pytest.mark.parametrize(
    "make",
    [
        polars.from_pandas,
        pa.Table.from_pandas,
        pa.RecordBatch.from_pandas,
        lambda data: polars.from_pandas(data.assign(timestamp=moments(data, "us", "UTC"))),
    ],
    ids=["polars", "table", "batch", "moments"],
)
def test_tables_of_other_libraries_are_taken(make):
    assert table(load(frame_exchange(make(frame()))).candles) == EXPECTED
    assert table(load(frame_exchange({"BTC/USDT": make(frame())})).candles) == EXPECTED


@pytest.mark.parametrize(
    "given",
    [
        by_rows(),
        by_rows(("time", "symbol")),
        by_rows().rename_axis([None, None]),
        by_rows().sort_index(level="time"),
        by_columns(0),
        by_columns(1),
    ],
)
def test_markets_in_the_labels_are_told_apart(given):
    source = frame_exchange(given)
    assert not source.is_single
    for symbol, wanted in two_markets().items():
        assert table(load(source, symbol).candles) == table(load(frame_exchange(wanted)).candles)
    assert load(frame_exchange({"ETHUSDT": given}), "ETHUSDT").candles.open[0] == 7
    with pytest.raises(UnknownName, match="unknown symbol"):
        load(source, "XRPUSDT")
    with pytest.raises(UsageError, match="holds BTCUSDT, ETHUSDT"):
        frame_exchange({"XRPUSDT": given})


def test_labels_that_name_no_market_are_refused():
    with pytest.raises(UsageError, match="must be symbol and time"):
        frame_exchange(frame().set_index(["open", "close"]))
    odd = frame()
    odd.columns = pd.MultiIndex.from_product([list(odd.columns[:3]), ["a", "b"]])
    with pytest.raises(UsageError, match="columns of two levels"):
        frame_exchange(odd)
    with pytest.raises(UsageError, match=r"call .collect\(\) first"):
        frame_exchange(polars.from_pandas(frame()).lazy())
    one = frame_exchange({"X": by_rows().loc[["BTC/USDT"]]})
    assert len(load(one, "X").candles) == 5
