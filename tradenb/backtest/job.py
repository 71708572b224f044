"""`Job`: a backtest in the background, its progress, its end, and the watch over hung functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tradenb.backtest.assembly import Work
from tradenb.backtest.plan import Plan
from tradenb.backtest.result import Result, result_of
from tradenb.backtest.watched_worker import Cancelled, Worker
from tradenb.bus import bus
from tradenb.core.timeframe import iso
from tradenb.engine.call import Pump, StrategyTimeout
from tradenb.errors import StateError

_LOOK_EVERY_S = 0.1
_GRACE_S = 1.0


class Job:
    """A backtest under way.

    Attributes
    ----------
    done : bool
        Whether it has come to an end, in whatever way.
    progress : float
        Part of the period that is done, 0 to 1.
    """

    def __init__(self, plan: Plan, work: Work | None = None) -> None:
        self._work = Work(plan, bus, jumps=True) if work is None else work
        self._pump: Pump = self._work.pump()
        self._finished = threading.Event()
        self._closed = threading.Event()
        self._worker = Worker(self._pump, self._finished)
        self._cancelled_at: float | None = None
        self._result: Result | None = None

    def __repr__(self) -> str:
        state = "done" if self.done else f"{self._work.stage}, {self.progress:.0%}"
        return f"<backtest of {', '.join(self._work.plan.symbols)}: {state}>"

    @property
    def done(self) -> bool:
        """Whether it has come to an end, in whatever way."""
        return self._closed.is_set()

    @property
    def progress(self) -> float:
        """Part of the period that is done, 0 to 1."""
        work = self._work
        if work.session is None:
            return 0.0
        if work.stage == "done":
            return 1.0
        return max(0.0, (work.session.now - work.start) / (work.end - work.start))

    @property
    def loading(self) -> float:
        """Part of the candles that is loaded, 0 to 1."""
        return self._work.loaded / len(self._work.plan.symbols)

    @property
    def stage(self) -> str:
        """Loading, running or done."""
        return self._work.stage

    def cancel(self) -> None:
        """End it, at the latest after a second; `result()` then raises."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
        self._worker.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; tell whether it has come."""
        return self._closed.wait(timeout)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default for ever.

        Raises
        ------
        TimeoutError
            When it is not done by then.
        StateError
            When it was cancelled.
        TradenbError
            What ended the backtest.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"the backtest is at {self.progress:.0%} after {timeout} s")
        self.raise_if_failed()
        if self._result is None:
            self._result = result_of(self._work)
        return self._result

    def raise_if_failed(self) -> None:
        """Raise what ended it before its time, if anything did."""
        error = self._worker.error
        if isinstance(error, Cancelled):
            now = self._work.session.now if self._work.session else 0
            where = f" at {iso(now)}" if now else " before it began"
            raise StateError(f"the backtest was cancelled{where}; run it again for a result")
        if error is not None:
            raise error

    def supervise(self, look: Callable[[Job], None] | None = None) -> None:
        """Start, and watch until the end; called once, on the thread that is to watch.

        Parameters
        ----------
        look : callable, optional
            Called about ten times a second, for a progress bar.
        """
        limit = self._work.plan.rules.signal_timeout_seconds
        seen, since = -1, time.monotonic()
        try:
            self._worker.start()
            while not self._finished.wait(min(_LOOK_EVERY_S, limit / 4)):
                worker, now = self._worker, time.monotonic()
                if self._cancelled_at is not None:
                    if now - self._cancelled_at >= _GRACE_S:
                        self._leave()
                elif worker.served != seen or worker.call is None:
                    seen, since = worker.served, now
                elif now - since >= limit and self._replace(worker, seen, limit):
                    seen, since = -1, time.monotonic()
                if look is not None:
                    look(self)
            if look is not None:
                look(self)
        except BaseException:
            self._leave()
            raise
        finally:
            self._closed.set()

    def _leave(self) -> None:
        """End it now, whatever it is doing: also a function that hangs or a slow download."""
        worker = self._worker
        worker.cancel()
        if worker.abandon(worker.served):
            worker.end()
        worker.error = Cancelled()
        self._finished.set()

    def _replace(self, worker: Worker, served: int, limit: float) -> bool:
        """Abandon a worker whose call takes too long, and let another go on."""
        call = worker.call
        if call is None or not worker.abandon(served):
            return False
        self._worker = Worker(self._pump, self._finished)
        self._worker.start(
            StrategyTimeout(
                f"took longer than signal_timeout_seconds = {limit:g} and was left behind",
                symbol=call.symbol,
            )
        )
        worker.end()
        return True
