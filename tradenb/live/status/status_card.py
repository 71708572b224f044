"""What a live run looks like in a notebook cell: a small fragment of HTML, as of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Final

from tradenb.brokers.status.order_account import account_lines
from tradenb.core.lifecycle.state import forgets_since
from tradenb.core.timeframe import iso
from tradenb.live.status.position_words import held_now, position_words
from tradenb.live.status.run_status import outlook_words
from tradenb.view.asset_files import asset
from tradenb.view.conduct.ask_words import why_words
from tradenb.view.conduct.expected_course import Expectation, expectation_of
from tradenb.view.formatting import escaped, percent, plural, price
from tradenb.view.gap_warning import gap_warning, many_missing
from tradenb.view.pages.result_html import why_html

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus

HINTS: Final = (".position", ".events()", ".ticks()", ".report()", ".stop()")
HINTS_ELSEWHERE: Final = (".position", ".events()", ".stop()", ".flatten()", ".release()")


def status_card(status: RunStatus, *, hints: Sequence[str] = HINTS, now: int | None = None) -> str:
    """Render a live run for a notebook cell: inert whatever names and errors contain.

    It says of what moment it is (`now`, ms UTC; default this one): nothing on it moves.
    """
    made = round(time() * 1000) if now is None else now
    facts = [status.status_text, status.exchange]
    if status.cursor:
        facts.append(f"candles up to {iso(status.cursor)} UTC")
    if status.reads:
        facts.append(f"reads {', '.join(status.reads)}")
    if status.ticks is not None:
        facts.append(plural(status.ticks, "tick"))
    facts.append(f"as of {iso(made // 1000 * 1000)} UTC")
    name = f"{escaped(status.strategy, 60)} on {escaped(status.symbol, 60)}"
    return (
        f'<div class="tnb-summary" role="region" aria-label="Live run">'
        f"<style>{asset('summary.css')}</style>"
        f'<p class="tnb-head">{name}, {status.mode}</p>'
        f'<p class="tnb-sub">{" · ".join(escaped(fact, 80) for fact in facts if fact)}</p>'
        f"<p>{escaped(held_words(status), 400)}</p>{_outlook(status)}"
        f"{_expected(status)}{_orders(status)}{_alarm(status)}{why_html(asks_words(status))}"
        f'<p class="tnb-hint">{" ".join(f"<code>{hint}</code>" for hint in hints)}</p></div>'
    )


def _orders(status: RunStatus) -> str:
    """Say how its orders are and what its account permits; red while a position has no stop."""
    if status.orders is None:
        return ""
    lines = account_lines(status.orders, status.home)
    return f'<p class="tnb-orders tnb-{status.orders.level}">{" · ".join(map(escaped, lines))}</p>'


def _outlook(status: RunStatus) -> str:
    """Return what the run does next, and what it answered last."""
    words = " · ".join(outlook_words(status))
    return f'<p class="tnb-sub">{escaped(words, 600)}</p>' if words else ""


def astray_words(status: RunStatus) -> str:
    """Say that a run left the band of its backtest, and since when; nothing while it is inside.

    Once the state has forgotten trades that count, say that instead.
    """
    band, state = status.band, status.state
    if band is not None and state is not None and forgets_since(state.trades, band.since):
        return (
            f"only the last {len(state.trades):,} trades are known here; run.expect() holds all of "
            "them against the backtest, and run.expect(result, since=...) begins anew"
        )
    found = expectation_now(status)
    return "" if found is None or found.inside else found.words


def course_words(status: RunStatus) -> str:
    """Say how a run goes beside its backtest, while it goes as expected."""
    found = expectation_now(status)
    return "" if found is None or not found.inside else found.words


def asks_words(status: RunStatus) -> str:
    """Say what the asks of a run came to; nothing before the first."""
    state = status.state
    rows = [] if state is None else [(state.symbol, state.strategy, row) for row in state.asks]
    return why_words(rows) if rows else ""


def expectation_now(status: RunStatus) -> Expectation | None:
    """Return how a run goes beside its backtest; None without a band, or with trades forgotten."""
    trades = () if status.state is None else status.state.trades
    if status.band is None or forgets_since(trades, status.band.since):
        return None
    return expectation_of(status.band, trades)


def _expected(status: RunStatus) -> str:
    words = course_words(status)
    return f"<p>{escaped(words, 400)}</p>" if words else ""


def _alarm(status: RunStatus) -> str:
    """Return what the reader has to know: red where a position is at risk, else amber."""
    troubles = [] if status.saved else ["The last state is not on disk yet."]
    # The event of a warning is an error as well; what is in force is said once.
    last_error = "" if status.last_error[-40:] in "".join(status.warnings) else status.last_error
    alarms = () if status.orders is None else status.orders.alarms
    troubles += [
        status.trouble or last_error,
        *(each.text for each in alarms if each.text != status.trouble),
        *status.warnings,
        astray_words(status),
        status.old_code,
        _starts(status),
        status.note,
        gaps_of(status),
    ]
    items = "".join(f"<li>{escaped(words, 500)}</li>" for words in troubles if words)
    if not items:
        return ""
    red = " tnb-alarm" if status.trouble else ""
    return f'<div class="tnb-warnings{red}" role="alert"><ul>{items}</ul></div>'


def _starts(status: RunStatus) -> str:
    """Say that what is shown is from before the start: nothing has been fed since."""
    if not status.starting:
        return ""
    return "starting: its first candles are being fetched; what is shown is what is on disk"


def held_words(status: RunStatus) -> str:
    """Say what a run holds, how far the market is from its levels, and what it made in money."""
    made = [] if status.money is None else [str(status.money)]
    return " · ".join([*_held_facts(status), *made])


def _held_facts(status: RunStatus) -> list[str]:
    signal = None if status.state is None else status.state.signal
    if signal is None:
        return [status.holds]
    held = held_now(status)
    target = signal.take_profit if held is None else held.take_profit
    facts = [status.holds, f"target {price(target)}", f"stop {price(signal.stop_loss)}"]
    facts += [] if held is None else position_words(held)
    if status.price is not None:
        facts.append(f"price {price(status.price)}")
        facts += [] if held is None else [f"{percent(held.pnl_percent, plus=True)} unrealised"]
    return facts


def gaps_of(status: RunStatus) -> str:
    """Say how much of what a run sees was never traded, if it is much."""
    if status.intake is None or not many_missing(status.intake):
        return ""
    return gap_warning(status.symbol, status.intake)
