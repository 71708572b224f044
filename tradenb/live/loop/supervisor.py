"""The supervised background loop: one daemon thread with an event loop of its own.

Never a task on the kernel's loop, which does not move while a cell runs. A loop that dies is
started again, with a growing pause; what it does is the `Scheduler`'s business.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final
from weakref import WeakSet

from tradenb.brokers.order_managers import END_S
from tradenb.bus import Bus
from tradenb.core.orders.protection import is_at_rest
from tradenb.engine.ports import Clock, Workers
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.scheduler import Scheduler
from tradenb.live.loop.watchdog import SILENT_S, Watchdog

log = logging.getLogger("tradenb")

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
CLOSE_S: Final = 1.5
"""So long a process that ends waits for its commits."""
POLL_S: Final = 1.0
_LOOK_S: Final = 0.05
# All runs of this process, live and rehearsed, and what they tick on.
_supervisors: WeakSet[Supervisor] = WeakSet()
_runs: WeakSet[RunRecord] = WeakSet()


class Supervisor:
    """Runs, and the thread and loop that they tick on.

    Parameters
    ----------
    clock, workers, bus
        What the loop knows of the world.
    end : int, optional
        Close time after which nothing comes any more, for rehearsals, ms UTC; the loop ends when
        all its runs have.
    silent_s : float
        After how long without a tick the watchdog raises an alarm.
    pause_s : float
        How long to wait before a loop that died starts again, the first time.
    poll_s : float
        How often to look for requests of other processes.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        bus: Bus,
        *,
        end: int | None = None,
        silent_s: float = SILENT_S,
        pause_s: float = FIRST_PAUSE_S,
        poll_s: float = POLL_S,
    ) -> None:
        self.clock = clock
        self._workers = workers
        self._notifier = Notifier(clock, workers, bus)
        self._end = end
        self._is_script = False
        self._pause_s = pause_s
        self._poll_s = poll_s
        self._lock = threading.RLock()
        self._runs: list[RunRecord] = []
        self._thread: threading.Thread | None = None
        self._scheduler: Scheduler | None = None
        self._closing = threading.Event()
        self._ended = threading.Event()
        alarm = self._notifier.alarm
        self._watchdog = Watchdog(
            self.runs, alarm, clock.monotonic, ended=self._ended, silent_s=silent_s
        )

    def runs(self) -> list[RunRecord]:
        """Return the runs that tick here now."""
        return [*self._runs]

    def add(self, run: RunRecord) -> None:
        """Let a run tick here; the thread is started with the first."""
        with self._lock:
            run.on_loop = self.on_loop
            run.last_tick_s = self.clock.monotonic()
            run.set_status("running")
            self._runs.append(run)
            if self._thread is None:
                self._start()
        self.wake()

    def wake(self) -> None:
        """Let the scheduler look again."""
        if self._scheduler is not None:
            self._scheduler.wake()

    def close(self, seconds: float = CLOSE_S) -> None:
        """Release all runs and end the thread; closing again waits no more.

        Parameters
        ----------
        seconds : float
            How long to wait for the commits that are under way; 0: not at all.
        """
        with self._lock:
            again = self._closing.is_set()
            self._closing.set()
            for run in self.runs():
                run.releasing = True
        self.wake()
        if seconds and not again:
            self.join(seconds)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread; longer while an order is in doubt or a stop missing."""
        if self._thread is None or self.on_loop():
            return
        self._thread.join(seconds)
        if any(map(_is_bare, self.runs())):
            ends = time.monotonic() + END_S
            while any(map(_is_bare, self.runs())) and time.monotonic() < ends:
                self._thread.join(_LOOK_S)
            self._thread.join(seconds)

    def on_loop(self) -> bool:
        """Tell whether this is the supervisor's own thread, where nothing may block."""
        return threading.current_thread() is self._thread

    def _close_at_exit(self) -> None:
        """Close as the process ends; a script that forgot to wait for its runs says so."""
        ids = [run.id for run in self.runs() if not run.releasing]
        interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
        if ids and self._is_script and not interrupted and self._end is None:
            log.warning(
                "%s %s with this program, which does not wait for its runs: let it wait with "
                "run.wait(), or use tn.live.run(...) or `tradenb run`; the next start goes on",
                ", ".join(ids),
                "ends" if len(ids) == 1 else "end",
            )
        self.close()

    def _start(self) -> None:
        # Now: at the end Python has taken the name of the file away.
        self._is_script = hasattr(sys.modules.get("__main__"), "__file__")
        self._thread = threading.Thread(target=self._supervise, name="tradenb-live", daemon=True)
        self._thread.start()
        self._watchdog.start()
        atexit.register(self._close_at_exit)

    def _supervise(self) -> None:
        pause, died = self._pause_s, None
        while True:
            try:
                asyncio.run(self._serve(died))
                break
            except BaseException as error:
                # Exits depend on this thread: it ends with its runs, and with nothing else.
                log.exception("the live loop died; it starts again in %g s", pause)
                died = error
                for run in self.runs():
                    run.error = error
                    run.loop_restarts += 1
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self._ended.set()
        atexit.unregister(self._close_at_exit)
        close: Callable[[], None] | None = getattr(self._workers, "close", None)
        if close is not None:
            close()

    def _serve(self, died: BaseException | None = None) -> Coroutine[Any, Any, None]:
        """Return what one loop does, from its start to its end."""
        self._scheduler = Scheduler(
            self._notifier, self._runs, self._closing, end=self._end, poll_s=self._poll_s
        )
        return self._scheduler.run(died)


def start_run(supervisor: Supervisor, run: RunRecord) -> None:
    """Start a run on a supervisor, and remember both."""
    _supervisors.add(supervisor)
    _runs.add(run)
    supervisor.add(run)


def active_runs() -> list[RunRecord]:
    """Return the runs that were started in this process and are still referenced."""
    return sorted(_runs, key=lambda run: run.id)


def release_all() -> bool:
    """Release all runs; their positions stay, the next start resumes them.

    Returns
    -------
    bool
        Whether all locks were given back in time.
    """
    deadline = time.monotonic() + CLOSE_S
    for supervisor in tuple(_supervisors):
        supervisor.close(0.0)
    for supervisor in tuple(_supervisors):
        supervisor.join(max(0.0, deadline - time.monotonic()))
    return all(run.status != "running" for run in active_runs())


def _is_bare(run: RunRecord) -> bool:
    """Tell whether the orders of a run have to be put right before its process ends."""
    ledger = run.known_ledger
    return not (ledger is None or ledger.market is None or is_at_rest(ledger, ledger.market))
