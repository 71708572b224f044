from __future__ import annotations

import asyncio
import inspect
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.clock import wall_ms
from tradenb.core.candles.arrays import Intake
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.errors import CandleError, ExchangeError, SpecError, UnknownName, UsageError
from tradenb.exchanges.function_source import FunctionExchange, exchange
from tradenb.exchanges.paging import PAGE_CANDLES

NEW_YEAR = 1_704_067_200_000
LATE = NEW_YEAR + 10_000 * MINUTE
RULES = Rules()


def row(minute, price=100.0):
    return [NEW_YEAR + MINUTE * minute, price, price + 1, price - 1, price, float(minute % 7)]


class Market:
    """A fake exchange: it has some minutes, notes what it is asked, and may fail for a while."""

    def __init__(self, minutes, *, at_most=PAGE_CANDLES, failures=(), hidden=(), before=0):
        self.minutes = list(minutes)
        self.at_most = at_most
        self.failures = list(failures)
        self.hidden = dict(hidden)  # minute -> how many answers it is missing from
        self.before = before
        self.asked = []
        self.slept = []

    def __call__(self, symbol, since, limit):
        self.asked.append(((since - NEW_YEAR) // MINUTE, limit))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        first = (since - NEW_YEAR) // MINUTE - self.before
        found = [minute for minute in self.minutes if minute >= first][: min(limit, self.at_most)]
        return [row(minute) for minute in found if not self._hides(minute)]

    def _hides(self, minute):
        left = self.hidden.get(minute, 0)
        self.hidden[minute] = left - 1
        return left > 0

    def source(self, now=LATE):
        return FunctionExchange(self, name="fake", now=lambda: now, sleep=self.slept.append)


def load(source, first=0, last=100, *, history=0, rules=RULES, progress=None, symbol="BTCUSDT"):
    start, end = NEW_YEAR + MINUTE * first, NEW_YEAR + MINUTE * last
    return source.load(
        CandleRequest(
            symbol=symbol, start=start, end=end, history=history, rules=rules, progress=progress
        )
    )


def minutes(loaded):
    return ((loaded.candles.time - NEW_YEAR) // MINUTE).tolist()


# --------------------------------------------------------------------------------- the declaration


def test_a_declared_function_is_a_source_and_still_a_function():
    @exchange("mine")
    def mine(symbol, since, limit):
        """Tell nothing."""
        return [symbol, since, limit]

    assert isinstance(mine, CandleSource)
    assert isinstance(mine, FunctionExchange)
    assert mine.name == "mine"
    assert mine("BTCUSDT", since=1, limit=2) == ["BTCUSDT", 1, 2]
    assert (mine.__name__, mine.__doc__, mine.__module__) == ("mine", "Tell nothing.", __name__)
    assert mine.function("a", 1, 2) == ["a", 1, 2]
    assert inspect.unwrap(mine) is mine.function
    assert repr(mine) == "exchange('mine')"


def test_an_async_function_can_be_awaited():
    @exchange("mine")
    async def mine(symbol, since, limit):
        return [symbol, since, limit]

    assert asyncio.run(mine("X", 1, 2)) == ["X", 1, 2]


@pytest.mark.parametrize("name", ["", " ", None, 5, lambda symbol, since, limit: []])
def test_it_needs_a_name(name):
    with pytest.raises(SpecError, match=r'needs a name, as in @tn.exchange\("mine"\)'):
        exchange(name)


def test_its_name_has_a_bound():
    with pytest.raises(SpecError, match="at most 128 characters, was 1,000,000: 'mmm"):
        exchange("m" * 1_000_000)


def rows_by_yield(symbol, since, limit):
    yield since


async def rows_by_async_yield(symbol, since, limit):
    yield since


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda symbol, since: [], r"must take \(symbol, since, limit\), was \(symbol, since\)"),
        (lambda **named: [], r"must take .* was \(\*\*named\)"),
        (lambda a, b, c, d: [], r"must take .* was \(a, b, c, d\)"),
        (lambda a, b, *, limit: [], r"must take .* was \(a, b, \*, limit\)"),
        (rows_by_yield, "must return its rows, not yield them"),
        (rows_by_async_yield, "must return its rows, not yield them"),
        ("BTCUSDT", "must be a function, was 'BTCUSDT'"),
    ],
)
def test_a_function_of_another_shape_is_refused_at_once(function, words):
    with pytest.raises(SpecError, match="exchange 'mine' " + words):
        exchange("mine")(function)


