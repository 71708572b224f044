from __future__ import annotations

import json
import math
import random
import re

import numpy as np
import pytest

import tradenb as tn
from tests.view.unpacked import candles as candles_in
from tests.view.unpacked import column, wholes
from tradenb.core.candles.arrays import candles_of
from tradenb.core.lifecycle.position_lines import Mark, PositionLines, Step, Target
from tradenb.statistics.equity.curve_points import CurvePoints
from tradenb.view.charts.chart_data import (
    MOST_TRADES,
    POINTS,
    Drawn,
    IndicatorLine,
    chart_data,
    chart_json,
)
from tradenb.view.charts.chart_script import chart_script, packed_library, plotly_script
from tradenb.view.charts.packed_columns import packed, packed_floats

MINUTE = 60_000
DAY = 1_440 * MINUTE


def symbol_in(data, name="BTCUSDT"):
    (found,) = [each for each in data["symbols"] if each["name"] == name]
    return found


def one(candles, trades=(), lines=(), indicators=(), **more):
    drawn = Drawn("BTCUSDT", candles, list(trades), list(lines), list(indicators))
    return symbol_in(chart_data([drawn], None, start=candles.start, end=candles.end, **more))


def traded(count, start, seed=3, cents=True):
    """Return seeded candles as a market has them: prices in cents, volumes in thousandths."""
    rng = random.Random(seed)
    price, rows = 60_000.0, []
    for _ in range(count):
        opened, closed = price, price + rng.gauss(0, 25)
        high, low = max(opened, closed) + rng.random() * 9, min(opened, closed) - rng.random() * 9
        rows.append([opened, high, low, closed, rng.random() * 3])
        price = closed
    columns = np.array(rows).T
    if cents:
        columns = np.concatenate((columns[:4].round(2), columns[4:].round(3)))
    return candles_of(tuple(np.ascontiguousarray(each) for each in columns), start)


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [[], [0], [5, -5, 1 << 40, -(1 << 40), 0, 255, 256, -1], list(range(-300, 300, 7))]
)
@pytest.mark.parametrize("running", [True, False])
def test_whole_numbers_come_back(values, running):
    made = packed(np.array(values, dtype=np.int64), running=running)
    assert wholes(json.loads(json.dumps(made))) == values


def test_decimal_prices_come_back_to_the_last_bit():
    prices = [64_000.01, 63_999.99, 0.5, 71_234.56]
    assert column(packed_floats(np.array(prices))) == prices


def test_other_numbers_keep_nine_digits_and_what_is_missing_stays_missing():
    values = [math.pi * 1e4, math.nan, -math.e, math.inf, 1e-3]
    found = column(packed_floats(np.array(values)))
    assert [value is None for value in found] == [False, True, False, True, False]
    assert found[0] == pytest.approx(values[0], rel=1e-8)
    assert found[2] == pytest.approx(values[2], abs=1e-4)


def test_numbers_of_any_size_are_kept_to_their_digits():
    for size in (1e-9, 1e-3, 1.0, 1e9, 1e15):
        values = [size / 3, size / 7]
        found = column(packed_floats(np.array(values), digits=6))
        assert found == pytest.approx(values, rel=1e-5)


# --- candles --------------------------------------------------------------------------------------


def test_a_few_candles_are_all_drawn_as_they_are(start):
    candles = traded(3_000, start)
    found = one(candles)
    (level,) = found["levels"]
    rows = candles_in(level)
    assert [row[0] for row in rows] == candles.time.tolist()
    given = zip(*(each.tolist() for each in candles.columns[:4]), strict=True)
    assert [row[1:5] for row in rows] == list(given)
    assert [row[5] for row in rows] == pytest.approx(candles.volume.tolist(), abs=0.0006)


