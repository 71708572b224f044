"""Candles that an exchange changes after a run has acted on them.

What was decided is not undone, and the candle that was acted on stays the run's. What is left is to
say so, and what the corrected candle would have touched. A change that comes later than
`LOOK_BACK_MS` after the close is not looked for. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Rows
from tradenb.core.candles.gaps import with_columns, with_gaps
from tradenb.core.candles.intake import check_rows
from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
from tradenb.errors import CandleError
from tradenb.view.formatting import price

LOOK_BACK_MS: Final = 5 * MINUTE
"""The first response for a close begins so much earlier."""
REMEMBERED: Final = 1_000


class Revision(NamedTuple):
    """A candle that differs from what was acted on.

    Attributes
    ----------
    acted, corrected : Candles
        The last candles, once with the one that was acted on at their end, once with the other.
    """

    acted: Candles
    corrected: Candles

    @property
    def close(self) -> int:
        """Close time of the candle, ms UTC."""
        return self.acted.end


class Revisions:
    """What a source changed after it had been given out.

    Attributes
    ----------
    latest : deque of Revision
        The newest of them; a candle that changes again is there again.
    count : int
        How many there were.
    """

    def __init__(self) -> None:
        self.latest: deque[Revision] = deque(maxlen=REMEMBERED)
        self.count = 0
        self._seen: dict[int, list[float]] = {}  # close: the row that was noted last

    def note(self, known: Candles, rows: Rows) -> None:
        """Note which of the last known candles differ from rows of a later response."""
        for place in {time: place for place, time in enumerate(rows.time.tolist())}.values():
            row = rows.part(place, place + 1)
            closes = int(row.time[0]) + MINUTE
            acted = known.between(known.start, closes)
            if not len(acted) or acted.end != closes:
                continue  # nothing was given for that minute, and later candles were acted on
            given = [float(column[0]) for column in row[1:]]
            if given == self._seen.get(acted.end, [float(each[-1]) for each in acted.columns]):
                continue
            found = revision_of(acted, row)
            if found is not None:
                self._seen[acted.end] = given
                self.latest.append(found)
                self.count += 1
        oldest = known.end - LOOK_BACK_MS
        self._seen = {close: row for close, row in self._seen.items() if close > oldest}


def revision_of(acted: Candles, rows: Rows) -> Revision | None:
    """Return the revision of the last candle by one row; None if the row is not a candle."""
    try:
        check_rows(rows)
    except CandleError:
        return None
    opened, high, low, close, volume = (
        np.append(old[:-1], new) for old, new in zip(acted.columns, rows[1:], strict=True)
    )
    corrected = with_columns(acted, (opened, high, low, close, volume))
    return Revision(acted, corrected)


def would_touch(revision: Revision, state: State, rules: Rules) -> str:
    """Say which level only the corrected candle touches; empty if there is none.

    `state` is that of the run after the candle that it acted on.
    """
    signal, opened = state.signal, state.opened_at
    if signal is None or (signal.at if opened is None else opened) >= revision.close:
        return ""
    last = len(revision.acted) - 1
    old, new = (
        prices.extremes(candles, last, rules) for candles in (revision.acted, revision.corrected)
    )
    if opened is None:
        below = signal.position == "long"
        reached = [
            each.low <= signal.entry if below else each.high >= signal.entry for each in (old, new)
        ]
        return "" if reached != [False, True] else f"the entry {price(signal.entry)}"
    if prices.stop_touched(signal, new) and not prices.stop_touched(signal, old):
        return f"the stop {price(signal.stop_loss)}"
    if prices.target_touched(signal, new) and not prices.target_touched(signal, old):
        return f"the target {price(signal.take_profit)}"
    return ""


def with_acted(loaded: Candles, acted: Candles, gap_minutes: int | None) -> Candles:
    """Return loaded candles with those that were acted on in their place."""
    if not loaded.start <= acted.start < acted.end <= loaded.end:
        return loaded
    before, after = loaded.between(loaded.start, acted.start), loaded.between(acted.end, loaded.end)
    parts = [(part.time, *part.columns) for part in (before, acted, after) if len(part)]
    rows = Rows(*map(np.concatenate, zip(*parts, strict=True)))
    return with_gaps(rows, loaded.step, gap_minutes)[0]
