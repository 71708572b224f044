from __future__ import annotations

import json

import numpy as np
import pytest

import tradenb as tn
from tradenb.core.lifecycle.position_lines import Mark, PositionLines, Step, Target
from tradenb.errors import UnknownName, UsageError
from tradenb.statistics.equity.curve_points import CurvePoints
from tradenb.view.charts.chart_traces import MARKED, POINTS, coarser, moments, plot_text
from tradenb.view.charts.trade_charts import (
    chart_json,
    equity_chart,
    plotly_script,
    price_chart,
    result_chart,
)

DAY = 86_400_000


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_equity_and_drawdown_share_their_time(make_trades, start, drawn):
    figure = equity_chart(drawn(make_trades([10.0, -50.0])), start + DAY)
    rise, fall = figure.data
    assert list(rise.y) == pytest.approx([0.0, 10.0, -45.0, -45.0])
    assert list(fall.y) == pytest.approx([0.0, 0.0, -50.0, -50.0])
    assert list(rise.x) == list(fall.x)
    assert (rise.x[0], rise.x[-1]) == ("2024-03-01T00:00:00", "2024-03-02T00:00:00")
    assert (rise.yaxis, fall.yaxis) == ("y", "y2")
    assert not figure.layout.showlegend


def test_the_benchmark_is_a_line_of_its_own_that_is_named(start):
    points = CurvePoints([start, start + DAY], [0.0, 1.0], [0.0, 0.0], [0.0, -2.0])
    figure = equity_chart(points, start + DAY)
    rise, _, hold = figure.data
    assert figure.layout.showlegend
    assert (hold.name, hold.yaxis, list(hold.y)) == ("buy and hold", rise.yaxis, [0.0, -2.0])
    assert hold.line.color != rise.line.color


def test_a_long_equity_line_keeps_its_extremes(make_trades, make_returns, drawn):
    trades = make_trades(make_returns(20_000))
    everything = np.cumprod([1 + trade.pnl_percent / 100 for trade in trades])
    rise, fall = equity_chart(drawn(trades, limit=POINTS), trades[-1].closed_at).data
    assert len(rise.x) <= POINTS + 2
    assert max(rise.y) == pytest.approx((everything.max() - 1) * 100)
    assert min(rise.y) == pytest.approx(min(0, (everything.min() - 1) * 100))
    peaks = np.maximum.accumulate(np.maximum(everything, 1))
    assert -min(fall.y) == pytest.approx(((peaks - everything) / peaks).max() * 100)


@pytest.mark.parametrize("count", [1, 299, 300])
def test_few_candles_are_candlesticks(count, make_candles):
    (trace,) = price_chart(make_candles(count), [], symbol="BTCUSDT").data
    assert trace.type == "candlestick"
    assert len(trace.x) == count


@pytest.mark.parametrize("count", [301, 5_000, 5_001, 130_000])
def test_many_candles_are_a_line_in_a_band(count, make_candles):
    candles = make_candles(count)
    low, high, close = price_chart(candles, [], symbol="BTCUSDT").data
    assert len(close.y) <= POINTS
    drawn = coarser(candles)
    assert max(high.y) == drawn.high.max()
    assert min(low.y) == drawn.low.min()
    if count <= POINTS:
        assert list(close.y) == list(candles.close)


def test_no_candles_and_no_trades_make_an_empty_figure(make_candles, start, drawn):
    assert price_chart(make_candles(0), [], symbol="BTCUSDT").data == ()
    rise, _ = equity_chart(drawn([]), start).data
    assert list(rise.y) == [0.0]


def test_marks_differ_by_shape_as_well_as_colour(make_candles, make_trades):
    trades = make_trades([1.0, -1.0, 2.0])
    figure = price_chart(make_candles(600), trades, symbol="BTCUSDT")
    marks = [trace.marker for trace in figure.data if trace.mode == "markers"]
    assert [mark.symbol for mark in marks] == ["triangle-up", "triangle-down", "circle", "x"]
    assert len({mark.color for mark in marks}) == 4
    (wins,) = named(figure, "exit, win")
    assert list(wins.y) == [101.0, 102.0]