@pytest.mark.parametrize(
    "function",
    [
        lambda *all: [],
        lambda a, b, c, d=1: [],
        Market([]),
        max,  # written in C, without a signature
    ],
)
def test_a_function_that_can_take_three_arguments_is_taken(function):
    assert exchange("mine")(function).name == "mine"


def test_the_wall_clock_is_in_ms():
    assert 1_700_000_000_000 < wall_ms() < 7_000_000_000_000


# --------------------------------------------------------------------------------------- the range


def test_the_candles_of_the_range_are_those_of_the_function():
    loaded = load(Market(range(-50, 500)).source(), 10, 20)
    assert minutes(loaded) == list(range(10, 20))
    assert loaded.intake == Intake(rows=10)
    assert loaded.candles.close.tolist() == [100.0] * 10
    assert loaded.candles.volume.tolist() == [float(minute % 7) for minute in range(10, 20)]


def test_history_comes_before_the_start():
    loaded = load(Market(range(-50, 500)).source(), 10, 20, history=5 * MINUTE)
    assert minutes(loaded) == list(range(5, 20))


def test_the_edges_of_the_range_are_floored_to_the_minute():
    source = Market(range(100)).source()
    start, end = NEW_YEAR + 3 * MINUTE + 1, NEW_YEAR + 9 * MINUTE + 59_999
    loaded = source.load(CandleRequest(symbol="X", start=start, end=end, rules=RULES))
    assert minutes(loaded) == list(range(3, 9))


@pytest.mark.parametrize(("start", "end"), [(None, NEW_YEAR), (NEW_YEAR, None), (None, None)])
def test_start_and_end_must_be_given(start, end):
    first, last = ("None" if at is None else "2024-01-01 00:00" for at in (start, end))
    with pytest.raises(UsageError, match=f"pass both start and end; was start={first}, end={last}"):
        Market([]).source().load(CandleRequest(symbol="X", start=start, end=end, rules=RULES))


def test_a_candle_that_is_not_closed_is_left_out():
    now = NEW_YEAR + 9 * MINUTE + 59_999
    market = Market(range(100))
    loaded = load(market.source(now), 0, 50)
    assert minutes(loaded) == list(range(9))
    assert market.asked == [(0, 1000)]


@pytest.mark.parametrize(("first", "last"), [(20, 30), (5, 5), (6, 5)])
def test_a_range_without_a_closed_candle_is_refused(first, last):
    market = Market(range(100))
    with pytest.raises(CandleError, match="no candle has closed between 2024-01-01") as caught:
        load(market.source(NEW_YEAR + 20 * MINUTE), first, last)
    assert caught.value.code == "range"
    assert market.asked == []


def test_the_symbol_is_handed_on_in_its_canonical_form():
    seen = []

    @exchange("mine", now=lambda: LATE)
    def mine(symbol, since, limit):
        seen.append(symbol)
        return [row(0), row(1)]

    load(mine, 0, 2, symbol="BTC/USDT")
    assert seen == ["BTCUSDT"]


# --------------------------------------------------------------------------------------- the pages


def test_a_long_range_is_asked_for_in_pages_of_a_thousand():
    market = Market(range(3000))
    told = []
    loaded = load(market.source(), 0, 2500, progress=lambda *done: told.append(done))
    assert minutes(loaded) == list(range(2500))
    assert market.asked == [(0, 1000), (1000, 1000), (2000, 1000)]
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert market.slept == []


def test_short_pages_go_on_where_they_end():
    market = Market(range(3000), at_most=300)
    loaded = load(market.source(), 0, 1000)
    assert minutes(loaded) == list(range(1000))
    assert market.asked == [(0, 1000), (300, 1000), (600, 1000), (900, 1000)]


