"""An exchange through ccxt: the one file that imports it, when it is first needed.

Everything here runs on the loop of the portal (`portal.py`). What ccxt raises leaves this file as
an error of ours (`refusals.py`), without the traceback, which would show requests and their
headers. Candles that had not closed, by the clock of the exchange, when they were asked for are
left out: what is there of them is not what they will be.
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
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.raw_rows import Rows
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import MINUTE
from tradenb.errors import CandleError, ExchangeError, UsageError, unknown
from tradenb.exchanges.ccxt.credentials import hush, redacted, resolved
from tradenb.exchanges.ccxt.market_symbols import symbols_of
from tradenb.exchanges.ccxt.server_time import ServerTime
from tradenb.exchanges.exchange_errors import refusal, shown
from tradenb.exchanges.paging import LIMIT
from tradenb.exchanges.tables.responses import rows_of_answer

CALL_S: Final = 30.0
LOAD_S: Final = 60.0

MARKETS_ANEW_S: Final = 60.0

Call = Callable[[Any], Awaitable[Any]]

_reads_json: Final = ContextVar("reads_json", default=False)


class Answer(NamedTuple):
    """Closed candles, and the time of the exchange when they were asked for, ms UTC."""

    rows: Rows
    at: int


def names() -> list[str]:
    """Return the exchanges that ccxt knows, without importing it."""
    found = find_spec("ccxt")
    folders = [] if found is None else found.submodule_search_locations or []
    files = [file.stem for folder in folders for file in Path(folder, "async_support").glob("*.py")]
    return sorted(name for name in files if not name.startswith("_"))


def kind_of(name: str) -> Any:
    """Return ccxt's class of an exchange."""
    import ccxt.async_support

    return getattr(ccxt.async_support, name)


