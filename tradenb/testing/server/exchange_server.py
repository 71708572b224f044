"""`ExchangeServer`: an exchange on loopback, with Binance's public REST API and given candles.

ccxt talks to it as to the real one, so everything between a strategy and the wire can be rehearsed,
also what goes wrong (`server_troubles.py`). Answers are made in `binance_api.py`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tradenb.brokers.broker import Broker, broker
from tradenb.clock import SystemClock
from tradenb.core.money.account import Account
from tradenb.core.timeframe import MINUTE, TimeLike
from tradenb.engine.ports import CandleSource
from tradenb.errors import UsageError
from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.testing.server import binance_api as binance
from tradenb.testing.server.binance_requests import is_signed
from tradenb.testing.server.faulty_responses import error_response, reply_response, send
from tradenb.testing.server.public_answers import PublicAnswers
from tradenb.testing.server.redirected_urls import redirected_urls
from tradenb.testing.server.request_log import RequestLog
from tradenb.testing.server.server_account import CREDENTIALS, account_on, loopback_keys
from tradenb.testing.server.server_candles import (
    Clock,
    ServerClock,
    moved_to_now,
    rows_of_all,
)
from tradenb.testing.server.server_troubles import ServerTrouble, TroubleKind
from tradenb.testing.server.signed_requests import KEY_HEADER
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_faults import FaultKind, VenueFault

if TYPE_CHECKING:
    import pandas as pd

CLOSE_S: Final = 5.0
_MAIN: Final = "api/v3/"
_NO_ACCOUNT: Final = "this server has no account; pass balances={'USDT': 1000}"


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
    balances : dict of str to float or Decimal, optional
        What the account holds, by asset; without them there is no account, and no signed request
        is answered. Orders are matched along the candles, as the clock goes through them.
    venue : FaultyVenue, optional
        Instead of `balances`: an account of your own, with the same symbols.
    volume_share : float, optional
        Which part of each candle's volume the account's orders can trade; default: anything.

    Attributes
    ----------
    clock
    venue : FaultyVenue or None
        The account: `venue.venue.orders`, `venue.calls` and so on (`tradenb.testing.venue`).
    requests : list of Served
    skew_ms : int
        How far its own clock is ahead of `clock`, ms.

    Examples
    --------
    >>> import tradenb as tn
    >>> with ExchangeServer(tn.testing.random_walk(seed=7, days=1)) as server:
    ...     server.exchange().format_price("BTC/USDT", 42_000.123456)
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
        balances: Mapping[str, float | Decimal] | None = None,
        venue: FaultyVenue | None = None,
        volume_share: float | None = None,
    ) -> None:
        names = [symbols] if isinstance(symbols, str) else [*symbols]
        if now is not None and clock is not None:
            raise UsageError("pass clock or now, not both; now means the real clock")
        given = rows_of_all(candles, names)
        if now is not None:
            clock, given = SystemClock(), moved_to_now(given, now)
        made = (binance.market_of(name, rows) for name, rows in given)
        self._markets = {market.symbol: market for market in made}
        self._account = account_on(
            self._markets, balances=balances, venue=venue, volume_share=volume_share
        )
        self._public = PublicAnswers(self._markets, self._account)
        self.venue = None if self._account is None else self._account.venue
        ends = [int(market.rows.time[-1]) + MINUTE for market in self._markets.values()]
        self.clock: Any = ServerClock(max(ends)) if clock is None else clock
        self._is_moved = now is not None
        self.skew_ms = 0
        self._log = RequestLog(window_s)
        self.requests = self._log.requests
        self._limit = weight_limit
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
            "urls": redirected_urls(self.url),
            "options": {
                "fetchMarkets": ["spot"],
                "fetchMargins": False,
                "fetchCurrencies": False,
            },
        }

    @property
    def credentials(self) -> dict[str, str]:
        """Key and secret of the account, as ccxt takes them."""
        return {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret}

    def exchange(self) -> CcxtExchange:
        """Return the exchange of live runs: Binance by ccxt, with candles and markets from here.

        Nothing of it is kept on disk, where the candles of Binance itself are.
        """
        return ccxt_exchange("binance", **self.options | {"cache": False})

    def broker(self, account: Account) -> Broker:
        """Return the broker of live runs whose orders come here; they have to be armed.

        The key of the account is put into the environment of this process.
        """
        if self.venue is None:
            raise UsageError(_NO_ACCOUNT)
        given = loopback_keys() | self.options
        return broker("binance", mode="sandbox", account=account, **given)

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

    def fault(self, kind: FaultKind, **more: Any) -> VenueFault:
        """Let something go wrong with signed requests, or at the venue.

        Parameters
        ----------
        kind : str
            Such as "drop" (the request is lost), "accept" (the answer is lost) or "manual_sale"; a
            wrong one is answered with all of them.
        **more
            Its fields: answer, method, path, role, times, seconds, share.

        Returns
        -------
        VenueFault
        """
        if self.venue is None:
            raise UsageError(_NO_ACCOUNT)
        made = VenueFault(kind, **more)
        self.venue.faults.append(made)
        return made

    def count(self, path: str = "") -> int:
        """Return how many requests came for paths that end so."""
        return sum(served.path.endswith(path) for served in self.requests)

    def heaviest(self, seconds: float) -> int:
        """Return the largest weight of the requests in any so many seconds."""
        return self._log.heaviest(seconds)

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

    def __exit__(self, *reason: object) -> None:
        """Stop listening."""
        self.close()

    async def _serve(self, ready: Future[None]) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
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
        short = path.removeprefix(_MAIN)
        active = [item for item in self._troubles if item.applies(short, query.get("symbol"))]
        weight = binance.WEIGHTS.get(short, 1)
        used = self._log.used(weight)
        response = error_response(active, over_limit=used > self._limit)
        if response is None:
            response, damage = await self._respond(request, path, query, active)
            active = [*active, *damage]
        self._log.add(short, query, weight, response.status, request.method)
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        return await send(request, response, active)

    async def _respond(
        self, request: web.Request, path: str, query: dict[str, str], active: list[ServerTrouble]
    ) -> tuple[web.Response, list[ServerTrouble]]:
        if is_signed(request.method, path) and self._account is not None:
            body = (await request.read()).decode()
            key, raw = request.headers.get(KEY_HEADER), request.rel_url.raw_query_string
            signed = self._account.respond(
                request.method, path, key=key, query=raw, body=body, now=self.now()
            )
            return reply_response(*signed)
        try:
            if request.method != "GET" or not path.startswith(_MAIN):
                raise binance.Refused(-1000, f"{request.method} {path} is not served here.")
            found = self._public.body(path.removeprefix(_MAIN), query, active, self.now())
            return web.json_response(found), []
        except binance.Refused as error:
            return web.json_response(error.body, status=400), []
