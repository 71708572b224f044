"""`Market`: in which steps a market trades, and the least it takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tradenb.core.candles.arrays import Floats
from tradenb.core.model_errors import problems_of
from tradenb.core.symbol import canonical
from tradenb.errors import UsageError, shown

# So near to a step a number is meant to be on it: 0.3 is three steps of 0.1.
_NEAR: Final = 1e-9


class Market(BaseModel, frozen=True):
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
    >>> Market(price_step=0.5, size_step=0.001).price_step
    0.5
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    price_step: float | None = Field(default=None, gt=0)
    size_step: float | None = Field(default=None, gt=0)
    min_size: float | None = Field(default=None, gt=0)
    max_size: float | None = Field(default=None, gt=0)
    min_value: float | None = Field(default=None, gt=0)

    if not TYPE_CHECKING:  # pragma: no branch - type checkers make it of the fields

        def __init__(self, *unnamed: object, **values: object) -> None:
            known = f"a market knows {', '.join(type(self).model_fields)}"
            if unnamed:
                raise UsageError(f"Market: pass {unnamed[0]!r:.80} by name; {known}")
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise UsageError(problems_of("Market", error, type(self).model_fields)) from None

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        least, most = self.min_size, self.max_size
        if least is not None and most is not None and least > most:
            raise ValueError(f"min_size must not exceed max_size = {most:g}, was {least:g}")
        return self

    def __dir__(self) -> list[str]:
        """Tab shows the steps and bounds, and nothing of pydantic."""
        return list(type(self).model_fields)

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
    if abs(ratio - count) > _NEAR * max(1.0, abs(ratio)):
        count = math.ceil(ratio) if up else math.floor(ratio)
    return float(Decimal(repr(step)) * count)


def all_on_step(values: Floats, step: float | None, *, up: bool) -> Floats:
    """Return `on_step` of each of many numbers."""
    if step is None:
        return values
    ratios = values / step
    counts = np.rint(ratios)
    off = np.abs(ratios - counts) > _NEAR * np.maximum(1.0, np.abs(ratios))
    counts[off] = (np.ceil if up else np.floor)(ratios[off])
    several, places = np.unique(counts, return_inverse=True)
    exact = Decimal(repr(step))
    found: Floats = np.array([float(exact * int(count)) for count in several])[places]
    return found


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
