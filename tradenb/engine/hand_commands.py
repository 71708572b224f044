"""What a person may say in the commands close and move, checked before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradenb.core.actions import FIELDS
from tradenb.core.candidate import is_ladder
from tradenb.core.values import moment, positive, whole
from tradenb.errors import UsageError, shown, unknown

HAND_FIELDS: Final = tuple(
    dict.fromkeys(field for kind in ("close", "move") for field in FIELDS[kind])
)
"""All that such a command may say."""


def hand_values(kind: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return what a close or a move says as plain values that JSON gives back.

    Parameters
    ----------
    kind : {"close", "move"}
    given : mapping
        Of close: fraction. Of move: stop_loss, take_profit (a price, a ladder, or None: none),
        minutes and until (None: no such end). What is not named stays as it is.

    Raises
    ------
    UsageError
        When a value cannot be meant, or a move names nothing.

    Examples
    --------
    >>> hand_values("close", {"fraction": 0.5})
    {'fraction': 0.5}
    """
    for field in given:
        if field not in FIELDS[kind]:
            raise unknown(f"field of {kind}", field, FIELDS[kind])
    if kind == "move" and not given:
        raise UsageError(f"move needs at least one of {', '.join(FIELDS['move'])}")
    return {field: _value(kind, field, value) for field, value in given.items()}


def _value(kind: str, field: str, value: Any) -> object:
    what = f"{field} of {kind}"
    if value is None and field in ("take_profit", "minutes", "until"):
        return None
    if field == "take_profit" and is_ladder(value):
        return [[_number(what, item) for item in pair] for pair in value]
    if field == "until":
        found = moment(value)
        if found is None:
            raise UsageError(f"{what} must be a moment, was {shown(value)}")
        return found
    if field == "minutes":
        minutes = whole(value)
        if minutes is None or minutes < 1:
            raise UsageError(f"{what} must be a whole number above 0, was {shown(value)}")
        return minutes
    number = _number(what, value)
    if field == "fraction" and number > 1:
        raise UsageError(f"{what} must be above 0 and at most 1, was {shown(value)}")
    return number


def _number(what: str, value: object) -> float:
    found = positive(value)
    if found is None:
        raise UsageError(f"{what} must be a number above 0, was {shown(value)}")
    return found
