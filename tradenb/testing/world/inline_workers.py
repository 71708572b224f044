"""`InlineWorkers`: functions are called directly, one after the other, the same way every time.

They replace the threads of a live loop. A user function that should hang raises `Hang`: then its
deadline passes on the clock of the loop, as for a function that does not return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tradenb.engine.call import StrategyTimeout, harmless, is_async
from tradenb.testing.world.injected_faults import Crash

_FOR_EVER: float = 1e9


class Hang(BaseException):
    """Raised by a function to act like one that does not return.

    Parameters
    ----------
    seconds : float
        When it returns after all; the result is not used.

    Examples
    --------
    >>> import tradenb as tn
    >>> clock, workers = tn.testing.FakeClock("2024-01-01"), InlineWorkers()
    >>> def hangs():
    ...     raise Hang
    >>> clock.run(workers.call(hangs, seconds=5))
    Traceback (most recent call last):
        ...
    tradenb.engine.call.StrategyTimeout: ...
    """

    def __init__(self, seconds: float = _FOR_EVER) -> None:
        super().__init__(f"hangs for {seconds:g} s")
        self.seconds = seconds


class InlineWorkers:
    """Calls functions on the loop itself.

    Attributes
    ----------
    calls : int
        Functions called so far.
    dead : bool
        The process has died (`Crash`): nothing is called any more.
    on_death : callable or None
        Called once when it dies.

    Examples
    --------
    >>> import tradenb as tn
    >>> clock, workers = tn.testing.FakeClock("2024-01-01"), InlineWorkers()
    >>> clock.run(workers.call(max, 3, 4, seconds=5)), workers.calls
    (4, 1)
    """

    def __init__(self) -> None:
        self.calls = 0
        self.dead = False
        self.on_death: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<InlineWorkers: {self.calls:,} calls{', dead' if self.dead else ''}>"

    async def call(self, function: Callable[..., Any], *args: Any, seconds: float | None) -> Any:
        """Call a function, sync or async, and return its result.

        Raises
        ------
        StrategyTimeout
            When it hangs, after `seconds` on the clock of the loop.
        """
        await asyncio.sleep(0)  # here others may come in between, as with threads
        if self.dead:
            raise Crash("the process is dead")
        self.calls += 1
        try:
            if is_async(function):
                return await _awaited(function, args, seconds)
            return function(*args)
        except Hang as hang:
            await self._hang(hang.seconds, seconds)
        except Crash:
            self.die()
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            raise harmless(error) from error

    def close(self, keep: int = 0) -> None:
        """Do nothing: there are no threads."""

    def die(self) -> None:
        """End the process: nothing is called any more."""
        if not self.dead:
            self.dead = True
            if self.on_death is not None:
                self.on_death()

    async def _hang(self, hangs: float, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + hangs
        await asyncio.sleep(hangs if seconds is None else min(hangs, seconds))
        if seconds is not None and hangs >= seconds:
            raise _timeout(seconds, lambda: loop.time() < until)


async def _awaited(
    function: Callable[..., Any], args: tuple[Any, ...], seconds: float | None
) -> Any:
    try:
        async with asyncio.timeout(seconds) as limit:
            return await function(*args)
    except TimeoutError:
        if not limit.expired() or seconds is None:
            raise
        raise _timeout(seconds, lambda: False) from None


def _timeout(seconds: float, busy: Callable[[], bool]) -> StrategyTimeout:
    error = StrategyTimeout(f"took longer than {seconds:g} s and was left behind")
    error.busy = busy
    return error
