"""Fakes of the network, the disk and the clock; public, for tests of your own strategies.

`ExchangeServer` is an exchange on loopback with Binance's public API; it fails on request in the
ways that exchanges fail. `crash_test` kills a strategy again and again. `World` is the real live
loop in virtual time, on a `FakeDisk` and a `FakeExchange`. `broker` gives rehearsals real orders on
an exchange in memory.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradenb.exchanges.random_walk import random_walk as random_walk
    from tradenb.testing.crashes import crash_test as crash_test
    from tradenb.testing.orders.rehearsal_broker import broker as broker
    from tradenb.testing.server.exchange_server import ExchangeServer as ExchangeServer
    from tradenb.testing.server.server_candles import ServerClock as ServerClock
    from tradenb.testing.server.server_troubles import ServerTrouble as ServerTrouble
    from tradenb.testing.simulation import simulate as simulate
    from tradenb.testing.world.fake_clock import FakeClock as FakeClock
    from tradenb.testing.world.fake_disk import FakeDisk as FakeDisk
    from tradenb.testing.world.fake_exchange import FakeExchange as FakeExchange
    from tradenb.testing.world.fake_exchange import Trouble as Trouble
    from tradenb.testing.world.inline_workers import Hang as Hang
    from tradenb.testing.world.inline_workers import InlineWorkers as InlineWorkers
    from tradenb.testing.world.simulated_world import World as World

_HOMES: Final = {
    "ExchangeServer": "tradenb.testing.server.exchange_server",
    "FakeClock": "tradenb.testing.world.fake_clock",
    "FakeDisk": "tradenb.testing.world.fake_disk",
    "FakeExchange": "tradenb.testing.world.fake_exchange",
    "Hang": "tradenb.testing.world.inline_workers",
    "InlineWorkers": "tradenb.testing.world.inline_workers",
    "ServerClock": "tradenb.testing.server.server_candles",
    "ServerTrouble": "tradenb.testing.server.server_troubles",
    "Trouble": "tradenb.testing.world.fake_exchange",
    "World": "tradenb.testing.world.simulated_world",
    "broker": "tradenb.testing.orders.rehearsal_broker",
    "crash_test": "tradenb.testing.crashes",
    "random_walk": "tradenb.exchanges.random_walk",
    "simulate": "tradenb.testing.simulation",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - made of the table


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