class Client:
    """An exchange, its markets and its clock.

    Parameters
    ----------
    name : str
        As ccxt spells it.
    options : mapping
        For ccxt's constructor; secrets are references.
    now, monotonic : callable
        Our clocks: wall clock, ms UTC, and seconds that never go back.

    Attributes
    ----------
    clock : ServerTime
    """

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
        self._loading = asyncio.Lock()
        self._measuring = asyncio.Lock()
        self._left: list[Any] = []
        self._symbols: dict[str, list[str]] = {}
        self._loaded_at = float("-inf")
        self._secrets: tuple[str, ...] = ()
        self._quiet_until = float("-inf")

    async def candles(self, symbol: str, since: int, limit: int) -> Answer:
        """Return closed 1m candles that open at `since` (ms UTC) or later, oldest first.

        Raises
        ------
        UnknownName
            When there is no such market; the nearest are named.
        UsageError
            When several markets fit.
        ExchangeError
            When they could not be had; `retryable`, `retry_after`.
        CandleError
            When the answer holds rows that are no candles; retryable.
        """
        market = await self.market(symbol)
        await self.measure()
        at = self.clock.now()
        answer = await self._ask(
            f"candles of {market}", lambda it: it.fetch_ohlcv(market, "1m", since, limit)
        )
        try:
            rows = rows_of_answer(answer)
        except CandleError as error:
            words = f"{self.name}: candles of {market}: {error}"
            refused = CandleError(words, code=error.code, index=error.index)
            refused.retryable = True  # the next answer may be better
            raise refused from None
        return Answer(rows.take(np.flatnonzero(rows.time + MINUTE <= at)), at)

    async def market(self, symbol: str) -> str:
        """Return a symbol as ccxt writes it; the exchange's own name of it will do too."""
        await self._load_markets()
        found = self._symbols.get(symbol)
        if not found and self._monotonic() - self._loaded_at > MARKETS_ANEW_S:
            self._symbols = {}  # it may be new, or have been left out
            await self._load_markets()
            found = self._symbols.get(symbol)
        if not found:
            raise unknown("symbol", symbol, self._symbols, hint=f"(of {self.name})")
        if len(found) > 1:
            several = ", ".join(repr(canonical(item)) for item in sorted(found))
            raise UsageError(f"{symbol!r} is several markets of {self.name}: {several}; give one")
        return found[0]

    async def page(self, symbol: str) -> int:
        """Return how many candles the exchange gives at once, as far as ccxt knows."""
        market = await self.market(symbol)
        known: Any = None
        with contextlib.suppress(Exception):  # older versions of ccxt do not say
            known = self._client.feature_value(market, "fetchOHLCV", "limit")
        return known if isinstance(known, int) and 0 < known < LIMIT else LIMIT

    async def measure(self) -> None:
        """Measure the clock of the exchange, if it is due."""
        self._opened()
        async with self._measuring:
            if not self.clock.is_due:
                return
            if self._opened().has.get("fetchTime"):
                sent = self._now()
                server = await self._ask("its time", lambda it: it.fetch_time())
                if not isinstance(server, int):
                    raise ExchangeError(f"{self.name}: its time was {server!r:.80}", retryable=True)
                self.clock.measured(server, sent_ms=sent)
        # An exchange that was put elsewhere and lives in another year is a rehearsal.
        self.clock.tell(self.name, rehearsed="urls" in self._options)

    async def text(self, symbol: str, kind: str, value: float) -> str:
        """Return a price or an amount as the exchange takes it; `kind` says which."""
        market = await self.market(symbol)
        client = self._opened()
        try:
            return str(getattr(client, f"{kind}_to_precision")(market, value))
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises for a value it dislikes
            words = shown(error)
        raise UsageError(f"{self.name} takes no {kind} of {value!r} for {market}: {words}")

    async def close(self) -> None:
        """Close the session; the next call opens another."""
        if self._client is not None and self._loop is asyncio.get_running_loop():
            await self._client.close()

    async def _load_markets(self) -> None:
        self._opened()
        # Never two at once: ccxt lets all wait for the first, and cancels all with it.
        async with self._loading:
            client = self._opened()
            if client.markets and self._symbols:
                return
            await self._ask(
                "its markets", lambda it: it.load_markets(True), seconds=LOAD_S, json_only=False
            )
            if not client.markets:
                raise ExchangeError(f"{self.name}: it listed no markets", retryable=True)
            self._symbols, self._loaded_at = symbols_of(client), self._monotonic()

    async def _ask(
        self, what: str, call: Call, *, seconds: float | None = None, json_only: bool = True
    ) -> Any:
        what = f"{self.name}: {what}"
        self._check_quiet(what)
        client = self._opened()
        _reads_json.set(json_only)
        try:
            async with asyncio.timeout(CALL_S if seconds is None else seconds):
                answer = await call(client)
        except Exception as error:  # noqa: BLE001 - whatever ccxt makes of whatever comes
            headers = client.last_response_headers or {}
            failure = refusal(error, what=what, headers=headers, now_ms=self.clock.now())
        else:
            self._note_date(client)
            return answer
        failure.args = (redacted(str(failure), self._secrets),)
        pause = getattr(failure, "retry_after", 0.0)
        self._quiet_until = max(self._quiet_until, self._monotonic() + pause)
        # Raised here, where ccxt's own exception is gone: its frames hold headers.
        raise failure

    def _check_quiet(self, what: str) -> None:
        """Ask nothing while the exchange wants to be left alone; a ban only grows by it."""
        left = self._quiet_until - self._monotonic()
        if left > 0:
            raise ExchangeError(
                f"{what} not asked for: too many requests before; it wants to be left alone for "
                f"another {left:.0f} s",
                retryable=True,
                retry_after=left,
            )

    def _opened(self) -> Any:
        """Return ccxt's object with a session on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # In a child made by fork the old session shares its sockets with the parent: freeing it
            # would take them away from there.
            self._left.append(self._client)
            self._client, self._loop = None, loop
            self._loading, self._measuring = asyncio.Lock(), asyncio.Lock()
        if self._client is None:
            self._client = self._make()
        self._client.open()
        return self._client

    def _make(self) -> Any:
        kind = kind_of(self.name)
        # No local name holds the secrets, so that no traceback shows them.
        self._secrets = tuple(resolved(self._options).values())
        hush.secrets.update(self._secrets)
        try:
            made = kind({**self._options, **resolved(self._options)})
            made.on_rest_response = _readable
            made.logger.addFilter(hush)
            return made
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises for an option
            words = redacted(shown(error), self._secrets)
        raise UsageError(f"ccxt does not take these options for {self.name}: {words}")

    def _note_date(self, client: Any) -> None:
        """Take the time from an answer's header where the exchange has no other way to say it."""
        if client.has.get("fetchTime") or not self.clock.is_due:
            return
        headers = {
            name.lower(): text for name, text in (client.last_response_headers or {}).items()
        }
        with contextlib.suppress(KeyError, ValueError):
            date = parsedate_to_datetime(headers["date"])
            self.clock.measured(int(date.timestamp()) * 1000, sent_ms=self._now())


def _readable(
    code: int,
    reason: str,
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: str,
    request_headers: object,
    request_body: object,
) -> str:
    """Refuse a good answer that is no JSON; ccxt's hook for every response.

    Without it a page of HTML that says 200 passes for an empty list of candles. Lists of markets
    are left to ccxt, which reads pages of HTML for some exchanges.
    """
    del reason, url, method, headers, request_headers, request_body
    if 200 <= code < 300 and _reads_json.get():
        json.loads(body)
    return body.strip()
