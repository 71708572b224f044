"""The chart of a run in chromium, from a file: what it draws is what the result holds."""

from __future__ import annotations

import datetime as dt
import json

import pytest

import tradenb as tn
from tests.view.unpacked import candles as candles_in

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NAMES = ("open", "high", "low", "close")
HOSTILE = "<img src=x onerror='document.title=1'>$x$"


@tn.strategy("drawn", every="1h")
def drawn(ctx):
    price = ctx.price
    return tn.long(
        take_profit=[(1.008 * price, 0.5), (1.03 * price, 0.5)],
        stop_loss=0.99 * price,
        trail=0.4,
        trail_after=0.2,
        minutes=180,
        note=HOSTILE,
    )


@drawn.indicators("15m")
def lines(df):
    change = df.close.diff()
    rise = change.clip(lower=0).rolling(14).mean()
    return {"mean": df.close.rolling(8).mean(), "rsi": 100 * rise / change.abs().rolling(14).mean()}


@drawn.indicators("15m", plot="rsi")
def level(df):
    return {"seventy": 70}


@pytest.fixture(scope="module")
def result():
    return tn.backtest.run(
        ["BTCUSDT", "ETHUSDT"],
        strategy=drawn,
        exchange=tn.testing.random_walk(seed=4, days=20),
        progress=False,
    )


@pytest.fixture
def chart(page, result, tmp_path):
    """Open the chart of the result; `look` gives its traces in a view, by name."""
    path = result.plot().save(tmp_path / "chart.html")
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.set_default_timeout(20_000)
    page.goto(path.as_uri())
    page.wait_for_function("document.getElementById('chart').tnbChart?.draws > 0")
    page.evaluate("() => { window.chart = document.getElementById('chart').tnbChart; }")

    def look(from_ms, to_ms):
        page.evaluate("([from, to]) => chart.zoom(from, to)", [from_ms, to_ms])
        assert failed == []
        return {trace["name"]: trace for trace in page.evaluate(TRACES)}

    return look


TRACES = """() => chart.plot.data.map((trace) => Object.fromEntries(
  ["name", "type", "x", "y", "open", "high", "low", "close", "hovertext", "yaxis"]
    .filter((key) => trace[key] !== undefined)
    .map((key) => [key, typeof trace[key] === "string" ? trace[key] : Array.from(trace[key])])))"""