def test_pages_that_overlap_are_cut_and_count_no_duplicates():
    market = Market(range(-100, 3000), before=7)
    loaded = load(market.source(), 0, 1500)
    assert minutes(loaded) == list(range(1500))
    assert loaded.intake == Intake(rows=1500)


def test_duplicates_within_a_page_are_counted_as_the_sources_own():
    loaded = load(Market(sorted([*range(100), 7, 8])).source())
    assert loaded.intake == Intake(rows=102, duplicates_same=2)


def test_more_than_was_asked_for_is_cut_to_the_range():
    market = Market(range(3000))
    source = FunctionExchange(
        lambda symbol, since, limit: market(symbol, since, 3 * limit), name="x", now=lambda: LATE
    )
    market.at_most = 10_000
    assert minutes(load(source, 0, 50)) == list(range(50))


def test_before_the_first_and_after_the_last_candle_nothing_is_invented():
    market = Market(range(1500, 1600))
    loaded = load(market.source(), 0, 4000)
    assert minutes(loaded) == list(range(1500, 1600))
    assert loaded.intake == Intake(rows=100)


def test_an_empty_page_is_asked_for_again_and_then_passed():
    """Some answer with the window [since, since + limit) only, so there may be more behind it."""

    def window(symbol, since, limit):
        asked.append((since - NEW_YEAR) // MINUTE)
        first = asked[-1]
        return [row(minute) for minute in range(first, first + limit) if minute >= 2900]

    asked, slept = [], []
    source = FunctionExchange(window, name="x", now=lambda: LATE, sleep=slept.append)
    loaded = load(source, 0, 3000)
    assert minutes(loaded) == list(range(2900, 3000))
    assert asked == [0, 0, 0, 0, 1000, 2000]  # a row of empty pages is doubted once
    assert slept == [5.0, 5.0, 5.0]


def test_a_page_that_was_empty_by_mistake_loses_nothing():
    market = Market(range(100), hidden=dict.fromkeys(range(100), 2))
    assert load(market.source()).intake == Intake(rows=100)
    assert market.slept == [5.0, 5.0]


def test_a_function_that_never_has_anything_ends():
    market = Market([])
    with pytest.raises(CandleError, match="BTCUSDT of exchange 'fake', 2024-01-01 00:00") as caught:
        load(market.source(), 0, 5000)
    assert caught.value.code == "empty"
    assert len(market.asked) == 8


def test_a_function_that_ignores_since_ends():
    source = FunctionExchange(
        lambda *_: [row(minute) for minute in range(100)],
        name="stuck",
        now=lambda: LATE,
        sleep=lambda _: None,
    )
    assert minutes(load(source, 0, 5000)) == list(range(100))


@given(
    st.sets(st.integers(0, 5000), min_size=40, max_size=150),
    st.integers(0, 2500),
    st.integers(1, 2500),
    st.integers(1, 1200),
    st.integers(0, 9),
)
def test_any_paging_gives_what_one_answer_would(have, first, length, at_most, before):
    last = first + length
    expected = sorted(minute for minute in have if first <= minute < last)
    market = Market(sorted(have), at_most=at_most + before, before=before)
    source = market.source()
    try:
        found = load(source, first, last)
    except CandleError as error:
        code = error.code
    else:
        code = ""
    if code:
        assert code == ("step" if expected else "empty")
        return
    assert found.intake.rows == len(expected)
    assert minutes(found) == expected
    assert found.intake.filled + found.intake.closed == expected[-1] + 1 - expected[0] - len(
        expected
    )


# ---------------------------------------------------------------------------------- missing minutes


def test_a_missing_minute_is_asked_for_again_and_found():
    market = Market(range(100), hidden={40: 1, 41: 1, 70: 2})
    loaded = load(market.source())
    assert loaded.intake == Intake(rows=100)
    assert market.asked == [(0, 1000), (40, 1000), (70, 1000)]
    assert market.slept == [5.0, 5.0]


def test_after_the_retries_a_missing_minute_is_filled_flat_and_counted():
    market = Market(sorted({*range(100)} - {50, 51}))
    loaded = load(market.source(), rules=Rules(candle_retries=2, candle_retry_seconds=0.5))
    assert loaded.intake == Intake(rows=98, filled=2)
    assert market.asked == [(0, 1000), (50, 1000), (50, 1000)]
    assert market.slept == [0.5, 0.5]


def test_found_minutes_leave_the_order_of_duplicates_alone():
    """The last of two rows with one time is the one that counts, before and after."""
    twice = [(90.0, 100.0) if minute % 60 == 0 else (100.0,) for minute in range(300)]
    rows = [row(minute, price) for minute in range(300) for price in twice[minute]]
    gap = [one for one in rows if one[0] != NEW_YEAR + 150 * MINUTE]
    loaded = load(answering(gap, rows), 0, 300)
    assert loaded.intake == Intake(rows=305, duplicates_replaced=5)
    assert set(loaded.candles.close.tolist()) == {100.0}


def test_without_retries_nothing_is_asked_again():
    market = Market(sorted({*range(100)} - {50}))
    assert load(market.source(), rules=Rules(candle_retries=0)).intake.filled == 1
    assert market.asked == [(0, 1000)]


def test_a_thin_market_waits_a_few_times_in_all_not_for_each_page():
    market = Market([minute for minute in range(5000) if minute % 5])
    loaded = load(market.source(), 1, 5000)
    assert loaded.intake == Intake(rows=4000, filled=999)
    assert market.slept == [5.0] * 3
    assert len(market.asked) == 4 + 3 * 5


def test_a_hole_longer_than_a_page_is_asked_for_in_pages():
    market = Market([*range(1400), *range(4000, 5500)])
    loaded = load(market.source(), 0, 5500, rules=Rules(candle_retries=1))
    assert (loaded.intake.closed, loaded.intake.gaps) == (2600, 1)
    assert market.asked[-3:] == [(1400, 1000), (2400, 1000), (3400, 1000)]


# ---------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionError("reset"),
        TimeoutError("slow"),
        ValueError("no JSON"),
        ExchangeError("busy", retryable=True),
    ],
)
def test_a_failure_is_tried_again_after_a_wait(failure):
    market = Market(range(100), failures=[failure, failure])
    assert load(market.source()).intake == Intake(rows=100)
    assert market.asked == [(0, 1000)] * 3
    assert market.slept == [5.0, 5.0]


