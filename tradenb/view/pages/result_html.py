"""What a result looks like in a notebook cell: one HTML fragment, no script, light and dark.

All texts of users are escaped, every list has a longest length, and the chart has at
most `equity_svg.POINTS` points: the fragment stays below 60 kB for any result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.timeframe import timeframe_name
from tradenb.statistics.equity.curve_points import points_of
from tradenb.statistics.figures import MIN_DAYS, MIN_TRADES
from tradenb.view.asset_files import asset
from tradenb.view.formatting import (
    NOT_AVAILABLE,
    duration,
    escaped,
    figure,
    listed,
    number,
    percent,
    period,
    plural,
    price,
    tone,
)
from tradenb.view.pages.contribution_html import contribution_html
from tradenb.view.svg.equity_svg import POINTS, equity_svg

if TYPE_CHECKING:
    from tradenb.view.event_frames import OpenRow
    from tradenb.view.summary import Summary

_HINTS: Final = (".events", ".trades", ".stats", ".plot()", '.report("report.html")')
_MOST_WARNINGS: Final = 12
_MOST_OPEN: Final = 10
_MOST_WHY: Final = 6
_LONGEST_WARNING: Final = 400


def summary_html(summary: Summary) -> str:
    """Render a result for a notebook cell; inert whatever the names and notes contain."""
    note = too_few(summary)
    parts = [
        '<div class="tnb-summary" role="region" aria-label="Result of the run">',
        f"<style>{asset('summary.css')}</style>",
        f'<p class="tnb-head">{headline(summary)}</p>',
        f'<p class="tnb-sub">{subline(summary)}</p>',
        _alarms(summary.alarms),
        _figures(summary),
        equity_svg(
            points_of(summary.marks, POINTS),
            start=summary.start,
            end=summary.end,
            trades=len(summary.trades),
        ),
        f'<p class="tnb-note">{note}</p>' if note else "",
        f'<p class="tnb-note">{summary.costs}</p>' if summary.costs else "",
        why_html(summary.why),
        contribution_html(summary.contributions, summary.marks.curve.first),
        _warnings(summary.warnings),
        _open(summary.open),
        f'<p class="tnb-hint">{" ".join(f"<code>{hint}</code>" for hint in _HINTS)}</p>',
        "</div>",
    ]
    return "".join(parts)


def headline(summary: Summary) -> str:
    """Return strategies and symbols, escaped."""
    return f"{listed(summary.strategies)} on {listed(summary.symbols)}"


def subline(summary: Summary) -> str:
    """Return what kind of run it was, over what, and how long it took, escaped."""
    facts = [
        escaped(summary.title, 60),
        period(summary.start, summary.end),
        f"{plural(summary.candles, 'candle')} of {timeframe_name(summary.step)}",
    ]
    if summary.exchange:
        facts.append(escaped(summary.exchange, 60))
    if summary.elapsed_seconds is not None:
        facts.append(f"{summary.elapsed_seconds:.2f}\xa0s")
    return " · ".join(facts)


_MONEY: Final = (("final_equity", "Final equity", False), ("net_profit", "Net profit", True))


def headline_figures(summary: Summary) -> list[tuple[str, str, str]]:
    """Return the headline figures: label, value, colour class."""
    found = summary.figures

    def at(name: str) -> float:
        return found.get(name, math.nan)

    compounded, mean, exposure = at("compounded_return"), at("expectancy"), at("exposure")
    total, held = at("total_pnl"), at("benchmark_return")
    held_or_sum, kind = ("Buy and hold", percent(held, plus=True), tone(held)), "daily"
    if math.isnan(held):
        kind = "annual"
        held_or_sum = ("Total pnl, summed", number(total, plus=True) + "\xa0pp", tone(total))
    money = [
        (label, number(at(name), plus=signed), tone(at(name)) if signed else "even")
        for name, label, signed in _MONEY
        if name in found
    ]
    return [
        *money,
        ("Compounded return", percent(compounded, plus=True), tone(compounded)),
        held_or_sum,
        ("Max drawdown", percent(at("max_drawdown")), "even"),
        (f"Sharpe, {kind}", figure(f"sharpe_{kind}", at(f"sharpe_{kind}")), "even"),
        ("Profit factor", figure("profit_factor", at("profit_factor")), "even"),
        ("Trades", figure("count", at("count")), "even"),
        ("Win rate", percent(at("win_rate"), 1), "even"),
        ("Average trade", percent(mean, plus=True), tone(mean)),
        ("Average time held", duration(at("avg_minutes")), "even"),
        ("Exposure", percent(exposure * 100, 1), "even"),
    ]


def too_few(summary: Summary) -> str:
    """Return why ratios are N/A, or nothing if none is."""
    shown = [value for _, value, _ in headline_figures(summary)]
    if NOT_AVAILABLE not in shown:
        return ""
    if summary.marks.curve.ruined_at is not None:
        return f"{NOT_AVAILABLE}: nothing was left, so there are no figures of a day or a year."
    return (
        f"{NOT_AVAILABLE}: too little data. Ratios need at least {MIN_TRADES} trades over "
        f"{MIN_DAYS} days, with different results and at least one loss."
    )


def why_html(words: str) -> str:
    """Render what asks came to, a line a paragraph."""
    shown = words.splitlines()[:_MOST_WHY]
    return "".join(f'<p class="tnb-note">{escaped(line, _LONGEST_WARNING)}</p>' for line in shown)


def _figures(summary: Summary) -> str:
    tiles = [
        f'<div class="tnb-figure"><dt class="tnb-label">{label}</dt>'
        f'<dd class="tnb-value tnb-{colour}">{value}</dd></div>'
        for label, value, colour in headline_figures(summary)
    ]
    return f'<dl class="tnb-figures" aria-label="Headline figures">{"".join(tiles)}</dl>'


def _alarms(alarms: Sequence[str]) -> str:
    if not alarms:
        return ""
    items = [f"<li>{escaped(line, _LONGEST_WARNING)}</li>" for line in alarms[:_MOST_WARNINGS]]
    return f'<div class="tnb-warnings tnb-alarm" role="alert"><ul>{"".join(items)}</ul></div>'


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = [f"<li>{escaped(line, _LONGEST_WARNING)}</li>" for line in warnings[:_MOST_WARNINGS]]
    left = len(warnings) - _MOST_WARNINGS
    if left > 0:
        items.append(f"<li>{left:,} more in <code>.warnings</code></li>")
    caption = plural(len(warnings), "warning")
    return (
        f'<div class="tnb-warnings" role="note"><p class="tnb-caption">{caption}</p>'
        f"<ul>{''.join(items)}</ul></div>"
    )


def _open(rows: Sequence[OpenRow]) -> str:
    if not rows:
        return ""
    lines = [_open_line(row) for row in rows[:_MOST_OPEN]]
    left = len(rows) - _MOST_OPEN
    more = f'<p class="tnb-note">{left:,} more in <code>.open</code></p>' if left > 0 else ""
    heads = "".join(
        f'<th scope="col"{right}>{name}</th>'
        for name, right in (
            ("symbol", ""),
            ("strategy", ""),
            ("state", ""),
            ("market price", ' class="tnb-right"'),
            ("unrealised", ' class="tnb-right"'),
        )
    )
    return (
        '<p class="tnb-caption">Still open at the end; in the equity, not in the trades</p>'
        f'<div class="tnb-scroll"><table class="tnb-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{more}"
    )


def _open_line(row: OpenRow) -> str:
    symbol, strategy, _, state, market, pnl = row
    gain = "" if pnl is None else percent(pnl, plus=True)
    return (
        f'<tr><th scope="row">{escaped(symbol, 60)}</th><td>{escaped(strategy, 60)}</td>'
        f'<td>{escaped(state, 20)}</td><td class="tnb-right">{price(market)}</td>'
        f'<td class="tnb-right tnb-{tone(pnl)}">{gain}</td></tr>'
    )
