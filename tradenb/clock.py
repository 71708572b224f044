"""The clock of real runs."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def wall_ms() -> int:
    """Return the wall clock, ms UTC."""
    return time.time_ns() // 1_000_000


class SystemClock:
    """Wall clock and monotonic clock of this machine."""

    stepped = False

    def now(self) -> int:
        """Return the wall clock, ms UTC."""
        return wall_ms()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Return when the event is set, or the wall clock has reached `until` (ms UTC)."""
        import asyncio

        seconds = None if until is None else max(0.0, (until - self.now()) / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()

    def beside(self) -> SystemClock:
        """Return itself: its time passes for all tasks alike."""
        return self