def test_only_the_trades_of_the_symbol_are_drawn(make_candles, make_trades):
    trades = make_trades([1.0]) + make_trades([1.0], symbol="ETHUSDT")
    figure = price_chart(make_candles(600), trades, symbol="ETHUSDT")
    assert sum(len(trace.x) for trace in named(figure, "long entry")) == 1


def test_of_very_many_trades_the_newest_are_drawn_and_it_says_so(make_candles, make_trades):
    trades = make_trades([1.0] * (MARKED + 10))
    figure = price_chart(make_candles(600), trades, symbol="BTCUSDT")
    (wins,) = named(figure, "exit, win")
    assert len(wins.x) == MARKED
    assert f"the newest {MARKED:,} of {MARKED + 10:,}" in figure.layout.annotations[0].text


def test_words_of_users_are_inert_in_a_chart(make_candles, make_trades, hostile):
    trades = make_trades([1.0, -1.0], symbol=hostile, strategy=hostile, note=hostile)
    figure = price_chart(make_candles(600), trades, symbol=hostile)
    texts = [text for trace in figure.data for text in (trace.hovertext or ())]
    texts.append(figure.layout.yaxis.title.text)
    assert len(texts) > 2
    for text in texts:
        plain = text.replace("<b>", "").replace("</b>", "").replace("<br>", "")
        assert not set("<>$\"'") & set(plain)


def test_shown_text_has_neither_tags_nor_tex():
    assert plot_text("$a$<b>\n%{x}") == "&#36;a&#36;&lt;b&gt; %{x}"


def test_a_result_is_price_equity_and_drawdown_in_one(make_candles, make_trades, start, drawn):
    candles = {"BTCUSDT": make_candles(600), "ETHUSDT": make_candles(600, seed=2)}
    trades = make_trades([1.0, -1.0])
    figure = result_chart(candles, trades, drawn(trades), end=start + DAY)
    assert figure.layout.yaxis.title.text == "BTCUSDT"
    assert {trace.yaxis for trace in figure.data} == {None, "y2", "y3"}
    other = result_chart(candles, [], drawn([]), end=start + DAY, symbol="ETHUSDT")
    assert other.layout.yaxis.title.text == "ETHUSDT"


def test_a_symbol_that_is_not_there_is_named(make_candles, start, drawn):
    with pytest.raises(UnknownName, match=r"'ETHUSD'.*'ETHUSDT'"):
        result_chart({"ETHUSDT": make_candles(10)}, [], drawn([]), end=start, symbol="ETHUSD")
    with pytest.raises(UsageError, match="was empty"):
        result_chart({}, [], drawn([]), end=start)


def test_figures_suit_light_and_dark_pages(make_trades, start, drawn):
    layout = equity_chart(drawn(make_trades([1.0])), start).layout.template.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == "#777f8a"
    assert "sendChartToCloud" in layout.modebar.remove


def test_the_same_trades_give_the_same_json(make_candles, make_trades, start, drawn):
    candles, trades = {"BTCUSDT": make_candles(600)}, make_trades([1.0, -1.0])
    one, other = (
        chart_json(result_chart(candles, trades, drawn(trades), end=start + DAY)) for _ in range(2)
    )
    assert one == other
    json.loads(one)


def test_times_are_strings_because_numbers_would_move_with_the_time_zone(make_trades, start, drawn):
    found = json.loads(chart_json(equity_chart(drawn(make_trades([1.0])), start)))
    assert found["data"][0]["x"] == ["2024-03-01T00:00:00", "2024-03-01T01:00:00"]


def test_the_script_fits_into_a_script_element():
    script = plotly_script()
    assert "</script" not in script.lower()
    assert "\r" not in script


