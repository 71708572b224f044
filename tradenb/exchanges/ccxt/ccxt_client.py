"""An exchange through ccxt: the one file that imports it, when it is first needed.

Everything here runs on the loop of the portal (`portal.py`). What ccxt raises leaves this file as
an error of ours (`exchange_errors.py`), without the traceback, which would show requests and their
headers. Candles that had not closed by the clock of the exchange when the request left are dropped:
they can still change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from tradenb.core.money.market import Market
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import MINUTE
from tradenb.errors import CandleError, ExchangeError, UsageError, shown, unknown
from tradenb.exchanges.ccxt.byte_limits import CANDLES_BYTES, MARKETS_BYTES, byte_limit
from tradenb.exchanges.ccxt.credentials import read_secrets, with_secrets
from tradenb.exchanges.ccxt.market_loading import load_markets
from tradenb.exchanges.ccxt.market_steps import market_of_ccxt
from tradenb.exchanges.ccxt.server_time import ServerTime
from tradenb.exchanges.exchange_errors import describe_error, located, translate_error
from tradenb.exchanges.paging import PAGE_CANDLES, TimedRows
from tradenb.exchanges.tables.responses import rows_from_response
from tradenb.secret_references import redact_filter, redacted

CALL_S: Final = 30.0
LOAD_S: Final = 60.0

RELOAD_MARKETS_S: Final = 60.0

Send = Callable[[Any], Awaitable[Any]]

_expects_json: Final = ContextVar("expects_json", default=False)


def ccxt_names() -> list[str]:
    """Return the names of the exchanges that ccxt has, without importing it."""
    found = find_spec("ccxt")
    folders = [] if found is None else found.submodule_search_locations or []
    files = [file.stem for folder in folders for file in Path(folder, "async_support").glob("*.py")]
    return sorted(name for name in files if not name.startswith("_"))


def ccxt_class(name: str) -> Any:
    """Return ccxt's class of an exchange."""
    import ccxt.async_support

    return getattr(ccxt.async_support, name)


