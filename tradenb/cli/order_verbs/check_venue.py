"""`tradenb venue-check EXCHANGE`: try with smallest orders what the order machine stands on."""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, table
from tradenb.cli.order_verbs.account_options import account_options, add_account, mode_of
from tradenb.errors import ExchangeError, UsageError

if TYPE_CHECKING:
    from tradenb.brokers.checking.venue_probes import ProbeResult
    from tradenb.exchanges.orders.order_port import OrderPort

BEHIND_MS = 10_000


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "venue-check",
        help="try how an exchange treats orders, on its testnet",
        description="Buy, protect, cancel and sell the smallest amount that the exchange takes, "
        "and keep what was seen in data/venues. Arming a live account needs a check that is not "
        "older than 30 days. Exits with 1 if the exchange breaks a rule.",
    )
    parser.add_argument("exchange", metavar="EXCHANGE", help="of ccxt: binance")
    add_account(parser)
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Run the probes and keep what they found; 1 if one failed."""
    import asyncio

    from tradenb.brokers.checking.venue_file import write_venue_check
    from tradenb.clock import wall_ms
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.ownership import refuse_foreign
    from tradenb.store.paths import find_home

    given, mode, home = account_options(options), mode_of(options), find_home(options.home)
    refuse_foreign(home)
    if mode == "live" and not _is_meant(options):
        return 1
    found = asyncio.run(_probed(options.exchange, given, options.symbol))
    exchange = options.exchange if options.url is None else "loopback"
    disk = DiskFilesystem()
    write_venue_check(disk, home, exchange, mode, options.symbol, found, wall_ms())
    failed = [each.name for each in found if each.passed is False]
    marks = {True: "good", False: "FAILED", None: "not tried"}
    rows = [(each.name, marks[each.passed], each.words) for each in found]
    kept = f"kept in {home.venue_check(exchange, mode)}"
    facts = {"exchange": exchange, "mode": mode, "probes": [each._asdict() for each in found]}
    answer(facts, f"{table(rows)}\n{kept}", as_json=options.json)
    return 1 if failed else 0


def _is_meant(options: argparse.Namespace) -> bool:
    """Ask whether real money is to be used; only a person at a terminal can say so."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "without --sandbox it uses real money and asks a person: run it at a terminal"
        )
    words = f"This buys and sells a little of {options.symbol} with real money. Type the symbol:"
    answer({}, words, as_json=False)
    return sys.stdin.readline().strip() == str(options.symbol)


async def _probed(exchange: str, given: dict[str, Any], symbol: str) -> tuple[ProbeResult, ...]:
    from tradenb.brokers.checking.account_port import account_port
    from tradenb.brokers.checking.probe_account import ProbeAccount
    from tradenb.brokers.checking.venue_probes import VenueProbes
    from tradenb.exchanges.orders.order_client import OrderClient
    from tradenb.exchanges.orders.order_port import OrderPort

    async with account_port(exchange, given, symbol) as opened:
        port, base = opened.port, opened.market.base
        price = await _price_of(port)
        behind = OrderClient(exchange, given, now=lambda: port.client.now() - BEHIND_MS)
        late = OrderPort(
            behind, port.venue, port.market, symbol=symbol, base=base, quote=opened.market.quote
        )
        try:
            return await VenueProbes(ProbeAccount(port, base, price), late).run()
        finally:
            await behind.close()


async def _price_of(port: OrderPort) -> Decimal:
    told = await port.client.read("public_get_ticker_price", {"symbol": port.symbol})
    found = told.answer.get("price") if isinstance(told.answer, dict) else None
    try:
        return Decimal(str(found))
    except ArithmeticError:
        raise ExchangeError(f"the price of {port.symbol} could not be read") from None
