"""The fills of a live run, from its journal: the same rows as those of a backtest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.fills import Fill, fills_of
from tradenb.core.rules import Rules

NO_CANDLES: Final = 1 << 60
"""`Recording.read` since then: only what is not a candle."""


def run_fills(events: Iterable[Event], lived: Iterable[Any], rules: Rules) -> list[Fill]:
    """Return the fills of a run, each under the rules that the run had then.

    Parameters
    ----------
    lived : iterable
        Lines of its record; those that say with what it began are read.
    rules : Rules
        Where the record says nothing.
    """
    begun = [
        (int(line["begun"]), Rules.model_validate(line["rules"]))
        for line in lived
        if isinstance(line, dict) and "begun" in line
    ]
    times = [at for at, _ in begun]

    def rules_at(at: int) -> Rules:
        # A run that begins at a cursor acts on candles that close after it.
        place = bisect_left(times, at)
        return begun[place - 1][1] if place else begun[0][1] if begun else rules

    return fills_of(events, rules_at)
