"""Columns of numbers in few bytes: whole numbers of a decimal unit, as text that JSON can hold.

Neighbours differ little, so differences are kept, byte by byte of their size (all lowest bytes
first), deflated, in base64. `chart_levels.js` reads them. A price that was given with a decimal
number of digits comes back as it was; any other is kept to nine significant digits.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats

Packed = dict[str, Any]
Whole = NDArray[np.int64]

_DIGITS: Final = 9  # significant ones that a price keeps
_MOST_DECIMALS: Final = 12
_SMALLEST: Final = 300  # a power of ten to which is a float


def packed(values: Whole, *, decimals: int = 0, running: bool = True) -> Packed:
    """Pack whole numbers.

    Parameters
    ----------
    values : (n,) int64 array
    decimals : int, default 0
        Each stands for itself times ten to the power of minus this.
    running : bool, default True
        Keep the differences of neighbours.
    """
    steps = np.diff(values, prepend=np.int64(0)) if running else values
    folded = ((steps << 1) ^ (steps >> 63)).astype("<u8")  # the sign goes to the lowest bit
    size = max(1, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    planes = folded.view(np.uint8).reshape(-1, 8)[:, :size].T
    text = base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode("ascii")
    return {"n": len(values), "d": decimals, "k": size, "r": running, "z": text}


def packed_floats(values: Floats, *, digits: int = _DIGITS) -> Packed:
    """Pack numbers to so many significant digits; what is missing (NaN) is noted beside."""
    known = np.isfinite(values)
    decimals = decimals_of(values[known], digits)
    whole = whole_of(np.where(known, values, 0.0), decimals)
    if known.all():
        return packed(whole, decimals=decimals)
    # A gap repeats the value before it, which takes no room.
    newest = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    found = packed(whole[newest], decimals=decimals)
    return found | {"gaps": packed((~known).astype(np.int64))}


def whole_of(values: Floats, decimals: int) -> Whole:
    """Return numbers as whole numbers of a decimal unit."""
    scaled = values * 10.0**decimals if decimals >= 0 else values / 10.0**-decimals
    return np.rint(scaled).astype(np.int64)


def decimals_of(values: Floats, digits: int = _DIGITS) -> int:
    """Return how many decimals numbers have, or how many keep the largest to so many digits.

    Examples
    --------
    >>> import numpy as np
    >>> decimals_of(np.array([64_000.5, 63_999.25]))
    2
    >>> decimals_of(np.array([1.0 / 3.0]), digits=5)
    5
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return 0
    most = min(digits - 1 - int(np.floor(np.log10(largest))), _SMALLEST)
    for decimals in range(min(most, _MOST_DECIMALS)):
        scaled = values * 10.0**decimals
        if np.abs(scaled - np.rint(scaled)).max() <= 1e-14 * largest * 10.0**decimals:
            return decimals
    return most
