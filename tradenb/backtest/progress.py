"""The progress bar of a backtest; nothing is shown, or imported, for a short one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tradenb.progress_bars import progress_bar

if TYPE_CHECKING:
    from tradenb.backtest.job import Job

_DELAY_S: Final = 0.5


class ProgressBar:
    """A tqdm bar that appears when a backtest takes a while."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._began = time.monotonic()
        self._tqdm: Any = None

    def __enter__(self) -> ProgressBar:
        """Return the bar."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close it."""
        if self._tqdm is not None:
            self._tqdm.close()

    def show(self, job: Job) -> None:
        """Bring it up to date."""
        if self._tqdm is None:
            short = job.progress == 1.0 or time.monotonic() - self._began < _DELAY_S
            if short or not self._enabled:
                return
            layout = "{desc} {percentage:3.0f}% {bar} {elapsed} so far, {remaining} to go"
            self._tqdm = progress_bar(job.stage, shown=True, total=100, bar_format=layout)
        self._tqdm.set_description_str(job.stage, refresh=False)
        done = job.loading if job.stage == "loading" else job.progress
        self._tqdm.n = round(done * 100)
        self._tqdm.refresh()  # also where nothing has moved: the seconds do
