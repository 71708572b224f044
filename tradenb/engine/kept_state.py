"""`KeptState`: what a strategy keeps in `ctx.state` from ask to ask, as plain values.

It is kept as JSON would give it back. Small states of plain values are copied, and become text when
somebody wants it; all others go through JSON, which says what is wrong with them.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from tradenb.errors import UsageError, shown

STATE_LIMIT: Final = 64_000
_DEEPEST: Final = 20
_LARGEST_INT: Final = 1 << 62
# Most bytes of JSON, with what stands beside it: of a number, a word or brackets; of a character.
_NUMBER: Final = 26
_CHARACTER: Final = 6
_PLAIN: Final[tuple[tuple[Any, str], ...]] = (
    (np.bool_, "bool(x)"),
    (Integral, "int(x)"),
    (Real, "float(x)"),
    (np.ndarray, "x.tolist()"),
    ((tuple, set, frozenset), "list(x)"),
    (dt.date, "x.isoformat()"),
)


class KeptState:
    """What the last ask left.

    Parameters
    ----------
    text : str
        A JSON object.
    """

    __slots__ = ("_text", "_values")

    def __init__(self, text: str) -> None:
        self._text: str | None = text
        self._values: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """It as JSON."""
        if self._text is None:
            self._text = _json(self._values)
        return self._text

    def opened(self) -> dict[str, Any]:
        """Return it as values that may be changed."""
        values = self._values
        found: dict[str, Any] = json.loads(self.text) if values is None else _copied(values)
        return found

    def keep(self, opened: dict[str, Any]) -> None:
        """Keep what an ask left.

        Raises
        ------
        UsageError
            When it holds what JSON cannot give back unchanged, or too much.
        """
        if _room_beside(opened, 0, STATE_LIMIT) >= 0:
            self._values, self._text = _copied(opened), None
            return
        try:
            _check_plain(opened, "ctx.state")
        except RecursionError:
            raise UsageError("ctx.state is nested too deeply, or contains itself") from None
        text = _json(opened)
        if len(text) > STATE_LIMIT:
            raise UsageError(
                f"ctx.state must stay within {STATE_LIMIT} bytes as JSON, was {len(text)}"
            )
        self._values, self._text = None, text


def _json(values: object) -> str:
    return json.dumps(values, allow_nan=False, separators=(",", ":"))  # ASCII: a byte a character


def _room_beside(value: Any, depth: int, room: int) -> int:
    """Return how many bytes of JSON are left at least beside a value; negative if it is not plain.

    So it is where copying it may differ from what JSON does: deep ones, and huge integers.
    """
    kind = type(value)
    if kind is dict and depth < _DEEPEST:
        for key, item in value.items():
            if type(key) is not str:
                return -1
            room = _room_beside(item, depth + 1, _room_beside(key, depth, room))
            if room < 0:
                return room
        return room - _NUMBER
    if kind is list and depth < _DEEPEST:
        for item in value:
            room = _room_beside(item, depth + 1, room)
            if room < 0:
                return room
        return room - _NUMBER
    if kind is str:
        # Two halves of a character that are not ASCII would come back as one.
        plain = value.isascii()
        return room - _CHARACTER * len(value) - _NUMBER if plain else -1
    if kind is int:
        plain = -_LARGEST_INT < value < _LARGEST_INT
    elif kind is float:
        plain = math.isfinite(value)
    else:
        plain = value is None or kind is bool
    return room - _NUMBER if plain else -1


def _copied(value: Any) -> Any:
    """Copy dicts and lists, each place for itself."""
    if type(value) is dict:
        return {
            key: _copied(item) if type(item) in (dict, list) else item
            for key, item in value.items()
        }
    return [_copied(item) if type(item) in (dict, list) else item for item in value]


def _check_plain(value: object, where: str) -> None:
    if value is None or type(value) in (bool, int, str):
        return
    if type(value) is float:
        if math.isfinite(value):
            return
    elif type(value) is list:
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
        return
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise UsageError(f"{where} must have strings as keys, had {key!r}; use str(key)")
            _check_plain(item, f"{where}[{key!r}]")
        return
    uses = [use for kind, use in _PLAIN if isinstance(value, kind)]
    cure = f"; use {uses[0]}" if uses and type(value) is not float else ""
    raise UsageError(
        f"{where} must be JSON-plain (None, bool, int, finite float, str, list, dict), was "
        f"{type(value).__name__} {shown(value)}{cure}"
    )
