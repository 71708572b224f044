"""JSON as it is written here, and nothing else: what is read may come from a hostile file."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any, Final

# 2**63 has 19 digits; whatever is longer was not written here.
_DIGITS: Final = 20


class Damaged(ValueError):
    """What was read is not what was written; the words say why."""


USER_DIGITS: Final = 4_301
"""What a strategy keeps may have whole numbers as long as Python writes them, and a sign."""


def parse(data: bytes, *, digits: int = _DIGITS) -> Any:
    """Read JSON without NaN, infinities, huge numbers, repeated keys or endless nesting.

    Parameters
    ----------
    data : bytes
    digits : int, default 20
        Longest whole number that is taken.

    Raises
    ------
    Damaged
        When it is anything else.
    """
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_int=partial(_int, digits),
            parse_float=_float,
            parse_constant=_constant,
        )
    except Damaged:
        raise
    except RecursionError:
        raise Damaged("nested too deeply") from None
    except ValueError as error:  # also bad UTF-8
        raise Damaged(f"no JSON ({error})") from None


def dump(value: object) -> bytes:
    """Write JSON as short as it gets; half surrogates become escapes, so that any text can be kept.

    Raises
    ------
    Damaged
        When the value has NaN, an infinity, endless nesting or something that JSON does not know.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise Damaged("nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise Damaged(f"no JSON can be made of it ({error})") from error
    return text.encode("utf-8", "backslashreplace")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Damaged(f"the key {twice!r:.40} stands there twice")
    return found


def _int(digits: int, text: str) -> int:
    if len(text) > digits:
        raise Damaged(f"a number of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Damaged(f"{text:.40} is beyond all numbers")
    return number


def _constant(text: str) -> float:
    raise Damaged(f"{text} is no JSON")
