"""Candles from a function of the user, sync or async.

The function is called for pages (`paging.py`) and may return lists, an array or a DataFrame. An
async one runs on a loop of its own, never on the kernel's. It runs on the caller's thread where it
can, so that an interrupt reaches it. There is no deadline here: a live run calls on a worker that
has one.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Final

from tradenb.call_errors import explained
from tradenb.clock import wall_ms
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.candle_length import when
from tradenb.core.candles.intake import accept
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import floor_to, iso
from tradenb.engine.call import is_async
from tradenb.engine.fingerprint import fingerprint, identity_of
from tradenb.engine.ports import CandleRequest, Loaded, Progress
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import CandleError, ExchangeError, SpecError, UsageError, shown
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.paging import RetryPolicy, fetch_range
from tradenb.exchanges.tables.responses import rows_from_response

_NAME_LIMIT: Final = 128


class FunctionExchange(ReprCard):
    """A source of candles that is still the user's function; made by `exchange`.

    Parameters
    ----------
    function : callable
        `function(symbol, since, limit)`, sync or async.
    name : str
        Name of the exchange.
    now : callable, optional
        Returns the current time in ms UTC; a candle that closes later is not closed yet.
    sleep : callable, optional
        Waits that many seconds between retries.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        now: Callable[[], int] = wall_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._is_async = is_async(function)
        self._name = name
        self._now = now
        self._sleep = sleep

    @property
    def name(self) -> str:
        """Name under which it is registered."""
        return self._name

    @property
    def identity(self) -> tuple[str, str]:
        """Module and qualified name of the function; the same identity may register again."""
        return identity_of(self._function)

    @property
    def fingerprint(self) -> str:
        """Hash of what the function does."""
        return fingerprint(self._function)

    @property
    def function(self) -> Callable[..., Any]:
        """The function as it was written."""
        return self._function

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the function itself."""
        return self._function(*args, **keywords)

    def __repr__(self) -> str:
        return f"exchange({self._name!r})"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return f"exchange {self._name}", [
            ("one-minute candles of", getattr(self._function, "__name__", "a function"))
        ]

    def load(self, request: CandleRequest) -> Loaded:
        """Return the closed candles of [start - history, end); see `engine.ports.CandleSource`."""
        key, rules = canonical(request.symbol), request.rules
        start, end = request.start, request.end
        if start is None or end is None:
            given = f"start={_when(start)}, end={_when(end)}"
            raise UsageError(
                f"exchange {self._name!r} calls a function, so pass both start and end; was {given}"
            )
        first, last = floor_to(start - request.history), floor_to(min(end, self._now()))
        if first >= last:
            raise CandleError(
                f"no candle has closed between {iso(first)} and {iso(end)}; start must be before "
                f"end and in the past (now {iso(self._now())})",
                code="range",
            )
        retry = RetryPolicy(rules.candle_retries, rules.candle_retry_seconds, self._sleep)
        try:
            rows = self._fetched(key, first, last, retry, request.progress)
            factor, gap = rules.price_anomaly_factor, rules.gap_minutes
            return Loaded(*accept(rows, factor=factor, gap_minutes=gap, whole=False))
        except CandleError as error:
            where = f"{key} of exchange {self._name!r}, {iso(first)} to {iso(last)}"
            raise located(error, where) from None

    def recent(self, symbol: str, since: int, limit: int) -> Rows | Awaitable[Rows]:
        """Return what the function has from `since` on; see `engine.ports.LiveSource`."""
        response = self._function(canonical(symbol), since, limit)
        return _awaited(response) if self._is_async else rows_from_response(response)

    def _fetched(
        self, symbol: str, first: int, last: int, retry: RetryPolicy, progress: Progress | None
    ) -> Rows:
        what = f"{symbol} of exchange {self._name!r}"

        def paged(call: Callable[[int, int], Any]) -> Rows:
            elsewhere: list[tuple[int, int, int]] = []

            def fetch_page(since: int, limit: int) -> Rows:
                found = rows_from_response(call(since, limit))
                if len(found.time):
                    elsewhere.append((since, found.time.item(0), found.time.item(-1)))
                return found

            rows = fetch_range(fetch_page, first, last, what=what, retry=retry, progress=progress)
            if not len(rows.time) and elsewhere:
                since, oldest, newest = elsewhere[0]
                raise CandleError(
                    f"asked for candles since {iso(since)} ({since}), the function returned those "
                    f"from {when(oldest)} to {when(newest)}; return candles that open at `since` "
                    "or later, the oldest first",
                    code="empty",
                )
            return rows

        if not self._is_async:
            return paged(lambda since, limit: self._function(symbol, since, limit))

        def on_own_loop(check: Callable[[], None]) -> Rows:
            def call(since: int, limit: int) -> Any:
                check()
                return runner.run(self._function(symbol, since, limit))

            # One loop for all pages: a session that the function opens belongs to its loop.
            with asyncio.Runner() as runner:
                return paged(call)

        return _in_thread(on_own_loop) if _in_running_loop() else on_own_loop(lambda: None)


@explained("tn.exchange")
def exchange(
    name: str,
    *,
    now: Callable[[], int] = wall_ms,
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[[Callable[..., Any]], FunctionExchange]:
    """Declare a function as a source of candles.

    Parameters
    ----------
    name : str
        Name of the exchange.
    now, sleep : callable, optional
        The clock, for tests: the time in ms UTC, and waiting for seconds.

    Returns
    -------
    callable
        Makes a `FunctionExchange` of `function(symbol, since, limit)`. The function returns
        closed 1m candles that open at `since` (ms UTC) or later, oldest first, at most about
        `limit`: a list of rows [t_ms, open, high, low, close, volume], an (n, 6) array, or a
        DataFrame; with an empty list if there are none. For a symbol that it does not have it
        raises a LookupError.

    Raises
    ------
    SpecError
        When the name is no text, or the function cannot take these three arguments.

    Examples
    --------
    >>> @exchange("flat")
    ... def flat(symbol, since, limit):
    ...     return [[since + i * 60_000, 1, 1, 1, 1, 0] for i in range(limit)]
    >>> flat
    exchange('flat')
    >>> flat("BTCUSDT", 0, 1)
    [[0, 1, 1, 1, 1, 0]]
    """
    _check_name(name)

    def declare(function: Callable[..., Any]) -> FunctionExchange:
        _check_function(function, name)
        made = FunctionExchange(function, name=name, now=now, sleep=sleep)
        return registry.register("exchange", made)

    return declare


async def _awaited(response: Awaitable[Any]) -> Rows:
    return rows_from_response(await response)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise SpecError(f'an exchange needs a name, as in @tn.exchange("mine"); was {shown(name)}')
    if len(name) > _NAME_LIMIT:
        words = f"the name of an exchange must be at most {_NAME_LIMIT} characters"
        raise SpecError(f"{words}, was {len(name):,}: {name!r:.60}")


def _check_function(function: object, name: str) -> None:
    if not callable(function):
        raise SpecError(f"exchange {name!r} must be a function, was {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SpecError(f"exchange {name!r} must return its rows, not yield them")
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C, without a signature
        return
    try:
        signature.bind("BTCUSDT", 0, 1)
    except TypeError as error:
        raise SpecError(
            f"exchange {name!r} must take (symbol, since, limit), was {signature}: {error}"
        ) from None


def _when(at: int | None) -> str:
    return "None" if at is None else iso(at)


def _in_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_thread(work: Callable[[Callable[[], None]], Rows]) -> Rows:
    """Do the work on a daemon thread; an interrupt while waiting stops it at the next page."""
    result: Future[Rows] = Future()
    interrupted = threading.Event()

    def check() -> None:
        if interrupted.is_set():
            raise ExchangeError("the caller was interrupted; fetch cancelled")

    def run() -> None:
        try:
            result.set_result(work(check))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            result.set_exception(error)

    threading.Thread(target=run, name="tradenb-fetch", daemon=True).start()
    try:
        return result.result()
    except BaseException:
        interrupted.set()
        raise
