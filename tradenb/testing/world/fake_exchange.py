"""`FakeExchange`: recorded candles that close on a clock, and everything exchanges do wrong.

What goes wrong is planned by the time of the request: a `Trouble` has a start, an end, and perhaps
a number of requests that it spoils.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Candles, Intake, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.ports import CandleRequest, CandleSource, Loaded
from tradenb.errors import ExchangeError, unknown
from tradenb.testing.world.fake_clock import FakeClock
from tradenb.testing.world.inline_workers import Hang

TroubleKind = Literal[
    "error",
    "hang",
    "empty",
    "late",
    "forming",
    "duplicates",
    "unsorted",
    "gap",
    "garbage",
    "overlap",
    "short",
    "delayed",
    "revised",
    "rate_limit",
]
KINDS: Final = TroubleKind.__args__  # type: ignore[attr-defined]


@dataclass
class Trouble:
    """What an exchange does wrong for some time.

    Attributes
    ----------
    kind : str
        error: raises · hang: does not return · empty: no rows · late: the newest closed candle is
        missing · forming: the candle that is not over is there, unmarked · duplicates: rows twice ·
        unsorted: newest first · gap: the oldest new candle is missing · garbage: a price that is
        not valid · overlap: candles that were not asked for · short: one candle at a time ·
        delayed: candles are published `seconds` after their close · revised: they have no wicks
        until `seconds` after their close · rate_limit: raises, with `seconds` to wait.
    start, end : int
        Requests from start until before end are spoiled, ms UTC.
    times : int or None
        At most so many of them.
    symbol : str or None
        Only this one; None: any.
    seconds : float
        See `kind`.

    Examples
    --------
    >>> import tradenb as tn
    >>> clock = tn.testing.FakeClock("2024-01-02")
    >>> hour = 3_600_000
    >>> late = Trouble("late", clock.start, clock.start + hour, symbol="BTCUSDT")
    >>> late.applies("BTCUSDT", clock.start), late.applies("BTCUSDT", clock.start + hour)
    (True, False)
    """

    kind: TroubleKind
    start: int
    end: int
    times: int | None = None
    symbol: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("trouble", self.kind, KINDS)

    def applies(self, symbol: str, now: int) -> bool:
        """Tell whether a request is spoiled, and count it."""
        if not self.start <= now < self.end or self.symbol not in (None, symbol) or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class ExchangeRequest(NamedTuple):
    """A request: when, and for which candles."""

    at: int
    symbol: str
    since: int


class FakeExchange:
    """A live exchange over recorded candles.

    Parameters
    ----------
    source : exchange or dict of str to Candles
        Where the candles come from, such as `tn.frame_exchange(df)`.
    clock : FakeClock
        A candle is there when it has closed on this clock, by its true time.
    troubles : iterable of Trouble

    Attributes
    ----------
    troubles : list of Trouble
    tells_time : bool
        Whether it answers when asked for its time.
    requests : list of ExchangeRequest
        What live loops asked for, oldest first.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("asked for", every="5m")
    ... def asked_for(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=3)
    >>> market = tn.testing.random_walk(seed=7, days=2)
    >>> runs = [("BTCUSDT", asked_for)]
    >>> world = tn.testing.World(market, start="2024-01-02", runs=runs)
    >>> exchange = world.exchange
    >>> exchange.troubles.append(Trouble("error", world.clock.start, world.clock.start + 60_000))
    >>> world.live(world.clock.start + 300_000)
    True
    >>> len(exchange.requests) > 1
    True
    """

    def __init__(
        self,
        source: CandleSource | Mapping[str, Candles],
        clock: FakeClock,
        *,
        troubles: Iterable[Trouble] = (),
    ) -> None:
        self._clock = clock
        self._source = source
        self._loaded: dict[str, Candles] = {}
        self.troubles = list(troubles)
        self.tells_time = True
        self.requests: list[ExchangeRequest] = []

    def __repr__(self) -> str:
        known = f"{len(self.requests):,} requests, {len(self.troubles)} troubles"
        return f"<FakeExchange at {iso(self._clock.true_now())}: {known}>"

    @property
    def name(self) -> str:
        """Name for documents."""
        return "fake"

    def candles(self, symbol: str) -> Candles:
        """Return all candles of a symbol, those that are still to come included."""
        if symbol not in self._loaded:
            if isinstance(self._source, Mapping):
                if symbol not in self._source:
                    raise unknown("symbol", symbol, self._source)
                self._loaded[symbol] = self._source[symbol]
            else:
                loaded = self._source.load(CandleRequest(symbol=symbol, rules=Rules()))
                self._loaded[symbol] = loaded.candles
        return self._loaded[symbol]

    def load(self, request: CandleRequest) -> Loaded:
        """Return what has closed of [start - history, end), as an exchange does."""
        if self._is_active(request.symbol, "error"):
            raise ConnectionError("the fake exchange is down")
        if self._is_active(request.symbol, "hang"):
            raise Hang
        candles, now = self.candles(request.symbol), self._clock.true_now()
        end = now if request.end is None else min(request.end, now)
        start = request.start
        first = candles.start if start is None else max(candles.start, start - request.history)
        slow = [each for each in self.troubles if each.kind in ("delayed", "revised")]
        active = [each for each in slow if each.applies(request.symbol, now)]
        rows = _as_published(_rows(candles.between(first, end)), now, active)
        if not len(rows.time):
            return Loaded(candles.rows(0, 0), Intake())
        return Loaded(with_gaps(rows, candles.step, request.rules.gap_minutes)[0], Intake())

    def server_now(self, symbol: str) -> int:
        """Return the time of the exchange, ms UTC."""
        if not self.tells_time:
            raise NotImplementedError(f"{self.name} does not tell its time ({symbol})")
        return self._clock.true_now()

    def recent(self, symbol: str, since: int, limit: int) -> Rows:
        """Return the candles that have closed, spoiled by the troubles of this moment."""
        now = self._clock.true_now()
        self.requests.append(ExchangeRequest(now, symbol, since))
        troubles = [trouble for trouble in self.troubles if trouble.applies(symbol, now)]
        active = [trouble.kind for trouble in troubles]
        if "error" in active:
            raise ConnectionError("the fake exchange is down")
        if "hang" in active:
            raise Hang
        for trouble in troubles:
            if trouble.kind == "rate_limit":
                words = "the fake exchange limits requests"
                raise ExchangeError(words, retryable=True, retry_after=trouble.seconds)
        candles = self.candles(symbol)
        first = since - 3 * MINUTE if "overlap" in active else since
        last = min(floor_to(now) - MINUTE * ("late" in active), since + limit * MINUTE)
        rows = candles.between(max(first, candles.start), min(last, candles.end))
        published = _as_published(_rows(rows), now, troubles)
        return _spoiled(published, candles, since, now, active)

    def _is_active(self, symbol: str, kind: TroubleKind) -> bool:
        now = self._clock.true_now()
        fitting = (trouble for trouble in self.troubles if trouble.kind == kind)
        return any(trouble.applies(symbol, now) for trouble in fitting)


def _rows(candles: Candles) -> Rows:
    return Rows(candles.time, *candles.columns)


def _as_published(rows: Rows, now: int, troubles: Iterable[Trouble]) -> Rows:
    """Return rows as they are `now`: late ones are missing, and young ones still change."""
    for trouble in troubles:
        old = rows.time + MINUTE + round(trouble.seconds * 1000) <= now
        if trouble.kind == "delayed":
            rows = rows.take(np.flatnonzero(old))
        elif trouble.kind == "revised":
            high = np.where(old, rows.high, np.maximum(rows.open, rows.close))
            low = np.where(old, rows.low, np.minimum(rows.open, rows.close))
            rows = rows._replace(high=high, low=low)
    return rows


def _spoiled(rows: Rows, candles: Candles, since: int, now: int, active: list[TroubleKind]) -> Rows:
    """Return rows as the active troubles change them."""
    columns: list[Any] = [np.array(column) for column in rows]
    if "empty" in active:
        return Rows(*(column[:0] for column in columns))
    if "gap" in active:
        kept = ~np.isin(columns[0], (since, since + MINUTE))  # one of them is known already
        columns = [column[kept] for column in columns]
    if "short" in active:
        columns = [column[:1] for column in columns]
    row = candles.index(floor_to(now) + MINUTE)
    if "forming" in active and row < len(candles) and candles.starts_at(row) == floor_to(now):
        price = float(candles.open[row])
        forming = (floor_to(now), price, price, price, price, 0.0)
        columns = [np.append(column, value) for column, value in zip(columns, forming, strict=True)]
        columns[0] = columns[0].astype(np.int64)
    if "duplicates" in active:
        columns = [np.repeat(column, 2) for column in columns]
    if "unsorted" in active:
        columns = [column[::-1] for column in columns]
    if "garbage" in active and len(columns[0]):
        columns[4][-1] = np.nan if now // 1000 % 2 else -1.0
    return Rows(*columns)
