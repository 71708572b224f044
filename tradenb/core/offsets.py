"""Levels that are said as distances: `percent` and `distance` stand for a price of a candidate.

They become prices when the strategy returns: then the price that will be paid, before slippage, is
known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, NotRequired, TypedDict

from tradenb.call_errors import explained, readable
from tradenb.core.values import positive
from tradenb.errors import UsageError, shown


class _Level:
    """No number: counting with it is refused, with what to write instead."""

    __slots__ = ()

    def _counted(self, _other: object = None) -> NoReturn:
        raise TypeError(
            f"{self!r} is not a price to count with: give it as it is, as in stop_loss={self!r}, "
            f"or write the price, such as {self._price()}"
        )

    def _price(self) -> str:
        raise NotImplementedError

    __float__ = __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = _counted
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _counted
    __lt__ = __le__ = __gt__ = __ge__ = _counted


@dataclass(frozen=True, slots=True)
class Percent(_Level):
    """A level so many percent away from the price paid; made by `percent`."""

    value: object

    def __repr__(self) -> str:
        return f"tn.percent({shown(self.value)})"

    def _price(self) -> str:
        return f"df.close * (1 - {shown(self.value)} / 100)"

    def level(self, base: float, sign: int) -> float | None:
        """Return the price above (sign 1) or below (-1) a base; None if it is not a number."""
        value = positive(self.value)
        return None if value is None else base * (1 + sign * value / 100)


@dataclass(frozen=True, slots=True)
class Distance(_Level):
    """A level a distance away from the price paid; made by `distance`."""

    value: object

    def __repr__(self) -> str:
        return f"tn.distance({shown(self.value)})"

    def _price(self) -> str:
        return f"df.close - {shown(self.value)}"

    def level(self, base: float, sign: int) -> float | None:
        """Return the price above (sign 1) or below (-1) a base; None if it is not a number."""
        value = positive(self.value)
        return None if value is None else base + sign * value


Offset = Percent | Distance


def level_of(given: object, base: float, sign: int) -> object:
    """Return the price that a level stands for; what cannot be one stays as it is."""
    if not isinstance(given, Offset):
        return given
    level = given.level(base, sign)
    return given if level is None or level <= 0 else level


def target_of(given: object, base: float, sign: int) -> object:
    """Return a target, or a ladder of them, as prices."""
    if not isinstance(given, list | tuple):
        return level_of(given, base, sign)
    return [
        (level_of(pair[0], base, sign), pair[1])
        if isinstance(pair, list | tuple) and len(pair) == 2
        else pair
        for pair in given
    ]


class Bracket(TypedDict):
    """The keywords of `long` and `short` that `bracket` makes."""

    stop_loss: Offset
    take_profit: NotRequired[Offset]


@readable
def percent(value: float) -> Percent:
    """Say a level in percent of the price that will be paid, before slippage.

    The side follows from the candidate: a target lies beyond the entry, a stop before it.

    Parameters
    ----------
    value : float
        Percent, above 0.

    Returns
    -------
    Percent
        For take_profit and stop_loss of `long`, `short` or a mapping.

    Examples
    --------
    >>> percent(2)
    tn.percent(2)
    """
    return Percent(value)


@readable
def distance(value: float) -> Distance:
    """Say a level as a distance from the price that will be paid, before slippage.

    In quote currency.

    Parameters
    ----------
    value : float
        Above 0, such as two average true ranges.

    Returns
    -------
    Distance
        For take_profit and stop_loss of `long`, `short` or a mapping.

    Examples
    --------
    >>> distance(150.0)
    tn.distance(150.0)
    """
    return Distance(value)


@explained("tn.bracket")
def bracket(
    *,
    stop: float,
    target: float | None = None,
    r: float | None = None,
    atr: float | None = None,
) -> Bracket:
    """Make the stop and the target of a candidate from distances.

    Parameters
    ----------
    stop : float
        Distance of the stop: percent of the price paid, or multiples of `atr` if that is given.
    target : float, optional
        Distance of the target, in the same measure; without it and `r` there is no target.
    r : float, optional
        Distance of the target, in multiples of the stop's.
    atr : float, optional
        An average true range, or another measure of how far prices move, quote currency.

    Returns
    -------
    dict
        Keywords of `long` and `short`: ``tn.long(**tn.bracket(stop=1.5, r=3), minutes=240)``.

    Raises
    ------
    UsageError
        When a distance is not a finite number above 0, or both target and r are given.

    Examples
    --------
    >>> bracket(stop=1.5, target=3)
    {'stop_loss': tn.percent(1.5), 'take_profit': tn.percent(3.0)}
    >>> bracket(atr=20.0, stop=2, target=4)
    {'stop_loss': tn.distance(40.0), 'take_profit': tn.distance(80.0)}
    """
    if target is not None and r is not None:
        raise UsageError(f"bracket takes target or r, not both; was target={target!r}, r={r!r}")
    near = _checked("stop", stop)
    far = None if target is None else _checked("target", target)
    if r is not None:
        far = near * _checked("r", r)
    unit = None if atr is None else _checked("atr", atr)

    def level(value: float) -> Offset:
        return Percent(value) if unit is None else Distance(value * unit)

    found: Bracket = {"stop_loss": level(near)}
    if far is not None:
        found["take_profit"] = level(far)
    return found


def _checked(name: str, value: object) -> float:
    number = positive(value)
    if number is None:
        raise UsageError(f"{name} of bracket must be a finite number above 0, was {shown(value)}")
    return number
