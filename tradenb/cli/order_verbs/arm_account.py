"""`tradenb arm NAME`: say what would be possible, and arm if a person types the code."""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tradenb.cli.options import answer, named

NAME: Final = "SYMBOL:strategy or a part of it, or an account such as live:binance:1a2b3c4d"


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "arm",
        help="allow the runs of an account to send entries",
        description="Say what the runs of an account could do within these limits, and arm it if "
        "the code that is shown is typed. Asks at a terminal only: no script arms anything.",
    )
    parser.add_argument("name", metavar="NAME", help=NAME)
    amount = {"type": _amount, "required": True, "metavar": "AMOUNT"}
    parser.add_argument("--max-order", help="most that an order may cost, quote currency", **amount)
    parser.add_argument("--max-total", help="most that all positions may cost", **amount)
    parser.add_argument("--max-daily-loss", help="loss in a UTC day that disarms", **amount)
    count = {"type": int, "metavar": "NUMBER"}
    parser.add_argument("--max-open", required=True, help="most positions at a time", **count)
    parser.add_argument("--orders-an-hour", default=60, help="default 60", **count)
    parser.add_argument("--until", default="8h", help="8h, 2d or a moment; 7 days at most")
    parser.add_argument(
        "--unchecked", action="store_true", help="arm without tradenb venue-check of the exchange"
    )
    parser.add_argument(
        "--home", metavar="FOLDER", help="folder of the state (default TRADENB_HOME or ./dump)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask; 1 if the account is not armed afterwards."""
    from tradenb.brokers.arming.api import arm
    from tradenb.errors import UsageError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("arm asks a person; run it at a terminal")
    given = {
        "max_order": options.max_order,
        "max_total": options.max_total,
        "max_daily_loss": options.max_daily_loss,
        "max_open": options.max_open,
        "orders_an_hour": options.orders_an_hour,
        "until": options.until,
        "unchecked": options.unchecked,
        "home": options.home,
    }
    name = whole_name(options)
    asked = arm(name, **given)
    answer(
        {},
        f"{asked.would}\nType {asked.code} to allow this, anything else to leave it:",
        as_json=False,
    )
    told = arm(name, code=sys.stdin.readline().strip(), **given)
    answer({}, told.words.splitlines()[-1], as_json=False)  # the rest was just read
    return 0 if told.armed else 1


def whole_name(options: argparse.Namespace) -> str:
    """Return the id of the run with this name, or part of one; else what was given."""
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    keys = [*find_home(options.home).keys(DiskFilesystem(durable=False))]
    found = named(options.name, keys, lambda key: key.id)
    return found[0].id if found else options.name


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"must be an amount, was {text!r}") from None
