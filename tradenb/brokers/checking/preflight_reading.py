"""Reading at the exchange what `preflight.py` judges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from tradenb.brokers.broker import VENUES, Broker
from tradenb.brokers.checking.account_port import account_port
from tradenb.brokers.checking.preflight import PreflightFacts, preflight, unknowns
from tradenb.brokers.checking.venue_file import venue_trouble
from tradenb.core.orders.order_records import ZERO
from tradenb.core.signal import Time
from tradenb.core.values import Problem
from tradenb.errors import ExchangeError
from tradenb.exchanges.orders.spot_account import read_account, read_key_may_withdraw


async def read_preflight(
    exchange: str, options: Mapping[str, Any], symbol: str, *, cash: Decimal, invested: Decimal
) -> PreflightFacts:
    """Read the facts of one symbol.

    Raises
    ------
    ExchangeError
        When the exchange does not answer, or does not take the key.
    """
    async with account_port(exchange, options, symbol) as opened:
        client, market = opened.port.client, opened.market
        account = await read_account(client)
        if account is None:
            raise ExchangeError(f"{exchange} does not show the balance")
        return PreflightFacts(
            symbol=symbol,
            may_withdraw=await read_key_may_withdraw(client),
            may_trade=account.can_trade,
            is_trading=market.is_trading,
            free=account.free.get(market.quote, ZERO),
            invested=invested,
            cash=cash,
            quote=market.quote,
            clock_ahead_ms=opened.clock_ahead_ms,
            clock_unsure_ms=opened.clock_unsure_ms,
            window_ms=opened.port.venue.window_ms,
        )


async def look_before_arming(
    broker: Broker, symbol: str, storage: Any, now: Callable[[], Time]
) -> tuple[Problem, ...]:
    """Look at an account that sends nothing as arming does; return why it would not be armed.

    Parameters
    ----------
    storage
        That of a run; where the check of the exchange is.
    now : callable
        ms UTC.
    """
    if broker.connect is not None:
        return ()
    cash = Decimal(repr(broker.account.cash))
    try:
        facts = await read_preflight(
            broker.exchange, broker.options, symbol, cash=cash, invested=ZERO
        )
    except ExchangeError as error:
        return (Problem("account", str(error)),)
    _, exchange, key = broker.id.split(":")
    found = preflight(facts)
    if exchange in VENUES:
        account = f"live:{exchange}:{key}"
        words = venue_trouble(storage.filesystem, storage.files, account, now())
        found += (Problem("venue_check", words),) if words else ()
    return found


def looked_at(
    broker: Broker, symbols: Iterable[str], invested: Decimal
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Look at an account; return why it should not be armed, and what is not known of it.

    It may be called while a loop runs in this thread, as in a notebook.
    """

    async def read() -> list[PreflightFacts]:
        cash = Decimal(repr(broker.account.cash))
        return [
            await read_preflight(
                broker.exchange, broker.options, symbol, cash=cash, invested=invested
            )
            for symbol in symbols
        ]

    with ThreadPoolExecutor(1, "preflight") as thread:
        found = thread.submit(lambda: asyncio.run(read())).result()
    problems = [each.words for facts in found for each in preflight(facts)]
    unsure = [words for facts in found for words in unknowns(facts)]
    return tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(unsure))
