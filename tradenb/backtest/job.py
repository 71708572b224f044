"""`Job`: a backtest in the background, its progress and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NoReturn, get_args

from tradenb.backtest.backtest_run import BacktestRun, OnError
from tradenb.backtest.driver import Cancelled, Driver
from tradenb.backtest.plan import Plan
from tradenb.backtest.results.result import Result
from tradenb.backtest.results.result_parts import parts_of
from tradenb.bus import bus
from tradenb.core.timeframe import iso
from tradenb.errors import StateError, no_attribute, unknown
from tradenb.statistics.figure_names import UNITS


class Job:
    """A backtest under way.

    Attributes
    ----------
    done : bool
        Whether it has come to an end, in whatever way.
    progress : float
        Part of the period that is done, 0 to 1.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("under way", every="1h")
    ... def under_way(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> job = tn.backtest.background("BTCUSDT", strategy=under_way, exchange=market)
    >>> result = job.result(timeout=60)
    >>> job
    <backtest of BTCUSDT: done>
    """

    def __init__(self, plan: Plan, on_error: OnError = "record") -> None:
        if on_error not in get_args(OnError):
            raise unknown("on_error", on_error, get_args(OnError))
        self._run = BacktestRun(plan, bus, on_error)
        self._driver = Driver(self._run.pump(), plan.rules.signal_timeout_seconds)
        self._result: Result | None = None

    if not TYPE_CHECKING:  # else every name would pass for one

        def __getattr__(self, name: str) -> NoReturn:
            found = [each for each in dir(Result) if not each.startswith("_")]
            no_attribute(self, name, dict.fromkeys([*found, *UNITS], "job.result()"))

    def __repr__(self) -> str:
        state = "done" if self.done else f"{self.stage}, {self.progress:.0%}"
        return f"<backtest of {', '.join(self._run.plan.symbols)}: {state}>"

    @property
    def done(self) -> bool:
        """Whether it has come to an end, in whatever way."""
        return self._driver.closed.is_set()

    @property
    def progress(self) -> float:
        """Part of the period that is done, 0 to 1."""
        run = self._run
        if run.session is None:
            return 0.0
        if run.stage == "done":
            return 1.0
        start, end = run.period.start, run.period.end
        return max(0.0, (run.session.reached - start) / (end - start))

    @property
    def loading(self) -> float:
        """Part of the candles that is loaded, 0 to 1."""
        return self._run.loaded / len(self._run.plan.symbols)

    @property
    def stage(self) -> str:
        """Loading, running or done."""
        return self._run.stage

    def cancel(self) -> None:
        """End it, at the latest after a second; `result()` then raises."""
        self._driver.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; tell whether it has come."""
        return self._driver.closed.wait(timeout)

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
        error = self._driver.error
        if isinstance(error, Cancelled):
            now = self._run.session.reached if self._run.session else 0
            where = f" at {iso(now)}" if now else " before it began"
            raise StateError(f"the backtest was cancelled{where}; run it again for a result")
        if error is not None:
            raise error
        if self._result is None:
            self._result = Result(parts_of(self._run))
        return self._result

    def supervise(self, look: Callable[[Job], None] | None = None) -> None:
        """Start, and watch until the end; called once, on the thread that is to watch.

        Parameters
        ----------
        look : callable, optional
            Called about ten times a second, for a progress bar.
        """
        self._driver.run(None if look is None else partial(look, self))
