"""A synthetic market: seeded, offline, and the same on every machine.

For the same bits everywhere only what IEEE 754 and numpy promise is used: the raw 64-bit stream of
PCG64 (numpy keeps bit streams stable, its distributions may change), whole-number sums, + - * / and
a running product. No exp, log or normal(), whose last bits differ between processors and releases.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Candles, Floats, Intake, candles_of
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import DAY, MINUTE, TimeLike, floor_to, to_ms
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import UsageError, unknown
from tradenb.exchanges.memo import CandleMemo

_YEAR_MINUTES: Final = 365 * 24 * 60
_DAY_MINUTES: Final = 24 * 60
_KNOWN_PRICES: Final = {"BTC": 42_000.0, "ETH": 2_300.0}
_VOLUME_PER_MINUTE: Final = 1_500_000.0  # in quote currency, on an ordinary minute
# Activity in each hour of the day, UTC: low in the morning, high while New York trades.
_NIGHT: Final = (1.0, 0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9, 1.0)
_HOUR_ACTIVITY: Final = np.array(
    (*_NIGHT, 1.1, 1.3, 1.6, 1.6, 1.5, 1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.9)
)
_ACTIVITY_SCALE: Final = 1.22  # makes the mean square of `_activity` about 1


class RandomWalk(ReprCard):
    """A source of made-up candles; made by `random_walk`."""

    def __init__(
        self,
        seed: int,
        *,
        count: int,
        symbols: tuple[str, ...] | None,
        start: int,
        price: float | None,
        volatility: float,
        name: str,
    ) -> None:
        self._seed = seed
        self._count = count
        self._symbols = symbols
        self._start = start
        self._price = price
        self._volatility = volatility
        self._memo = CandleMemo()
        self._name = name

    @property
    def name(self) -> str:
        """Name under which it is registered."""
        return self._name

    def __repr__(self) -> str:
        symbols = ", ".join(self._symbols) if self._symbols else "any symbol"
        days = self._count / _DAY_MINUTES
        return f"random_walk(seed={self._seed}, days={days:g}: {symbols})"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return "random walk", [
            ("symbols", ", ".join(self._symbols or ("any symbol",))),
            ("seed", str(self._seed)),
            ("days", f"{self._count / _DAY_MINUTES:g}"),
        ]

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`."""
        key = canonical(request.symbol)
        if self._symbols is not None and key not in self._symbols:
            raise unknown("symbol", key, self._symbols, hint=f"(in {self!r})")
        loaded = self._memo.get(key, None, lambda: self._made(key))
        if request.progress:
            request.progress(1, 1)
        return loaded

    def _made(self, symbol: str) -> Loaded:
        price = self._price or _default_price(self._seed, symbol)
        stream = f"{self._seed}:{symbol}"
        candles = _walk(stream, self._count, self._start, price, self._volatility)
        return Loaded(candles, Intake(rows=self._count))


@explained("tn.testing.random_walk")
def random_walk(
    seed: int = 0,
    *,
    days: float = 90,
    symbols: Iterable[str] | None = None,
    start: TimeLike = "2024-01-01",
    price: float | None = None,
    volatility: float = 60.0,
    name: str = "random_walk",
) -> RandomWalk:
    """Make up 1m candles that look like a market and are the same on every machine.

    Parameters
    ----------
    seed : int, default 0
        Another seed is another market. Symbols move independently of each other.
    days : float, default 90
        Length in days. A longer walk begins with the candles of the shorter one.
    symbols : iterable of str, optional
        The symbols of this market; by default any.
    start : moment, default "2024-01-01"
        Open time of the first candle: ms, datetime or ISO string, UTC.
    price : float, optional
        First price; by default one that suits the symbol.
    volatility : float, default 60
        Standard deviation of a year's return, percent.
    name : str, default "random_walk"
        Name of the exchange.

    Returns
    -------
    RandomWalk
        Each symbol is made at its first use; a year takes a tenth of a second.

    Raises
    ------
    UsageError
        When a number is out of range, or a symbol is not valid.

    Examples
    --------
    >>> import tradenb as tn
    >>> walk = random_walk(seed=7, days=1)
    >>> len(tn.candles("BTCUSDT", exchange=walk))
    1440
    """
    _check("days", days, low=1 / _DAY_MINUTES, high=3_660)
    _check("volatility", volatility, low=0, high=1_000)
    if price is not None:
        _check("price", price, low=1e-8, high=1e8)
    return RandomWalk(
        _whole(seed),
        count=round(days * _DAY_MINUTES),
        symbols=None if symbols is None else tuple(canonical(one) for one in _listed(symbols)),
        start=floor_to(to_ms(start, "start")),
        price=price,
        volatility=volatility,
        name=name,
    )


