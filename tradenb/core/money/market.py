"""`Market`: in which steps a market trades, and the least it takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tradenb.core.symbol import canonical
from tradenb.core.values import positive
from tradenb.errors import UsageError, near, shown

# So near to a step a number is meant to be on it: 0.3 is three steps of 0.1.
NEAR: Final = 1e-9
_FIELDS: Final = ("price_step", "size_step", "min_size", "max_size", "min_value")


@dataclass(frozen=True, init=False, slots=True)
class Market:
    """The steps and bounds of one symbol; frozen. What is left out does not bind.

    Parameters
    ----------
    price_step : float, optional
        Prices of orders are multiples of it, quote currency, > 0.
    size_step : float, optional
        Pieces are multiples of it, > 0.
    min_size, max_size : float, optional
        Fewest and most pieces of an order, > 0.
    min_value : float, optional
        Least value of an order, quote currency, > 0.

    Raises
    ------
    UsageError
        When a value is out of its range; all problems at once.

    Examples
    --------
    >>> Market(price_step=0.5, size_step=0.001)
    Market(price_step=0.5, size_step=0.001)
    """

    price_step: float | None = None
    size_step: float | None = None
    min_size: float | None = None
    max_size: float | None = None
    min_value: float | None = None

    if TYPE_CHECKING:  # pragma: no cover - who reads the signature sees the names

        def __init__(
            self,
            *,
            price_step: float | None = None,
            size_step: float | None = None,
            min_size: float | None = None,
            max_size: float | None = None,
            min_value: float | None = None,
        ) -> None: ...

    else:

        def __init__(self, *unnamed: object, **values: object) -> None:
            known = f"a market has {', '.join(_FIELDS)}"
            if unnamed:
                raise UsageError(f"Market: pass {shown(unnamed[0])} by name; {known}")
            found = []
            for name, value in values.items():
                if name not in _FIELDS:
                    found.append(f"unknown field {name!r}{near(name, _FIELDS)} ({known})")
                elif value is not None and positive(value) is None:
                    found.append(f"{name} must be a finite number above 0, was {shown(value)}")
            for name in _FIELDS:
                object.__setattr__(self, name, positive(values.get(name)))
            least, most = self.min_size, self.max_size
            if least is not None and most is not None and least > most:
                found.append(f"min_size must not exceed max_size = {most:g}, was {least:g}")
            if found:
                raise UsageError(f"Market: {'; '.join(found)}")

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in _FIELDS]
        words = [f"{name}={value}" for name, value in given if value is not None]
        return f"Market({', '.join(words)})"

    def pieces(self, wanted: float) -> float:
        """Return how many pieces an order for so many may have; never more."""
        found = on_step(wanted, self.size_step)
        if self.max_size is None:
            return found
        return min(found, on_step(self.max_size, self.size_step))


def on_step(value: float, step: float | None, *, up: bool = False) -> float:
    """Return the multiple of a step at or below a number, or at or above it.

    Returns
    -------
    float
        The double nearest to the decimal product: 3 steps of 0.1 are 0.3.
    """
    if step is None:
        return value
    ratio = value / step
    count = round(ratio)
    if abs(ratio - count) > NEAR * max(1.0, abs(ratio)):
        count = math.ceil(ratio) if up else math.floor(ratio)
    return float(Decimal(repr(step)) * count)


def stop_on_step(level: float, step: float | None, *, long: bool) -> float:
    """Return a stop on the step, nearer to the price rather than farther."""
    return on_step(level, step, up=long)


def target_on_step(level: float, step: float | None, *, long: bool) -> float:
    """Return a target on the step, nearer to the price rather than farther."""
    return on_step(level, step, up=not long)


def in_order(long: bool, *levels: float) -> bool:
    """Tell whether prices are above 0 and go strictly away: stop, entry, targets of a long."""
    if not all(level > 0 for level in levels):
        return False
    pairs = itertools.pairwise(levels)
    return all((low < high) if long else (low > high) for low, high in pairs)


def checked_markets(given: object) -> dict[str, Market]:
    """Return the steps by canonical symbol; "" stands for every symbol.

    Raises
    ------
    UsageError
        When it is neither a market nor a dict of them.
    """
    if given is None:
        return {}
    several = given if isinstance(given, Mapping) else {"": given}
    found: dict[str, Market] = {}
    for name, market in several.items():
        if not isinstance(market, Market):
            of = f" of {name}" if name else ""
            raise UsageError(
                f"market{of} must be tn.Market(...) or a dict of them, was {shown(market)}"
            )
        found[name and canonical(name)] = market
    return found