def test_a_failure_that_brings_a_page_along_is_shown_in_part():
    page = ValueError(f"no JSON: <html>{'x' * 1_000_000}")
    with pytest.raises(ExchangeError, match="with ValueError: no JSON: a page of HTML; try again"):
        load(Market(range(100), failures=[page] * 4).source())
    endless = ValueError("x" * 1_000_000)
    with pytest.raises(ExchangeError) as caught:
        load(Market(range(100), failures=[endless] * 4).source())
    assert len(str(caught.value)) < 500


def test_after_the_retries_the_last_failure_is_the_cause():
    market = Market(range(100), failures=[ValueError("first"), *[ConnectionError("reset")] * 3])
    with pytest.raises(ExchangeError) as caught:
        load(market.source())
    assert str(caught.value) == (
        "fetching candles of BTCUSDT of exchange 'fake' since 2024-01-01 00:00 failed 4 "
        "times, last with ConnectionError: reset; try again later"
    )
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert caught.value.retryable
    assert market.slept == [5.0] * 3


@pytest.mark.parametrize(
    "failure",
    [
        UnknownName("no such symbol"),
        KeyError("BTCUSDT"),
        IndexError("0"),
        UsageError("give a key"),
        ExchangeError("account closed"),
    ],
)
def test_what_another_try_cannot_mend_is_raised_as_it_is(failure):
    market = Market(range(100), failures=[failure])
    with pytest.raises(type(failure)) as caught:
        load(market.source())
    assert caught.value is failure
    assert len(market.asked) == 1
    assert market.slept == []


def test_a_failure_while_asking_for_a_gap_is_tried_again_too():
    market = Market(range(100), hidden={40: 1}, failures=[None, ConnectionError("reset")])
    assert load(market.source()).intake == Intake(rows=100)
    assert market.slept == [5.0, 5.0]