def test_prices_that_are_not_decimal_keep_nine_digits(start):
    candles = traded(500, start, cents=False)
    rows = candles_in(one(candles)["levels"][0])
    assert [row[4] for row in rows] == pytest.approx(candles.close.tolist(), rel=1e-8)
    assert all(low <= min(opened, close) for _, opened, _, low, close, _ in rows)


def test_many_candles_are_coarse_and_as_they_are_around_trades(start, make_trades):
    candles = traded(40_000, start)
    trades = make_trades([1.0, -1.0], step=20_000)
    whole, detail = one(candles, trades, rows=12_000)["levels"]
    assert (whole["step"], detail["step"]) == (15 * MINUTE, MINUTE)
    rows = {row[0]: row for row in candles_in(detail)}
    by_time = dict(zip(candles.time.tolist(), zip(*candles.columns[:4], strict=True), strict=True))
    assert all(row[1:5] == by_time[at] for at, row in rows.items())
    for trade in trades:
        for moment in (trade.opened_at, trade.closed_at):
            around = range(moment - 60 * MINUTE, moment + 60 * MINUTE, MINUTE)
            assert {at for at in around if at in by_time} <= rows.keys()
    assert len(rows) + whole["time"]["n"] <= 12_000
    # As many coarse candles before the first moment of a trade as after its last.
    step = whole["step"]
    for trade in trades:
        first, last = ((at - 1) // step * step for at in (trade.opened_at, trade.closed_at))
        before = next(at for at in range(first, start - 1, -step) if at - step not in rows)
        after = next(at for at in range(last, candles.end, step) if at + step not in rows)
        assert after - last > 4 * step
        assert before == start or first - before == after - last


def test_a_coarse_candle_is_the_sum_of_its_minutes(start):
    candles = traded(40_000, start + 7 * MINUTE)  # it begins within one
    whole, _ = one(candles, rows=12_000)["levels"]
    step, expected = whole["step"], {}
    for at, opened, high, low, close, volume in zip(
        candles.time.tolist(), *(each.tolist() for each in candles.columns), strict=True
    ):
        begin = at - at % step
        if begin not in expected:
            expected[begin] = [opened, high, low, close, volume]
        else:
            own = expected[begin]
            own[1:] = max(own[1], high), min(own[2], low), close, own[4] + volume
    rows = candles_in(whole)
    assert [row[0] for row in rows] == list(expected)
    assert [list(row[1:5]) for row in rows] == [own[:4] for own in expected.values()]
    volumes = [own[4] for own in expected.values()]
    assert [row[5] for row in rows] == pytest.approx(volumes, abs=0.006)


def test_missing_minutes_stay_missing(start):
    whole = traded(2_000, start)
    kept = np.r_[0:500, 700:2_000]
    times = whole.time[kept]
    gappy = candles_of(tuple(each[kept] for each in whole.columns), start, MINUTE, times)
    assert [row[0] for row in candles_in(one(gappy)["levels"][0])] == times.tolist()


def test_of_too_many_trades_the_newest_have_their_minutes(start, make_trades):
    candles = traded(30_000, start)
    trades = make_trades([1.0] * 490)
    whole, detail = one(candles, trades, rows=2_000)["levels"]
    times = wholes(detail["time"])
    assert 0 < len(times) <= 2_000 - whole["time"]["n"]
    assert times[-1] * 1000 == candles.time[-1]
    assert times[0] * 1000 % whole["step"] == 0


@pytest.mark.no_cover
def test_a_year_of_minutes_with_many_trades_fits_into_three_megabytes(start, make_trades):
    candles = traded(525_600, start)
    rng = random.Random(8)
    trades = make_trades([rng.gauss(0, 1) for _ in range(5_000)], step=105, note="below its mean")
    text = chart_json(
        chart_data([Drawn("BTCUSDT", candles, trades)], None, start=candles.start, end=candles.end)
    )
    assert len(text) <= 3_000_000


# --- indicators -----------------------------------------------------------------------------------


def test_an_indicator_has_at_each_candle_the_value_that_was_known_at_its_close(start):
    candles = traded(600, start)
    closes_at = np.arange(start + 15 * MINUTE, candles.end + 1, 15 * MINUTE)
    values = np.arange(len(closes_at), dtype=np.float64) + 0.5
    values[:2] = np.nan
    line = IndicatorLine("mean", "dip", "15m", "price", closes_at, values)
    (found,) = one(candles, indicators=[line])["indicators"]
    assert (found["name"], found["where"], found["timeframe"]) == ("mean", "price", "15m")
    expected = []
    for close in (candles.time + MINUTE).tolist():
        rows = (close - start) // (15 * MINUTE)
        expected.append(None if rows < 3 else rows - 1 + 0.5)
    assert column(found["levels"][0]) == expected


def test_an_indicator_of_which_no_candle_has_closed_is_not_drawn(tmp_path):
    @tn.strategy("weekly", every="1h")
    def weekly(ctx):
        return tn.long(**tn.bracket(stop=1, target=1.5), minutes=60)

    weekly.indicators("1w")(lambda df: {"slow": df.close})
    weekly.indicators("1h")(lambda df: {"quick": df.close})
    walk = tn.testing.random_walk(days=5)
    result = tn.backtest.run("BTCUSDT", strategy=weekly, exchange=walk, progress=False)
    drawn = symbol_in(result.plot().data)["indicators"]
    assert [each["name"] for each in drawn] == ["quick"]
    assert result.report(tmp_path / "weekly.html").exists()


# --- trades and positions -------------------------------------------------------------------------


def test_trades_are_drawn_with_what_the_result_says(start, make_trades):
    trades = make_trades([1.25, -0.5, 2.0], note="why not")
    data = chart_data([Drawn("BTCUSDT", traded(600, start), trades)], None, start=start, end=start)
    found, texts = symbol_in(data)["trades"], data["texts"]
    for name in ("entry", "exit"):
        assert column(found[name]) == [getattr(trade, name) for trade in trades]
    assert column(found["opened"]) == [trade.opened_at for trade in trades]
    assert column(found["closed"]) == [trade.closed_at for trade in trades]
    assert column(found["pnl"]) == [1.25, -0.5, 2.0]
    assert wholes(found["long"]) == [1, 0, 1]
    assert [texts[place] for place in wholes(found["reason"])] == [
        "take profit", "stop loss", "take profit",
    ]  # fmt: skip
    assert [texts[place] for place in wholes(found["note"])] == ["why not"] * 3


def test_of_very_many_trades_the_newest_are_kept_and_all_are_counted(start, make_trades):
    trades = make_trades([1.0] * (MOST_TRADES + 5), step=1)
    found = one(traded(600, start), trades)
    assert (found["trades"]["exit"]["n"], found["all_trades"]) == (MOST_TRADES, MOST_TRADES + 5)
    assert column(found["trades"]["closed"])[-1] == trades[-1].closed_at


@pytest.fixture
def lived(start):
    """Return the lines of a long that was added to, partly closed, and trailed."""

    def make(signal_id="dip-BTCUSDT-0", closed=60, position="long"):
        at = [start + minutes * 60_000 for minutes in (30, 35, 40, 50)]
        return PositionLines(
            signal_id, "BTCUSDT", "dip", position, at[0],
            None if closed is None else start + closed * 60_000,
            stop=[Step(at[0], 98.0), Step(at[1], None), Step(at[2], 99.0), Step(at[3], 99.5)],
            entry=[Step(at[0], 100.0), Step(at[1], 100.5)],
            targets=[Target(at[0], at[2], 101.0), Target(at[0], None, 103.0)],
            marks=[
                Mark(at[1], "added", 101.0, 1.0, None, None),
                Mark(at[2], "partial", 101.0, 0.5, 0.7, "take_profit"),
            ],
        )  # fmt: skip

    return make


def runs_of(table, start):
    """Return lines as (minute, level) pairs, a list each."""
    points = [
        ((at - start) // MINUTE, level)
        for at, level in zip(wholes(table["at"]), column(table["level"]), strict=True)
    ]
    found = []
    for size in wholes(table["size"]):
        found.append(points[:size])
        del points[:size]
    return found


def test_a_stop_is_a_line_of_steps_with_a_gap_where_it_is_not_known(start, make_trades, lived):
    found = one(traded(600, start), make_trades([1.0]), [lived()])
    assert runs_of(found["stops"], start) == [
        [(30, 98.0), (35, 98.0)],
        [(40, 99.0), (50, 99.5), (60, 99.5)],
    ]
    assert runs_of(found["targets"], start)[0] == [(30, 101.0), (40, 101.0)]
    assert runs_of(found["averages"], start) == [[(30, 100.0), (35, 100.5), (60, 100.5)]]


def test_parts_and_adds_are_marked_and_the_entry_is_the_first_one(start, make_trades, lived):
    (trade,) = make_trades([1.0])
    trade = trade._replace(entry=100.5, entries=2, exits=2)
    found = one(traded(600, start), [trade], [lived()])
    marks = found["marks"]
    assert wholes(marks["added"]) == [1, 0]
    assert column(marks["price"]) == [101.0, 101.0]
    assert column(marks["pnl"]) == [None, 0.7]
    assert column(found["trades"]["entry"]) == [100.0]
    assert column(found["trades"]["average"]) == [100.5]
    assert (wholes(found["trades"]["entries"]), wholes(found["trades"]["exits"])) == ([2], [2])


def test_what_is_still_open_is_drawn_to_the_end(start, lived):
    candles = traded(600, start)
    found = one(candles, (), [lived(closed=None)])
    assert runs_of(found["stops"], start)[-1][-1] == (600, 99.5)
    assert column(found["open"]["price"]) == [100.0]
    assert column(found["open"]["stop"]) == [99.5]


def test_a_managed_backtest_is_drawn_with_its_stops_parts_and_adds():
    from tests.core.test_position_lines import played

    result, _ = played(tn.long, "after", acts=True)
    chart = result.plot()
    (found,) = chart.data["symbols"]
    exits = [trade.exit for trade in result.trade_list]
    assert column(found["trades"]["exit"]) == pytest.approx(exits, rel=1e-8)
    kinds = [event.kind for event in result.event_list]
    assert wholes(found["marks"]["added"]).count(1) == kinds.count("added") > 0
    assert wholes(found["marks"]["added"]).count(0) == kinds.count("partial") > 0
    assert found["stops"]["size"]["n"] >= len(result.trade_list)
    static = chart._repr_html_()
    assert [mark for mark in ("tnb-add", "tnb-part", "tnb-past") if mark not in static] == []
    words = result.to_markdown()
    added = sum(trade.entries > 1 for trade in result.trade_list)
    assert f"{added} of {len(result.trade_list)} trades were added to" in words


# --- equity ---------------------------------------------------------------------------------------


def test_equity_drawdown_and_benchmark_share_their_times(start):
    points = CurvePoints([start, start + DAY], [0.0, 1.5], [0.0, 0.25], [0.0, -2.0])
    equity = chart_data([], points, start=start, end=start + DAY)["equity"]
    assert wholes(equity["at"]) == [start, start + DAY]
    found = [column(equity[name]) for name in ("gains", "falls", "holds")]
    assert found == [[0.0, 1.5], [0.0, 0.25], [0.0, -2.0]]
    assert not equity["stepped"]
    assert equity["title"] == "Equity, %"


def test_a_curve_of_closes_stands_still_to_the_end_of_the_run(start, make_trades, drawn):
    points = drawn(make_trades([10.0, -50.0]))
    equity = chart_data([], points, start=start, end=start + DAY)["equity"]
    assert column(equity["gains"]) == pytest.approx([0.0, 10.0, -45.0, -45.0])
    assert wholes(equity["at"])[-1] == start + DAY
    assert equity["holds"] is None


def test_a_long_equity_line_keeps_its_extremes(make_trades, make_returns, drawn, start):
    trades = make_trades(make_returns(40_000))
    points = drawn(trades, limit=100_000)
    equity = chart_data([], points, start=start, end=trades[-1].closed_at)["equity"]
    value, worth = 1.0, []
    for trade in trades:
        value *= 1 + trade.pnl_percent / 100
        worth.append((value - 1) * 100)
    gains = column(equity["gains"])
    assert len(gains) <= POINTS + 2
    assert max(gains) == pytest.approx(max(worth), rel=1e-5)
    assert min(gains) == pytest.approx(min(0.0, *worth), rel=1e-5)


# --- as text --------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_text_and_words_of_users_cannot_end_it(
    start, make_trades, hostile
):
    def text():
        trades = make_trades([1.0, -1.0], symbol=hostile, strategy=hostile, note=hostile)
        drawn = [Drawn(hostile, traded(600, start), trades)]
        return chart_json(chart_data(drawn, None, start=start, end=start + DAY))

    assert text() == text()
    assert "<" not in text()
    assert hostile in json.loads(text())["texts"]


def test_no_candles_make_no_level(start):
    candles = traded(10, start).rows(0, 0)
    found = symbol_in(chart_data([Drawn("BTCUSDT", candles)], None, start=start, end=start))
    assert (found["levels"], found["indicators"]) == ([], [])


def test_the_scripts_fit_into_a_script_element():
    for script in (plotly_script(), chart_script()):
        assert "</script" not in script.lower()
        assert "\r" not in script


# --- as a result shows it -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hourly():
    @tn.strategy("every-hour", every="1h")
    def every_hour(ctx):
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=60)

    candles = tn.testing.random_walk(seed=7, days=4)
    return tn.backtest.run(
        ["BTCUSDT", "ETHUSDT"], strategy=every_hour, exchange=candles, progress=False
    )


