"""How well all runs of a dashboard are, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from tradenb.panel.dashboard_rows import Row
from tradenb.panel.facts import Facts
from tradenb.view.formatting import plural

# As much is no trouble for anybody.
CLOCK_MS: Final = 1_000


def health_of(facts: Sequence[Facts], rows: Sequence[Row], errors: int) -> dict[str, Any]:
    """Return the health line.

    Parameters
    ----------
    facts : sequence of Facts
    rows : sequence of dict
        Of the same runs, see `row_of`.
    errors : int
        Error events of this process since the dashboard was made.

    Returns
    -------
    dict
        `level` is good, doubt, bad or empty; `words` a list of short facts; `lateness` how long
        after the close of their candle ticks end, in words.
    """
    running = [row for row in rows if row["running"]]
    bad = [row for row in running if row["trouble"]]
    doubt = [row for row in running if row["doubt"]]
    level = "bad" if bad else "doubt" if doubt else "good" if running else "empty"
    words = [f"{len(running)} of {plural(len(rows), 'run')} running" if rows else "no runs"]
    if bad:
        words.append(f"{len(bad)} in trouble")
    unsaved = sum(not row["saved"] for row in rows)
    if unsaved:
        words.append(f"{unsaved} not saved")
    if errors:
        words.append(plural(errors, "error"))
    ahead = max((item.clock_ahead_ms or 0 for item in facts), key=abs, default=0)
    if abs(ahead) > CLOCK_MS:
        side = "ahead of" if ahead > 0 else "behind"
        words.append(f"clock {abs(ahead) / 1000:.1f} s {side} the exchange")
        level = "doubt" if level == "good" else level
    return {"level": level, "words": words, "lateness": _lateness(facts)}


def _lateness(facts: Sequence[Facts]) -> str:
    late = [seconds for item in facts for seconds in item.lateness_s]
    if not late:
        return ""
    return f"ticks {median(late):.1f} s after the close, at most {max(late):.1f} s"
