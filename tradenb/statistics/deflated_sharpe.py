"""The Sharpe ratio of the best of many, compared with the best that chance alone would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

_EULER: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()


def deflated_sharpe(sharpes: Sequence[float], counts: Sequence[float]) -> list[float]:
    """Return the probability that each Sharpe ratio is better than the luck of the best.

    Parameters
    ----------
    sharpes : sequence of float
        Per trade, of all combinations that were tried; NaN where there is none.
    counts : sequence of float
        Trades of each.

    Returns
    -------
    list of float
        Probabilities, 0 to 1: below 0.95 the ratio is what the best of as many worthless
        combinations would show. NaN without a ratio, or with fewer than two different ones.

    Notes
    -----
    Bailey, D. and Lopez de Prado, M., "The Deflated Sharpe Ratio", Journal of Portfolio Management
    40(5), 2014, with returns taken as normal. Combinations that resemble each other count as
    separate trials, which makes it stricter.

    Examples
    --------
    >>> [round(sure, 2) for sure in deflated_sharpe([0.02, -0.05, 0.04, 0.6], [80, 80, 80, 80])]
    [0.0, 0.0, 0.01, 0.99]
    """
    known = [value for value in sharpes if not math.isnan(value)]
    if len(set(known)) < 2:
        return [math.nan] * len(sharpes)
    mean = math.fsum(known) / len(known)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))
    trials = len(sharpes)
    rare = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    luck = spread * ((1 - _EULER) * rare[0] + _EULER * rare[1])
    return [_sure(value, luck, count) for value, count in zip(sharpes, counts, strict=True)]


def _sure(sharpe: float, luck: float, count: float) -> float:
    if math.isnan(sharpe) or count < 2:
        return math.nan
    return _NORMAL.cdf((sharpe - luck) * math.sqrt(count - 1) / math.sqrt(1 + sharpe**2 / 2))
