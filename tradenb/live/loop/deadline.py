"""How long the next function of a user may take in a live tick. Decision 13 in docs/adr."""

from __future__ import annotations

from typing import Final

from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.ports import Clock

SHORTEST_S: Final = 1.0
LARGEST_SHARE: Final = 0.9  # what is left is for the commit and for telling


def due_after(now: int, rules: Rules) -> int:
    """Return when the next candle can be fetched: closed and settled, ms UTC."""
    settle = 1 + round(rules.settle_seconds * 1000)
    return floor_to(now - settle) + MINUTE + settle


def longest_call(clock: Clock, rules: Rules, *, sharing: int) -> float:
    """Return the deadline of a call, seconds: a function that hangs must not delay the next candle.

    Parameters
    ----------
    clock : Clock
    rules : Rules
    sharing : int
        Runs in the group; where there are several, one call may take half of the time that is
        left, so that the others are asked as well.
    """
    limit = rules.signal_timeout_seconds
    if clock.stepped:
        return limit  # time stands still while a tick of a rehearsal is under way
    now = clock.now()
    left = LARGEST_SHARE * (due_after(now, rules) - now) / 1000
    return min(limit, max(SHORTEST_S, left if sharing == 1 else left / 2))
