"""What an exchange shows of the orders of a run, read once, beside the run's own order manager."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.core.orders.answers import Overview
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.engine.ports import Clock

ATTEMPTS: Final = 3


class Shown(NamedTuple):
    """Orders, trades and balance of a symbol, and its steps."""

    overview: Overview
    market: OrderMarket


class StillClock:
    """The moment that a rehearsal has come to: what is asked then takes no time."""

    stepped = True

    def __init__(self, now: Time) -> None:
        self._now = now

    def now(self) -> int:
        """Return that moment, ms UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return it in seconds."""
        return self._now / 1000

    def beside(self) -> StillClock:
        """Return the same."""
        return self

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Wait for nothing."""

    async def sleep(self, seconds: float) -> None:
        """Let no time pass."""


def read_overview(broker: Broker, symbol: str, clock: Clock, since: Time) -> Shown | None:
    """Read what the exchange shows since a moment; None: it did not answer, `ATTEMPTS` times.

    It may be called while a loop runs in this thread, as in a notebook.
    """
    connect: Any = broker.connect or partial(SpotConnection, broker)

    async def read() -> Shown | None:
        connection = connect(symbol, StillClock(clock.now()) if clock.stepped else clock)
        try:
            for _ in range(ATTEMPTS):
                port = await connection.open()
                found = None if port is None else await port.overview(since)
                if port is not None and isinstance(found, Overview):
                    return Shown(found, port.market)
            return None
        finally:
            await connection.close()

    with ThreadPoolExecutor(1, "read-overview") as thread:
        return thread.submit(lambda: asyncio.run(read())).result()
