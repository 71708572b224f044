"""`ArrivalRecord`: what one run notes of the arrival of its candles, and tells of it; pure.

Which candles came late or were changed is known by the feed, which several runs share; what that
means differs from run to run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.live.arrival.candle_warnings import MANY_LATE, late_warning, revised_warning
from tradenb.live.arrival.lateness import Arrival
from tradenb.live.arrival.revisions import LOOK_BACK_MS, Revision, Revisions, would_touch

Told = tuple[int, str]
"""What is told of a candle or of a moment: its close, ms UTC, and the words."""
SIGNALS: Final = 8


class Ended(NamedTuple):
    """A signal that has ended: the states before and after."""

    before: State
    after: State

    @property
    def at(self) -> int:
        """Close of the candle that ended it, ms UTC; not later than when that was committed."""
        trades, signal = self.after.trades, self.before.signal
        if signal is not None and trades and trades[-1].signal_id == signal.id:
            return trades[-1].closed_at
        return self.after.cursor


@dataclass
class ArrivalRecord:
    """How the candles of one run arrive.

    Attributes
    ----------
    warnings : dict of str to str
        What is wrong now: "late", "revised".
    untold : list
        Warnings that the next commit takes along as events.
    late_asks : dict of int to int
        Asks left out in a row because of late candles: the close, and how late it came, ms.
    retry_at : int
        When candles that are missing are requested again, ms UTC; 0: none are.
    failed_at : int
        The close for which a failing exchange was reported, ms UTC.
    acted_from : int
        Candles that close later were acted on in this process, ms UTC.
    noted : int
        How many revisions of the feed were looked at.
    revised : int
        How many candles were changed after they had been acted on.
    ended : deque of (State, State)
        The states before and after the end of the last signals: a candle that is changed later may
        have touched them.
    touched : dict of int to str
        Closes of the last changed candles, and what each would have touched.
    """

    warnings: dict[str, str] = field(default_factory=dict)
    untold: list[Told] = field(default_factory=list)
    late_asks: dict[int, int] = field(default_factory=dict)
    retry_at: int = 0
    failed_at: int = 0
    acted_from: int = 0
    noted: int = 0
    revised: int = 0
    ended: deque[tuple[State, State]] = field(default_factory=lambda: deque(maxlen=SIGNALS))
    touched: dict[int, str] = field(default_factory=dict)

    def begin(self, noted: int, cursor: int) -> None:
        """Begin with a feed: what it had noted before, and what closed by `cursor`, is not ours."""
        self.noted, self.acted_from = noted, cursor

    def note_revisions(self, revisions: Revisions, state: State, rules: Rules) -> list[Told]:
        """Note candles that were changed after the run had acted on them; return what is news.

        That is the first of them, and each that would have touched something.
        """
        count, self.noted = revisions.count - self.noted, revisions.count
        news = []
        for revision in [*revisions.latest][-count:]:
            close = revision.close
            if close <= self.acted_from:
                continue
            touched, before = self._touched_by(revision, state, rules), self.touched.get(close)
            self.revised += before is None
            self.touched[close] = touched
            words = revised_warning(state.symbol, self.revised, close, touched, rules)
            if touched not in ("", before) or "revised" not in self.warnings:
                news.append((close, words))
            self.warnings["revised"] = words
        recent = state.cursor - 2 * LOOK_BACK_MS
        self.touched = {close: words for close, words in self.touched.items() if close > recent}
        self.untold += news
        return news

    def note_late_asks(
        self, arrivals: Iterable[Arrival], state: State, since: int, rules: Rules
    ) -> list[Told]:
        """Count asks after `since` that were left out in a row; return the news of many."""
        for close, delay_ms in arrivals:
            if since < close <= state.cursor and not close % state.every:
                self.late_asks[close] = delay_ms
        if len(self.late_asks) < MANY_LATE:
            return []
        is_told = "late" in self.warnings
        words = late_warning(state.symbol, [*self.late_asks.values()], rules)
        self.warnings["late"] = words
        news = [] if is_told else [(state.cursor, words)]
        self.untold += news
        return news

    def end_late_asks(self) -> None:
        """Note an ask in time: the row has ended."""
        self.late_asks.clear()
        self.warnings.pop("late", None)

    def _touched_by(self, revision: Revision, state: State, rules: Rules) -> str:
        """Say which level only the corrected candle touches, of the signal or of an earlier one."""
        ended = [Ended(*each) for each in self.ended]
        states = [state, *(each.before for each in ended if each.at >= revision.close)]
        return next(filter(None, (would_touch(revision, each, rules) for each in states)), "")
