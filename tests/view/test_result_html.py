from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tradenb.statistics.equity.curve_points import CurvePoints
from tradenb.view import formatting
from tradenb.view.asset_files import asset
from tradenb.view.pages.result_html import summary_html
from tradenb.view.svg.axis_ticks import time_ticks, value_ticks
from tradenb.view.svg.equity_svg import POINTS, equity_svg
from tradenb.view.svg.plot_area import WIDTH

DAY = 86_400_000
VOID = {"br", "img", "meta", "link", "input"}


class Markup(HTMLParser):
    """Collects tags and attributes, and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.stack, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    markup = Markup(text)
    assert markup.stack == []
    return markup


@pytest.fixture
def hostile_summary(make_summary, make_trades, hostile):
    return make_summary(
        make_trades([1.0] * 12, symbol=hostile, strategy=hostile, note=hostile),
        symbols=(hostile,),
        strategies=(hostile,),
        title=hostile,
        exchange=hostile,
        warnings=[hostile],
        open=[(hostile, hostile, hostile, hostile, 1.0, 2.0)],
        rules={hostile: hostile},
        strategy_notes={hostile: hostile},
    )


def test_a_summary_shows_the_headline(make_summary, make_trades):
    trades = make_trades([1.0, -0.5] * 10)
    shown = "".join(parsed(summary_html(make_summary(trades, exchange="walk"))).text)
    assert "dip on BTCUSDT" in shown
    assert "2024-03-01 to 2024-03-31 UTC, 30 days" in shown
    assert "43,200 candles of 1m" in shown
    assert "50.0\xa0%" in shown
    assert '.report("report.html")'.replace('"', "") in shown.replace('"', "")


def test_names_and_notes_of_users_are_inert(hostile_summary):
    text = summary_html(hostile_summary)
    markup = parsed(text)
    assert not {"script", "img", "a", "iframe"} & set(markup.tags)
    assert not [name for name, _ in markup.attributes if name.startswith("on")]
    assert "&lt;img src=x" in text


def test_a_summary_loads_nothing_and_runs_nothing(make_summary, make_trades):
    text = summary_html(make_summary(make_trades([1.0, -1.0])))
    assert re.findall(r"https?://[^\"\s]*", text) == ["http://www.w3.org/2000/svg"]  # a name
    assert not re.search(r"@import|url\(|<script|<link| id=", text)


def test_the_style_stays_within_the_summary():
    rules = re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", asset("summary.css"), flags=re.DOTALL)
    selectors = [part for rule in re.findall(r"([^{}]+)\{", rules) for part in rule.split(",")]
    assert selectors
    assert all(part.strip().startswith(".tnb-summary") for part in selectors)


@pytest.mark.parametrize("count", [0, 1, 2, 20_000])
def test_any_number_of_trades_makes_a_small_summary(count, make_summary, make_trades, make_returns):
    trades = make_trades(make_returns(count))
    more = {
        "warnings": ["w" * 5_000] * 500,
        "open": [("S" * 500, "s" * 500, "i", "open", 1.0, 1.0)] * 500,
        "symbols": ("SYMBOL" * 50,) * 300,
    }
    text = summary_html(make_summary(trades, days=1000, **more))
    parsed(text)
    assert len(text.encode()) < 60_000


def test_ratios_that_are_not_available_are_explained(make_summary, make_trades):
    assert "Ratios need at least 10 trades" in summary_html(make_summary(make_trades([1.0])))
    assert "Ratios need" not in summary_html(make_summary(make_trades([1.0, -0.5] * 10)))


def test_after_ruin_figures_are_not_said_to_lack_data(make_summary, make_trades):
    page = summary_html(make_summary(make_trades([1.0, -0.5] * 10 + [-100.0])))
    assert "nothing was left" in page
    assert "too little data" not in page


def test_what_is_open_is_listed_with_its_header(make_summary):
    rows = [("BTCUSDT", "dip", "dip-1", "scheduled", 64_000.5, None)]
    text = summary_html(make_summary([], open=rows))
    assert text.count('scope="col"') == 5
    assert '<th scope="row">BTCUSDT</th>' in text
    assert "64,000.50" in text


def test_the_picture_is_described_in_words(make_trades, start, drawn):
    points = drawn(make_trades([10.0, -50.0]))
    text = equity_svg(points, start=start, end=start + DAY, trades=2)
    assert 'role="img"' in text
    assert "+" not in re.search(r"<title>(.*?)</title>", text)[1]
    assert "2 closed trades" in text
    assert "largest drawdown 50.00 %" in text


def test_the_picture_shows_every_extreme_of_a_long_curve(make_trades, start, drawn):
    returns = [0.01, -0.01] * 10_000
    returns[7_777] = 30.0
    returns[15_001] = -30.0
    trades = make_trades(returns)
    points = drawn(trades, limit=POINTS)
    text = equity_svg(points, start=start, end=trades[-1].closed_at, trades=len(trades))
    line = re.search(r'class="tnb-line".*? d="(.*?)"', text)[1]
    heights = [float(y) for y in re.findall(r"V([\d.]+)", line)]
    assert max(heights) - min(heights) > 120  # of 174: up by 30%, and back
    assert line.count("H") <= POINTS


def held_to(start, *holds):
    return CurvePoints([start, start + DAY, start + 2 * DAY], [0.0, 2.0, 1.0], [0.0] * 3, [*holds])


def test_the_benchmark_is_dashed_and_named_at_its_end(start):
    text = equity_svg(held_to(start, 0.0, 1.0, -3.5), start=start, end=start + 2 * DAY, trades=2)
    assert 'stroke-dasharray="4 3"' in text
    assert "hold \N{MINUS SIGN}3.5" in text
    assert "holding \N{MINUS SIGN}3.50 %" in re.search(r"<title>(.*?)</title>", text)[1]


def test_a_benchmark_far_away_does_not_press_the_equity_flat(start):
    text = equity_svg(held_to(start, 0.0, 5e4, 1e5), start=start, end=start + 2 * DAY, trades=2)
    line = re.search(r'class="tnb-line".*? d="(.*?)"', text)[1]
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line)]
    assert max(heights) - min(heights) > 30  # of 174
    assert "hold +100,000" in text


def test_the_words_of_two_lines_stay_apart(start):
    text = equity_svg(held_to(start, 0.0, 1.0, 1.01), start=start, end=start + 2 * DAY, trades=2)
    own = re.search(r'class="tnb-end"[^>]* y="([\d.]+)"', text)[1]
    other = re.search(r' y="([\d.]+)">hold', text)[1]
    assert abs(float(own) - float(other)) > 12


@pytest.mark.parametrize("last", [-27.5, 0.1, 1e5])
def test_the_words_at_the_end_of_the_lines_fit_into_the_picture(start, last):
    text = equity_svg(held_to(start, 0.0, 1.0, last), start=start, end=start + 2 * DAY, trades=2)
    x, words = re.search(r' x="([\d.]+)" y="[\d.]+">(hold [^<]*)<', text).groups()
    assert float(x) + 6.2 * len(words) < WIDTH  # digits of 11 pixels are 6.2 wide


def test_the_picture_survives_a_result_out_of_range(make_trades, start, drawn):
    points = drawn(make_trades([1e6] * 100 + [-100.0, -150.0]))
    text = equity_svg(points, start=start, end=start, trades=102)
    assert "nan" not in text
    assert "inf" not in text


def test_the_same_run_gives_the_same_html(make_summary, make_trades):
    trades = make_trades([1.0, -0.5] * 10)
    assert summary_html(make_summary(trades)) == summary_html(make_summary(trades))


@pytest.mark.parametrize("days", [1 / 24, 0.5, 2, 21, 90, 400, 2000, 20_000])
def test_time_marks_are_few_and_inside(days, start):
    end = start + int(days * DAY)
    ticks = time_ticks(start, end)
    assert 1 <= len(ticks) <= 8
    assert all(start <= at <= end for at, _ in ticks)
    dates = [label for _, label in ticks if ":" not in label]  # a time of day comes every day
    assert 1 <= len(dates) == len(set(dates))


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 1e-6), (-3.2, 12), (0, 5e12), (-99, 7)])
def test_value_marks_are_few_and_inside(low, high):
    ticks = value_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= high for tick in ticks)


def test_words_for_numbers():
    assert formatting.number(-0.001) == "0.00"
    assert formatting.number(-1234.5) == "\N{MINUS SIGN}1,234.50"
    assert formatting.number(0.001, plus=True) == "0.00"
    assert formatting.number(float("nan")) == formatting.price(None) == "N/A"
    assert formatting.number(float("inf")) == "∞"
    assert formatting.price(0.00001234) == "0.00001234"
    assert formatting.duration(45) == "45\xa0min"
    assert formatting.tone(None) == formatting.tone(0.0) == "even"
    assert formatting.listed(["<b>"]) == "&lt;b&gt;"


def test_control_characters_and_overrides_of_direction_are_replaced():
    assert formatting.escaped("a\x00b\u202ec\ud83d") == "a\ufffdb\ufffdc?"
