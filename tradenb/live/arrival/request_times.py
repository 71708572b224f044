"""`RequestTimes`: when a source is asked for its newest candle, and when again.

The first request goes out when candles usually arrive. Empty responses and errors share one budget:
`candle_retries` tries `candle_retry_seconds` apart, then with growing waits until the ask of the
strategy would be late; the last one just before that. Times are ms UTC. It knows no exchange and no
clock.
"""

from __future__ import annotations

from collections import deque
from statistics import median_low
from typing import Final

from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE

GROWTH: Final = 1.5
SHORTEST_GROWING_MS: Final = 1_000
# Time for the last request in time, and for what follows from it.
LAST_MS: Final = 1_000
# The usual delay is the median of so many arrivals, and no delay before there are FEWEST of them.
REMEMBERED: Final = 5
FEWEST: Final = 3
# A first request that succeeds says only "not later": so the next goes out a little earlier, and
# now and then one goes out as early as possible.
EARLIER_MS: Final = 1_000
PROBE_EVERY: Final = 10


def wait_ms(tries: int, rules: Rules) -> int:
    """Return how long to wait after so many tries that failed."""
    apart = round(rules.candle_retry_seconds * 1000)
    growing = tries - rules.candle_retries
    if growing <= 0:
        return apart
    return round(max(apart, SHORTEST_GROWING_MS) * GROWTH ** min(growing, 20))


class RequestTimes:
    """The requests for one close after the other.

    Attributes
    ----------
    newest : int
        Close that is awaited; 0: none yet.
    tries : int
        Requests for it that brought nothing.
    next_at : int
        When to request it next.
    usual_ms : int
        How long after a close its candle usually arrives; 0: as soon as it has settled.
    first_ms : int
        How long after a close its first request goes out.
    not_before : int
        No request goes out earlier, because the exchange said so.
    pause_ms : int
        How long a pause it asked for last.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._settle_ms = 1 + round(rules.settle_seconds * 1000)
        self._late_ms = round(rules.late_entry_seconds * 1000)
        self._arrivals: deque[int] = deque(maxlen=REMEMBERED)
        self._arrived = 0
        self.newest = 0
        self.tries = 0
        self.next_at = 0
        self.usual_ms = 0
        self.first_ms = self._settle_ms
        self.not_before = self.pause_ms = 0

    @property
    def spent(self) -> bool:
        """Whether the tries that are a fixed time apart are used up, or none in time is left."""
        beyond = self.next_at >= self.newest + self._late_ms
        return self.tries > self._rules.candle_retries or beyond

    def hurry(self) -> None:
        """Request at once what has settled: candles before the newest are missing, too."""
        self.next_at = max(self.newest + self._settle_ms, self.not_before)

    def missed(self, now: int, retry_after_s: float = 0.0) -> None:
        """Plan the next request after one that brought nothing; the exchange may say when."""
        if retry_after_s > 0:
            self.pause_ms = round(retry_after_s * 1000)
            self.not_before = now + self.pause_ms
        usual = self.newest + self.usual_ms
        if self.first_ms < self.usual_ms and now < usual:  # an early one, which was not expected
            self.next_at = max(usual, self.not_before)
            return
        self.tries += 1
        last = self.newest + self._late_ms - LAST_MS
        at = now + wait_ms(self.tries, self._rules)
        if now < last:
            at = min(at, last)
        elif self.tries > self._rules.candle_retries:
            at = self._next_minute(now)
        self.next_at = max(at, self.not_before)

    def give_up(self, now: int) -> None:
        """Plan the next request for the next minute: nothing comes of another try."""
        self.tries += 1
        self.next_at = self._next_minute(now)

    def arrived(self, now: int) -> None:
        """Learn from the arrival of the candle that was awaited."""
        delay = now - self.newest
        early = self.first_ms < self.usual_ms and now < self.newest + self.usual_ms
        if early or delay >= min(self._late_ms, MINUTE):
            # They are quick again; or so late that no request of the same minute is in time.
            self._arrivals.clear()
        elif self.tries or not self.usual_ms:
            self._arrivals.append(delay)
        else:
            self._arrivals.append(max(0, delay - EARLIER_MS))
        usual = median_low(self._arrivals) if len(self._arrivals) >= FEWEST else 0
        self.usual_ms = usual if usual > self._settle_ms else 0
        self._arrived += 1
        probes = self._arrived % PROBE_EVERY == 0
        self.first_ms = self._settle_ms if probes else max(self._settle_ms, self.usual_ms)

    def _next_minute(self, now: int) -> int:
        return now - (now - self._settle_ms) % MINUTE + MINUTE
