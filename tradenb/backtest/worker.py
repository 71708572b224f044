"""One thread that calls the user's functions of a backtest, watched by another.

The whole pump runs here, so an ask costs no hand-off between threads. The watcher sees which call
is being served and since when. When one takes too long its thread is abandoned, and a new worker
goes on with the same pump, into which the timeout is thrown.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from tradenb.engine.session import Call, Pump
from tradenb.engine.specs import is_async
from tradenb.errors import StrategyError


class Cancelled(Exception):
    """The user ended the work before it was done."""


class Worker:
    """Drives a pump to its end on a daemon thread of its own.

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

    def __init__(self, pump: Pump, *, is_async: bool, finished: threading.Event) -> None:
        self.call: Call | None = None
        self.served = 0
        self.finished = finished
        self.error: BaseException | None = None
        self._pump = pump
        self._async = is_async
        self._abandoned = False
        self._cancelled = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="tradenb-backtest", daemon=True)
        self._first: BaseException | None = None

    def start(self, first: BaseException | None = None) -> None:
        """Begin; `first` is thrown into the pump at the place where it waits."""
        self._first = first
        self._thread.start()

    def cancel(self) -> None:
        """End the pump after the call that is being served."""
        self._cancelled = True

    def abandon(self, served: int) -> bool:
        """Leave the thread to itself if it is still busy with that call.

        Returns
        -------
        bool
            False if the call has ended meanwhile.
        """
        with self._lock:
            if self.call is None or self.served != served:
                return False
            self._abandoned = True
        _raise_in(self._thread, SystemExit)
        return True

    def _work(self) -> None:
        try:
            if self._async:
                import asyncio

                asyncio.run(self._serve_async())
            else:
                self._serve()
        except _Abandoned:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            if self._abandoned:
                return
            self.error = error
        self.finished.set()

    def _serve(self) -> None:
        call = self._next(None, self._first)
        while call is not None:
            reply, failure = None, None
            try:
                reply = call.function(*call.args)
                if type(reply) is CoroutineType:
                    reply = _no_coroutine(reply, call)
            except BaseException as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error
            call = self._next(reply, failure)

    async def _serve_async(self) -> None:
        call = self._next(None, self._first)
        while call is not None:
            reply, failure = None, None
            try:
                reply = call.function(*call.args)
                if type(reply) is CoroutineType:
                    reply = await reply  # costs no turn of the loop unless it really waits
            except BaseException as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error
            call = self._next(reply, failure)

    def _next(self, reply: object, failure: BaseException | None) -> Call | None:
        """Give the pump what came of the last call, and take the next from it."""
        with self._lock:
            if self._abandoned:
                raise _Abandoned
            self.call = None
        if self._cancelled:
            self._pump.close()
            raise Cancelled
        try:
            call = self._pump.throw(_thrown(failure)) if failure else self._pump.send(reply)
        except StopIteration:
            return None
        self.served += 1
        self.call = call
        return call


class _Abandoned(Exception):
    """The pump belongs to another worker now."""


def timed(function: Callable[..., Any], durations_ms: list[float]) -> Callable[..., Any]:
    """Wrap a function so that the length of each call is noted, ms."""

    def note(began: float) -> None:
        durations_ms.append((time.perf_counter() - began) * 1000)

    async def measured_async(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return await function(*args)
        finally:
            note(began)

    def measured(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args)
        finally:
            note(began)

    return measured_async if is_async(function) else measured


def _no_coroutine(reply: Any, call: Call) -> object:
    reply.close()
    raise StrategyError(f"{call.what} returned a coroutine; declare the function with `async def`")


def _thrown(failure: BaseException) -> Exception:
    """Turn what a user function raised into something that ends no loop."""
    if isinstance(failure, Exception) and not isinstance(failure, StopIteration):
        return failure
    wrapped = StrategyError(f"raised {type(failure).__name__}")
    wrapped.__cause__ = failure
    return wrapped


def _raise_in(thread: threading.Thread, kind: type[BaseException]) -> None:
    """Ask a thread that runs Python code to end; one that sleeps in C stays until it wakes."""
    if thread.ident is not None:
        target = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(kind))
