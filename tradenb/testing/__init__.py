"""What tests need without a network, a disk or patience; public, for tests of your own strategies.

`ExchangeServer` is an exchange on loopback that speaks Binance's public API, with everything that
exchanges do wrong. `crash_test` kills a strategy again and again. `World` is the real live loop in
virtual time, on a `FakeDisk` and a `FakeExchange`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradenb.exchanges.walk import random_walk as random_walk
    from tradenb.testing.clock import FakeClock as FakeClock
    from tradenb.testing.crashes import crash_test as crash_test
    from tradenb.testing.disk import FakeDisk as FakeDisk
    from tradenb.testing.exchange import FakeExchange as FakeExchange
    from tradenb.testing.exchange import Trouble as Trouble
    from tradenb.testing.server import ExchangeServer as ExchangeServer
    from tradenb.testing.server_candles import ServerClock as ServerClock
    from tradenb.testing.simulation import simulate as simulate
    from tradenb.testing.troubles import ServerTrouble as ServerTrouble
    from tradenb.testing.workers import Hang as Hang
    from tradenb.testing.workers import InlineWorkers as InlineWorkers
    from tradenb.testing.world import World as World

_HOMES: Final = {
    "ExchangeServer": "tradenb.testing.server",
    "FakeClock": "tradenb.testing.clock",
    "FakeDisk": "tradenb.testing.disk",
    "FakeExchange": "tradenb.testing.exchange",
    "Hang": "tradenb.testing.workers",
    "InlineWorkers": "tradenb.testing.workers",
    "ServerClock": "tradenb.testing.server_candles",
    "ServerTrouble": "tradenb.testing.troubles",
    "Trouble": "tradenb.testing.exchange",
    "World": "tradenb.testing.world",
    "crash_test": "tradenb.testing.crashes",
    "random_walk": "tradenb.exchanges.walk",
    "simulate": "tradenb.testing.simulation",
}

__all__ = [
    "ExchangeServer",
    "FakeClock",
    "FakeDisk",
    "FakeExchange",
    "Hang",
    "InlineWorkers",
    "ServerClock",
    "ServerTrouble",
    "Trouble",
    "World",
    "crash_test",
    "random_walk",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
