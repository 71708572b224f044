from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

import tradenb as tn
from tradenb.core.rules import Rules
from tradenb.statistics.stats_tables import heatmap
from tradenb.view.charts.chart_data import Drawn
from tradenb.view.charts.chart_script import plotly_script
from tradenb.view.pages.report_page import LISTED, report_html


def without_plotly(page):
    return page.replace(plotly_script(), "")


@pytest.fixture
def report(make_summary, make_trades, make_candles):
    summary = make_summary(
        make_trades([1.0, -0.5] * 10),
        warnings=["positions overlap"],
        open=[("BTCUSDT", "dip", "dip-1", "open", 100.0, -0.4)],
        rules=Rules().model_dump(),
        strategy_notes={"dip": "every 5m"},
    )
    return report_html(summary, [Drawn("BTCUSDT", make_candles(2_000), summary.trades)])


def titles(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_a_report_has_its_sections(report):
    assert titles(report) == [
        "1 warning",
        "Price, trades and equity",
        "Drawdowns",
        "Monthly returns",
        "How trades ended",
        "Statistics",
        "Open at the end",
        "Trades",
        "Settings",
    ]
    assert "<code>certainty_ratio</code>" in report
    assert "schedule_await_minutes" in report


def test_a_report_without_trades_or_candles_still_stands(make_summary):
    page = report_html(make_summary([]))
    assert titles(page) == ["Equity and drawdown", "Statistics", "Trades"]
    assert "No trade closed." in page


def test_symbols_and_strategies_are_compared_when_there_are_several(make_summary, make_trades):
    trades = make_trades([1.0] * 12) + make_trades([-1.0] * 12, symbol="ETHUSDT", strategy="other")
    trades.sort(key=lambda trade: trade.closed_at)
    page = report_html(
        make_summary(
            trades,
            symbols=("BTCUSDT", "ETHUSDT"),
            strategies=("dip", "other"),
            heatmap=lambda by: heatmap(trades, by=by),
        )
    )
    assert "Comparison" in titles(page)
    assert 'aria-label="Results by symbol"' in page
    assert 'aria-label="Results by strategy"' in page


def test_a_run_is_compared_with_holding_and_its_falls_are_listed(make_candles):
    @tn.strategy("once", every="1h")
    def once(ctx):
        return tn.long(stop_loss=0.9 * ctx.price)

    candles = tn.testing.random_walk(seed=3, days=20)
    result = tn.backtest.run("BTCUSDT", strategy=once, exchange=candles, progress=False)
    page = without_plotly(report_html(result.summary))
    assert titles(page)[2:5] == ["Benchmark and exposure", "Drawdowns", "Monthly returns"]
    deepest = result.drawdowns.depth.iloc[0]
    assert f"\N{MINUS SIGN}{deepest:.2f}" in page
    gained = result.benchmark["return"].iloc[0]
    tone = "up" if gained > 0 else "down"
    assert f'>Hold BTCUSDT</th><td class="right {tone}">' in page
    drawn = json.loads(re.search(r'id="charts">(.*?)</script>', page)[1])
    assert drawn["equity"]["holds"]["n"] == drawn["equity"]["gains"]["n"] > 20


def test_a_report_loads_nothing(report):
    rest = without_plotly(report)
    assert not re.search(r"<link|<iframe|<object|<embed|<base|@import|url\(", rest)
    assert not re.search(r"\s(src|href|action|data|poster|srcset)=", rest)
    assert set(re.findall(r"https?://[^\"'\s<]*", rest)) == {"http://www.w3.org/2000/svg"}  # a name


def test_the_policy_of_a_report_lets_its_two_scripts_run_and_nothing_else(report):
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', report)[1]
    scripts = re.findall(r"<script>(.*?)</script>", report, flags=re.DOTALL)
    allowed = re.search(r"script-src (.*?);", policy)[1].split()
    assert allowed == [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    ]
    assert len(scripts) == 2
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy  # so default-src holds: no request of any kind


def test_words_of_users_are_inert(make_summary, make_trades, make_candles, hostile):
    trades = make_trades([1.0, -1.0], symbol=hostile, strategy=hostile, note=hostile)
    page = without_plotly(
        report_html(
            make_summary(
                trades,
                symbols=(hostile, "B"),
                strategies=(hostile, "d"),
                title=hostile,
                exchange=hostile,
                warnings=[hostile],
                open=[(hostile, hostile, hostile, hostile, 1.0, 2.0)],
                rules={hostile: hostile},
                strategy_notes={hostile: hostile},
            ),
            [Drawn(hostile, make_candles(600), trades)],
        )
    )
    assert page.count("<script") == 3  # the charts' data, plotly.js, our own
    assert not re.search(r"<(img|a|iframe)[\s>]", page)
    assert "&lt;img src=x" in page


def test_the_data_of_the_charts_is_json(report):
    text = re.search(r'<script type="application/json" id="charts">(.*?)</script>', report)[1]
    charts = json.loads(text)
    assert [symbol["name"] for symbol in charts["symbols"]] == ["BTCUSDT"]
    assert charts["symbols"][0]["levels"][0]["volume"]["n"] == 2_000


def test_of_many_trades_the_newest_are_listed_and_it_says_so(make_summary, make_trades):
    page = report_html(make_summary(make_trades([1.0] * (LISTED + 5), step=10)))
    assert page.count("<td>take profit</td>") == LISTED
    assert f"the newest {LISTED:,} are listed, 5 are not" in page


def test_numbers_sort_by_their_value(report):
    assert 'data-sort="-0.5"' in report
    assert "<table data-sortable>" in report


def test_the_same_run_gives_the_same_page(report, make_summary, make_trades):
    one, other = (report_html(make_summary(make_trades([1.0, -1.0]))) for _ in range(2))
    assert one == other


def test_a_page_stays_small_however_many_symbols(make_summary, make_trades, make_candles):
    symbols = tuple(f"S{row}USDT" for row in range(40))
    candles = make_candles(20_000)
    page = report_html(
        make_summary(make_trades([1.0] * 20, symbol="S1USDT"), symbols=symbols),
        [Drawn(symbol, candles) for symbol in symbols],
    )
    assert len(without_plotly(page)) < 4_000_000


def test_the_table_of_trades_says_by_how_many_fills_each_came_and_went(make_summary, make_trades):
    one, two = make_trades([1.0, 2.0])
    page = report_html(make_summary([one, two._replace(entries=3, exits=2)]))
    assert re.findall(r"(\d+ in, \d+ out)", page) == ["3 in, 2 out", "1 in, 1 out"]
