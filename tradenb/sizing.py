"""How much to buy: three laws of position size, in units of the base asset.

Each law turns a balance and a price into a size, and then the same caps apply, in this order: at
most `max_position_percent` of the balance, at most `max_size`; what is left below `min_size` is no
trade, 0. Pure arithmetic: nothing here knows candles, books or exchanges. Results are estimates of
risk, not limits: a stop that is gapped through loses more.
"""

from __future__ import annotations

import math
from numbers import Real

from tradenb.call_errors import explained
from tradenb.errors import UsageError


@explained("tn.size_fixed")
def size_fixed(
    balance: float,
    entry: float,
    stop_loss: float,
    risk_percent: float,
    *,
    max_position_percent: float | None = None,
    max_size: float | None = None,
    min_size: float | None = None,
) -> float:
    """Size a position so that its stop loses a fixed share of the balance, before costs.

    Parameters
    ----------
    balance : float
        Capital, quote currency, > 0.
    entry, stop_loss : float
        Prices in quote currency, > 0, not equal; either may be the higher one.
    risk_percent : float
        Share of the balance lost at the stop, percent, > 0.
    max_position_percent : float, optional
        Largest value of the position, percent of the balance, > 0.
    max_size, min_size : float, optional
        Largest and smallest size, base asset, > 0.

    Returns
    -------
    float
        balance x risk_percent/100 / abs(entry - stop_loss), capped; base asset. 0 is no trade.

    Raises
    ------
    UsageError
        When a number is not finite and above 0, or the stop equals the entry.

    Examples
    --------
    >>> size_fixed(1000, 100, 98, 1)
    5.0
    """
    capital, price = _positive("balance", balance), _positive("entry", entry)
    distance = abs(price - _positive("stop_loss", stop_loss))
    risk = _positive("risk_percent", risk_percent)
    if distance == 0:
        raise UsageError(
            f"stop_distance must be above 0, was 0 (entry {entry!r}, stop_loss {stop_loss!r});"
            " move the stop away from the entry"
        )
    size = capital * risk / 100 / distance
    return _capped(size, capital, price, max_position_percent, max_size, min_size)


@explained("tn.size_kelly")
def size_kelly(
    balance: float,
    entry: float,
    win_rate: float,
    win_loss_ratio: float,
    *,
    multiplier: float = 0.25,
    max_position_percent: float | None = None,
    max_size: float | None = None,
    min_size: float | None = None,
) -> float:
    """Size a position by a fraction of the Kelly criterion; without an edge it is 0.

    Parameters
    ----------
    balance : float
        Capital, quote currency, > 0.
    entry : float
        Price, quote currency, > 0.
    win_rate : float
        Probability of a win, a fraction between 0 and 1, both exclusive (`win_rate` of the
        statistics is in percent: divide by 100).
    win_loss_ratio : float
        Average win over average loss, > 0 (`certainty_ratio` of the statistics).
    multiplier : float, default 0.25
        Share of the full Kelly bet, > 0; estimates of win_rate are rarely good enough for 1.
    max_position_percent : float, optional
        Largest value of the position, percent of the balance, > 0.
    max_size, min_size : float, optional
        Largest and smallest size, base asset, > 0.

    Returns
    -------
    float
        balance x max(0, (w R - (1 - w)) / R) x multiplier / entry, capped; base asset. 0 is no
        trade.

    Raises
    ------
    UsageError
        When a number is not finite and above 0, or win_rate is not below 1.

    Notes
    -----
    Kelly, J. L., "A New Interpretation of Information Rate", Bell System Technical Journal 35(4),
    1956, for a bet that wins R times the stake or loses all of it; here the stake is the position's
    value, so that a stop at a few percent risks far less than the bet of the formula.

    Examples
    --------
    >>> size_kelly(1000, 100, 0.5, 2)
    0.625
    """
    capital, price = _positive("balance", balance), _positive("entry", entry)
    rate, ratio = _probability("win_rate", win_rate), _positive("win_loss_ratio", win_loss_ratio)
    share = max(0.0, (rate * ratio - (1 - rate)) / ratio)
    size = capital * share * _positive("multiplier", multiplier) / price
    return _capped(size, capital, price, max_position_percent, max_size, min_size)


@explained("tn.size_atr")
def size_atr(
    balance: float,
    entry: float,
    atr: float,
    risk_percent: float,
    *,
    multiplier: float = 2,
    max_position_percent: float | None = None,
    max_size: float | None = None,
    min_size: float | None = None,
) -> float:
    """Size a position so that an adverse move of some average true ranges loses a fixed share.

    Parameters
    ----------
    balance : float
        Capital, quote currency, > 0.
    entry : float
        Price, quote currency, > 0; only `max_position_percent` looks at it.
    atr : float
        Average true range (Wilder, J. W., "New Concepts in Technical Trading Systems", 1978),
        quote currency, > 0.
    risk_percent : float
        Share of the balance lost by the move, percent, > 0.
    multiplier : float, default 2
        The move, in average true ranges, > 0.
    max_position_percent : float, optional
        Largest value of the position, percent of the balance, > 0.
    max_size, min_size : float, optional
        Largest and smallest size, base asset, > 0.

    Returns
    -------
    float
        balance x risk_percent/100 / (atr x multiplier), capped; base asset. 0 is no trade.

    Raises
    ------
    UsageError
        When a number is not finite and above 0.

    Examples
    --------
    >>> size_atr(1000, 100, 2.5, 1)
    2.0
    """
    capital, price = _positive("balance", balance), _positive("entry", entry)
    distance, risk = _positive("atr", atr), _positive("risk_percent", risk_percent)
    distance *= _positive("multiplier", multiplier)
    if distance == 0:
        raise UsageError(f"atr must be above 0 after x {multiplier!r}, was {atr!r}; is it rounded?")
    size = capital * risk / 100 / distance
    return _capped(size, capital, price, max_position_percent, max_size, min_size)


def _capped(
    size: float,
    balance: float,
    entry: float,
    max_position_percent: float | None,
    max_size: float | None,
    min_size: float | None,
) -> float:
    if max_position_percent is not None:
        share = _positive("max_position_percent", max_position_percent)
        size = min(size, balance * share / 100 / entry)
    if max_size is not None:
        size = min(size, _positive("max_size", max_size))
    if not math.isfinite(size):
        raise UsageError(f"size must be finite, was {size!r}; widen the stop or set max_size")
    if min_size is not None and size < _positive("min_size", min_size):
        return 0.0
    return size


def _positive(name: str, value: object) -> float:
    number = _finite(value)
    if not number > 0:
        advice = _ADVICE.get(name, "give a plain int or float")
        raise UsageError(f"{name} must be a finite number above 0, was {value!r}; {advice}")
    return number


def _probability(name: str, value: object) -> float:
    number = _finite(value)
    if not 0 < number < 1:
        raise UsageError(
            f"{name} must be between 0 and 1 (exclusive), was {value!r}; 55 % is written 0.55"
        )
    return number


def _finite(value: object) -> float:
    """Return the number as a float; NaN if it is not a number, infinite or too large."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


_ADVICE = {
    "balance": "there is nothing to trade with",
    "atr": "wait until enough candles have closed",
    "win_loss_ratio": "divide the average win by the average loss, both as positive numbers",
    "max_position_percent": "leave it out for no limit",
    "max_size": "leave it out for no limit",
    "min_size": "leave it out for no limit",
}
