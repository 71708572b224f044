"""The candles of one symbol from one exchange, shared by all runs that look at it.

One request a symbol and tick, however many strategies: the first run that needs a close asks, the
others find it here. Everything passes the same intake as in a backtest. What a request does not
bring is requested again by a later tick (`RequestTimes`), so no tick waits for it, and a stop is
obeyed meanwhile.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from tradenb.core.candles.arrays import Candles, Intake, Rows
from tradenb.core.candles.gaps import missing_in
from tradenb.core.candles.intake import MEDIAN_WINDOW, accept
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, iso
from tradenb.engine.call import StrategyTimeout
from tradenb.engine.history.windows import History
from tradenb.engine.ports import CandleRequest, Clock, LiveSource, Workers
from tradenb.errors import CandleError, ExchangeError, MarketError, UsageError
from tradenb.live.arrival.lateness import Lateness
from tradenb.live.arrival.request_times import RequestTimes
from tradenb.live.arrival.retry_plan import Awaited
from tradenb.live.arrival.revisions import LOOK_BACK_MS, Revisions, with_acted

log = logging.getLogger("tradenb")

PAGE: Final = 1_000
CALL_S: Final = 30.0
LOAD_S: Final = 600.0
TOGETHER_S: Final = 5.0
MOST_LEFT: Final = 8
BUSY_MS: Final = 1_000
SILENT_MS: Final = 60 * MINUTE

FeedKey = tuple[Any, ...]
"""What makes two runs share a feed: source, symbol, and the rules for its candles."""


class Feed:
    """Keeps the history of a symbol up to the newest close.

    Attributes
    ----------
    history : History or None
        None until `prepare`.
    intake : Intake
        What was found in all rows so far.
    times : RequestTimes
        When the newest candle is requested.
    last_error : Exception or None
        Why the last request failed.
    failure : Exception or None
        The same once it matters: the tries that are a fixed time apart are used up, or another one
        cannot help.
    lateness : Lateness
        Candles that the source had later than an ask may be.
    revisions : Revisions
        Candles that the source changed after they had been given out.
    """

    def __init__(
        self, source: LiveSource, symbol: str, rules: Rules, clock: Clock, workers: Workers
    ) -> None:
        self._source = source
        self._symbol = symbol
        self._rules = rules
        self.gap_minutes = rules.gap_minutes
        self._clock = clock
        self._workers = workers
        self._lock = asyncio.Lock()
        self._oldest = 0  # how far back was requested; a source may have less
        self._probed, self._looks_back = False, True
        self._looked_at = 0  # the close that was awaited then
        self._left: list[Callable[[], bool]] = []
        self._task: asyncio.Task[None] | None = None
        self.history: History | None = None
        self.intake = Intake()
        self.times = RequestTimes(rules)
        self.last_error: Exception | None = None
        self.failure: Exception | None = None
        self.lateness = Lateness(rules)
        self.revisions = Revisions()

    async def prepare(self, since: int, span: int) -> History:
        """Fetch the history before the first tick.

        Parameters
        ----------
        since : int
            The cursor: candles after it are still to be consumed, ms UTC.
        span : int
            How much before it is wanted, ms.
        """
        async with self._lock:
            if self.history is None or since - span < self._oldest:
                self.history = await self._load(since, span)
                self._oldest = since - span
            return self.history

    @property
    def is_busy(self) -> bool:
        """Whether a request of `begin_fetch` is under way."""
        return self._task is not None and not self._task.done()

    def awaited(self, now: int) -> Awaited:
        """Return up to where the candles are here, and when the next are requested."""
        end = 0 if self.history is None else self.history.candles.end
        retry_at = now + BUSY_MS if self.is_busy else self.times.next_at
        return Awaited(end, retry_at, max(self.times.first_ms, self.times.usual_ms))

    def begin_fetch(self, newest: int) -> asyncio.Task[None]:
        """Fetch as a task; one that is under way is joined, not cancelled."""
        if self._task is None or not self.is_busy:
            self._task = asyncio.create_task(self.fetch(newest))
        return self._task

    async def fetch(self, newest: int) -> None:
        """Have the candles up to a close time, or as many as the exchange gives now.

        Nothing is requested before it is time; see `times` and `failure`.
        """
        async with self._lock:
            if self.history is None:
                return
            times = self.times
            if times.newest != newest:
                times.newest, times.tries = newest, 0
                # Further ahead than the pause: the wall clock was put back meanwhile.
                times.not_before = min(times.not_before, self._clock.now() + times.pause_ms)
                times.next_at = max(newest + times.first_ms, times.not_before)
                if self.history.candles.end < newest - MINUTE:
                    times.hurry()
            while self.history.candles.end < newest and self._clock.now() >= times.next_at:
                try:
                    await self._request(self.history)
                except asyncio.CancelledError:
                    times.missed(self._clock.now())
                    raise
                except Exception as error:  # noqa: BLE001 - an exchange's; told when it matters
                    self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        """Plan the next request after an error, and tell of it if it matters."""
        now, times = self._clock.now(), self.times
        # What was refused may be right in the next response, whether the exchange or we refused it.
        if isinstance(error, CandleError) or getattr(error, "retryable", True):
            times.missed(now, getattr(error, "retry_after", 0.0))
        else:
            times.give_up(now)
        self.last_error = error
        self.failure = error if times.spent else None
        if self.failure is None:
            seconds = (times.next_at - now) / 1000
            log.info("%s: %s; requested again in %.0f s", self._symbol, error, seconds)

    async def _load(self, since: int, span: int) -> History:
        loaded = await self._workers.call(self._load_all, since, span, seconds=LOAD_S)
        if self.history is None:
            return History(self._symbol, loaded)
        # The strategies of other runs look at this very object, and at what they acted on.
        self.history.renew(with_acted(loaded, self.history.candles, self._rules.gap_minutes))
        return self.history

    def _load_all(self, since: int, span: int) -> Candles:
        closed = self._clock.now() - self._clock.now() % MINUTE
        candles, self.intake = self._source.load(
            CandleRequest(
                symbol=self._symbol,
                start=since,
                end=max(closed, since),
                history=span,
                rules=self._rules,
            )
        )
        known = candles.between(candles.start, closed)
        if len(known) == 0 and not self._clock.stepped:
            raise CandleError(f"{self._symbol}: no candle before {iso(closed)}", code="range")
        if len(known) and known.start > since:
            raise CandleError(
                f"{self._symbol}: the run goes on after {iso(since)}, but the oldest candle of "
                f"{self._source.name} is at {iso(known.start)}; use an exchange that has the rest, "
                "or stop this run and start again",
                code="range",
            )
        return known

    async def _request(self, history: History) -> None:
        """Request once what closed after the known candles, and take it if nothing is missing."""
        # A candle that closes while the answer is on its way is in it as it was before.
        known, times, now = history.candles, self.times, self._clock.now()
        # The first response begins earlier: to see whether what was given out has been changed.
        looks_back = self._looks_back and self._looked_at != times.newest
        raw = await self._rows(known.end - LOOK_BACK_MS if looks_back else known.end)
        self._looked_at = times.newest
        before = known.rows(len(known) - MEDIAN_WINDOW, len(known))
        self._note_revisions(before, raw)
        if looks_back and not self._probed and len(raw.time) and raw.time.max() < known.end:
            raw = await self._probe(known.end)
        new = raw.take(np.flatnonzero((raw.time >= known.end) & (raw.time + MINUTE <= now)))
        if len(new.time):
            self._take(history, before, new)
        elif not await self._reopened(history, now):
            self._note_nothing()

    async def _reopened(self, history: History, now: int) -> bool:
        """Load what came after a gap that is longer than a response, if the market is open again.

        Some exchanges answer for so many minutes, whether candles are in them or not.
        """
        known = history.candles
        if self.times.tries or now - known.end < SILENT_MS:
            return False
        newest = await self._rows(self.times.newest - SILENT_MS)
        if not (newest.time >= known.end).any():
            return False
        await self._load(known.end, known.end - known.start)
        return history.candles.end > known.end

    def _take(self, history: History, before: Candles, new: Rows) -> None:
        """Add new candles to those before them, unless minutes are missing that may come yet."""
        known, times = history.candles, self.times
        fed = [
            np.concatenate((old, added))
            for old, added in zip((before.time, *before.columns), new, strict=True)
        ]
        candles, found = accept(
            Rows(*fed),
            factor=self._rules.price_anomaly_factor,
            gap_minutes=self._rules.gap_minutes,
            whole=False,
        )
        fresh = candles.between(known.end, candles.end)
        missing: list[int] = []
        if len(fresh) * MINUTE < candles.end - known.end:  # hardly ever
            every = np.arange(known.end, candles.end, MINUTE)
            missing = (np.setdiff1d(every, fresh.time) + MINUTE).tolist()
        # What was requested in vain while it was new is thin now; other minutes may still come.
        unasked = set(missing) - set(self.lateness.awaited)
        if unasked and times.tries < self._rules.candle_retries:
            times.missed(self._clock.now())
            return
        history.add(fresh)
        doubled = found.duplicates_same, found.duplicates_replaced
        self.intake = self.intake.joined(Intake(len(new.time), *doubled))
        if missing:
            times_from_known = np.append(known.end - MINUTE, fresh.time)
            gaps = missing_in(times_from_known, MINUTE, self._rules.gap_minutes)
            self.intake = self.intake.joined(gaps)
        self.last_error = self.failure = None
        if self.lateness.awaited or times.usual_ms:
            now, given = self._clock.now(), (new.time + MINUTE).tolist()
            self.lateness.note_arrival(given, candles.end, now)
            if not missing and candles.end == times.newest:
                times.arrived(now)

    def _note_revisions(self, before: Candles, raw: Rows) -> None:
        """Note which candles that were given out are others in a response."""
        first = max(before.start, before.end - LOOK_BACK_MS)
        earlier = np.flatnonzero((raw.time >= first) & (raw.time < before.end))
        places = before.indices(raw.time[earlier] + MINUTE)
        there = before.time[places] == raw.time[earlier]
        earlier, places = earlier[there], places[there]
        pairs = zip(before.columns, raw[1:], strict=True)
        if any((old[places] != new[earlier]).any() for old, new in pairs):
            self.revisions.note(before, raw.take(earlier))

    async def _probe(self, since: int) -> Rows:
        """Ask again, once: a source that sends one row at a time is not asked to look back."""
        rows = await self._rows(since)
        self._probed, self._looks_back = True, len(rows.time) == 0
        return rows

    def _note_nothing(self) -> None:
        """Plan the next request after a response without a new candle."""
        self.lateness.note_missing(self.times.newest)
        self.last_error = self.failure = None
        self.times.missed(self._clock.now())

    async def _rows(self, since: int) -> Rows:
        self._left = [busy for busy in self._left if busy()]
        if len(self._left) >= MOST_LEFT:  # each of them has a thread
            words = f"{self._source.name} has not answered {MOST_LEFT} earlier requests"
            raise ExchangeError(words, retryable=True)
        recent: Callable[..., Any] = self._source.recent
        try:
            rows = await self._workers.call(recent, self._symbol, since, PAGE, seconds=CALL_S)
            if inspect.isawaitable(rows):
                async with asyncio.timeout(CALL_S):
                    rows = await rows
        except MarketError:
            raise
        except Exception as error:
            if isinstance(error, StrategyTimeout) and error.busy is not None:
                self._left.append(error.busy)
            words = f"{self._source.name}: no candles of {self._symbol} ({error!r})"
            retryable = not isinstance(error, UsageError)
            raise ExchangeError(words, retryable=retryable) from error
        return rows  # type: ignore[no-any-return]


async def gather(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for all; not long for some of them, but as long as it takes for the first."""
    done, _ = await asyncio.wait(tasks, timeout=TOGETHER_S)
    if not done:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks, timeout=1.0)
