"""What an exchange shows of the orders of a run, read once, beside the run's own order manager."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.core.orders.answers import Overview
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.engine.ports import Clock


class Shown(NamedTuple):
    """Orders, trades and balance of a symbol, and its steps."""

    overview: Overview
    market: OrderMarket


def read_overview(broker: Broker, symbol: str, clock: Clock, since: Time) -> Shown | None:
    """Read what the exchange shows since a moment; None: it did not answer.

    It may be called while a loop runs in this thread, as in a notebook.
    """

    async def read() -> Shown | None:
        connection = (broker.connect or partial(SpotConnection, broker))(symbol, clock)
        try:
            port = await connection.open()
            if port is None:
                return None
            found = await port.overview(since)
            return Shown(found, port.market) if isinstance(found, Overview) else None
        finally:
            await connection.close()

    with ThreadPoolExecutor(1, "read-overview") as thread:
        return thread.submit(lambda: asyncio.run(read())).result()
