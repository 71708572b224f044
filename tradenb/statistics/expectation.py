"""The band that live trades should stay in if they are drawn as those of a backtest were.

The band is a few numbers, so that any process can hold a run against it; only making it needs
chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Final, NamedTuple

from tradenb.errors import UsageError, shown

FEWEST: Final = 50
"""A backtest of fewer trades says too little of the next ones."""
MOST: Final = 500
"""So many trades a band reaches at most."""
PATHS: Final = 2_000
_BLOCK: Final = 100
_DRAWN: Final = 5_000  # of a longer backtest; the spread of its mean is scaled
_RUIN: Final = -99.9999


class Band(NamedTuple):
    """Where the compounded return lies, trade by trade.

    Attributes
    ----------
    mean, std : float
        Of log(1 + pnl_percent / 100) of the trades of the backtest.
    backtested : int
        How many those were.
    below, above : float
        How many standard errors it reaches down and up.
    reach : int
        For so many trades it was made.
    level : float
        Percent of runs that stay in it all the way.
    since : int
        Trades count that closed after it, ms UTC; 0: all of the run.
    """

    mean: float
    std: float
    backtested: int
    below: float
    above: float
    reach: int
    level: float
    since: int = 0

    def bounds(self, trades: int) -> tuple[float, float]:
        """Return the lowest and the highest expected return after so many trades, percent.

        Examples
        --------
        >>> low, high = Band(0.001, 0.02, 100, 2.5, 2.5, 100, 95.0).bounds(10)
        >>> round(low, 1), round(high, 1)
        (-14.4, 19.2)
        """
        middle, error = trades * self.mean, self.std * _spread(trades, self.backtested)
        ends = middle - self.below * error, middle + self.above * error
        low, high = (100 * math.expm1(end) for end in ends)
        return low, high


class Place(NamedTuple):
    """Where a run was after one of its trades.

    Attributes
    ----------
    trades : int
        The number of the trade.
    at : int
        When it closed, ms UTC.
    gained : float
        Compounded return so far, percent.
    low, high : float
        Bounds of the band there, percent.
    """

    trades: int
    at: int
    gained: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether it is in the band."""
        return self.low <= self.gained <= self.high


@dataclass(frozen=True)
class Course:
    """How a run went through a band; only trades within its reach count.

    Attributes
    ----------
    band : Band
    places : tuple of Place
    beyond : int
        Trades that came after the band had ended.
    """

    band: Band
    places: tuple[Place, ...]
    beyond: int = 0

    @property
    def left(self) -> Place | None:
        """Where it left the band first; None: it did not."""
        return next((place for place in self.places if not place.inside), None)


def course_of(band: Band, trades: Sequence[tuple[int, float]]) -> Course:
    """Hold trades against a band: when each closed (ms UTC), and its pnl_percent."""
    counted = [trade for trade in trades if trade[0] > band.since]
    found = tuple(_places(band, counted[: band.reach]))
    return Course(band, found, max(0, len(counted) - band.reach))


def _places(band: Band, trades: Sequence[tuple[int, float]]) -> Iterator[Place]:
    total = 0.0
    for number, (at, percent) in enumerate(trades, 1):
        total += math.log1p(max(percent, _RUIN) / 100)
        yield Place(number, at, 100 * math.expm1(total), *band.bounds(number))


def band_of(
    percents: Sequence[float],
    *,
    level: float = 95.0,
    reach: int | None = None,
    seed: int = 0,
    since: int = 0,
) -> Band:
    """Make the band of the trades of a backtest.

    Parameters
    ----------
    percents : sequence of float
        pnl_percent of its closed trades.
    level : float, default 95
        Percent of runs that stay in the band all the way.
    reach : int, optional
        For how many trades; default as many as the backtest has, at most 500.
    seed : int, default 0
        Of the bootstrap: the same trades and seed give the same band.
    since : int, default 0
        Trades of the run count that closed after it, ms UTC.

    Raises
    ------
    UsageError
        When there are fewer than 50 trades, all alike, or one lost everything; or when level,
        reach (users call it trades) or seed is out of bounds.

    Notes
    -----
    With x = log(1 + r / 100) of m trades, of mean mu and standard deviation s, the band after n
    trades is n mu - a s sqrt(n + n^2 / m) to n mu + b s sqrt(n + n^2 / m): the n^2 / m is what the
    backtest does not know of its own mean. a and b are such that half of the runs that leave do so
    at each side. They are found by the bootstrap (Efron, B., "Bootstrap Methods: Another Look at
    the Jackknife", Annals of Statistics 7(1), 1979): 2,000 times a backtest and a run are drawn
    from the trades with replacement, and a and b are quantiles of the farthest that a run gets on
    its whole way (a sup-t band; Montiel Olea, J. and Plagborg-Moller, M., "Simultaneous Confidence
    Bands", Journal of Applied Econometrics 34(1), 2019). Looking after each trade costs nothing.

    Examples
    --------
    >>> band = band_of([1.0, -0.8, 0.4, -0.5] * 20)
    >>> band.backtested, band.reach, band == band_of([1.0, -0.8, 0.4, -0.5] * 20)
    (80, 80, True)
    """
    import numpy as np

    _check(percents, level, reach, seed)
    logs = np.log1p(np.asarray(percents, dtype=np.float64) / 100)
    count, mean, std = len(logs), float(logs.mean()), float(logs.std(ddof=1))
    if std <= 1e-12:
        raise UsageError("all trades of the backtest are alike: there is no band around them")
    reach = min(count, MOST) if reach is None else reach
    random = np.random.default_rng(seed)
    drawn, numbers = min(count, _DRAWN), np.arange(1, reach + 1)
    error = std * np.sqrt(numbers + numbers**2 / count)
    lowest: list[Any] = []
    highest: list[Any] = []
    for _ in range(0, PATHS, _BLOCK):
        means = random.choice(logs, (_BLOCK, drawn)).mean(axis=1)
        means = mean + (means - mean) * math.sqrt(drawn / count)
        ways = random.choice(logs, (_BLOCK, reach)).cumsum(axis=1)
        away = (ways - numbers * means[:, None]) / error
        lowest.append(-away.min(axis=1))
        highest.append(away.max(axis=1))
    inner = 0.5 + level / 200
    below, above = (float(np.quantile(np.concatenate(far), inner)) for far in (lowest, highest))
    return Band(mean, std, count, below, above, reach, float(level), since)


def _spread(trades: int, count: int) -> float:
    return math.sqrt(trades + trades**2 / count)


def _check(percents: Sequence[float], level: object, reach: object, seed: object) -> None:
    if len(percents) < FEWEST:
        raise UsageError(
            f"a band needs the closed trades of a longer backtest: {FEWEST} at least, "
            f"it has {len(percents)}"
        )
    if not all(math.isfinite(each) and each > -100 for each in percents):
        raise UsageError("a trade of the backtest lost everything: there is no band behind it")
    if not isinstance(level, Real) or not 50 <= float(level) <= 99.9:
        raise UsageError(f"level must be a percentage from 50 to 99.9, was {shown(level)}")
    if reach is not None and (type(reach) is not int or not 1 <= reach <= MOST):
        raise UsageError(f"trades must be a whole number from 1 to {MOST}, was {reach!r}")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise UsageError(f"seed must be a whole number, 0 or more, was {shown(seed)}")
