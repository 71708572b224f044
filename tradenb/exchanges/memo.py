"""Candles that were loaded once and are kept for the next who asks."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tradenb.engine.ports import Loaded


class Kept:
    """The newest candles of each key, made at first use and made anew when their stamp changes.

    Safe to use from several threads: whoever comes while candles are being made waits for them.
    """

    __slots__ = ("_lock", "_made")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[str, tuple[object, Loaded]] = {}

    def get(self, key: str, stamp: object, make: Callable[[], Loaded]) -> Loaded:
        """Return what is kept under a key, or make it if nothing is kept with this stamp."""
        with self._lock:
            known = self._made.get(key)
            if known is not None and known[0] == stamp:
                return known[1]
            self._made.pop(key, None)  # lets the old columns go before the new ones come
            made = make()
            self._made[key] = (stamp, made)
            return made
