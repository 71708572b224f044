"""Orders: how long an action takes, the commit of its intent and its request on loopback.

50 runs commit to the disk of the temporary folder and send over one loop, as live runs do; the
exchange on loopback lives in this process too, so its time is a part of it. Each run also looks at
what rests and what was traded, as often as while it holds a position; an action waits for a look
that is under way.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pandas as pd

from benchmarks.lines import Heading, Line
from tradenb.clock import SystemClock
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.client_ids import client_id
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import BINANCE_SPOT
from tradenb.core.timeframe import MINUTE
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort, open_spot_port
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys

RUNS = 50
LOOK_S = 15
SYMBOL = "BTCUSDT"
ACCOUNT = "sandbox:loopback:00000000"


def measure(*, quick: bool) -> Iterator[Line | Heading]:
    actions = 2 if quick else 10
    yield Heading(
        f"orders: {RUNS} armed runs, {actions} actions each, commit and request on loopback"
    )
    times = asyncio.run(_actions(actions))
    yield Line("an action, median", times[len(times) // 2] * 1000, "ms")
    yield Line("an action, p99", times[int(0.99 * (len(times) - 1))] * 1000, "ms", 250)


async def _actions(count: int) -> list[float]:
    now = SystemClock().now()
    opens = pd.date_range(
        pd.Timestamp(now - 60 * MINUTE, unit="ms", tz="UTC").floor("min"), periods=600, freq="min"
    )
    candles = pd.DataFrame(
        dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0), index=opens
    )
    balances = {"USDT": 1_000_000}
    workers = ThreadWorkers()
    with (
        tempfile.TemporaryDirectory() as folder,
        ExchangeServer(candles, clock=SystemClock(), balances=balances) as server,
    ):
        clients, times = [], []
        for number in range(RUNS):
            options = {**server.options, **loopback_keys(), "rateLimit": 0.001}
            client = OrderClient("binance", options, now=SystemClock().now, seconds=5.0)
            clients.append(client)
            port = await open_spot_port(client, BINANCE_SPOT, SYMBOL)
            assert port is not None
            times.append(_run(_storage(Path(folder), number), port, workers, number, count))
        try:
            return sorted(each for some in await asyncio.gather(*times) for each in some)
        finally:
            for client in clients:
                await client.close()


def _storage(folder: Path, number: int) -> DiskStorage:
    spec = StrategySpec(name=f"bench{number}", function=_never, every="1m")
    now = SystemClock().now
    storage = DiskStorage(Home(folder), SYMBOL, spec, "bench", now=now, orders_of=ACCOUNT)
    storage.open()
    start = now() // MINUTE * MINUTE
    state = State(SYMBOL, spec.name, MINUTE, start)
    storage.commit(Checkpoint(state, "{}", 0, start, start, (), 0))
    return storage


async def _run(
    storage: DiskStorage, port: OrderPort, workers: ThreadWorkers, number: int, count: int
) -> list[float]:
    """Act now and then, as a run does whose positions are protected and sold."""
    chance, times = random.Random(number), []
    name = f"{ACCOUNT} {SYMBOL} bench{number}"
    ledger = OrderLedger(name, started_at=SystemClock().now())
    one_thing = asyncio.Lock()

    async def look() -> None:
        await asyncio.sleep(chance.uniform(0, LOOK_S))
        for turn in itertools.count(number):
            async with one_thing:
                await port.open_orders(trades=turn % 4 == 0)
                seen = ledger._replace(looked_at=SystemClock().now())
                await workers.call(storage.commit_ledger, seen, seconds=None)
            await asyncio.sleep(LOOK_S)

    looks = asyncio.create_task(look())
    for action in range(count):
        await asyncio.sleep(chance.uniform(0, 8))
        now = SystemClock().now()
        order = Order(
            id=client_id(name, f"s{action}", "entry", 1), signal_id=f"s{action}", role="entry",
            attempt=1, side="buy", type="ioc", quantity=Decimal("0.1"), price=Decimal(101),
            sent_at=now, dies_at=now + 3_000,
        )  # fmt: skip
        began = time.perf_counter()
        async with one_thing:
            ledger = ledger.with_order(order)
            await workers.call(storage.commit_ledger, ledger, seconds=None)
            await port.submit(order)
        times.append(time.perf_counter() - began)
    looks.cancel()
    async with one_thing:
        storage.close()
    return times


def _never(ctx: object) -> None:
    del ctx
