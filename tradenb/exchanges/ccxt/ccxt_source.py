"""An exchange of ccxt as a source of candles, with a cache on disk; made in `connect.py`.

A backtest reads from the cache first and asks only for what is missing; a live run asks the
exchange. Both talk through `portal.py`, so one object may serve many runs at once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Final

from tradenb.core.candles.intake import accept
from tradenb.core.candles.raw_rows import Rows
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import floor_to, iso
from tradenb.engine.fingerprint import digest
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.registry import READY_MADE
from tradenb.errors import CandleError, UsageError
from tradenb.exchanges.cache.candle_cache import CandleCache
from tradenb.exchanges.cache.filling import Filling
from tradenb.exchanges.cache.months import NOTHING
from tradenb.exchanges.cache.spans import without
from tradenb.exchanges.ccxt import ccxt_client as ccxt
from tradenb.exchanges.ccxt.portal import portal
from tradenb.exchanges.ccxt.server_time import SHOWN_MS
from tradenb.exchanges.function_source import wall_ms
from tradenb.exchanges.paging import Patience
from tradenb.store.paths import find_home

# Options that lead to another market than the real one; its candles are kept apart.
ELSEWHERE: Final = ("urls", "hostname", "sandbox", "testnet")


class CcxtExchange:
    """An exchange that ccxt knows; made by `ccxt_exchange`.

    Parameters
    ----------
    name : str
    options : mapping
        For ccxt's constructor; secrets are references.
    cache : bool
    home : path or None
        Where the cache is, default `TRADENB_HOME` or ./dump.
    now, monotonic, sleep : callable, optional
        The clocks, for tests: wall clock, ms UTC; seconds that never go back; waiting for seconds.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        cache: bool = True,
        home: str | Path | None = None,
        now: Callable[[], int] = wall_ms,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = dict(options)
        self._cached = cache
        self._home = home
        self._sleep = sleep
        self._client = ccxt.Client(name, self._options, now=now, monotonic=monotonic)
        portal.when_idle(self._client.close)

    @property
    def name(self) -> str:
        """Name of the exchange, as ccxt spells it."""
        return self._client.name

    @property
    def identity(self) -> tuple[str, str]:
        """Made by the house; see `engine.specs.registry`."""
        return READY_MADE

    @property
    def fingerprint(self) -> str:
        """Hash of name and options."""
        return digest(f"{self.name} {spelled(self._options)}")

    @property
    def clock_ahead_ms(self) -> int | None:
        """How far this machine's clock is ahead of the exchange's, ms; None before the first call.

        Negative: behind. Candles count as closed by the exchange's clock.
        """
        return self._client.clock.ahead_ms

    def __repr__(self) -> str:
        ahead = self.clock_ahead_ms
        if ahead is None or abs(ahead) <= SHOWN_MS:
            return f"ccxt_exchange({self.name!r})"
        words = f"{abs(ahead) / 1000:.1f} s {'ahead' if ahead > 0 else 'behind'}"
        return f"ccxt_exchange({self.name!r}: this machine's clock is {words})"

    @property
    def made_of(self) -> tuple[str, bool, str | Path | None, dict[str, Any]]:
        """What it was made of: name, whether candles are kept, home, options."""
        return self.name, self._cached, self._home, self._options

    def load(self, request: CandleRequest) -> Loaded:
        """Return the closed candles of [start - history, end); see `engine.ports.CandleSource`.

        `end` None is now. What the cache has is not asked for.
        """
        key, rules = canonical(request.symbol), request.rules
        start, end = request.start, request.end
        if start is None:
            raise UsageError(f"{self.name} has years of candles; pass start='2024-01-01'")
        first = floor_to(start - request.history)
        if end is not None and first >= floor_to(end):
            raise CandleError(
                f"{key} of {self.name}: end must lie after start, was {iso(end)} with start "
                f"{iso(start)}",
                code="range",
            )
        cache = self._cache(key)
        known = NOTHING
        if end is not None and cache is not None:
            known = cache.read(first, floor_to(end))
        if end is None or without((first, floor_to(end)), known.spans):
            end = self._until(key, end)
            if first >= end:
                raise CandleError(
                    f"{key} of {self.name}: no candle has closed between {iso(first)} and "
                    f"{iso(end)}; end must lie after start, and start in the past",
                    code="range",
                )
            known = self._filling(key, cache, rules).fill((first, end), request.progress)
        elif request.progress:
            request.progress(1, 1)
        return self._accepted(key, known.rows, (first, floor_to(end)), rules)

    def recent(self, symbol: str, since: int, limit: int) -> Awaitable[Rows]:
        """Return the closed candles from `since` on; see `engine.ports.LiveSource`."""
        return self._recent(canonical(symbol), since, limit)

    def format_price(self, symbol: str, price: float) -> str:
        """Return a price as the exchange takes it, rounded to its steps.

        Parameters
        ----------
        symbol : str
        price : float
            In quote currency, > 0.

        Raises
        ------
        UsageError
            When it is less than half of the smallest step.
        UnknownName
            When there is no such market.
        ExchangeError
            When the markets cannot be asked for.
        """
        return self._text(symbol, "price", price)

    def format_amount(self, symbol: str, amount: float) -> str:
        """Return an amount as the exchange takes it, cut down to its steps.

        Parameters
        ----------
        symbol : str
        amount : float
            In base currency, > 0.

        Raises
        ------
        UsageError
            When it is below the smallest step.
        UnknownName
            When there is no such market.
        ExchangeError
            When the markets cannot be asked for.
        """
        return self._text(symbol, "amount", amount)

    def server_now(self, symbol: str) -> int:
        """Return the time of the exchange, ms UTC, having made sure that it has the symbol.

        Raises
        ------
        UnknownName
            When there is no such market.
        ExchangeError
            When it cannot be asked.
        """
        key = canonical(symbol)

        async def asked() -> int:
            await self._client.market(key)
            await self._client.measure()
            return self._client.clock.now()

        return portal.call(asked)

    def measure_clock(self) -> int | None:
        """Ask the exchange for its time, and return `clock_ahead_ms`; no market is asked for.

        Raises
        ------
        ExchangeError
            When it cannot be asked.
        """
        portal.call(self._client.measure)
        return self.clock_ahead_ms

    async def _recent(self, symbol: str, since: int, limit: int) -> Rows:
        submitted = portal.submit(lambda: self._client.candles(symbol, since, limit))
        return (await asyncio.wrap_future(submitted)).rows

    def _text(self, symbol: str, kind: str, value: object) -> str:
        if not isinstance(value, Real) or not 0 < float(value) < float("inf"):
            raise UsageError(f"{kind} must be a finite number above 0, was {value!r}")
        key = canonical(symbol)
        return portal.call(lambda: self._client.text(key, kind, float(value)))

    def _until(self, symbol: str, end: int | None) -> int:
        """Return the close of the last candle that can be had, by the exchange's clock."""
        closed = floor_to(self.server_now(symbol))
        return closed if end is None else min(floor_to(end), closed)

    def _filling(self, symbol: str, cache: CandleCache | None, rules: Rules) -> Filling:
        return Filling(
            lambda since, limit: portal.call(lambda: self._client.candles(symbol, since, limit)),
            cache,
            what=f"{symbol} of {self.name}",
            page=portal.call(lambda: self._client.page(symbol)),
            patience=Patience(rules.candle_retries, rules.candle_retry_seconds, self._sleep),
            factor=rules.price_anomaly_factor,
        )

    def _cache(self, symbol: str) -> CandleCache | None:
        if not self._cached:
            return None
        elsewhere: dict[str, Any] = {
            name: self._options[name] for name in ELSEWHERE if name in self._options
        }
        label = f"{self.name}@{digest(spelled(elsewhere))[:8]}" if elsewhere else self.name
        return CandleCache(find_home(self._home).candles(label, symbol))

    def _accepted(self, symbol: str, rows: Rows, span: tuple[int, int], rules: Rules) -> Loaded:
        where = f"{symbol} of {self.name}, {iso(span[0])} to {iso(span[1])}"
        if not len(rows.time):
            raise CandleError(
                f"{where}: the exchange has no candles; it may not have traded then, or keep so "
                "many of them",
                code="empty",
            )
        try:
            return Loaded(*accept(rows, factor=rules.price_anomaly_factor))
        except CandleError as error:
            raise CandleError(f"{where}: {error}", code=error.code, index=error.index) from None


def spelled(options: Mapping[str, Any]) -> str:
    """Return options as text: equal text, equal options."""
    return json.dumps(options, sort_keys=True, default=repr)
