"""Which values of users pass for numbers and moments, and the record of a broken rule."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import NamedTuple

from tradenb.core.timeframe import to_ms
from tradenb.errors import UsageError, shown


class Problem(NamedTuple):
    """One broken rule: its name, and a sentence with the value and the bound."""

    name: str
    words: str


def positive(value: object) -> float | None:
    """Return a finite number above 0, or None of all else."""
    if type(value) is float:  # nearly always; numbers of all other sorts cost a longer look
        return value if 0 < value < math.inf else None
    number = finite(value)
    return number if number is not None and number > 0 else None


def not_negative(value: object) -> float | None:
    """Return a finite number of at least 0, or None of all else."""
    number = finite(value)
    return number if number is not None and number >= 0 else None


def finite(value: object) -> float | None:
    """Return a finite number, or None of all else; a bool is not a number."""
    if value is None:  # of all that is not a number the commonest, and the quickest to see
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - too large, or a user's number that cannot be converted
        return None
    return number if math.isfinite(number) else None


def whole(value: object) -> int | None:
    """Return a whole number, or None of all else."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        return None
    return int(value)


def moment(value: object) -> int | None:
    """Return a moment in ms UTC: of ms, a datetime or ISO text; None of all else."""
    if isinstance(value, bool | float):
        return None
    number = whole(value)
    if number is not None:
        return number
    try:
        return to_ms(value)
    except (UsageError, ValueError, OverflowError):
        return None


def limit_of(field: str) -> str:
    """Say which rule sets the limit that a message names."""
    return f"; rules=tn.Rules({field}=...) sets this limit"


def number_problem(name: str, value: object) -> Problem:
    """Say that a value is not a number above 0."""
    return Problem(f"{name}_number", f"{name} must be a finite number above 0, was {shown(value)}")
