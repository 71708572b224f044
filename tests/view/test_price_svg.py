"""The small chart of prices: what is marked, what the marks mean, what is left out."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tradenb as tn
from tests.sources import frame, market
from tradenb.core.lifecycle.position_lines import Mark, PositionLines, Step
from tradenb.core.signal import Signal
from tradenb.view.formatting import price
from tradenb.view.svg.axis_ticks import digits_of, value_ticks
from tradenb.view.svg.overlay_lines import Overlay
from tradenb.view.svg.price_svg import MARKED, price_svg

LEGEND = re.compile(r'<g class="tnb-legend">(.*?)</g>')


@pytest.fixture
def drawn(make_candles, make_trades):
    """Draw trades with these results on enough candles."""

    def draw(returns, **more):
        trades = make_trades(returns)
        candles = make_candles(60 * (len(returns) + 2))
        return price_svg(candles, trades, None, None, **more)

    return draw


def legend(chart):
    found = LEGEND.search(chart)
    return re.findall(r"<text[^>]*>([^<]*)</text>", found[1]) if found else []


def test_without_trades_nothing_is_marked_and_nothing_explained(drawn):
    assert legend(drawn([])) == []
    assert "tnb-exit" not in drawn([])


def test_the_legend_names_what_is_drawn_and_nothing_else(drawn):
    assert legend(drawn([1.0])) == ["long entry", "exit, win"]
    assert legend(drawn([1.0, -1.0])) == ["long entry", "short entry", "exit, win", "exit, no win"]


def test_an_exit_without_a_win_differs_by_its_form_as_well(drawn):
    assert '<circle class="tnb-exit tnb-up"' in drawn([1.0])
    for change in (-1.0, 0.0):
        assert re.search(r'<path class="tnb-exit tnb-(down|even)"', drawn([change]))
        assert "<circle" not in drawn([change])


def test_of_very_many_trades_the_newest_are_marked_and_the_picture_says_so(drawn):
    chart = drawn([1.0] * (MARKED + 2))
    assert chart.count('<g class="tnb-trade">') == MARKED
    assert legend(chart)[-1] == f"the newest {MARKED} of {MARKED + 2} trades"
    whole = drawn([1.0] * (MARKED + 2), marked=MARKED + 2)
    assert whole.count('<g class="tnb-trade">') == MARKED + 2
    assert "newest" not in "".join(legend(whole))


def test_labels_of_the_legend_do_not_overlap(drawn):
    chart = drawn([1.0, -1.0] * MARKED)
    found = LEGEND.search(chart)[1]
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)"', found)]
    labels = legend(chart)
    ends = [x + 6.5 * len(text) for x, text in zip(places, labels, strict=True)]
    assert all(end < start for end, start in zip(ends, places[1:], strict=False))
    assert ends[-1] < 760


def test_the_stop_of_an_open_position_is_drawn_over_time_and_named_at_the_end(make_candles):
    candles = make_candles(60)
    price = float(candles.close[20])
    signal = Signal(
        "s", "B", "dip", "long", price, price * 1.01, price * 0.999, None, None, None, 0
    )
    opened, moved = (candles.start + minutes * 60_000 for minutes in (20, 40))
    steps = [Step(opened, price * 0.998), Step(moved, price * 0.999)]
    marks = [
        Mark(moved, "added", price, 1.0, None, None),
        Mark(moved, "partial", price, 0.5, -0.2, "strategy"),
    ]
    entry = [Step(opened, price)]
    line = PositionLines("s", "B", "dip", "long", opened, None, steps, entry, [], marks)
    targets = [price * 1.001, price * 1.002]
    chart = price_svg(candles, [], signal, opened, lines=[line], targets=targets)
    (path,) = re.findall(
        r'<path class="tnb-stop" fill="none"[^>]*stroke-width="1.4" d="(.*?)"', chart
    )
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+V[\d.]+H[\d.]+", path)
    assert chart.count("tnb-target") == 2 * len(targets)
    assert legend(chart) == ["long entry", "added", "part closed", "stop"]
    assert "stroke-dasharray" not in re.search(r'[^<]*class="tnb-stop"[^>]*>', chart)[0]


def test_the_entry_of_a_position_that_is_open_at_the_end_is_marked(make_candles):
    candles = make_candles(60)
    price, opened = float(candles.close[20]), candles.start + 20 * 60_000
    steps = [Step(opened, price)]
    line = PositionLines("s", "B", "dip", "short", opened, None, steps, steps, [], [])
    chart = price_svg(candles, [], None, None, lines=[line])
    assert legend(chart) == ["short entry", "stop"]
    assert chart.count("tnb-mark tnb-short") == 2  # on the price, and in the legend


def test_a_stop_outside_of_the_picture_is_left_out_and_not_bent(make_candles):
    candles = make_candles(60)
    price = float(candles.low.min())
    at = [candles.start + minutes * 60_000 for minutes in (10, 20, 30, 40)]
    steps = [Step(at[0], price), Step(at[1], price / 2), Step(at[2], None), Step(at[3], price)]
    line = PositionLines("s", "B", "dip", "long", at[0], None, steps, steps[:1], [], [])
    chart = price_svg(candles, [], None, None, lines=[line])
    (path,) = re.findall(r'class="tnb-stop" fill="none"[^>]*stroke-width="1.4" d="(.*?)"', chart)
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+M[\d.]+ [\d.]+H[\d.]+", path)


def overlay(candles, factor, name="slow"):
    return Overlay(name, candles.time + candles.step, factor * candles.close)


def test_an_indicator_over_the_price_is_drawn_and_named(make_candles):
    candles = make_candles(120)
    chart = price_svg(candles, [], None, None, overlays=[overlay(candles, 1.2, "a < b")])
    assert chart.count('class="tnb-overlay"') == 2  # the line, and its sample in the legend
    assert legend(chart) == ["a &lt; b"]


def test_the_axis_reaches_to_an_indicator_beyond_the_candles(make_candles):
    candles = make_candles(120)
    chart = price_svg(candles, [], None, None, overlays=[overlay(candles, 1.2)])
    labels = re.findall(r'text-anchor="end"[^>]*>([\d.,]+)</text>', chart)
    assert max(float(label.replace(",", "")) for label in labels) > candles.high.max()


def test_an_indicator_without_a_value_leaves_a_gap(make_candles):
    candles = make_candles(120)
    line = overlay(candles, 1.01)
    line.values[:30] = line.values[60:70] = np.nan
    chart = price_svg(candles, [], None, None, overlays=[line])
    (d,) = re.findall(r'<path class="tnb-overlay"[^>]* d="([^"]*)"', chart)[:1]
    assert d.count("M") == 2


@pytest.mark.parametrize("scale", [1e-13, 1e-97, 1e95])
def test_prices_of_any_size_are_drawn(scale, tmp_path):
    rows = [(*(price * scale for price in prices), volume) for *prices, volume in market(9, 600)]

    @tn.strategy("dip", every="15m")
    def dip(ctx):
        return tn.long(**tn.bracket(stop=1, target=2), minutes=60)

    source = tn.frame_exchange(frame(rows))
    result = tn.backtest.run("BTCUSDT", strategy=dip, exchange=source, progress=False)
    assert len(result.trades) > 5
    assert "<svg" in result._repr_html_()
    result.plot().save(tmp_path / "chart.html")
    result.report(tmp_path / "report.html")


def test_ticks_of_small_numbers_are_apart():
    assert price(1.234e-20) == "1.234e\N{MINUS SIGN}20"
    ticks = value_ticks(1e-20, 1.01e-20)
    assert len(ticks) == len(set(ticks)) > 3
    assert digits_of(ticks) == 23
    assert value_ticks(5e-324, 1e-323) == [5e-324]