def ms(text):
    return round(dt.datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def expected(result, symbol, step, first, last):
    """Return the candles of a step that open from `first` on and before `last`, added up."""
    candles = result._parts.period.candles[symbol]
    found = {}
    rows = zip(candles.time.tolist(), *(each.tolist() for each in candles.columns), strict=True)
    for at, opened, high, low, close, volume in rows:
        begin = at - at % step
        if begin not in found:
            found[begin] = [opened, high, low, close, volume]
        else:
            own = found[begin]
            own[1:] = max(own[1], high), min(own[2], low), close, own[4] + volume
    return {at: own for at, own in found.items() if first - step < at < last}


@pytest.mark.parametrize(
    ("days", "step"), [(20, 2 * HOUR), (5, 30 * MINUTE), (1, 5 * MINUTE), (0.1, MINUTE)]
)
def test_the_candles_in_view_are_those_of_the_result(chart, result, days, step):
    first = result.start + 6 * DAY + 2 * MINUTE  # within a candle
    last = first + round(days * DAY)
    if days == 20:
        first, last = result.start, result.end
    shown = chart(first, last)
    rows = expected(result, "BTCUSDT", step, first, last)
    price, volume = shown["price"], shown["volume"]
    assert [ms(at) for at in price["x"]] == [at + step // 2 for at in rows]
    for place, name in enumerate(NAMES):
        assert price[name] == [row[place] for row in rows.values()]
    assert volume["y"] == pytest.approx([row[4] for row in rows.values()], rel=1e-3, abs=0.05)


def test_the_trades_in_view_are_those_of_the_result(chart, result):
    first, last = result.start + 3 * DAY, result.start + 5 * DAY
    shown = chart(first, last)
    trades = [trade for trade in result.trade_list if trade.symbol == "BTCUSDT"]
    begun = [trade for trade in trades if first <= trade.opened_at <= last]
    entry = shown["long entry"]
    assert [ms(at) for at in entry["x"]] == [trade.opened_at for trade in begun]
    for trade, level, words in zip(begun, entry["y"], entry["hovertext"], strict=True):
        assert level <= trade.entry
        assert f"at {trade.entry:,.2f}"[:-1] in words
    wins = [t for t in trades if first <= t.closed_at <= last and t.pnl_percent > 0]
    assert shown["exit, win"]["y"] == pytest.approx([trade.exit for trade in wins], rel=1e-8)
    for trade, words in zip(wins, shown["exit, win"]["hovertext"], strict=True):
        assert f"+{trade.pnl_percent:.2f} %" in words
        assert trade.exit_reason.replace("_", " ") in words
    parts = [
        event.price for event in result.event_list
        if event.kind == "partial" and event.symbol == "BTCUSDT" and first <= event.at <= last
    ]  # fmt: skip
    assert shown["part closed"]["y"] == pytest.approx(parts, rel=1e-8)
    assert len(begun) > 4
    assert parts


@pytest.fixture(scope="module")
def flips():
    """Return a result that turns around at every hour, with stops far away."""

    @tn.strategy("flips", every="1h", manage=True)
    def flipping(ctx):
        side = tn.long if ctx.when.hour % 2 else tn.short
        return side(stop_loss=tn.percent(15))

    market = tn.testing.random_walk(seed=4, days=3)
    return tn.backtest.run("BTCUSDT", strategy=flipping, exchange=market, progress=False)


MARKS = """() => Object.fromEntries(chart.plot.data.filter((trace) => trace.mode === "markers").map(
  (trace) => {
    const [axis, clock] = [chart.plot._fullLayout.yaxis, chart.plot._fullLayout.xaxis];
    const off = (trace.marker.standoff ?? 0) * (trace.name === "short entry" ? -1 : 1);
    return [trace.name, Array.from(trace.x, (at, row) =>
      [clock.d2p(at), axis.d2p(trace.y[row]) + off, axis._length])];
  }))"""


def test_no_exit_lies_over_an_entry_where_positions_turn_around(page, flips, tmp_path):
    page.goto(flips.plot().save(tmp_path / "chart.html").as_uri())
    page.wait_for_function("document.getElementById('chart').tnbChart?.draws > 0")
    page.evaluate("() => { window.chart = document.getElementById('chart').tnbChart; }")
    for hours in (60, 24, 8):
        first = flips.start + 6 * HOUR
        page.evaluate("([from, to]) => chart.zoom(from, to)", [first, first + hours * HOUR])
        drawn = page.evaluate(MARKS)
        exits = [*drawn.get("exit, win", []), *drawn.get("exit, no win", [])]
        for side in ("long entry", "short entry"):
            assert len(drawn[side]) >= hours / 2 - 1
            for x, y, height in drawn[side]:
                assert 0 < y < height
                assert all(abs(x - at) > 9 or abs(y - level) >= 8 for at, level, _ in exits)


def test_far_stops_leave_the_candles_their_room_and_the_legend(page, flips, tmp_path):
    page.goto(flips.plot().save(tmp_path / "chart.html").as_uri())
    page.wait_for_function("document.getElementById('chart').tnbChart?.draws > 0")
    page.evaluate("() => { window.chart = document.getElementById('chart').tnbChart; }")
    low, high = page.evaluate("chart.plot.layout.yaxis.range")
    candles = flips._parts.period.candles["BTCUSDT"]
    assert (candles.high.max() - candles.low.min()) / (high - low) > 0.5
    assert page.inner_text(".tnbc-legend").split("\n") == [
        "▲long entry", "▼short entry", "●exit, win", "✕exit, no win", "★still open",
        "buy and hold", "equity",
    ]  # fmt: skip


def test_a_stop_is_drawn_where_it_was_at_each_candle(chart, result):
    trade = next(
        trade
        for trade in result.trade_list
        if trade.exit_reason == "trailing_stop" and trade.symbol == "BTCUSDT"
    )
    shown = chart(trade.opened_at - MINUTE, trade.closed_at + MINUTE)["stop"]
    runs, run = [], []
    for at, level in zip(shown["x"], shown["y"], strict=True):
        if at is None:
            runs, run = [*runs, run], []
        else:
            run.append((ms(at), level))
    (own,) = [run for run in runs if (run[0][0], run[-1][0]) == (trade.opened_at, trade.closed_at)]
    candles, stop = result._parts.period.candles["BTCUSDT"], trade.entry * 0.99
    peak, trailing, steps = trade.entry, False, []
    for row in range(candles.index(trade.opened_at) + 1, candles.index(trade.closed_at)):
        peak = max(peak, float(candles.high[row]))
        trailing = trailing or peak >= trade.entry * 1.002
        if trailing and peak * 0.996 > stop:
            stop = peak * 0.996
            steps.append((candles.ends_at(row), stop))
    assert own[0] == (trade.opened_at, pytest.approx(trade.entry * 0.99))
    assert own[1:-1] == [(at, pytest.approx(level, rel=1e-8)) for at, level in steps]


def test_an_indicator_is_drawn_over_the_price_and_another_in_a_pane_of_its_own(chart, result):
    first = result.start + 2 * DAY
    shown = chart(first, first + DAY)
    mean, rsi = shown["mean"], shown["rsi"]
    assert mean.get("yaxis", "y") == "y"
    assert rsi["yaxis"] not in {"y", "y2", "y3", "y4"}
    assert (shown["seventy"]["yaxis"], set(shown["seventy"]["y"])) == (rsi["yaxis"], {70})
    closes = expected(result, "BTCUSDT", 15 * MINUTE, result.start, result.end)
    times, values = list(closes), [row[3] for row in closes.values()]
    for at, value in zip(mean["x"], mean["y"], strict=True):
        close = ms(at) + 5 * MINUTE // 2  # of a candle of five minutes
        known = [place for place, begin in enumerate(times) if begin + 15 * MINUTE <= close][-1]
        assert value == pytest.approx(sum(values[known - 7 : known + 1]) / 8, rel=1e-5)


def test_what_users_write_is_shown_and_not_run(chart, page, result):
    shown = chart(result.start, result.start + DAY)
    (words, *_) = shown["long entry"]["hovertext"]
    assert "<img" not in words
    page.evaluate(
        "() => chart.plotly.Fx.hover(chart.plot, [{curveNumber: "
        "chart.plot.data.findIndex((trace) => trace.name === 'long entry'), pointNumber: 1}])"
    )
    page.wait_for_selector(".hoverlayer text")
    assert "onerror" in page.text_content(".hoverlayer")
    assert page.query_selector("img") is None
    assert page.title() != "1"


def test_another_symbol_is_drawn_when_it_is_chosen(chart, page, result):
    page.select_option(".tnbc select", label="ETHUSDT")
    page.wait_for_function("chart.symbol.name === 'ETHUSDT'")
    shown = chart(result.start, result.start + DAY / 10)
    rows = expected(result, "ETHUSDT", MINUTE, result.start, result.start + DAY // 10)
    assert shown["price"]["close"] == [row[3] for row in rows.values()]


def test_dragging_and_the_slider_zoom_and_a_double_click_shows_all(chart, page, result):
    chart(result.start, result.end)
    box = page.query_selector(".tnbc .xy .nsewdrag, .tnbc .nsewdrag.drag").bounding_box()
    y = box["y"] + 100
    page.mouse.move(box["x"] + 0.25 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], y, steps=4)
    page.mouse.up()
    page.wait_for_function("chart.view[1] - chart.view[0] < 6 * 864e5")
    seen = page.evaluate("chart.view[1] - chart.view[0]")
    assert seen == pytest.approx(0.25 * 20.4 * DAY, rel=0.03)
    handle = page.query_selector(
        ".rangeslider-grabber-max .rangeslider-grabarea-max, .rangeslider-grabarea-max"
    ).bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.25 * box["width"], y, steps=4)
    page.mouse.up()
    page.wait_for_function("chart.view[1] - chart.view[0] > 9 * 864e5")
    page.click(".tnbc-bar button:text('all')")
    page.wait_for_function("chart.view[1] - chart.view[0] > 20 * 864e5")


def test_the_arrows_go_from_trade_to_trade(chart, page, result):
    chart(result.start, result.end)
    assert "zoom in to see each" in page.evaluate("chart.caption")
    trades = [trade for trade in result.trade_list if trade.symbol == "BTCUSDT"]
    middle = (result.start + result.end) / 2
    following = [trade for trade in trades if trade.opened_at >= middle]
    for place, trade in enumerate(following[:3]):
        page.get_by_role("button", name="Show the next trade").click()
        page.wait_for_function("place => chart.draws >= place", arg=place + 3)
        first, last = page.evaluate("chart.view")
        assert first < trade.opened_at < trade.closed_at < last
        assert last - first < 3 * (trade.closed_at - trade.opened_at) + 60 * MINUTE
    page.get_by_role("button", name="Show the trade before").click()
    page.wait_for_function(f"() => chart.view[0] < {following[1].opened_at}")
    first, last = page.evaluate("chart.view")
    assert first < following[1].opened_at < following[1].closed_at < last


def test_the_page_goes_dark_with_its_reader(chart, page, result):
    chart(result.start, result.end)
    light = page.evaluate("chart.look.text")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("(light) => chart.look.text !== light", arg=light)
    assert page.evaluate("chart.plot.layout.font.color") == page.evaluate("chart.look.text")


def read(page, path, first, last):
    """Open a chart, zoom, and return its words and candles: {middle, ms: close}."""
    page.goto(path.as_uri())
    page.wait_for_selector(".tnbc .nsewdrag", state="attached")
    words, times, closes = page.evaluate(
        """async ([from, to]) => {
            const chart = document.getElementById("chart").tnbChart;
            await chart.zoom(from, to);
            const [price] = chart.plot.data;
            return [chart.caption, Array.from(price.x), Array.from(price.close)];
        }""",
        [first, last],
    )
    return words, dict(zip(map(ms, times), closes, strict=True))


@pytest.fixture(scope="module")
def year():
    """Return a result that is too long for all of its minutes: a trade a day."""

    @tn.strategy("rare", every="1d")
    def rare(ctx):
        return tn.long(take_profit=1.03 * ctx.price, stop_loss=0.97 * ctx.price, minutes=60)

    market = tn.testing.random_walk(seed=4, days=240)
    return tn.backtest.run("BTCUSDT", strategy=rare, exchange=market, progress=False)


def test_minutes_are_drawn_around_trades_and_coarse_candles_elsewhere(page, year, tmp_path):
    chart = year.plot()
    whole, detail = (candles_in(level) for level in chart.data["symbols"][0]["levels"])
    trade = next(trade for trade in year.trade_list if trade.opened_at > year.start + 90 * DAY)
    minutes = {row[0]: row[4] for row in detail}
    last = max(at for at in minutes if at < trade.opened_at + DAY / 2) + MINUTE
    first, end = last - 2 * HOUR, last + HOUR  # three hours, in the last of which are no minutes
    words, drawn = read(page, chart.save(tmp_path / "chart.html"), first, end)
    kept = {at + MINUTE // 2: close for at, close in minutes.items() if first <= at < last}
    coarse = {row[0] + 5 * MINUTE // 2: row[4] for row in whole if last <= row[0] < end}
    assert (len(kept), len(coarse)) == (120, 12)
    assert drawn == kept | coarse
    assert words.startswith("1m around trades, 5m elsewhere candles")


def test_all_candles_are_read_from_the_file_beside_a_report(page, year, tmp_path):
    path = year.report(tmp_path / "a report.html", all_candles=True)
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda line: failed.append(line.text) if line.type == "error" else None)
    first = year.start + 17 * DAY + 9 * HOUR
    words, drawn = read(page, path, first, first + HOUR)
    rows = expected(year, "BTCUSDT", MINUTE, first, first + HOUR)
    assert words.startswith("1m candles")
    assert drawn == {at + MINUTE // 2: row[3] for at, row in rows.items()}
    assert failed == []
    (tmp_path / "a report.candles.js").unlink()
    words, drawn = read(page, path, first, first + HOUR)
    assert (words[:10], len(drawn)) == ("5m candles", 12)


NOTEBOOK = """
import tradenb as tn

@tn.strategy("shown", every="1h")
def shown(ctx):
    return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=60)

result = tn.backtest.run("BTCUSDT", strategy=shown, exchange=tn.testing.random_walk(days=4),
                         progress=False)
"""


@pytest.mark.parametrize("front_end", ["lab/tree", "notebooks"])
def test_in_a_notebook_the_widget_hides_the_picture_and_the_library_comes_once(
    page, server, front_end
):
    cells = [NOTEBOOK, "result.plot()", "result.plot()"]
    name = f"chart-{front_end.partition('/')[0]}.ipynb"
    (server.root / name).write_text(json.dumps({
        "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {
            "name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [{"id": f"c{place}", "cell_type": "code", "source": source, "metadata": {},
                   "outputs": [], "execution_count": None} for place, source in enumerate(cells)],
    }))  # fmt: skip
    page.goto(server.url(front_end, name))
    page.wait_for_function(
        """() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session
                       ?.kernel?.status === 'idle'"""
    )
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function("document.querySelectorAll('.tnbc .nsewdrag').length > 6")
    assert page.locator(".tnbc-plot").count() == 2
    pictures = page.locator("[data-tnb-fallback]")
    assert pictures.count() == 2
    assert not any(pictures.nth(place).is_visible() for place in range(2))
    assert "trades" in page.inner_text(".tnbc-words >> nth=0")
    assert page.wrong == []
