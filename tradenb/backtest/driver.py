"""`Driver`: brings a pump to its end on a worker thread, and replaces one whose call hangs.

The whole pump runs on the worker, so an ask costs no hand-off between threads. The thread that
calls `run` watches it: it sees which call is being served and since when. When one takes too long
its thread is abandoned, and a new worker goes on with the same pump, into which the timeout is
thrown. Nothing here knows of backtests.
"""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from bdb import BdbQuit
from collections.abc import Callable
from contextlib import suppress
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from tradenb.engine.call import Call, Pump, StrategyTimeout, harmless

if TYPE_CHECKING:
    import asyncio

    Coroutine = CoroutineType[Any, Any, Any]

_LOOK_EVERY_S: Final = 0.1
_GRACE_S: Final = 1.0
_PATIENCE_S: Final = 0.2
_MOMENTS: Final = 5
_COLLECT_AFTER: Final = 10_000


class Cancelled(Exception):
    """The user ended the work before it was done, by a call or in a debugger."""


class _RareCollections:
    """While pumps run, Python looks for cycles after 10,000 new objects, not after 700.

    A run keeps nearly all that it makes, and looking through it took up to a tenth of the time. Who
    wanted fewer collections, or none, keeps what was wanted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pumps = 0
        self._usual: tuple[int, int, int] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._pumps += 1
            usual = gc.get_threshold()
            if self._pumps == 1 and 0 < usual[0] < _COLLECT_AFTER:
                self._usual = usual
                gc.set_threshold(_COLLECT_AFTER, *usual[1:])

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._pumps -= 1
            if self._pumps == 0 and self._usual is not None:
                if gc.get_threshold()[0] == _COLLECT_AFTER:
                    gc.set_threshold(*self._usual)
                self._usual = None


_rare_collections: Final = _RareCollections()


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
        with _rare_collections:
            self._watch(look)

    def _watch(self, look: Callable[[], None] | None) -> None:
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


class Worker:
    """Drives a pump to its end on a daemon thread of its own.

    The first coroutine that a function returns moves the rest of the work into an event loop.

    Attributes
    ----------
    call : Call or None
        The call being served.
    served : int
        How many calls were begun.
    finished : threading.Event
        Set when the pump has ended, in whatever way.
    error : BaseException or None
        What ended it, if not its own end.
    """

    def __init__(self, pump: Pump, finished: threading.Event) -> None:
        self.call: Call | None = None
        self.served = 0
        self.finished = finished
        self.error: BaseException | None = None
        self._pump = pump
        self._abandoned = False
        self._cancelled = False
        self._interrupted = False  # is looked at after each call, the other two after that
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="tradenb-backtest", daemon=True)
        self._first: BaseException | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def start(self, first: BaseException | None = None) -> None:
        """Begin; `first` is thrown into the pump at the place where it waits."""
        self._first = first
        self._thread.start()

    def cancel(self) -> None:
        """End the pump after the call that is being served."""
        with self._lock:
            self._cancelled = self._interrupted = True

    def abandon(self, served: int) -> bool:
        """Leave the thread to itself if it is still busy with that call.

        Returns
        -------
        bool
            False if the call has ended meanwhile.
        """
        with self._lock:
            # The thread says first that a call has ended and looks for this then, so one of the
            # two sees what the other did; and it waits for the lock before it goes on.
            self._interrupted = True
            here = self.call is not None and self.served == served
            self._abandoned = self._abandoned or here
            self._interrupted = self._abandoned or self._cancelled
        return here

    def end(self) -> None:
        """Ask what was left behind to end; a function that sleeps in C stays until it wakes."""
        if self._waiting is not None:
            loop, task = self._waiting
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(task.cancel)
            self._thread.join(_PATIENCE_S)
        if _is_busy(self._thread):
            _raise_in(self._thread, SystemExit)

    def _work(self) -> None:
        try:
            coroutine = self._serve()
            if coroutine is not None:
                import asyncio

                asyncio.run(self._serve_async(coroutine))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            if not self._abandoned:
                self.error = error
        if not self._abandoned:
            self.finished.set()

    def _serve(self) -> Coroutine | None:
        """Serve calls until the end, or until one returns a coroutine."""
        call = self._next(None, self._first)
        while call is not None:
            reply, failure = None, None
            function, args, again = call.function, call.args, call.again
            try:
                reply = function(*args)
                while reply is None and again is not None:  # as `_goes_on`, without a call
                    self.call = None
                    if self._interrupted or not again():
                        break
                    self.served += 1
                    self.call = call
                    reply = function(args[0])
                if type(reply) is CoroutineType:
                    return reply
            except BaseException as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error
            call = self._next(reply, failure)
        return None

    async def _serve_async(self, coroutine: Coroutine) -> None:
        """Await the coroutine, then serve the calls that come after it."""
        import asyncio

        self._waiting = asyncio.get_running_loop(), cast(Any, asyncio.current_task())
        call, reply = self.call, cast(object, coroutine)
        failure: BaseException | None = None
        while call is not None:
            goes_on = False
            try:
                if type(reply) is CoroutineType:
                    reply = await reply  # costs no turn of the loop unless it really waits
                goes_on = reply is failure is None and self._goes_on(call)
            except BaseException as error:  # noqa: BLE001 - the user's code; goes to the pump
                reply, failure = None, error
            if not goes_on:
                call = self._next(reply, failure)
                if call is None:
                    return
            reply, failure = None, None
            try:
                reply = call.function(*call.args)
            except BaseException as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error

    def _goes_on(self, call: Call) -> bool:
        """Tell whether a call that came to None is to be made again."""
        self.call = None
        if call.again is None or self._interrupted or not call.again():
            return False
        self.served += 1
        self.call = call
        return True

    def _next(self, reply: object, failure: BaseException | None) -> Call | None:
        """Give the pump what came of the last call, and take the next from it, if there is one."""
        self.call = None
        if self._interrupted:
            with self._lock:
                if self._abandoned:
                    return None  # the pump belongs to another worker now
            if self._cancelled:
                self._close()
        if isinstance(failure, BdbQuit):
            self._close()
        try:
            call = self._pump.throw(harmless(failure)) if failure else self._pump.send(reply)
        except StopIteration:
            return None
        if self._cancelled:
            self._close()
        self.served += 1
        self.call = call
        return call

    def _close(self) -> NoReturn:
        self._pump.close()
        raise Cancelled


def timed(function: Callable[..., Any], note: Callable[[float], None]) -> Callable[..., Any]:
    """Wrap a function, sync or async, so that the length of each call is noted, ms."""

    def passed(began: float) -> float:
        return (time.perf_counter() - began) * 1000

    async def awaited(coroutine: Coroutine, began: float) -> Any:
        try:
            return await coroutine
        finally:
            note(passed(began))

    def measured(*args: Any) -> Any:
        began, reply = time.perf_counter(), None
        try:
            reply = function(*args)
        finally:
            if type(reply) is not CoroutineType:
                note(passed(began))
        return awaited(reply, began) if type(reply) is CoroutineType else reply

    return measured


def _is_busy(thread: threading.Thread) -> bool:
    """Tell whether a thread uses the processor, which one that waits for something does not.

    An exception that is raised in a thread waits there until it runs Python code. Up to Python 3.12
    a waiting one slows down the calls of all threads, and with a debugger or a coverage tool at
    work it stops them.
    """
    clock = ~(thread.native_id or 0) << 3 | 6  # how Linux numbers the processor clock of a thread
    try:
        began = time.clock_gettime(clock)
        for _ in range(_MOMENTS):
            thread.join(_PATIENCE_S / _MOMENTS)
            if time.clock_gettime(clock) > began:
                return thread.is_alive()
    except OSError:  # it has ended, or this is not Linux
        return thread.is_alive()
    return False


def _raise_in(thread: threading.Thread, kind: type[BaseException]) -> None:
    """Raise something in a thread as soon as it runs Python code."""
    if thread.ident is not None:
        target = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(kind))
