"""Whether anybody looks at a dashboard, and what it should be sent: pure, the clock is given.

A view answers every few seconds. Where nobody answers, only a beat a minute is sent, so that
nothing piles up in the server and an idle kernel with a live run is not culled. While a cell keeps
the kernel busy no answer can be heard: then the last one counts, at a slower pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ANSWERED_S: Final = 90.0
BUSY_PACE_S: Final = 2.0
BEAT_S: Final = 5.0
LONELY_BEAT_S: Final = 60.0
PACE_S: Final = 0.5
BYTES_A_SECOND: Final = 40_000

Due = Literal["all", "beat", "nothing"]


@dataclass
class Attention:
    """What has been heard and sent; moments are seconds of a clock that never goes back.

    Attributes
    ----------
    heard : float
        When a view answered last; making the dashboard counts.
    """

    heard: float
    sent: float = float("-inf")
    beat: float = float("-inf")
    size: int = 0

    def due(self, now: float, *, free: bool) -> Due:
        """Say what is to be sent now.

        Parameters
        ----------
        now : float
        free : bool
            Whether the kernel could hear an answer, or is busy with a cell.
        """
        answered = now - self.heard <= ANSWERED_S
        if answered or not free:
            pace = max(PACE_S if answered else BUSY_PACE_S, self.size / BYTES_A_SECOND)
            if now - self.sent >= pace * 0.99:
                return "all"
        if now - self.beat >= (BEAT_S if answered or not free else LONELY_BEAT_S):
            return "beat"
        return "nothing"

    def looked(self, now: float, size: int) -> None:
        """Note that everything new was sent, and how many bytes it was."""
        self.sent, self.size = now, size

    def beaten(self, now: float) -> None:
        """Note that a beat was sent."""
        self.beat = now
