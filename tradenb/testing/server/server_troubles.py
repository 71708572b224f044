"""Everything that exchanges do wrong on the wire, and in the candles that they send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Rows
from tradenb.core.timeframe import MINUTE
from tradenb.errors import unknown

TroubleKind = Literal[
    "rate_limit",
    "banned",
    "unavailable",
    "html",
    "empty",
    "truncated",
    "half_close",
    "drip",
    "silence",
    "huge",
    "reset",
    "missing",
    "late",
    "duplicates",
    "unsorted",
    "short",
    "changed",
    "spike",
    "null_volume",
    "delayed",
    "revised",
]
KINDS: Final = TroubleKind.__args__  # type: ignore[attr-defined]


@dataclass
class ServerTrouble:
    """Something that an `ExchangeServer` does wrong, until `end()` or for some requests.

    Attributes
    ----------
    kind : str
        On the wire: rate_limit: 429 with Retry-After · banned: 418 with Retry-After · unavailable:
        5xx · html: a page of a proxy, no JSON · empty: no body · truncated: half of the JSON, as
        if it were all · half_close: the connection ends in the body · drip: a byte every `seconds`
        · silence: no answer · huge: 70 MB of JSON · reset: the connection is reset.
        In the candles: missing: `minutes` are left out · late: the newest closed one is missing ·
        duplicates: each row twice · unsorted: newest first · short: three rows at a time ·
        changed: all that is older than an hour is one percent higher · spike: a price of the last
        row times a million · null_volume: null in place of volumes · delayed: candles are published
        `seconds` after their close · revised: they have no wicks until `seconds` after their close.
    times : int or None
        So many requests; None: until `end()`.
    path : str
        Requests whose path ends so; "" is all.
    symbol : str or None
    status : int
        Of "unavailable" and "html".
    seconds : float
        Retry-After, the pause between two bytes, or after a close.
    minutes : tuple of int
        Open times that are missing, ms UTC.
    met : int
        Requests spoiled so far.

    Examples
    --------
    >>> import tradenb as tn
    >>> with tn.testing.ExchangeServer(tn.testing.random_walk(seed=7, days=1)) as server:
    ...     trouble = server.trouble("duplicates", times=1)  # each row twice
    ...     df = tn.candles(
    ...         "BTCUSDT", exchange=server.exchange(), start="2024-01-01", progress=False
    ...     )
    >>> trouble.met, len(df)
    (1, 1440)
    """

    kind: TroubleKind
    times: int | None = None
    path: str = "klines"
    symbol: str | None = None
    status: int = 503
    seconds: float = 30.0
    minutes: tuple[int, ...] = ()
    met: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("trouble", self.kind, KINDS)

    def end(self) -> None:
        """Stop spoiling requests."""
        self.times = self.met

    def applies(self, path: str, symbol: str | None) -> bool:
        """Tell whether a request is spoiled, and count it."""
        over = self.times is not None and self.met >= self.times
        if over or not path.endswith(self.path) or self.symbol not in (None, symbol):
            return False
        self.met += 1
        return True


def spoiled(rows: Rows, active: list[ServerTrouble], now: int) -> Rows:
    """Return the rows of a market as the active troubles change them, before paging."""
    for trouble in active:
        match trouble.kind:
            case "missing":
                rows = rows.take(np.flatnonzero(~np.isin(rows.time, trouble.minutes)))
            case "late":
                newest = now - now % MINUTE - MINUTE
                rows = rows.take(np.flatnonzero(rows.time != newest))
            case "delayed":
                rows = rows.take(np.flatnonzero(_is_older(rows, now, trouble.seconds)))
            case "revised":
                old = _is_older(rows, now, trouble.seconds)
                high = np.where(old, rows.high, np.maximum(rows.open, rows.close))
                low = np.where(old, rows.low, np.minimum(rows.open, rows.close))
                rows = rows._replace(high=high, low=low)
            case "changed":
                old = rows.time < now - 60 * MINUTE
                more = np.where(old, 1.01, 1.0)
                open_, high, low, close = (column * more for column in rows[1:5])
                rows = Rows(rows.time, open_, high, low, close, rows.volume)
    return rows


def _is_older(rows: Rows, now: int, seconds: float) -> NDArray[np.bool_]:
    return rows.time + MINUTE + round(seconds * 1000) <= now


def page_spoiled(page: Rows, active: list[ServerTrouble]) -> Rows:
    """Return a page of rows as the active troubles change it."""
    for trouble in active:
        count = len(page.time)
        match trouble.kind:
            case "duplicates":
                page = page.take(np.repeat(np.arange(count), 2))
            case "unsorted":
                page = page.take(np.arange(count)[::-1])
            case "short":
                page = page.take(np.arange(min(3, count)))
            case "spike" if count:
                page = page.take(np.arange(count))
                page.high[-1] = page.close[-1] = 1e6 * page.close[-1]
            case "null_volume":
                page = page._replace(volume=np.full(count, np.nan))
    return page