def test_the_chart_of_a_result_has_a_still_picture_for_a_static_export():
    result = tn.backtest.run(
        "BTCUSDT", strategy=_every_hour(), exchange=tn.testing.random_walk(seed=7, days=4)
    )
    chart = result.plot()
    shown = chart._repr_mimebundle_()
    assert chart._ipython_display_ is None
    assert shown["text/html"].count("<svg") == 2
    assert "<script" not in shown["text/html"]
    assert len(shown["text/html"]) < 80_000
    assert chart.update_layout(height=300).layout.height == 300


def _every_hour():
    @tn.strategy("every-hour", every="1h")
    def every_hour(ctx):
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=60)

    return every_hour


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


def test_a_stop_is_a_line_of_steps_with_a_gap_where_it_is_not_known(
    make_candles, make_trades, lived
):
    figure = price_chart(make_candles(600), make_trades([1.0]), symbol="BTCUSDT", lines=[lived()])
    (stop,) = named(figure, "stop in force")
    assert (stop.line.shape, stop.visible) == ("hv", None)
    assert [x and x[11:16] for x in stop.x] == [
        "00:30", "00:35", None, "00:40", "00:50", "01:00", None,
    ]  # fmt: skip
    assert [y for y in stop.y if y == y] == [98.0, 98.0, 99.0, 99.5, 99.5]
    (target,) = named(figure, "target")
    assert [y for y in target.y if y == y] == [101.0, 101.0, 103.0, 103.0]
    (average,) = named(figure, "average entry")
    assert [y for y in average.y if y == y] == [100.0, 100.5, 100.5]


def test_parts_and_adds_have_signs_of_their_own_and_the_arrow_is_at_the_first_entry(
    make_candles, make_trades, lived
):
    (trade,) = make_trades([1.0])
    trade = trade._replace(entry=100.5, entries=2, exits=2)
    figure = price_chart(make_candles(600), [trade], symbol="BTCUSDT", lines=[lived()])
    (added,), (part,) = named(figure, "added"), named(figure, "part closed")
    assert (added.marker.symbol, part.marker.symbol) == ("cross", "diamond")
    assert (list(added.y), list(part.y)) == ([101.0], [101.0])
    assert "+0.70" in part.hovertext[0]
    assert "take profit" in part.hovertext[0]
    (entry,) = named(figure, "long entry")
    assert list(entry.y) == [100.0]
    assert "added to 1 time, average entry 100.50" in entry.hovertext[0]
    assert "the last of 2 exits" in named(figure, "exit, win")[0].hovertext[0]


def test_what_is_still_open_is_drawn_to_the_end(make_candles, lived):
    candles = make_candles(600)
    figure = price_chart(candles, [], symbol="BTCUSDT", lines=[lived(closed=None)])
    (stop,) = named(figure, "stop in force")
    assert stop.x[-2] == moments([candles.end])[0]
    (entry,) = named(figure, "still open")
    assert entry.marker.symbol == ("triangle-up-open",)


def test_the_lines_of_many_positions_are_hidden_until_asked_for(make_candles, make_trades, lived):
    trades = make_trades([1.0] * 61)
    lines = [lived(trade.signal_id, closed=None) for trade in trades]
    figure = price_chart(make_candles(600), trades, symbol="BTCUSDT", lines=lines)
    assert {named(figure, name)[0].visible for name in ("stop in force", "target")} == {
        "legendonly"
    }
    assert named(figure, "added")[0].visible is None


def test_a_managed_backtest_is_drawn_with_its_stops_parts_and_adds():
    from tests.core.test_position_lines import played

    result, _ = played(tn.long, "after", acts=True)
    names = {trace.name for trace in result.plot().data}
    assert {"stop in force", "target", "average entry", "added", "part closed"} <= names
    words = result.to_markdown()
    added = sum(trade.entries > 1 for trade in result.trade_list)
    assert f"{added} of {len(result.trade_list)} trades were added to" in words
    static = result.plot().static_html
    assert [mark for mark in ("tnb-add", "tnb-part", "tnb-past") if mark not in static] == []
