"""The daily summary: for each run of a home what it closed in a day, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tradenb.core.timeframe import iso
from tradenb.live.notifications.message_text import plain
from tradenb.live.status.run_status import RunStatus
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key
from tradenb.view.formatting import percent, plural

# A run that asks every minute and fails each time has 1,440 events a day.
_NEWEST: Final = 5_000


def summary_lines(home: Home, found: Iterable[RunStatus], *, since: int, until: int) -> list[str]:
    """Return a line for each run; what was closed after `since` and until `until`, ms UTC."""
    lines = [_line(home, status, since, until) for status in found if status.status != "done"]
    return [f"summary {iso(since)} to {iso(until)} UTC", *lines] if lines else []


def _line(home: Home, status: RunStatus, since: int, until: int) -> str:
    journal = Journal(
        DiskFilesystem(durable=False), home.journal(Key(status.strategy, status.symbol))
    )
    try:
        rows = [row for row in journal.tail(_NEWEST) if since < row["at"] <= until]
    except (OSError, LookupError, TypeError):
        return plain(f"{status.id}: its journal cannot be read")
    gains = [row["pnl_percent"] or 0.0 for row in rows if row["kind"] == "closed"]
    errors = sum(row["kind"] == "error" for row in rows)
    words = [f"{status.id}: {plural(len(gains), 'trade')} closed"]
    words += [f"{percent(sum(gains), plus=True)} in sum"] if gains else []
    words += [plural(errors, "error")] if errors else []
    words += [f"{status.status_text}, {status.holds}"]
    return plain(", ".join(words))
