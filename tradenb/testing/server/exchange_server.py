"""`ExchangeServer`: an exchange on loopback, with Binance's public REST API and given candles.

ccxt talks to it as to the real one, so everything between a strategy and the wire can be rehearsed,
also what goes wrong (`server_troubles.py`). Answers are made in `binance_api.py`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from aiohttp import web

from tradenb.clock import SystemClock
from tradenb.core.timeframe import MINUTE, TimeLike
from tradenb.engine.ports import CandleSource
from tradenb.errors import UsageError
from tradenb.testing.server import binance_api as binance
from tradenb.testing.server.faulty_responses import error_response, send
from tradenb.testing.server.server_candles import (
    Clock,
    ServerClock,
    moved_to_now,
    rows_of_all,
)
from tradenb.testing.server.server_troubles import ServerTrouble, TroubleKind, page_spoiled, spoiled

if TYPE_CHECKING:
    import pandas as pd

CLOSE_S: Final = 5.0
# Whatever ccxt may request of Binance comes here, so that nothing leaves this machine.
_GROUPS: Final = (
    *("public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4", "papi", "papiV2"),
    *("fapiPublic", "fapiPublicV2", "fapiPublicV3", "fapiPrivate", "fapiPrivateV2", "fapiData"),
    *("dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData", "eapiPublic", "eapiPrivate"),
)


class Served(NamedTuple):
    """A request that was served: when (monotonic, s), its path, weight and status."""

    at: float
    path: str
    query: dict[str, str]
    weight: int
    status: int


class ExchangeServer:
    """An exchange on loopback; a context manager.

    Parameters
    ----------
    candles : DataFrame, dict of str to DataFrame, or exchange
        1m candles; gaps in a DataFrame are gaps of the exchange. Those that open after the clock's
        moment are still to come.
    symbols : str or several, default "BTCUSDT"
        What one DataFrame, or an exchange, is asked for.
    clock : optional
        `ServerClock(start, speed=...)`, or anything with `now()`; default it stands where the last
        candle closes.
    now : int, str, datetime or Timestamp, optional
        Instead of `clock`: the moment of the candles that is now. They are moved in time, by whole
        minutes, so that `tn.live.background`, which follows the real clock, can run on them.
    port : int, default 0
        0: any that is free.
    weight_limit : int, default 6000
        Weight of the requests in `window_s` seconds above which it answers 429.
    window_s : float, default 60

    Attributes
    ----------
    clock
    requests : list of Served
    skew_ms : int
        How far its own clock is ahead of `clock`, ms.

    Examples
    --------
    >>> import tradenb as tn
    >>> with ExchangeServer(tn.testing.random_walk(seed=7, days=1)) as server:
    ...     ex = tn.ccxt_exchange("binance", **server.options, cache=False)
    ...     ex.format_price("BTC/USDT", 42_000.123456)
    '42000.1'
    """

    def __init__(
        self,
        candles: pd.DataFrame | Mapping[str, pd.DataFrame] | CandleSource,
        *,
        symbols: str | Iterable[str] = "BTCUSDT",
        clock: Clock | None = None,
        now: TimeLike | None = None,
        port: int = 0,
        weight_limit: int = 6000,
        window_s: float = 60.0,
    ) -> None:
        names = [symbols] if isinstance(symbols, str) else [*symbols]
        if now is not None and clock is not None:
            raise UsageError("pass clock or now, not both; now means the real clock")
        given = rows_of_all(candles, names)
        if now is not None:
            clock, given = SystemClock(), moved_to_now(given, now)
        made = (binance.market_of(name, rows) for name, rows in given)
        self._markets = {market.symbol: market for market in made}
        ends = [int(market.rows.time[-1]) + MINUTE for market in self._markets.values()]
        self.clock: Any = ServerClock(max(ends)) if clock is None else clock
        self._is_moved = now is not None
        self.skew_ms = 0
        self.requests: list[Served] = []
        self._recent: deque[tuple[float, int]] = deque()
        self._limit, self._window_s = weight_limit, window_s
        self._troubles: list[ServerTrouble] = []
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    def __repr__(self) -> str:
        where = self.url if self._thread is not None else "not started"
        return f"<ExchangeServer {where}: {', '.join(self._markets)}>"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def options(self) -> dict[str, Any]:
        """What `tn.ccxt_exchange("binance", ...)` is given so that it comes here."""
        # Moved candles are others at every start: they are not to be kept.
        return ({"cache": False} if self._is_moved else {}) | {
            "urls": {"api": dict.fromkeys(_GROUPS, f"{self.url}/api/v3")},
            "options": {
                "fetchMarkets": ["spot"],
                "fetchMargins": False,
                "fetchCurrencies": False,
            },
        }

    def now(self) -> int:
        """Return the time by its own clock, ms UTC."""
        return int(self.clock.now()) + self.skew_ms

    def trouble(self, kind: TroubleKind, **more: Any) -> ServerTrouble:
        """Begin to do something wrong.

        Parameters
        ----------
        kind : str
            See `ServerTrouble`.
        **more
            Its fields: times, path, symbol, status, seconds, minutes.

        Returns
        -------
        ServerTrouble
            `.end()` ends it, `.active` counts the requests that were spoiled.
        """
        made = ServerTrouble(kind, **more)
        self._troubles.append(made)
        return made

    def count(self, path: str = "") -> int:
        """Return how many requests came for paths that end so."""
        return sum(served.path.endswith(path) for served in self.requests)

    def heaviest(self, seconds: float) -> int:
        """Return the largest weight of the requests in any so many seconds."""
        times = np.array([served.at for served in self.requests])
        weights = np.array([served.weight for served in self.requests])
        sums = [weights[(times >= at) & (times < at + seconds)].sum() for at in times]
        return int(max(sums, default=0))

    def start(self) -> ExchangeServer:
        """Begin to listen; return when it does."""
        if self._thread is None:
            ready: Future[None] = Future()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._serve(ready)), name="exchange-server", daemon=True
            )
            self._thread.start()
            ready.result()
        return self

    def close(self) -> None:
        """Stop listening; requests that are not answered yet fail."""
        if self._thread is None or self._loop is None or self._over is None:
            return
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(CLOSE_S)
        self._thread = None

    def __enter__(self) -> ExchangeServer:
        """Begin to listen."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.close()

    async def _serve(self, ready: Future[None]) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_get("/api/v3/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            self._port = runner.addresses[0][1]
        except BaseException as error:
            ready.set_exception(error)
            raise
        ready.set_result(None)
        try:
            await self._over.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.match_info["path"], dict(request.query)
        active = [item for item in self._troubles if item.applies(path, query.get("symbol"))]
        weight = binance.WEIGHTS.get(path, 1)
        used = self._used(weight)
        response = error_response(active, over_limit=used > self._limit)
        if response is None:
            response = self._respond(path, query, active)
        self.requests.append(Served(time.monotonic(), path, query, weight, response.status))
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        return await send(request, response, active)

    def _used(self, weight: int) -> int:
        """Note a weight, and return the sum of those within the window."""
        now = time.monotonic()
        self._recent.append((now, weight))
        while self._recent[0][0] <= now - self._window_s:
            self._recent.popleft()
        return sum(item for _, item in self._recent)

    def _respond(
        self, path: str, query: dict[str, str], active: list[ServerTrouble]
    ) -> web.Response:
        try:
            return web.json_response(self._body(path, query, active))
        except binance.Refused as error:
            return web.json_response(error.body, status=400)

    def _body(self, path: str, query: dict[str, str], active: list[ServerTrouble]) -> Any:
        now = self.now()
        match path:
            case "ping":
                return {}
            case "time":
                return {"serverTime": now}
            case "exchangeInfo":
                return binance.exchange_info(self._markets, now)
            case "klines":
                rows = spoiled(binance.visible_rows(self._market(query), now), active, now)
                return binance.klines(page_spoiled(binance.page_of(rows, query), active))
            case "ticker/24hr" | "ticker/price" | "ticker/bookTicker":
                return binance.ticker(self._market(query), now)
        raise binance.Refused(-1000, f"{path} is not served here.")

    def _market(self, query: Mapping[str, str]) -> binance.Market:
        try:
            return self._markets[query.get("symbol", "")]
        except KeyError:
            raise binance.Refused(-1121, "Invalid symbol.") from None
