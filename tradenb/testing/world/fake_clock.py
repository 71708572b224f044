"""`FakeClock`: time that passes only while all tasks wait, and a wall clock that can be wrong.

`clock.run(coroutine)` runs on an event loop that has this time: sleeping an hour takes no moment,
time-outs work, and what happens is the same in every run.

>>> import asyncio
>>> clock = FakeClock("2024-01-01")
>>> async def nap():
...     await asyncio.sleep(3600)
...     return clock.now() - clock.start
>>> clock.run(nap())
3600000
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from tradenb.core.timeframe import TimeLike, to_ms

T = TypeVar("T")
NEVER: Final = "deadlock: all tasks wait, and no timer is due"


class FakeClock:
    """A wall clock and a monotonic clock in one.

    Parameters
    ----------
    start : int, str, datetime or Timestamp
        First moment, UTC; int is ms since the epoch.

    Attributes
    ----------
    start : int
        First moment, ms UTC.
    offset : int
        How wrong the wall clock is, ms.

    Examples
    --------
    >>> import asyncio
    >>> clock = FakeClock("2024-01-01")
    >>> clock.run(asyncio.sleep(3600))
    >>> clock.now() - clock.start
    3600000
    """

    stepped = False

    def __init__(self, start: TimeLike) -> None:
        self.start = to_ms(start, "start")
        self.offset = 0
        self._passed = 0.0

    def __repr__(self) -> str:
        return f"FakeClock(now={self.now()}, offset={self.offset})"

    def now(self) -> int:
        """Return what the wall clock shows, ms UTC."""
        return self.true_now() + self.offset

    def true_now(self) -> int:
        """Return what time it is, ms UTC, whatever the wall clock shows."""
        return self.start + round(self._passed * 1000)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self._passed

    def jump(self, ms: int) -> None:
        """Put the wall clock forward or back; monotonic time is not changed."""
        self.offset += ms

    def advance(self, seconds: float) -> None:
        """Let time pass while nothing runs, as if the machine was off."""
        self._passed += seconds

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Return when the event is set, or the wall clock has reached `until` (ms UTC)."""
        seconds = None if until is None else max(0.0, (until - self.now()) / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()

    def beside(self) -> FakeClock:
        """Return itself: its time passes for all tasks alike."""
        return self

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this clock's time.

        Raises
        ------
        RuntimeError
            When all tasks wait and no timer is due.
        """
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(coroutine)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in the time of a `FakeClock`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_Waiting(clock))

    def time(self) -> float:
        """Return the seconds of the fake clock."""
        return self._clock.monotonic()


class _Waiting(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """Lets time pass instead of waiting."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, move the clock to the next timer."""
        if timeout is not None and timeout <= 0:
            return []  # something is ready to run; it is never woken from another thread
        if timeout is None:
            raise RuntimeError(NEVER)
        self._clock.advance(timeout)
        return []
