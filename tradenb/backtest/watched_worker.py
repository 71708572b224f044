"""One thread that calls the user's functions of a backtest, watched by another.

The whole pump runs here, so an ask costs no hand-off between threads. The watcher sees which call
is being served and since when. When one takes too long its thread is abandoned, and a new worker
goes on with the same pump, into which the timeout is thrown.
"""

from __future__ import annotations

import ctypes
import threading
import time
from bdb import BdbQuit
from collections.abc import Callable
from contextlib import suppress
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from tradenb.engine.call import Call, Pump, harmless

if TYPE_CHECKING:
    import asyncio

    Coroutine = CoroutineType[Any, Any, Any]

_PATIENCE_S: Final = 0.2
_MOMENTS: Final = 5


class Cancelled(Exception):
    """The user ended the work before it was done, by a call or in a debugger."""


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
