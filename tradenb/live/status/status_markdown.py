"""A live run as a report in markdown: how it is, figures, and its events."""

from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Final

from tradenb.brokers.status.order_account import account_lines
from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.live.status.run_history import NEWEST, RunHistory
from tradenb.live.status.run_status import outlook_words
from tradenb.live.status.status_card import (
    asks_words,
    astray_words,
    course_words,
    gaps_of,
    held_words,
)
from tradenb.view.formatting import escaped, milestone_words, number, percent, price

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus

_COLUMNS: Final = (
    "time", "event", "signal", "position", "price", "entry", "take_profit", "stop_loss",
    "fraction", "pnl_percent", "reason", "note",
)  # fmt: skip


def status_markdown(status: RunStatus, history: RunHistory, *, newest: int = NEWEST) -> str:
    """Write the report of a live run, with so many of the newest events; figures are made of all.

    Words of users cannot break its tables.
    """
    lines = [f"# {_cell(status.strategy)} on {_cell(status.symbol)}, {status.mode}", ""]
    lines += [f"- {words}" for words in _facts(status)]
    lines += ["", *_figures(history), ""]
    shown = history.newest[-newest:]
    if not shown:
        return "\n".join([*lines, "Nothing has happened yet.", ""])
    if len(shown) < history.total:
        lines += [f"The newest {len(shown)} of {history.total:,} events:", ""]
    lines += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    return "\n".join([*lines, *(_row(_event(event)) for event in shown), ""])


def _facts(status: RunStatus) -> list[str]:
    facts = [f"status: {status.status_text}, as of {iso(round(time()) * 1000)} UTC"]
    facts += [f"needs you: {_cell(status.trouble)}"] if status.trouble else []
    facts += [_cell(words) for words in (status.old_code, status.note) if words]
    facts += [f"state: {_cell(held_words(status))}", f"exchange: {_cell(status.exchange)}"]
    if status.orders is not None:
        facts += [_cell(words) for words in account_lines(status.orders, status.home)]
        facts += [f"alarm: {_cell(each.text)}" for each in status.orders.alarms]
    said = (*outlook_words(status), course_words(status), *asks_words(status).splitlines())
    facts += [_cell(words) for words in said if words]
    if status.started and status.cursor:
        facts.append(f"candles: {iso(status.started)} to {iso(status.cursor)} UTC")
    facts.append(f"home: {_cell(status.home)}")
    facts += [] if status.saved else ["the last state is NOT on disk"]
    facts += [f"last error: {_cell(status.last_error)}"] if status.last_error else []
    warnings = (astray_words(status), *status.warnings)
    facts += [f"warning: {_cell(words)}" for words in warnings if words]
    gaps = gaps_of(status)
    facts += [f"candles missing: {_cell(gaps)}"] if gaps else []
    return facts


def _figures(history: RunHistory) -> list[str]:
    returns = history.gains
    wins = sum(gain > 0 for gain in returns)
    count = len(returns)
    rows = [
        ("events", f"{history.total:,}"),
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
        "" if event.fraction is None else number(event.fraction),
        "" if event.pnl_percent is None else percent(event.pnl_percent, plus=True),
        _cell(event.exit_reason),
        _cell(event.note),
    ]


def _kind(event: Event) -> str:
    late = " (late)" if event.late else ""
    if event.level is not None:
        return milestone_words(event.level) + late
    return event.kind + late


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
