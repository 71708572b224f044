"""What a live run looks like in a notebook cell: a small fragment of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.timeframe import iso
from tradenb.view.asset_files import asset
from tradenb.view.formatting import escaped, plural, price
from tradenb.view.gap_warning import gap_warning, many_filled

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus

HINTS: Final = (".position", ".events()", ".ticks()", ".report()", ".stop()")
HINTS_ELSEWHERE: Final = (".position", ".events()", ".stop()", ".flatten()", ".release()")


def status_card(status: RunStatus, *, hints: Sequence[str] = HINTS) -> str:
    """Render a live run for a notebook cell: inert whatever names and errors contain."""
    facts = [status.status_text, status.exchange]
    if status.cursor:
        facts.append(f"candles up to {iso(status.cursor)} UTC")
    if status.ticks is not None:
        facts.append(plural(status.ticks, "tick"))
    troubles = [] if status.saved else ["The last state is not on disk yet."]
    troubles += [words for words in (status.last_error, gaps_of(status)) if words]
    items = "".join(f"<li>{escaped(words, 400)}</li>" for words in troubles)
    alarm = f'<div class="tnb-warnings" role="alert"><ul>{items}</ul></div>' if items else ""
    name = f"{escaped(status.strategy, 60)} on {escaped(status.symbol, 60)}"
    return (
        f'<div class="tnb-summary" role="region" aria-label="Live run">'
        f"<style>{asset('summary.css')}</style>"
        f'<p class="tnb-head">{name}, {status.mode}</p>'
        f'<p class="tnb-sub">{" · ".join(escaped(fact, 80) for fact in facts)}</p>'
        f"<p>{escaped(_held(status), 200)}</p>{alarm}"
        f'<p class="tnb-hint">{" ".join(f"<code>{hint}</code>" for hint in hints)}</p></div>'
    )


def _held(status: RunStatus) -> str:
    """Say what a run holds, and how far the market is from its levels."""
    signal = None if status.state is None else status.state.signal
    if signal is None:
        return status.holds
    levels = f"target {price(signal.take_profit)} · stop {price(signal.stop_loss)}"
    market = "" if status.price is None else f" · price {price(status.price)}"
    return f"{status.holds} · {levels}{market}"


def gaps_of(status: RunStatus) -> str:
    """Say how much of what a run sees was never traded, if it is much."""
    if status.intake is None or not many_filled(status.intake):
        return ""
    return gap_warning(status.symbol, status.intake)
