"""The report of a run: one HTML page that holds everything and loads nothing.

The page brings plotly.js and its own small script along, and a content security policy that lets
these two run and nothing else: no request can leave the page, and markup in a user's note would be
inert even if it got past the escaping.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tradenb.statistics.breakdown import grouped
from tradenb.statistics.equity.curve_points import points_of
from tradenb.statistics.equity.drawdowns import drawdowns_of
from tradenb.statistics.equity.periods import periods
from tradenb.view.asset_files import asset
from tradenb.view.charts.candle_levels import ROWS
from tradenb.view.charts.chart_data import POINTS, Drawn, chart_data, chart_json
from tradenb.view.charts.chart_script import chart_script, plotly_script
from tradenb.view.charts.still_chart import still_html
from tradenb.view.formatting import escaped, plural
from tradenb.view.pages.html_tables import (
    benchmark_table,
    coverage_table,
    drawdown_table,
    group_table,
    heatmap_table,
    monthly_table,
    open_table,
    settings_table,
    statistics_table,
    trade_table,
)
from tradenb.view.pages.result_html import headline, headline_figures, subline, too_few
from tradenb.view.svg.exposure_svg import exposure_svg
from tradenb.view.svg.plot_area import WIDTH

if TYPE_CHECKING:
    from tradenb.core.signal import Trade
    from tradenb.view.summary import Summary

LISTED: Final = 2_000
DEEPEST: Final = 10
_SHOWN: Final = 0.005  # percent


def report_html(summary: Summary, drawn: Sequence[Drawn] = (), beside: str | None = None) -> str:
    """Write the report of a run as one self-contained page.

    Parameters
    ----------
    drawn : sequence of Drawn, optional
        The symbols whose candles are known, with what is drawn on them.
    beside : str, optional
        Name of a script beside the page that has all candles, see `all_candles_script`; without
        that file the page shows those that it holds.

    Returns
    -------
    str
        A page of about 5 MB, nearly all of it plotly.js; the same for the same input. Of many
        trades the newest `LISTED` are listed.
    """
    scripts = [plotly_script(), f"{chart_script()}\n{asset('report.js')}"]
    points = points_of(summary.marks, POINTS)
    # Tables of many symbols take the room of half the candles.
    rows = ROWS if len(drawn) == len(summary.symbols) else ROWS // 2
    data = chart_data(drawn, points, start=summary.start, end=summary.end, rows=rows)
    chart = chart_json(data)
    name = f"{headline(summary)}, {escaped(summary.title, 60).lower()}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, beside)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{name}</title><style>{asset('report.css')}{asset('chart.css')}</style></head>",
            "<body><main>\n",
            "\n".join(part for part in _parts(summary, drawn) if part),
            f'\n</main><script type="application/json" id="charts">{chart}</script>\n',
            f'<script src="{escaped(quote(beside))}"></script>\n' if beside else "",
            *(f"<script>{script}</script>\n" for script in scripts),
            "</body></html>\n",
        ]
    )


def _parts(summary: Summary, drawn: Sequence[Drawn]) -> list[str]:
    trades = summary.trades
    return [
        f"<header><h1>{headline(summary)}</h1><p>{subline(summary)}</p></header>",
        _alarms(summary.alarms),
        _warnings(summary.warnings),
        _figures(summary),
        _chart(summary, drawn),
        _expected(summary),
        _benchmark(summary),
        _exposure(summary),
        _drawdowns(summary),
        _months(summary),
        _section("How trades ended", _endings(trades)) if trades else "",
        _heatmaps(summary),
        _section("Statistics", statistics_table(summary.figures)),
        _section("Open at the end", open_table(summary.open), _OPEN) if summary.open else "",
        _trades(trades),
        _indicators(summary),
        _settings(summary),
    ]


_MARKED: Final = (
    "At every candle, with what is open at the market price. Every position uses the whole equity. "
    "Costs are included."
)
_MONEY: Final = (
    "Of the account, at every candle: the balance, and what is open at the market price. Costs are "
    "included."
)
_CLOSES: Final = (
    "Compounded at each close: every trade uses the whole equity. Costs are included. The candles "
    "are not known here, so what was open in between is not seen."
)
_HOLDS: Final = (
    "Bought at the start and held, without costs. Exposure is the share of the time in a position."
)
_MONTHS: Final = "Percent, of the equity, UTC. The last month goes as far as the run."
_BOUND: Final = "Value of what is open, percent of the equity; a mean of neighbouring candles."
# Letters of a picture shrink with it, so a narrow screen gets one of its own.
_WIDTHS: Final = (("wide", WIDTH), ("narrow", 380))
_FALLS: Final = "The deepest falls of the equity from a peak, UTC."
_COMPUTED: Final = "Times are UTC. Before its first value an indicator is NaN."
_OPEN: Final = "Counted in the equity and its figures, not in the trades."
_OVERALL: Final = (
    "The last row is computed from all trades together; it is not the sum of the rows above."
)


def _section(title: str, body: str, note: str = "") -> str:
    return f"<section><h2>{title}</h2>{_note(note)}{body}</section>"


def _note(text: str) -> str:
    return f'<p class="muted">{text}</p>' if text else ""


def _alarms(alarms: Sequence[str]) -> str:
    if not alarms:
        return ""
    items = "".join(f"<li>{escaped(line, 1000)}</li>" for line in alarms[:100])
    return f'<section class="warnings alarm" role="alert"><ul>{items}</ul></section>'


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escaped(line, 1000)}</li>" for line in warnings[:100])
    left = len(warnings) - 100
    more = f"<li>{left:,} more in result.warnings</li>" if left > 0 else ""
    return (
        '<section class="warnings" role="note">'
        f"<h2>{plural(len(warnings), 'warning')}</h2><ul>{items}{more}</ul></section>"
    )


def _figures(summary: Summary) -> str:
    tiles = "".join(
        f'<div><dt>{label}</dt><dd class="{colour}">{value}</dd></div>'
        for label, value, colour in headline_figures(summary)
    )
    figures = f'<dl class="figures" aria-label="Headline figures">{tiles}</dl>'
    why = [escaped(line, 400) for line in summary.why.splitlines()]
    notes = "".join(map(_note, (too_few(summary), summary.costs, *why)))
    return f"<section>{figures}{notes}</section>"


def _chart(summary: Summary, drawn: Sequence[Drawn]) -> str:
    points = points_of(summary.marks, POINTS)
    first = drawn[0] if drawn else None
    start, end, count = summary.start, summary.end, len(summary.trades)
    still = "".join(
        f'<div class="{name}">'
        + still_html(first, points, start=start, end=end, trades=count, width=width)
        + "</div>"
        for name, width in _WIDTHS
    )
    title = "Price, trades and equity" if drawn else "Equity and drawdown"
    note = _MARKED if summary.marks.daily else _CLOSES
    if summary.marks.money:
        note = _MONEY
    if 0 < len(drawn) < len(summary.symbols):
        note += (
            f" Of {len(summary.symbols):,} symbols the {len(drawn)} are drawn whose trades gained "
            "or lost the most; the figures of all are under Comparison."
        )
    body = f'<div id="chart">{still}</div>'  # until the script draws, and where none runs
    return _section(title, body, note)


def _expected(summary: Summary) -> str:
    found = summary.expectation
    if found is None:
        return ""
    drawn = "".join(f'<div class="{name}">{found.svg(width)}</div>' for name, width in _WIDTHS)
    return _section("Beside its backtest", drawn, escaped(_sentence(found.words), 600))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _benchmark(summary: Summary) -> str:
    benchmark, found = summary.marks.benchmark, summary.figures
    if benchmark is None:
        return ""
    run = (found["compounded_return"], found["max_drawdown"], found["exposure"])
    return _section("Benchmark and exposure", benchmark_table(run, benchmark.rows), _HOLDS)


def _exposure(summary: Summary) -> str:
    money = summary.marks.money
    if money is None:
        return ""
    drawn = "".join(
        f'<div class="{name}">'
        + exposure_svg(
            money.curve.at, money.exposure, start=summary.start, end=summary.end, width=width
        )
        + "</div>"
        for name, width in _WIDTHS
    )
    return _section("Exposure over time", drawn, _BOUND)


def _drawdowns(summary: Summary) -> str:
    found = drawdowns_of(summary.marks.curve, summary.marks.covered)[:DEEPEST]
    falls = [fall for fall in found if fall.depth >= _SHOWN]
    return _section("Drawdowns", drawdown_table(falls), _FALLS) if falls else ""


def _months(summary: Summary) -> str:
    if not summary.trades and not summary.open:
        return ""
    begin, returns = periods(summary.marks.curve, summary.marks.covered, "month")
    months = zip(begin.tolist(), (returns * 100).tolist(), strict=True)
    return _section("Monthly returns", monthly_table(list(months)), _MONTHS)


def _endings(trades: Sequence[Trade]) -> str:
    reasons = grouped(trades, lambda trade: trade.exit_reason)
    positions = grouped(trades, lambda trade: trade.position)
    return group_table(reasons, "Exit reason") + group_table(positions, "Position")


def _heatmaps(summary: Summary) -> str:
    found = []
    if summary.trades and summary.heatmap is not None:
        if len(summary.symbols) > 1:
            found.append(heatmap_table(summary.heatmap("symbol"), "Symbol"))
        if len(summary.strategies) > 1:
            found.append(heatmap_table(summary.heatmap("strategy"), "Strategy"))
    return _section("Comparison", "".join(found), _OVERALL) if found else ""


def _trades(trades: Sequence[Trade]) -> str:
    if not trades:
        return _section("Trades", '<p class="muted">No trade closed.</p>')
    left = len(trades) - LISTED
    note = f"Newest first. Click a column title to sort by it. {plural(len(trades), 'trade')}"
    note += f"; the newest {LISTED:,} are listed, {left:,} are not." if left > 0 else "."
    printed = '<p class="muted printed">Printed: the first 100 rows. The page has the rest.</p>'
    return _section("Trades", trade_table(trades[-LISTED:]) + printed, note)


def _indicators(summary: Summary) -> str:
    if not any(summary.coverage.values()):
        return ""
    return _section("Indicators", coverage_table(summary.coverage), _COMPUTED)


def _settings(summary: Summary) -> str:
    body = []
    if summary.strategy_notes:
        body.append(settings_table(summary.strategy_notes, "Strategies"))
    if summary.rules:
        body.append(settings_table(summary.rules, "Rules"))
    return _section("Settings", "".join(body)) if body else ""


def _policy(scripts: Sequence[str], beside: str | None) -> str:
    # A page that was opened from a disk has no origin of its own.
    hashes = "'self' file: " if beside else ""
    hashes += " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
