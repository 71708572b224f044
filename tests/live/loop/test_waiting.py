"""Clocks wait for an event or a time, and a waiting task that is cancelled ends."""

from __future__ import annotations

import asyncio

import pytest

from tradenb.clock import SystemClock
from tradenb.live.stepped_clock import SteppedClock
from tradenb.testing import FakeClock

FAR = 4_000_000_000_000  # the year 2096


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize(
    "clock",
    [SystemClock(), SteppedClock(0, 1.0), FakeClock("2024-01-01")],
    ids=lambda c: type(c).__name__,
)
def test_a_cancellation_is_not_lost_when_the_event_comes_at_the_same_moment(clock, turns):
    async def cancel_while_it_wakes():
        woken = asyncio.Event()
        waiting = asyncio.create_task(clock.wait(woken, FAR))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        woken.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = waiting.cancel()
        await asyncio.wait([waiting])
        return cancelled, waiting.cancelled()

    run = clock.run if isinstance(clock, FakeClock) else asyncio.run
    asked, was = run(cancel_while_it_wakes())
    assert asked == was
