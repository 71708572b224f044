"""Exchanges on loopback and what is connected to them, in times that a test has."""

from __future__ import annotations

from typing import Any

import tradenb as tn
from tests.sources import DAY, MINUTE, T0, frame, market
from tradenb.core.rules import Rules
from tradenb.engine.ports import CandleRequest
from tradenb.exchanges.ccxt.ccxt_source import CcxtExchange
from tradenb.testing.server.exchange_server import ExchangeServer
from tradenb.testing.server.server_candles import ServerClock

ROWS = market(11, 3_000)
END = T0 + 3_000 * MINUTE
RULES = Rules(candle_retries=2, candle_retry_seconds=0)
# What never comes is waited for so long; on a busy machine what does come may take as long.
SHORT = {"drip": {"timeout": 1_000}, "silence": {"timeout": 1_000}}
# The limiter of ccxt is tested by itself; elsewhere it would only make the tests slow.
FAST = {"enableRateLimit": False}


def served(rows: Any = None, *, at: int = END + DAY, **more: Any) -> ExchangeServer:
    """A server whose last candle closed a day ago."""
    frames = {"BTCUSDT": frame(ROWS)} if rows is None else rows
    return ExchangeServer(frames, clock=more.pop("clock", None) or ServerClock(at), **more)


def exchange_on(server: ExchangeServer, **more: Any) -> CcxtExchange:
    """The unmodified client of ccxt, on a server; waits take no time and are counted."""
    naps: list[float] = more.pop("naps", [])
    own = {name: more.pop(name) for name in ("cache", "home", "now", "monotonic") if name in more}
    options = {**FAST, **server.options, **more}
    return CcxtExchange("binance", options, sleep=naps.append, **own)


def loaded(exchange: Any, start: int = T0, end: int = END, *, rules: Rules = RULES) -> Any:
    return exchange.load(CandleRequest(symbol="BTCUSDT", start=start, end=end, rules=rules))


def as_frame(rows: Any = None, start: int = T0, end: int = END) -> Any:
    """The same candles as a DataFrame gives them."""
    source = tn.frame_exchange(frame(ROWS if rows is None else rows))
    candles = source.load(CandleRequest(symbol="BTCUSDT", rules=RULES)).candles
    return candles.between(start, end)


def same(ours: Any, theirs: Any) -> bool:
    """Whether candles are the same to the last bit."""
    names = ("time", "open", "high", "low", "close", "volume")
    return len(ours) == len(theirs) and all(
        getattr(ours, name).tobytes() == getattr(theirs, name).tobytes() for name in names
    )
