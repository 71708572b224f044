"""Where a live run stands, as plain facts for the cell and the report."""

from __future__ import annotations

from tradenb.live.listing import mode_of
from tradenb.live.run import LiveRun
from tradenb.view.live import Standing


def standing_of(run: LiveRun) -> Standing:
    """Return the facts of a run now."""
    instance = run.instance
    held = run.position or run.scheduled
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
        error=None if run.error is None else str(run.error) or repr(run.error),
        home=str(run.shelf.home),
    )
