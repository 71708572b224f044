"""What the blocks of pages reach: Binance is a server on loopback, messages go to a sink."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ccxt.async_support
import pytest

from tests.live.notifications.sink import Sink
from tradenb.exchanges.ccxt import ccxt_factory
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import active_runs
from tradenb.testing import ExchangeServer
from tradenb.testing.server.redirected_urls import redirected_urls


@dataclass
class Kit:
    """A folder to work in, which is the current one, and `sink`, which gets messages."""

    folder: Path
    sink: Sink
    patch: pytest.MonkeyPatch
    servers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _others: list[RunRecord] = field(default_factory=active_runs)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def runs(self) -> list[RunRecord]:
        """Return the live runs and rehearsals that were started since the kit was made."""
        return [run for run in active_runs() if all(run is not other for other in self._others)]

    def release(self) -> None:
        """End them."""
        for run in self.runs():
            run.release()
            assert run.ended.wait(240)

    def new_home(self) -> None:
        """Let what follows begin in an empty home, with nothing that runs."""
        self.release()
        self.patch.setenv("TRADENB_HOME", str(self.folder / f"home-{next(self._numbers)}"))

    def binance(self, candles: Any, **more: Any) -> ExchangeServer:
        """Start a server with an account; ccxt's Binance and its testnet are there from now on."""
        made = ExchangeServer(candles, balances={"USDT": 10_000}, **more)
        server = self.servers.enter_context(made)
        changed = {"urls": _urls(server), "options": server.options["options"]}
        kind = ccxt.async_support.binance

        class Redirected(kind):
            def describe(self) -> Any:
                return self.deep_extend(super().describe(), changed)

        # ccxt finds the class of a name where ours does, so nothing else knows of it.
        self.patch.setattr(ccxt.async_support, "binance", Redirected)
        self.patch.setattr(ccxt_factory, "_made", {})
        for name, key in (("BINANCE_KEY", "apiKey"), ("BINANCE_SECRET", "secret")):
            self.patch.setenv(name, server.credentials[key])
        return server


def _urls(server: ExchangeServer) -> dict[str, Any]:
    """ccxt's addresses on a server; those of the testnet are others, which says that it has one."""
    urls = redirected_urls(server.url)
    return urls | {"test": redirected_urls(server.url.replace("127.0.0.1", "localhost"))["test"]}