def test_an_interrupt_is_not_swallowed():
    market = Market(range(100), failures=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        load(market.source())


# ----------------------------------------------------------------------------------------- answers


def answering(*answers):
    waiting, slept = list(answers), []

    def function(symbol, since, limit):
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    source = FunctionExchange(function, name="fake", now=lambda: LATE, sleep=slept.append)
    source.slept = slept
    return source


FIVE = [row(minute, 100.0 + minute) for minute in range(5)]
ARRAY = np.array(FIVE)


@pytest.mark.parametrize("later", [False, True])
def test_a_function_that_ignores_since_is_told_what_it_returned(later):
    begin = NEW_YEAR + MINUTE * (600 if later else 0)
    rows = [[begin + MINUTE * place, 1, 1, 1, 1, 0] for place in range(5)]
    source = FunctionExchange(
        lambda symbol, since, limit: rows, name="mine", now=lambda: LATE, sleep=lambda seconds: None
    )
    start, hours = NEW_YEAR + 300 * MINUTE, ("10:00", "10:04") if later else ("00:00", "00:04")
    asked = CandleRequest(symbol="BTCUSDT", start=start, end=start + 60 * MINUTE, rules=RULES)
    with pytest.raises(CandleError) as raised:
        source.load(asked)
    assert raised.value.code == "empty"
    assert str(raised.value) == (
        "BTCUSDT of exchange 'mine', 2024-01-01 05:00 to 2024-01-01 06:00: asked for candles since "
        f"2024-01-01 05:00 ({start}), the function returned those from 2024-01-01 {hours[0]} to "
        f"2024-01-01 {hours[1]}; return candles that open at `since` or later, the oldest first"
    )


FRAME = pd.DataFrame(FIVE, columns=["timestamp", "open", "high", "low", "close", "volume"])


@pytest.mark.parametrize(
    "answer",
    [
        FIVE,
        tuple(tuple(one) for one in FIVE),
        list(ARRAY),
        [[np.int64(one[0]), *map(np.float32, one[1:])] for one in FIVE],
        [[float(one[0]), *map(int, one[1:])] for one in FIVE],
        ARRAY,
        np.asfortranarray(ARRAY),
        FRAME,
        FRAME.rename(columns=str.upper),
        FRAME.drop(columns="timestamp").set_index(pd.to_datetime(FRAME["timestamp"], unit="ms")),
    ],
    ids=[
        "lists",
        "tuples",
        "arrays",
        "numpy",
        "floats",
        "array",
        "fortran",
        "frame",
        "upper",
        "ix",
    ],
)
def test_rows_an_array_and_a_frame_give_the_same(answer):
    loaded = load(answering(answer), 0, 5)
    assert minutes(loaded) == [0, 1, 2, 3, 4]
    assert loaded.candles.close.tolist() == [100.0, 101.0, 102.0, 103.0, 104.0]


@pytest.mark.parametrize("empty", [[], (), np.empty((0, 6)), FRAME.iloc[:0]])
def test_an_empty_answer_may_have_any_of_these_forms(empty):
    with pytest.raises(CandleError) as caught:
        load(answering(empty), 0, 5)
    assert caught.value.code == "empty"


@pytest.mark.parametrize(
    ("answer", "code", "index", "words"),
    [
        (None, "columns", None, "the response must be a list of rows .* was None"),
        ({"data": FIVE}, "columns", None, "the response must be a list of rows .* was {'data'"),
        ("BTC", "columns", None, "was 'BTC'"),
        (["x" * 500], "columns", 0, r"row 0 of the response must be .* was 'xxx.*\.\.\.$"),
        ([*FIVE[:2], FIVE[2][:5]], "columns", 2, r"row 2 .* must be \[t_ms, .* was \[17040673"),
        ([*FIVE[:2], [*FIVE[2], 1]], "columns", 2, "row 2 of the response"),
        ([*FIVE[:2], None], "columns", 2, "row 2 of the response .* was None"),
        ([*FIVE[:2], 7], "columns", 2, "row 2 of the response .* was 7"),
        ([FIVE[0], [FIVE[1][0], *[None] * 5]], "not_finite", 1, "row 1 \\(.*\\): open is empty"),
        (
            [FIVE[0], [FIVE[1][0], "1", 2, 1, 1, 1]],
            "not_finite",
            1,
            "row 1 \\(.*\\): open .* was '1'",
        ),
        ([FIVE[0], [None, 1, 1, 1, 1, 1]], "grid", 1, "row 1: time must be .* was None"),
        ([FIVE[0], [1.5, 1, 1, 1, 1, 1]], "grid", 1, "row 1: time must be .* was 1.5"),
        (ARRAY[:, :5], "columns", None, r"shape \(n, 6\)"),
        (FRAME.drop(columns="low"), "columns", None, "columns are missing: low"),
        (FIVE[::-1], "order", 1, "row 1 is older than the one before it; return the oldest"),
    ],
)
def test_garbage_is_refused_at_once_and_named(answer, code, index, words):
    source = answering(answer)
    with pytest.raises(CandleError, match=words) as caught:
        load(source, 0, 5)
    assert (caught.value.code, caught.value.index) == (code, index)
    assert str(caught.value).startswith("BTCUSDT of exchange 'fake', 2024-01-01 00:00 to ")
    assert source.slept == []


def test_rows_that_cannot_be_candles_are_asked_for_again():
    bad = [*FIVE[:3], [FIVE[3][0], 100.0, 90.0, 95.0, 100.0, 1.0], FIVE[4]]
    source = answering(bad, bad, FIVE)
    assert load(source, 0, 5).intake == Intake(rows=5)
    assert source.slept == [5.0, 5.0]
    source = answering(bad)
    with pytest.raises(
        CandleError, match=r"since 2024-01-01 00:00: candle in row 3 .*: high"
    ) as caught:
        load(source, 0, 5)
    assert (caught.value.code, caught.value.index) == ("low_high", 3)
    assert source.slept == [5.0] * 3


def test_times_in_seconds_are_named_and_not_taken_for_no_candles():
    source = answering([[row[0] // 1000, *row[1:]] for row in FIVE])
    with pytest.raises(CandleError, match=r"was 1704067200 \(it looks like seconds\)") as caught:
        load(source, 0, 5)
    assert (caught.value.code, caught.value.index) == ("grid", 0)


def test_an_anomaly_is_refused():
    rows = [row(minute) for minute in range(100)]
    rows[70][2] = 1e9
    with pytest.raises(CandleError, match="raise price_anomaly_factor") as caught:
        load(answering(rows))
    assert (caught.value.code, caught.value.index) == ("anomaly", 70)


def test_an_answer_that_waits_to_be_awaited_says_what_to_do():
    async def later():
        return FIVE

    source = FunctionExchange(lambda *_: later(), name="fake", now=lambda: LATE)
    with pytest.raises(SpecError, match="declare it with async def"):
        load(source, 0, 5)


# ------------------------------------------------------------------------------------------- async


def awaiting(market):
    async def function(symbol, since, limit):
        loops.add(id(asyncio.get_running_loop()))
        threads.add(threading.current_thread().name)
        await asyncio.sleep(0)
        return market(symbol, since, limit)

    loops, threads = set(), set()
    source = FunctionExchange(function, name="fake", now=lambda: LATE, sleep=market.slept.append)
    return source, loops, threads


def test_an_async_function_is_driven_on_one_loop_in_the_thread_that_asks():
    source, loops, threads = awaiting(Market(range(3000)))
    assert minutes(load(source, 0, 2500)) == list(range(2500))
    assert len(loops) == 1
    assert threads == {threading.current_thread().name}


def test_in_a_thread_with_a_running_loop_it_is_driven_in_another_one():
    source, loops, threads = awaiting(Market(range(3000)))

    async def cell():
        return load(source, 0, 2500)

    assert minutes(asyncio.run(cell())) == list(range(2500))
    assert len(loops) == 1
    assert threads == {"tradenb-fetch"}


def test_a_callable_object_may_be_async():
    class Client:
        async def __call__(self, symbol, since, limit):
            return FIVE

    source = exchange("client", now=lambda: LATE)(Client())
    assert minutes(load(source, 0, 5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("running", [False, True])
def test_failures_of_an_async_function_are_the_same(running):
    market = Market(range(100), failures=[ConnectionError("reset"), KeyError("BTCUSDT")])
    source, _, _ = awaiting(market)

    async def cell():
        return load(source)

    with pytest.raises(KeyError, match="BTCUSDT"):
        asyncio.run(cell()) if running else load(source)
    assert market.slept == [5.0]


def test_who_is_interrupted_while_waiting_stops_the_asking(monkeypatch):
    asked, seen, go_on = [], threading.Event(), threading.Event()

    async def endless(symbol, since, limit):
        asked.append(since)
        seen.set()
        assert go_on.wait(240)
        return [row((since - NEW_YEAR) // MINUTE + k) for k in range(limit)]

    def interrupted(future, timeout=None):
        assert seen.wait(240)
        raise KeyboardInterrupt

    source = FunctionExchange(endless, name="fake", now=lambda: LATE)
    monkeypatch.setattr("tradenb.exchanges.function_source.Future.result", interrupted)

    async def cell():
        return load(source, 0, 5000)

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(cell())
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()
    assert len(asked) == 1


def test_a_declared_function_is_found_by_its_name():
    @exchange("found")
    def found(symbol, since, limit):
        return []

    assert registry.find("exchange", "found", form=FunctionExchange) is found


def test_another_function_under_a_used_name_is_refused():
    @exchange("twice")
    def first(symbol, since, limit):
        return []

    with pytest.raises(SpecError, match=r"exchange name 'twice' is used by .*first"):

        @exchange("twice")
        def second(symbol, since, limit):
            return []


def test_a_live_run_gets_the_newest_rows_of_a_plain_and_of_an_async_function():
    @exchange("plain")
    def plain(symbol, since, limit):
        return [[since, 1, 2, 0.5, 1.5, 10]]

    @exchange("async")
    async def waits(symbol, since, limit):
        return [[since, 1, 2, 0.5, 1.5, 10]]

    rows = plain.recent("BTC/USDT", 1_704_067_200_000, 1)
    assert [column.tolist() for column in rows] == [
        [1_704_067_200_000],
        [1],
        [2],
        [0.5],
        [1.5],
        [10],
    ]
    awaited = asyncio.run(waits.recent("BTC/USDT", 1_704_067_200_000, 1))
    assert [column.tolist() for column in awaited] == [column.tolist() for column in rows]


@pytest.mark.parametrize("step", [5, 60])
@pytest.mark.parametrize("length", [20, 1_000])
def test_coarse_candles_counted_from_since_are_refused_and_not_mixed_from_many_minutes(
    step, length
):
    asked = []

    def coarse(symbol, since, limit):
        asked.append(since)
        return [[since + index * step * MINUTE, *row(0)[1:]] for index in range(length)]

    source = FunctionExchange(coarse, name="coarse", now=lambda: LATE, sleep=lambda seconds: None)
    with pytest.raises(CandleError, match=r"candles look like .*; say timeframe=") as caught:
        source.load(
            CandleRequest(
                symbol="BTCUSDT", start=NEW_YEAR, end=NEW_YEAR + 3_000 * MINUTE, rules=RULES
            )
        )
    assert caught.value.code == "step"
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("30", 30.0), (2, 2.0), (None, 0.0), (-5, 0.0), (np.nan, 0.0), (np.inf, 259_200.0)],
)
def test_a_wait_that_a_function_takes_from_a_header_is_one_that_can_be_waited(given, seconds):
    error = ExchangeError("limited", retryable=True, retry_after=given)
    assert type(error.retry_after) is float
    assert error.retry_after == seconds


def test_a_wait_that_is_a_date_is_the_error_of_the_function_that_raises_it():
    with pytest.raises(ValueError, match="Wed, 21 Oct"):
        ExchangeError("limited", retryable=True, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
