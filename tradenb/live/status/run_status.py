"""Where a live run stands, as plain facts for the cell and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradenb.core.timeframe import iso
from tradenb.errors import StateError
from tradenb.store.paths import REHEARSAL
from tradenb.view.gap_warning import gap_warning, many_filled
from tradenb.view.pages.live_html import Standing

if TYPE_CHECKING:
    from tradenb.live.loop.record import RunRecord

# An error that so many events have followed is over.
LOOKED_AT: Final = 250


def standing_of(run: RunRecord) -> Standing:
    """Return the facts of a run now."""
    instance = run.instance
    held = run.held
    return Standing(
        symbol=run.symbol,
        strategy=run.strategy,
        exchange=run.source.name,
        mode=mode_of(run.shelf.home),
        status=run.status,
        state=run.describe(),
        signal=None if held is None else held.signal,
        market=run.history[-1].price if run.history else None,
        started=run.start or None,
        cursor=None if instance is None else instance.state.cursor,
        ticks=len(run.history),
        saved=run.saved,
        stopping=run.stopping,
        error=last_error_of(run),
        home=str(run.shelf.home),
        gaps=_gaps(run),
    )


def mode_of(root: Path) -> str:
    """Tell what a run is by the folder of its state: live or rehearsal."""
    return "rehearsal" if root.name == REHEARSAL else "live"


def _gaps(run: RunRecord) -> str:
    """Say how much of what a run sees was never traded, if it is much."""
    intake = None if run.feed is None else run.feed.intake
    if intake is None or not many_filled(intake):
        return ""
    return gap_warning(run.symbol, intake)


def last_error_of(run: RunRecord) -> str | None:
    """Return what is wrong with a run now, else the last error that it went past."""
    if run.error is not None:
        return str(run.error) or repr(run.error)
    try:
        events = run.shelf.events(LOOKED_AT)
    except (OSError, StateError):
        return None
    errors = [event for event in events if event.kind == "error" and event.at >= run.start]
    return f"{iso(errors[-1].at)} {errors[-1].note}" if errors else None
