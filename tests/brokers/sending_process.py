"""A process with a run that buys on an exchange on loopback, and then does nothing.

    python -m tests.brokers.sending_process PIPE [leaves]

It stays once its position has a stop; with `leaves` it ends when it has bought.
From PIPE it reads the options of the server, and how many ms its clock is ahead of the wall clock,
so that a candle closes soon. Who opens the other end goes on once all is imported.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import tradenb as tn
from tradenb.brokers.arming.arm_file import write_arm
from tradenb.bus import bus
from tradenb.clock import SystemClock
from tradenb.core.orders.gate import Arm
from tradenb.core.timeframe import DAY, MINUTE
from tradenb.live.live_run import record_of
from tradenb.live.loop.supervisor import Supervisor
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.run_registry import RunRegistry
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home
from tradenb.testing.server.server_account import loopback_keys

BEFORE_MS = 5_000
KEY = Key("buys-once", "BTCUSDT")
RULES = tn.Rules(tick_ms=100, settle_seconds=0)


class AheadClock(SystemClock):
    """The wall clock, so much ahead."""

    def __init__(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms

    def now(self):
        return SystemClock.now(self) + self.ahead_ms


def near_the_close() -> AheadClock:
    """A clock by which a minute ends in some seconds.

    It is never behind: a lock would then be older than the process that took it.
    """
    return AheadClock((-BEFORE_MS - SystemClock().now()) % MINUTE)


@tn.strategy("buys-once", every="1m", history="10m")
def buys_once(ctx):
    del ctx
    # At each minute until one is bought: what is decided before the exchange answers is late.
    return tn.long(take_profit=tn.percent(20), stop_loss=tn.percent(10))


def protected(record) -> bool:
    """Tell whether the position has its stop at the exchange, by the ledger."""
    return record.ledger is not None and any(each.stop_is_open for each in record.ledger.orders)


def bought(record) -> bool:
    """Tell whether the entry was filled, by the ledger."""
    return record.ledger is not None and any(each.filled for each in record.ledger.orders)


def main(served: dict, ahead_ms: int, *, leaves: bool) -> None:
    clock = AheadClock(ahead_ms)
    options = loopback_keys() | served
    account = tn.Account(cash=1_000, quote=200)
    broker = tn.broker("binance", mode="sandbox", account=account, **options)
    source = tn.ccxt_exchange("binance", **served)
    now = clock.now()
    limits = {"max_order": Decimal(500), "max_total": Decimal(900), "max_daily_loss": Decimal(900)}
    arm = Arm(
        broker.id, ("BTCUSDT",), ("buys-once",), since=now - 1, until=now + DAY,
        max_open=3, orders_an_hour=100, **limits,
    )  # fmt: skip
    write_arm(DiskFilesystem(), find_home(), arm)
    registry = RunRegistry()
    registry._supervisor = Supervisor(clock, ThreadWorkers(), bus)
    run, _ = registry.start(
        "BTCUSDT", strategy=buys_once, exchange=source, rules=RULES, home=None, broker=broker
    )
    is_there = bought if leaves else protected
    while not is_there(record_of(run)):
        if run.status != "running":
            raise SystemExit(f"the run ended: {run.error}")
        time.sleep(0.001)
    sys.stdout.write(json.dumps({"protected": run.id}) + "\n")
    sys.stdout.flush()
    time.sleep(0 if leaves else 600)


if __name__ == "__main__":
    main(*json.loads(Path(sys.argv[1]).read_text("utf-8")), leaves="leaves" in sys.argv)
