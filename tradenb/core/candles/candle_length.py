"""How long candles are: a table that looks like another timeframe is refused."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Times
from tradenb.core.timeframe import DAY, LATEST, MINUTE, TIMEFRAMES, iso, timeframe_name
from tradenb.errors import CandleError

_STRETCH: Final = 20
Kept = NDArray[np.int64] | None


def when(time: int) -> str:
    """Write the time of a raw row, which may be nonsense."""
    return iso(int(time)) if 0 <= time < LATEST else str(time)


def check_step(time: Times, step: int = MINUTE, kept: Kept = None) -> None:
    """Refuse candles that are mostly, or for a stretch, longer than a step.

    Parameters
    ----------
    kept : (n,) int64 array, optional
        The rows that the times are of, if some were dropped.

    Raises
    ------
    CandleError
        With code "step": as a whole, or naming the row where 20 steps of another timeframe begin.
    """
    steps = np.diff(time)
    # A candle is at least one step long: with half of them it is the commonest.
    if 2 * np.count_nonzero(steps == step) < len(steps):
        lengths, counts = np.unique(steps, return_counts=True)
        commonest = int(lengths[counts.argmax()])
        if commonest > step:
            name = timeframe_name(commonest)
            possible = commonest <= DAY and commonest in TIMEFRAMES.values()
            raise CandleError(
                f"candles look like {name}; {f'say timeframe={name!r}, or ' if possible else ''}"
                f"give candles of {timeframe_name(step)}",
                code="step",
            )
    row = _stretch(steps, step)
    if row is not None:
        name = timeframe_name(int(steps[row]))
        index = row if kept is None else int(kept[row])
        raise CandleError(
            f"candle in row {index} ({when(time[row])}): {_STRETCH} steps of {name} in a row begin "
            f"here, that is another file; keep candles of {timeframe_name(step)} only",
            code="step",
            index=index,
        )


def _stretch(steps: Times, step: int) -> int | None:
    """Return the place where 20 equal steps of a longer timeframe begin, if there is one."""
    longer = steps != step
    if np.count_nonzero(longer) < _STRETCH:
        return None
    changes = np.flatnonzero(np.diff(steps, prepend=-1))
    lengths = np.diff(changes, append=len(steps))
    known = np.isin(steps[changes], [each for each in TIMEFRAMES.values() if each > step])
    found = changes[known & (lengths >= _STRETCH)]
    return int(found[0]) if len(found) else None
