from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.core.timeframe import (
    DAY,
    MINUTE,
    TIMEFRAMES,
    ceil_to,
    duration_ms,
    floor_to,
    iso,
    next_after,
    one_of,
    timeframe_ms,
    to_ms,
)
from tradenb.errors import UnknownName, UsageError

NEW_YEAR = 1_704_067_200_000
HOUR = 60 * MINUTE
BERLIN = dt.timezone(dt.timedelta(hours=1))


def test_the_timeframes_are_the_documented_ones_and_divide_the_day():
    assert " ".join(TIMEFRAMES) == "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w"
    assert all(DAY % timeframe_ms(name) == 0 for name in TIMEFRAMES if name not in ("3d", "1w"))
    assert timeframe_ms("15m") == 900_000


@pytest.mark.parametrize("name", ["7m", "1H", "", None, 5, ["1m"]])
def test_an_unknown_timeframe_is_refused_with_all_that_there_are(name):
    with pytest.raises(UnknownName, match="unknown timeframe") as caught:
        timeframe_ms(name)
    assert "(one of 1m 3m 5m" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("15min", "15m"), ("60m", "1h"), ("24h", "1d"), ("7d", "1w"), (60, "1h"), ("1H", "1h")],
)
def test_a_timeframe_that_is_as_long_or_alike_is_offered(name, meant):
    with pytest.raises(UnknownName, match=f"; did you mean '{meant}'"):
        timeframe_ms(name)
    assert one_of(name).startswith("one of 1m 3m 5m")
    assert f"1w (did you mean '{meant}'" in one_of(name)


@pytest.mark.parametrize(
    ("text", "length"),
    [("90m", 90 * MINUTE), ("36h", 36 * HOUR), ("3d", 3 * DAY), ("2w", 14 * DAY), ("1m", MINUTE)],
)
def test_a_duration_is_a_number_and_a_unit(text, length):
    assert duration_ms(text) == length


@pytest.mark.parametrize("text", ["", "d", "0d", "-1d", "1.5h", "3 d", "3y", "03d", 3, None, "٣d"])
def test_another_duration_is_refused_and_named(text):
    with pytest.raises(UsageError, match="warm_up must look like '90m'") as caught:
        duration_ms(text, "warm_up")
    assert repr(text) in str(caught.value)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(TIMEFRAMES.values())))
def test_floor_ceil_and_next_agree_with_their_definitions(at, step):
    assert floor_to(at, step) == max(m for m in _multiples(at, step) if m <= at)
    assert ceil_to(at, step) == min(m for m in _multiples(at, step) if m >= at)
    assert next_after(at, step) == min(m for m in _multiples(at, step) if m > at)


def _multiples(at, step):
    first = 4 * DAY if step == 7 * DAY else 0  # weeks begin on Monday
    return [(at // step + k) * step + first for k in range(-3, 4)]


@pytest.mark.parametrize(
    "moment",
    [
        NEW_YEAR,
        np.int64(NEW_YEAR),
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "2024-01-01 01:00+01:00",
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1),  # noqa: DTZ001 - naive is UTC
        dt.datetime(2024, 1, 1, 1, tzinfo=BERLIN),
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-01 01:00", tz="Europe/Berlin"),
        np.datetime64("2024-01-01"),
        np.datetime64("2024-01-01T00:00:00.000000000"),
    ],
    ids=repr,
)
def test_every_way_to_write_a_moment_gives_the_same_ms(moment):
    assert to_ms(moment) == NEW_YEAR
    assert type(to_ms(moment)) is int


def test_a_fraction_of_a_second_is_kept_to_the_ms():
    assert to_ms("2024-01-01T00:00:00.123456") == NEW_YEAR + 123
    assert to_ms(np.datetime64("2024-01-01T00:00:00.123456789")) == NEW_YEAR + 123


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (True, "start must be a moment, was True"),
        ("yesterday", "start must be ISO 8601 .* was 'yesterday'"),
        (1.5, "start must be ms since the epoch, .* was 1.5"),
        (None, "start must be ms since the epoch, .* was None"),
        (np.array([NEW_YEAR, NEW_YEAR]), "start must be ms since the epoch"),
        (pd.NaT, "start must be a real moment, was NaT"),
        (np.datetime64("NaT", "ms"), "start must lie between 1971 and 2200"),
        (NEW_YEAR // 1000, "start must lie between 1971 and 2200 .* was 1704067200"),
        (NEW_YEAR * 1000, "start must lie between 1971 and 2200"),
        ("1970-06-01", "start must lie between 1971 and 2200 .* was '1970-06-01'"),
    ],
)
def test_what_is_no_moment_is_refused_with_its_name_and_value(moment, words):
    with pytest.raises(UsageError, match=words):
        to_ms(moment, "start")


def test_a_moment_is_written_as_people_read_it():
    assert iso(NEW_YEAR + 5 * MINUTE) == "2024-01-01 00:05"
    assert iso(NEW_YEAR + 5 * MINUTE + 7_000) == "2024-01-01 00:05:07"


@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2199, 12, 31)))  # noqa: DTZ001
def test_datetime_and_iso_string_and_timestamp_agree(moment):
    assert to_ms(moment.isoformat()) == to_ms(moment) == to_ms(pd.Timestamp(moment))