def test_the_chart_of_a_result_draws_its_candles_and_trades(hourly):
    chart = hourly.plot("ETHUSDT")
    assert (chart.data["chosen"], len(chart.data["symbols"])) == (1, 2)
    for found in chart.data["symbols"]:
        trades = hourly.trades[hourly.trades.symbol == found["name"]].sort_values("opened_at")
        assert column(found["trades"]["entry"]) == trades.entry.tolist()
        (level,) = found["levels"]
        assert len(candles_in(level)) == 4 * 1_440


def test_the_chart_of_a_result_has_a_still_picture_for_a_static_export(hourly):
    page = hourly.plot()._repr_html_()
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert len(page) < 80_000


def test_a_chart_is_a_page_that_loads_nothing(hourly, tmp_path):
    path = hourly.plot().save(tmp_path / "chart.html")
    rest = path.read_text("utf-8").replace(plotly_script(), "")
    assert "src=" not in rest
    assert set(re.findall(r"https?://[^\"'\s<]*", rest)) == {"http://www.w3.org/2000/svg"}  # a name
    assert rest.count("<svg") == 2  # the still form, until the script draws
    with pytest.raises(tn.UsageError, match=r"chart\.png"):
        hourly.plot().save(tmp_path / "chart.png")


def test_a_page_asks_the_widget_of_a_chart_for_the_library(hourly):
    from tradenb.view.charts.chart_widget import ChartWidget

    widget = ChartWidget(chart_json(hourly.plot().data))
    sent = []
    widget.send = lambda content, buffers: sent.append((content, buffers))
    widget._on_message(widget, {"type": "other"}, [])
    widget._on_message(widget, {"type": "library"}, [])
    assert sent == [({"type": "library"}, [packed_library()])]
    state = {name: value for name, value in widget.get_state().items() if name != "_esm"}
    assert "Plotly" not in str(state)
    widget.close()
