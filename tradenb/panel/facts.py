"""What is known of one run at one moment, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tradenb.core.rules import Rules

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.lifecycle.state import State

Mode = Literal["live", "rehearsal"]


@dataclass(frozen=True, slots=True)
class Facts:
    """A run at one moment.

    Attributes
    ----------
    symbol, strategy : str
    mode : {"live", "rehearsal"}
    home : str
        The folder that its state is under.
    status : {"idle", "running", "done"}
    here : bool
        Whether it runs in this process.
    held_by : str
        Who runs it, in words; empty where nobody does, or this process.
    state : State or None
        None before the first commit.
    rules : Rules
        For what an open position would bring; the default ones where nobody tells.
    saved, stale : bool
        The last state is on disk; the strategy was registered again with other code.
    price : float or None
        Market price at the cursor of the state.
    age_s : float or None
        Seconds since a tick ended or a state was saved.
    lateness_s : tuple of float
        How long after their candles had closed the last ticks ended, oldest first; live only.
    clock_ahead_ms : int or None
        How far this machine's clock is ahead of the exchange's, where that has been measured.
    candles : Candles or None
        The newest ones, for the picture.
    error, trace : str
        What went wrong last, and its traceback; empty while nothing is wrong.
    last_event_seq : int
        What the document says that the journal has, or will have.
    """

    symbol: str
    strategy: str
    mode: Mode
    home: str
    status: str
    here: bool = False
    held_by: str = ""
    state: State | None = None
    rules: Rules = Rules()  # noqa: RUF009 - frozen
    saved: bool = True
    stale: bool = False
    price: float | None = None
    age_s: float | None = None
    lateness_s: tuple[float, ...] = ()
    clock_ahead_ms: int | None = None
    candles: Candles | None = None
    error: str = ""
    trace: str = ""
    last_event_seq: int = 0

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return f"{self.symbol}:{self.strategy}"

    @property
    def key(self) -> str:
        """What tells it from every other run that a dashboard may show."""
        return f"{self.mode}:{self.id}"
