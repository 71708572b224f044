"""When a group ticks again for candles that are missing, and which candles wait for them.

What is decided on one symbol counts for the others of the group: so a close is pumped once for all
of them, when the candles are there, or shortly after the last of them usually comes. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tradenb.core.timeframe import MINUTE

PATIENCE_MS: Final = 5_000
# A symbol that has shown no candle for so long is not waited for.
SILENT_MS: Final = 15 * MINUTE


class Awaited(NamedTuple):
    """The candles of one symbol: up to where they are here, and when they are requested again.

    `usual_ms` is how long after a close they come, as a rule.
    """

    end: int
    retry_at: int
    usual_ms: int


class RetryPlan(NamedTuple):
    """When to tick again, and up to which close candles are fed until then; ms UTC."""

    retry_at: int
    until: int


def plan_retry(newest: int, now: int, symbols: Sequence[Awaited], *, late_at: int) -> RetryPlan:
    """Plan what a group does that lacks candles of the close `newest`; see the module.

    No candle waits longer than until `late_at`, after which its ask would be late.
    """
    missing = [each for each in symbols if each.end < newest]
    retry_at = min(each.retry_at for each in missing)
    patience = newest + max(each.usual_ms for each in symbols) + PATIENCE_MS
    patience = min(patience, late_at)
    awaited = [each.end for each in missing if each.end >= newest - SILENT_MS]
    if len(symbols) == 1 or not awaited or now >= patience:
        return RetryPlan(retry_at, newest)
    return RetryPlan(min(retry_at, patience), min(awaited))
