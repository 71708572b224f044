"""Candles in memory that were loaded once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tradenb.engine.ports import Loaded


class CandleMemo:
    """The candles of each key, made at first use, and again when their stamp changes.

    Safe to use from several threads: one makes the candles, the others wait for them.
    """

    __slots__ = ("_lock", "_made")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[str, tuple[object, Loaded]] = {}

    def get(self, key: str, stamp: object, make: Callable[[], Loaded]) -> Loaded:
        """Return the candles of a key; make them if there are none with this stamp."""
        with self._lock:
            known = self._made.get(key)
            if known is not None and known[0] == stamp:
                return known[1]
            self._made.pop(key, None)  # lets the old columns go before the new ones come
            made = make()
            self._made[key] = (stamp, made)
            return made