def _whole(seed: object) -> int:
    try:
        return operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"seed must be a whole number, was {seed!r}") from None


def _check(name: str, value: object, *, low: float, high: float) -> None:
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{name} must be a number from {low:g} to {high:g}, was {value!r}")


def _listed(symbols: Iterable[str]) -> Iterable[str]:
    return [symbols] if isinstance(symbols, str) else symbols


def _default_price(seed: int, symbol: str) -> float:
    for base, price in _KNOWN_PRICES.items():
        if symbol.startswith(base):
            return price
    units = int(_raw(f"{seed}:{symbol}:price", 1)[0])
    return float((1 + units % 999) / 10 ** (units // 1000 % 4))


def _walk(stream: str, count: int, start: int, price: float, volatility: float) -> Candles:
    activity = _activity(stream, count, start)
    spread = volatility / 100 / math.sqrt(_YEAR_MINUTES) * activity  # of a minute's return
    returns = spread * _bell(f"{stream}:return", count)
    scale = _scale(price)
    growth: Floats = np.multiply.accumulate(np.maximum(1 + returns, 0.5))
    close = _rounded(price * growth, scale)
    open_ = np.concatenate((_rounded(np.array([price]), scale), close[:-1]))
    above, below = (_uniform(f"{stream}:{side}", count) for side in ("above", "below"))
    high = _rounded(np.maximum(open_, close) * (1 + spread * above * above * 1.5), scale)
    low = _rounded(np.minimum(open_, close) * (1 - spread * below * below * 1.5), scale)
    volume = _volume(stream, price, activity, np.abs(returns) / np.maximum(spread, 1e-300))
    return candles_of((open_, high, low, close, volume), start)


def _activity(stream: str, count: int, start: int) -> Floats:
    """Return the activity of each minute: calm and wild days, hours within them, time of day."""
    days = _smooth(f"{stream}:days", count, _DAY_MINUTES)
    hours = _smooth(f"{stream}:hours", count, 60)
    minute = (start % DAY) // MINUTE + np.arange(count)
    activity: Floats = _ACTIVITY_SCALE * days * hours * _HOUR_ACTIVITY[minute // 60 % 24]
    return activity


def _smooth(stream: str, count: int, step: int) -> Floats:
    """Return levels of 0.5 (often) to 1.9 (rarely), drawn every `step` rows, lines between them."""
    knots = count // step + 2
    level = 0.5 + 1.4 * _uniform(stream, knots) * _uniform(f"{stream}:2", knots)
    part = np.arange(step) / step
    lines = level[:-1, None] * (1 - part) + level[1:, None] * part
    return lines.ravel()[:count]


def _volume(stream: str, price: float, activity: Floats, moved: Floats) -> Floats:
    chance = _uniform(f"{stream}:volume", len(activity))
    usual = _VOLUME_PER_MINUTE / price
    return _rounded(usual * activity * (0.3 + moved) * (0.1 + chance * chance), 1000.0, least=0.0)


def _scale(price: float) -> float:
    """Return 1/tick, a power of ten: six digits of the first price, as exchanges quote it."""
    return float(10 ** max(0, 5 - Decimal(price).adjusted()))


def _rounded(values: Floats, scale: float, *, least: float = 1.0) -> Floats:
    """Round to whole ticks, at least one; the quotient is the float nearest to the decimal."""
    return np.maximum(np.rint(values * scale), least) / scale


def _bell(stream: str, count: int) -> Floats:
    """Return about normal numbers, mean 0 and variance 1: sums of twelve 16-bit ones."""
    parts = _raw(stream, 3 * count).view(np.uint16).reshape(count, 12)
    total = parts[:, 0].astype(np.int64)
    for place in range(1, 12):
        total += parts[:, place]
    return (total - 6 * 65_535) / 65_536.0


def _uniform(stream: str, count: int) -> Floats:
    """Return numbers in [0, 1)."""
    return (_raw(stream, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _raw(stream: str, count: int) -> NDArray[np.uint64]:
    seed = int.from_bytes(hashlib.sha256(stream.encode()).digest(), "little")
    return np.random.PCG64(seed).random_raw(count)
