"""What a live run looks like: a small HTML fragment for a cell, and a report in markdown.

Both take a `Standing`, plain facts about a run at one moment; nothing here knows the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.view.asset_files import asset
from tradenb.view.formatting import escaped, number, percent, plural, price

if TYPE_CHECKING:
    from tradenb.core.signal import Signal

LISTED: Final = 250
HINTS: Final = (".position", ".events()", ".ticks()", ".report()", ".stop()")
_COLUMNS: Final = (
    "time", "event", "signal", "position", "price", "entry", "take_profit", "stop_loss",
    "pnl_percent", "reason", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a live run stands.

    Attributes
    ----------
    symbol, strategy, exchange : str
    mode : str
        live or rehearsal.
    status : str
    state : str
        What it holds, in words.
    signal : Signal or None
        The same.
    market : float or None
        Market price of the last tick.
    started, cursor : int or None
        When it began and the newest candle consumed, ms UTC.
    ticks : int or None
        None where they are not known.
    saved, stopping : bool
    error : str or None
    home : str
    gaps : str
        What is to be said of missing candles; nothing if they are few.
    """

    symbol: str
    strategy: str
    exchange: str
    mode: str
    status: str
    state: str
    signal: Signal | None
    market: float | None
    started: int | None
    cursor: int | None
    ticks: int | None
    saved: bool
    stopping: bool
    error: str | None
    home: str
    gaps: str = ""


def standing_html(standing: Standing, *, hints: Sequence[str] = HINTS) -> str:
    """Render a live run for a notebook cell: inert whatever names and errors contain."""
    facts = [standing.status + (", stopping" if standing.stopping else ""), standing.exchange]
    if standing.cursor:
        facts.append(f"candles up to {iso(standing.cursor)} UTC")
    if standing.ticks is not None:
        facts.append(plural(standing.ticks, "tick"))
    troubles = [] if standing.saved else ["The last state is not on disk yet."]
    troubles += [words for words in (standing.error, standing.gaps) if words]
    items = "".join(f"<li>{escaped(words, 400)}</li>" for words in troubles)
    alarm = f'<div class="tnb-warnings" role="alert"><ul>{items}</ul></div>' if items else ""
    name = f"{escaped(standing.strategy, 60)} on {escaped(standing.symbol, 60)}"
    return (
        f'<div class="tnb-summary" role="region" aria-label="Live run">'
        f"<style>{asset('summary.css')}</style>"
        f'<p class="tnb-head">{name}, {standing.mode}</p>'
        f'<p class="tnb-sub">{" · ".join(escaped(fact, 80) for fact in facts)}</p>'
        f"<p>{escaped(_held(standing), 200)}</p>{alarm}"
        f'<p class="tnb-hint">{" ".join(f"<code>{hint}</code>" for hint in hints)}</p></div>'
    )


def _held(standing: Standing) -> str:
    """Say what a run holds, and how far the market is from its levels."""
    signal = standing.signal
    if signal is None:
        return standing.state
    levels = f"target {price(signal.take_profit)} · stop {price(signal.stop_loss)}"
    market = "" if standing.market is None else f" · price {price(standing.market)}"
    return f"{standing.state} · {levels}{market}"


def live_markdown(standing: Standing, events: Sequence[Event], *, newest: int = LISTED) -> str:
    """Write the report of a live run.

    Parameters
    ----------
    standing : Standing
    events : sequence of Event
        Oldest first; the figures are made of all.
    newest : int, default 250
        How many of them are listed.

    Returns
    -------
    str
        Markdown; words of users cannot break its tables.
    """
    lines = [f"# {_cell(standing.strategy)} on {_cell(standing.symbol)}, {standing.mode}", ""]
    lines += [f"- {words}" for words in _facts(standing)]
    lines += ["", *_figures(events), ""]
    shown = events[-newest:]
    if not shown:
        return "\n".join([*lines, "Nothing has happened yet.", ""])
    if len(shown) < len(events):
        lines += [f"The newest {newest} of {len(events):,} events:", ""]
    lines += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    return "\n".join([*lines, *(_row(_event(event)) for event in shown), ""])


def _facts(standing: Standing) -> list[str]:
    facts = [f"status: {standing.status}{', stopping' if standing.stopping else ''}"]
    facts += [f"state: {_cell(standing.state)}", f"exchange: {_cell(standing.exchange)}"]
    if standing.started and standing.cursor:
        facts.append(f"candles: {iso(standing.started)} to {iso(standing.cursor)} UTC")
    facts.append(f"home: {_cell(standing.home)}")
    facts += [] if standing.saved else ["the last state is NOT on disk"]
    facts += [f"last error: {_cell(standing.error)}"] if standing.error else []
    facts += [f"candles missing: {_cell(standing.gaps)}"] if standing.gaps else []
    return facts


def _figures(events: Sequence[Event]) -> list[str]:
    gains = [event.pnl_percent for event in events if event.kind == "closed"]
    returns = [gain for gain in gains if gain is not None]
    wins = sum(gain > 0 for gain in returns)
    count = len(returns)
    rows = [
        ("events", f"{len(events):,}"),
        ("closed signals", f"{count:,}"),
        ("wins / losses", f"{wins} / {sum(gain < 0 for gain in returns)}"),
        ("win rate", percent(100 * wins / count, 1) if count else "N/A"),
        ("average pnl", percent(sum(returns) / count, plus=True) if count else "N/A"),
        ("total pnl, summed", f"{number(sum(returns), plus=True)} pp"),
    ]
    return [_row(("figure", "value")), _row(("---", "---:")), *map(_row, rows)]


def _event(event: Event) -> list[str]:
    signal = event.signal
    levels = ("entry", "take_profit", "stop_loss")
    found = [getattr(signal, name, None) for name in levels]
    return [
        iso(event.at),
        _kind(event),
        _cell(getattr(signal, "id", None)),
        _cell(getattr(signal, "position", None)),
        _price(event.price),
        *map(_price, found),
        "" if event.pnl_percent is None else percent(event.pnl_percent, plus=True),
        _cell(event.exit_reason),
        _cell(event.note),
    ]


def _kind(event: Event) -> str:
    level = "" if event.level is None else f" {event.level:+d} %"
    return event.kind + level + (" (late)" if event.late else "")


def _price(value: object) -> str:
    return price(value) if isinstance(value, float) else ""


def _cell(text: object) -> str:
    """Write a user's words so that they stay within their cell and stay words."""
    plain = "" if text is None else escaped(text, 500)
    for shown, meant in (("|", "\\|"), ("`", "'"), ("&#x27;", "'"), ("&quot;", '"')):
        plain = plain.replace(shown, meant)
    return " ".join(plain.split())


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
