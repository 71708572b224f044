"""`Driver`: brings a pump to its end, and replaces the worker whose call takes too long.

The pump runs on a thread of its own (`watched_worker`); the thread that calls `run` watches it. It
knows nothing of backtests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tradenb.backtest.watched_worker import Cancelled, Worker
from tradenb.engine.call import Pump, StrategyTimeout

_LOOK_EVERY_S = 0.1
_GRACE_S = 1.0


class Driver:
    """Drives one pump.

    Parameters
    ----------
    limit_s : float
        How long one call of a user's function may take, s.

    Attributes
    ----------
    closed : threading.Event
        Set when it has come to an end, in whatever way.
    """

    def __init__(self, pump: Pump, limit_s: float) -> None:
        self.closed = threading.Event()
        self._pump = pump
        self._limit_s = limit_s
        self._finished = threading.Event()
        self._worker = Worker(pump, self._finished)
        self._cancelled_at: float | None = None

    @property
    def error(self) -> BaseException | None:
        """What ended the pump before its time; `Cancelled` if the user did."""
        return self._worker.error

    def cancel(self) -> None:
        """End it, at the latest after a second."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
        self._worker.cancel()

    def run(self, look: Callable[[], None] | None = None) -> None:
        """Start, and watch until the end; called once, on the thread that is to watch.

        Parameters
        ----------
        look : callable, optional
            Called about ten times a second, for a progress bar.
        """
        limit = self._limit_s
        seen, since = -1, time.monotonic()
        try:
            self._worker.start()
            while not self._finished.wait(min(_LOOK_EVERY_S, limit / 4)):
                worker, now = self._worker, time.monotonic()
                if self._cancelled_at is not None:
                    if now - self._cancelled_at >= _GRACE_S:
                        self._kill()
                # The same call as at the last look: its time goes on. Else it begins anew.
                elif worker.served != seen or worker.call is None:
                    seen, since = worker.served, now
                elif now - since >= limit and self._replace(worker, seen):
                    seen, since = -1, time.monotonic()
                if look is not None:
                    look()
            if look is not None:
                look()
        except BaseException:
            self._kill()
            raise
        finally:
            self.closed.set()

    def _kill(self) -> None:
        """End it now, whatever it is doing: also a function that hangs or a slow download."""
        worker = self._worker
        worker.cancel()
        if worker.abandon(worker.served):
            worker.end()
        worker.error = Cancelled()
        self._finished.set()

    def _replace(self, worker: Worker, served: int) -> bool:
        """Abandon a worker whose call takes too long, and let another go on."""
        call = worker.call
        if call is None or not worker.abandon(served):
            return False
        # The pump waits at the call; the new worker throws the timeout in there.
        self._worker = Worker(self._pump, self._finished)
        self._worker.start(
            StrategyTimeout(
                f"took longer than signal_timeout_seconds = {self._limit_s:g} and was left behind",
                symbol=call.symbol,
            )
        )
        worker.end()
        return True


def drive(pump: Pump, limit_s: float) -> None:
    """Bring a pump to its end; raise what ended it before its time."""
    driver = Driver(pump, limit_s)
    driver.run()
    if driver.error is not None:
        raise driver.error
