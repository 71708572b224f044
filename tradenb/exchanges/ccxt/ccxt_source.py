"""An exchange of ccxt as a source of candles, with a cache on disk; made in `ccxt_factory.py`.

A backtest reads the cache first and fetches only what is missing; a live run asks the exchange.
Both talk through `portal.py`, so one object may serve many runs at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Final

from tradenb.clock import wall_ms
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.intake import accept
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import floor_to, iso
from tradenb.engine.fingerprint import digest
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.registry import READY_MADE
from tradenb.errors import CandleError, UsageError
from tradenb.exchanges.cache.cache_filler import CacheFiller
from tradenb.exchanges.cache.candle_cache import CandleCache
from tradenb.exchanges.cache.month_file import NO_CANDLES
from tradenb.exchanges.cache.spans import subtract
from tradenb.exchanges.ccxt.ccxt_client import CcxtClient
from tradenb.exchanges.ccxt.market_steps import KeptMarket, keep_market, kept_market
from tradenb.exchanges.ccxt.portal import portal
from tradenb.exchanges.ccxt.server_time import NOTABLE_MS
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.paging import RetryPolicy
from tradenb.store.paths import find_home

# Options that lead to another market than the real one. Its candles have a cache of their own.
OTHER_MARKET_OPTIONS: Final = ("urls", "hostname", "sandbox", "testnet")


log = logging.getLogger("tradenb")


class CcxtExchange:
    """An exchange that ccxt knows; made by `ccxt_exchange`.

    Parameters
    ----------
    options : mapping
        For ccxt's constructor; secrets are references.
    home : path or None
        Where the cache is, default `TRADENB_HOME` or ./dump.
    now, monotonic, sleep : callable, optional
        The clocks, for tests: wall clock, ms UTC; seconds that never go back; wait for seconds.
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
        self._steps: dict[str, KeptMarket] = {}
        self._client = CcxtClient(name, self._options, now=now, monotonic=monotonic)
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
        return digest(f"{self.name} {options_text(self._options)}")

    @property
    def clock_ahead_ms(self) -> int | None:
        """How far this machine's clock is ahead of the exchange's, ms; None before the first call.

        Negative: behind. It is that far off at least: what a slow answer leaves open counts for the
        clock. Candles count as closed by the exchange's clock.
        """
        clock = self._client.clock
        return None if clock.ahead_ms is None else clock.surely_ahead_ms

    def __repr__(self) -> str:
        ahead = self.clock_ahead_ms
        if ahead is None or abs(ahead) <= NOTABLE_MS:
            return f"ccxt_exchange({self.name!r})"
        words = f"{abs(ahead) / 1000:.1f} s {'ahead' if ahead > 0 else 'behind'}"
        return f"ccxt_exchange({self.name!r}: this machine's clock is {words})"

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "made_of"]

    @property
    def made_of(self) -> tuple[str, bool, str | Path | None, dict[str, Any]]:
        """What it was made of: name, whether candles are cached, home, options."""
        return self.name, self._cached, self._home, self._options

    def load(self, request: CandleRequest) -> Loaded:
        """Return the closed candles of [start - history, end); see `engine.ports.CandleSource`.

        `end` None is now. Only what the cache does not have is fetched.
        """
        key, rules = canonical(request.symbol), request.rules
        start, end = request.start, request.end
        if start is None:
            raise UsageError(f"{self.name} has years of candles; pass start='2024-01-01'")
        first = floor_to(start - request.history)
        if end is not None and first >= floor_to(end):
            raise CandleError(
                f"{key} of {self.name}: end must be after start (start {iso(start)}, end was "
                f"{iso(end)})",
                code="range",
            )
        cache = self._cache(key)
        known = NO_CANDLES
        if end is not None and cache is not None:
            known = cache.read(first, floor_to(end))
        # What the cache has whole needs no network, not even the server time.
        if end is None or subtract((first, floor_to(end)), known.spans):
            end = self._until(key, end)
            if first >= end:
                raise CandleError(
                    f"{key} of {self.name}: no candle has closed between {iso(first)} and "
                    f"{iso(end)}; start must be before end and in the past",
                    code="range",
                )
            known = self._filler(key, cache, rules).fill((first, end), request.progress)
            self._keep_steps(key)
        elif request.progress:
            request.progress(1, 1)
        return self._accepted(key, known.rows, (first, floor_to(end)), rules)

    def market(self, symbol: str) -> Market | None:
        """Return the steps of a symbol: those kept beside its candles; None where none are."""
        kept = self._kept_steps(canonical(symbol))
        return None if kept is None else kept.market

    def market_notes(self, symbols: Iterable[str]) -> list[str]:
        """Say which steps are not known, and of which day those are that are."""
        known = {symbol: self._kept_steps(symbol) for symbol in symbols}
        unknown = [symbol for symbol, kept in known.items() if kept is None]
        days = {iso(kept.at)[:10] for kept in known.values() if kept is not None}
        found = []
        if unknown:
            found.append(
                f"the steps of {', '.join(unknown)} are not known: pieces and prices are not "
                "rounded, and no order is too small; they are kept when candles are next fetched"
            )
        if days:
            found.append(
                f"steps and least sizes are those of {max(days)}; the exchange may have had others "
                "at the time of the candles"
            )
        return found

    def _keep_steps(self, symbol: str) -> None:
        """Keep what the exchange says of a market whose candles were just fetched."""
        try:
            steps = portal.call(lambda: self._client.steps(symbol))
        except Exception as error:  # noqa: BLE001 - whatever ccxt makes of it: the candles are there
            log.warning("%s: the steps of %s are not known: %s", self.name, symbol, error)
            return
        kept = self._steps[symbol] = KeptMarket(steps, self._client.clock.now())
        if self._cached:
            keep_market(self._folder(symbol), kept)

    def _kept_steps(self, symbol: str) -> KeptMarket | None:
        if symbol not in self._steps and self._cached:
            kept = kept_market(self._folder(symbol))
            if kept is not None:
                self._steps[symbol] = kept
        return self._steps.get(symbol)

    def recent(self, symbol: str, since: int, limit: int) -> Awaitable[Rows]:
        """Return the closed candles from `since` on; see `engine.ports.LiveSource`."""
        return self._recent(canonical(symbol), since, limit)

    def format_price(self, symbol: str, price: float) -> str:
        """Return a price rounded to the steps of the exchange, as text.

        Parameters
        ----------
        price : float
            In quote currency, > 0.

        Raises
        ------
        UsageError
            When it is less than half of the smallest step.
        UnknownName
            When there is no such market.
        ExchangeError
            When the markets cannot be fetched.
        """
        return self._text(symbol, "price", price)

    def format_amount(self, symbol: str, amount: float) -> str:
        """Return an amount cut down to the steps of the exchange, as text.

        Parameters
        ----------
        amount : float
            In base currency, > 0.

        Raises
        ------
        UsageError
            When it is below the smallest step.
        UnknownName
            When there is no such market.
        ExchangeError
            When the markets cannot be fetched.
        """
        return self._text(symbol, "amount", amount)

    def server_now(self, symbol: str) -> int:
        """Return the time of the exchange, ms UTC, after a check that it has the symbol.

        Raises
        ------
        UnknownName
            When there is no such market.
        ExchangeError
            When it cannot be reached.
        """
        key = canonical(symbol)

        async def measured() -> int:
            await self._client.market(key)
            await self._client.measure_clock()
            return self._client.clock.now()

        return portal.call(measured)

    def measure_clock(self) -> int | None:
        """Ask the exchange for its time, and return `clock_ahead_ms`; needs no market.

        Raises
        ------
        ExchangeError
            When it cannot be reached.
        """
        portal.call(self._client.measure_clock)
        return self.clock_ahead_ms

    async def _recent(self, symbol: str, since: int, limit: int) -> Rows:
        submitted = portal.submit(lambda: self._client.candles(symbol, since, limit))
        return (await asyncio.wrap_future(submitted)).rows

    def _text(self, symbol: str, kind: str, value: object) -> str:
        if not isinstance(value, Real) or not 0 < float(value) < float("inf"):
            raise UsageError(f"{kind} must be a finite number above 0, was {value!r}")
        key = canonical(symbol)
        return portal.call(lambda: self._client.to_precision(key, kind, float(value)))

    def _until(self, symbol: str, end: int | None) -> int:
        """Return when the last closed candle closed, by the exchange's clock; at most `end`."""
        closed = floor_to(self.server_now(symbol))
        return closed if end is None else min(floor_to(end), closed)

    def _filler(self, symbol: str, cache: CandleCache | None, rules: Rules) -> CacheFiller:
        return CacheFiller(
            lambda since, limit: portal.call(lambda: self._client.candles(symbol, since, limit)),
            cache,
            what=f"{symbol} of {self.name}",
            page=portal.call(lambda: self._client.page_candles(symbol)),
            retry=RetryPolicy(rules.candle_retries, rules.candle_retry_seconds, self._sleep),
            factor=rules.price_anomaly_factor,
        )

    def _cache(self, symbol: str) -> CandleCache | None:
        return CandleCache(self._folder(symbol)) if self._cached else None

    def _folder(self, symbol: str) -> Path:
        """Return where the candles of a symbol are kept."""
        other_market: dict[str, Any] = {
            name: self._options[name] for name in OTHER_MARKET_OPTIONS if name in self._options
        }
        label = (
            f"{self.name}@{digest(options_text(other_market))[:8]}" if other_market else self.name
        )
        return find_home(self._home).candles(label, symbol)

    def _accepted(self, symbol: str, rows: Rows, span: tuple[int, int], rules: Rules) -> Loaded:
        where = f"{symbol} of {self.name}, {iso(span[0])} to {iso(span[1])}"
        if not len(rows.time):
            raise CandleError(
                f"{where}: the exchange has no candles; the market may not have traded then, or "
                "they are older than the exchange keeps; pass a later start",
                code="empty",
            )
        try:
            factor, gap = rules.price_anomaly_factor, rules.gap_minutes
            return Loaded(*accept(rows, factor=factor, gap_minutes=gap, whole=False))
        except CandleError as error:
            raise located(error, where) from None


def options_text(options: Mapping[str, Any]) -> str:
    """Return options as text: equal text, equal options."""
    return json.dumps(options, sort_keys=True, default=repr)
