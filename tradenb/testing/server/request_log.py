"""Which requests an `ExchangeServer` was sent, and what they weigh."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

import numpy as np


class Served(NamedTuple):
    """A request that was served: when (monotonic, s), its path, weight, status and method."""

    at: float
    path: str
    query: dict[str, str]
    weight: int
    status: int
    method: str = "GET"


class RequestLog:
    """All requests, oldest first, and the weight of those within a window.

    Parameters
    ----------
    window_s : float
    """

    def __init__(self, window_s: float) -> None:
        self.requests: list[Served] = []
        self._recent: deque[tuple[float, int]] = deque()
        self._window_s = window_s

    def add(self, path: str, query: dict[str, str], weight: int, status: int, method: str) -> None:
        """Note a request that has been answered."""
        self.requests.append(Served(time.monotonic(), path, query, weight, status, method))

    def used(self, weight: int) -> int:
        """Note a weight, and return the sum of those within the window."""
        now = time.monotonic()
        self._recent.append((now, weight))
        while self._recent[0][0] <= now - self._window_s:
            self._recent.popleft()
        return sum(item for _, item in self._recent)

    def heaviest(self, seconds: float) -> int:
        """Return the largest weight of the requests in any so many seconds."""
        times = np.array([served.at for served in self.requests])
        weights = np.array([served.weight for served in self.requests])
        sums = [weights[(times >= at) & (times < at + seconds)].sum() for at in times]
        return int(max(sums, default=0))
