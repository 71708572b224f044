"""Lists of markets, which are read on a thread of their own.

One has up to 24 MB, which ccxt takes seconds to read, and on the loop that all exchanges of a
process share no other exchange would get an answer meanwhile. So another client of ccxt loads them
on a loop of its own, and what it has then belongs to the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Final, TypeVar

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError

Result = TypeVar("Result")

# What ccxt knows of the markets of an exchange.
_SHARED: Final = (
    *("markets", "markets_by_id", "symbols", "ids", "codes"),
    *("currencies", "currencies_by_id", "baseCurrencies", "quoteCurrencies"),
)


async def load_markets(client: Any, make: Callable[[], Any]) -> dict[str, list[str]]:
    """Load the markets into a client, and return them by symbol.

    Parameters
    ----------
    client : ccxt exchange
        It may be in use meanwhile.
    make : callable
        Returns another client of the same exchange, with a session; called on the thread.
    """
    return await on_thread(lambda: _loaded(client, make))


async def _loaded(client: Any, make: Callable[[], Any]) -> dict[str, list[str]]:
    other = make()
    try:
        await other.load_markets(True)
        found = markets_by_symbol(other)
        for name in _SHARED:
            setattr(client, name, getattr(other, name))
        client.options.update(other.options)  # some exchanges note there what they have seen
        _owe(client, other)
        return found
    finally:
        client.last_response_headers = other.last_response_headers
        other.timeout_on_exit = 0
        await other.close()


def _owe(client: Any, other: Any) -> None:
    """Let a client wait for the requests of another one, which the exchange counts with its own."""
    own, spent = client.throttler, other.throttler
    if own is not None and spent is not None:
        own.config["tokens"] += min(0.0, spent.config["tokens"])
        own.timestamps += spent.timestamps


async def on_thread(make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine on a loop in a thread that ends with it, also after nobody waits."""
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()  # from now on only the thread ends it

    def work() -> None:
        try:
            result = asyncio.run(make())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(result)

    context = copy_context()
    threading.Thread(target=context.run, args=(work,), name="tradenb-markets", daemon=True).start()
    return await asyncio.wrap_future(future)


def markets_by_symbol(client: Any) -> dict[str, list[str]]:
    """Return ccxt's symbols by canonical symbol, or by the exchange's own name if it is not one."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in client.markets:
        with contextlib.suppress(UsageError):  # some markets have names that are not symbols
            found[canonical(name)].append(name)
    for name, markets in (client.markets_by_id or {}).items():
        if name not in found:
            found[name] = [market["symbol"] for market in markets]
    return dict(found)