class CcxtClient:
    """An exchange, its markets and its clock; the secrets in the options are references."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        now: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.name = name
        self.clock = ServerTime(now, monotonic)
        self._options = options
        self._now = now
        self._monotonic = monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._bounded: Any = None
        self._loading = asyncio.Lock()
        self._measuring = asyncio.Lock()
        self._sessions_before_fork: list[Any] = []
        self._symbols: dict[str, list[str]] = {}
        self._loaded_at = float("-inf")
        self._secrets: tuple[str, ...] = ()
        self._limited_until = float("-inf")

    async def candles(self, symbol: str, since: int, limit: int) -> TimedRows:
        """Return closed 1m candles that open at `since` (ms UTC) or later, oldest first."""
        market = await self.market(symbol)
        await self.measure_clock()
        # Taken before the request: a candle that closes meanwhile may be in the response half done.
        at = self.clock.now()
        response = await self._request(
            f"candles of {market}", lambda it: it.fetch_ohlcv(market, "1m", since, limit)
        )
        try:
            rows = rows_from_response(response)
        except CandleError as error:
            raise located(error, f"{self.name}: candles of {market}", retryable=True) from None
        return TimedRows(rows.take(np.flatnonzero(rows.time + MINUTE <= at)), at)

    async def market(self, symbol: str) -> str:
        """Return the spelling of ccxt for a symbol, or for the exchange's own name of it."""
        await self._load_markets()
        found = self._symbols.get(symbol)
        if not found and self._monotonic() - self._loaded_at > RELOAD_MARKETS_S:
            self._symbols = {}  # the market may be new since
            await self._load_markets()
            found = self._symbols.get(symbol)
        if not found:
            raise unknown("symbol", symbol, self._symbols, hint=f"(on {self.name})")
        if len(found) > 1:
            several = ", ".join(repr(canonical(item)) for item in sorted(found))
            raise UsageError(f"{symbol!r} is ambiguous on {self.name}; pass one of {several}")
        return found[0]

    async def page_candles(self, symbol: str) -> int:
        """Return how many candles the exchange sends at once, as far as ccxt knows."""
        market = await self.market(symbol)
        known: Any = None
        with contextlib.suppress(Exception):  # older versions of ccxt do not say
            known = self._client.feature_value(market, "fetchOHLCV", "limit")
        return known if isinstance(known, int) and 0 < known < PAGE_CANDLES else PAGE_CANDLES

    async def steps(self, symbol: str) -> Market:
        """Return the steps of a market, as the exchange told them last."""
        market = await self.market(symbol)
        client = self._session()
        return market_of_ccxt(client.market(market), int(client.precisionMode))

    async def measure_clock(self) -> None:
        """Measure the clock of the exchange, if it is due."""
        self._session()
        async with self._measuring:
            if not self.clock.is_due:
                return
            if self._session().has.get("fetchTime"):
                await self.clock.measure(self._server_time)
        # An exchange at another address whose clock is years away is a rehearsal, not an error.
        self.clock.warn_if_off(self.name, rehearsed="urls" in self._options)

    async def _server_time(self) -> int:
        server = await self._request("server time", lambda it: it.fetch_time())
        if not isinstance(server, int):
            raise ExchangeError(
                f"{self.name}: server time must be whole ms, was {shown(server)}", retryable=True
            )
        return server

    async def to_precision(self, symbol: str, kind: str, value: float) -> str:
        """Return a price or an amount in the steps of the exchange; `kind` says which."""
        market = await self.market(symbol)
        client = self._session()
        try:
            return str(getattr(client, f"{kind}_to_precision")(market, value))
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises for a value it dislikes
            words = describe_error(error)
        raise UsageError(f"{self.name} does not accept {kind} {value!r} for {market}: {words}")

    async def close(self) -> None:
        """Close the session; the next call opens another."""
        if self._client is not None and self._loop is asyncio.get_running_loop():
            await self._client.close()

    async def _load_markets(self) -> None:
        self._session()
        # Never two at once: ccxt lets all wait for the first, and cancels all with it.
        async with self._loading:
            client = self._session()
            if client.markets and self._symbols:
                return
            self._symbols = await self._request(
                "list of markets",
                lambda it: load_markets(it, self._opened_client),
                seconds=LOAD_S,
                json_only=False,
            )
            if not client.markets:
                raise ExchangeError(f"{self.name}: the list of markets is empty", retryable=True)
            self._loaded_at = self._monotonic()

    async def _request(
        self, what: str, send: Send, *, seconds: float | None = None, json_only: bool = True
    ) -> Any:
        what = f"{self.name}: {what}"
        self._check_rate_limit(what)
        client = self._session()
        _expects_json.set(json_only)
        byte_limit.set(CANDLES_BYTES if json_only else MARKETS_BYTES)
        try:
            async with asyncio.timeout(CALL_S if seconds is None else seconds):
                response = await send(client)
        except Exception as error:  # noqa: BLE001 - ccxt raises anything for a broken response
            headers = client.last_response_headers or {}
            failure = translate_error(error, what=what, headers=headers, now_ms=self.clock.now())
        else:
            self._note_date(client)
            return response
        failure.args = (redacted(str(failure), self._secrets),)
        pause = getattr(failure, "retry_after", 0.0)
        self._limited_until = max(self._limited_until, self._monotonic() + pause)
        # Raised here, where ccxt's own exception is gone: its frames hold headers.
        raise failure

    def _check_rate_limit(self, what: str) -> None:
        """Send nothing while the exchange limits us: a request during a ban prolongs it."""
        left = self._limited_until - self._monotonic()
        if left > 0:
            raise ExchangeError(
                f"{what}: not requested, rate limited for another {left:.0f} s",
                retryable=True,
                retry_after=left,
            )

    def _session(self) -> Any:
        """Return ccxt's object with a session on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # After a fork the old session shares its sockets with the parent. It is kept, because
            # freeing it would close them for the parent too.
            self._sessions_before_fork.append(self._client)
            self._client, self._loop = None, loop
            self._loading, self._measuring = asyncio.Lock(), asyncio.Lock()
        if self._client is None:
            self._client = self._new_client()
        self._client.open()
        if self._client.session is not self._bounded:
            self._bounded = _bound(self._client)
        return self._client

    def _opened_client(self) -> Any:
        """Return another object of ccxt with a session on this loop; its user closes it."""
        made = self._new_client()
        made.open()
        _bound(made)
        return made

    def _new_client(self) -> Any:
        kind = ccxt_class(self.name)
        # No local name holds the secrets, so that no traceback shows them.
        self._secrets = tuple(read_secrets(self._options).values())
        try:
            made = kind(with_secrets(self._options, read_secrets(self._options)))
            made.on_rest_response = _require_json
            made.logger.addFilter(redact_filter)
            return made
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises for an option
            words = redacted(describe_error(error), self._secrets)
        raise UsageError(f"ccxt rejects these options for {self.name}: {words}")

    def _note_date(self, client: Any) -> None:
        """Read the server time from a response header if the exchange has no request for it."""
        if client.has.get("fetchTime") or not self.clock.is_due:
            return
        headers = {
            name.lower(): text for name, text in (client.last_response_headers or {}).items()
        }
        with contextlib.suppress(KeyError, ValueError):
            date = parsedate_to_datetime(headers["date"])
            self.clock.note_measurement(int(date.timestamp()) * 1000, sent_ms=self._now())


def _bound(client: Any) -> Any:
    """Give a client of ccxt a session whose responses have a bound, and return the session."""
    # Here, because it imports aiohttp.
    from tradenb.exchanges.ccxt.bounded_response import bounded_session

    client.session = bounded_session(client)
    return client.session


def _require_json(
    code: int, _text: str, _url: str, _method: str, _headers: object, body: str, *_request: object
) -> str:
    """Refuse a successful response that is not JSON; ccxt's hook for every response.

    Without it a page of HTML with status 200 counts as an empty list of candles. Lists of markets
    are left to ccxt, which reads them from HTML for some exchanges.
    """
    if 200 <= code < 300 and _expects_json.get():
        json.loads(body)
    return body.strip()
