"""`tradenb kill`: turn the kill switch on, wait, and say what is left."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.cli.options import add_common, answer, table
from tradenb.cli.order_verbs.account_options import account_options, add_account
from tradenb.core.orders.gate import PAPER
from tradenb.core.timeframe import DAY, MINUTE
from tradenb.errors import UsageError
from tradenb.store.paths import Key

if TYPE_CHECKING:
    from tradenb.brokers.closing.close_orders import Closed, Closing
    from tradenb.brokers.unattended.force_close import ClosedRun, HeldRun
    from tradenb.store.filesystem import Filesystem
    from tradenb.store.paths import Home

WAIT_S: Final = 10.0
MOST_DAYS: Final = 30
_LOOK_S: Final = 0.5
_SELLS: Final = (
    "A run sells at an exchange within seconds. A run that no process holds, or whose process "
    "hangs, sells nothing: --force sells what it has, in its place; or sell at the exchange by "
    "hand."
)
_HALTS: Final = (
    "No run sells: the disk took no more than an empty file, or shows no more. Make room there and "
    "call this again; --force sells all the same what runs have at an exchange; or sell there by "
    "hand."
)
_CLOSES: Final = (
    "A paper run closes at its next candle: look again in two minutes, or use --wait 130. A "
    "paper run that no process holds closes at its first candle once it is started again; nothing "
    "of it is at an exchange."
)


class _Look(NamedTuple):
    left: list[dict[str, str]]
    runs: int
    accounts: int

    @property
    def is_empty(self) -> bool:
        return not (self.runs or self.accounts)


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "kill",
        help="stop all entries and close everything, now",
        description="Turn the kill switch of a home on: no run under it enters any more, and each "
        "closes what it holds, on paper at its next candle. Waits 10 seconds and lists what is "
        "left. Exits with 0 if nothing is, 1 if something is or the home has no live run. Remove "
        "data/KILL to trade again.",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="after the wait end the processes of runs that still have something at an exchange, "
        "and close it in their place, with the keys that their brokers name",
    )
    add_common(parser, run)
    parser.add_argument(
        "--wait", type=float, default=WAIT_S, metavar="SECONDS", help="default 10, at most so long"
    )
    lost = parser.add_argument_group("the home is lost, or its processes hang")
    lost.add_argument(
        "--by-tag",
        metavar="EXCHANGE",
        help="instead: cancel all orders with the tag of tradenb at this exchange, and sell what "
        "their trades add up to; end the processes before. It shows what it would do and asks. "
        "Needs --symbol, --key and --secret",
    )
    lost.add_argument("--yes", action="store_true", help="do it without asking, for scripts")
    lost.add_argument(
        "--days", type=int, default=30, help="how far back orders count, 1 to 30 (default)"
    )
    add_account(lost)


def run(options: argparse.Namespace, *, wait: Callable[[float], object] = time.sleep) -> int:
    """Turn it on; 1 if something is left after the wait, or there was nothing to look at."""
    if options.by_tag is not None:
        return _by_tag(options)
    from tradenb.store.control import turn_on_kill
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.ownership import refuse_foreign
    from tradenb.store.paths import find_home

    home, disk = find_home(options.home), DiskFilesystem()
    refuse_foreign(home)
    says = turn_on_kill(disk, home)
    before = _with_orders(disk, home) if options.force else {}
    waited = 0.0
    while (found := _look(disk, home)).left and waited < options.wait:
        wait(_LOOK_S)
        waited += _LOOK_S
    closed: list[ClosedRun] = []
    if found.left and options.force:
        from tradenb.brokers.unattended.force_close import force_close
        from tradenb.clock import SystemClock

        closed = force_close(disk, home, SystemClock(), before, round(waited * 1000))
        found = _look(disk, home)
        found = found._replace(left=_with_closed(found.left, closed))
    armed = _still_armed(disk, home)
    facts = {"home": str(home.root), "kill": says, **found._asdict(), "armed": armed}
    words = "\n".join((_words(home, says, found, closed), *armed))
    answer(facts, words, as_json=options.json)
    return 1 if found.left or found.is_empty else 0


def _with_closed(left: list[dict[str, str]], closed: list[ClosedRun]) -> list[dict[str, str]]:
    """Say of what is left why it could not be closed, and add what no file tells of."""
    failed = {each.run: each for each in closed if not each.flat}
    rows = [
        row | {"status": _left_words(failed[row["run"]])} if row["run"] in failed else row
        for row in left
    ]
    seen = {row["run"] for row in left}
    missed = (each for each in failed.values() if each.run not in seen)
    return [
        *rows,
        *(_row(each.account, each.run, "not known", _left_words(each)) for each in missed),
    ]


def _left_words(closed: ClosedRun) -> str:
    return f"no process has it now; {closed.words}" if closed.ended else closed.words


def _still_armed(disk: Filesystem, home: Home) -> list[str]:
    """Say which accounts may enter again once the switch is removed, until when, and the cure."""
    from tradenb.brokers.status.order_account import order_accounts
    from tradenb.clock import wall_ms
    from tradenb.live.status.listing import statuses

    orders = [status.orders for status in statuses([], home) if status.orders is not None]
    return [
        f"account {each.name} is still {each.permitted}: once the switch is removed it enters "
        f"again. End that with `tradenb disarm {each.name}`"
        for each in order_accounts(disk, home, orders, wall_ms())
        if each.permission.since is not None
    ]


def _by_tag(options: argparse.Namespace) -> int:
    """Close what carries our tag; 1 if something is left."""
    import asyncio

    if not 1 <= options.days <= MOST_DAYS:
        raise UsageError(f"--days must be from 1 to {MOST_DAYS}, was {options.days}")
    found = asyncio.run(_closed(options))
    if found is None:
        answer(
            {"flat": False},
            f"nothing was cancelled or sold on {options.symbol}",
            as_json=options.json,
        )
        return 1
    sold, left = (f"{each.normalize():f}" for each in (found.sold, found.held))
    words = [
        f"{sold} sold, {left} left of {options.symbol}, by orders of {options.days} d",
        *(f"order {id} still rests" for id in found.resting),
        *found.problems,
    ]
    facts = found._asdict() | {"flat": found.is_flat}
    answer(facts, "\n".join(words), as_json=options.json)
    return 0 if found.is_flat else 1


async def _closed(options: argparse.Namespace) -> Closed | None:
    """Show what would be done, and do it if that is allowed; None: a person does not want it."""
    from tradenb.brokers.checking.account_port import account_port
    from tradenb.brokers.closing.close_orders import Closed, close_orders, what_to_close

    symbol, days = options.symbol, options.days
    async with account_port(options.by_tag, account_options(options), symbol) as opened:
        since = opened.port.client.now() - days * DAY + MINUTE  # the port reads 30 days at most
        base = opened.market.base
        found = await what_to_close(opened.port, base, since=since)
        if found is None:
            words = "orders and trades could not be read; is the exchange reachable?"
            return Closed(problems=(words,))
        if not found.is_nothing:
            if options.json and not options.yes:
                raise UsageError(
                    "nothing was cancelled or sold: --json shows no person what would be; leave "
                    "it out to be asked, or add --yes"
                )
            if not options.json:
                answer({}, _plan(symbol, base, days, found), as_json=False)
            if not options.yes and not _is_wanted(symbol):
                return None
        return await close_orders(opened.port, base, since=since, most=found.pieces)


def _is_wanted(symbol: str) -> bool:
    """Ask a person; without a terminal nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "nothing was cancelled or sold: a person is asked at a terminal; in a script add --yes"
        )
    answer({}, f"Type {symbol} to do this, anything else to leave it:", as_json=False)
    return sys.stdin.readline().strip().upper() == symbol.upper()


def _plan(symbol: str, base: str, days: int, found: Closing) -> str:
    """Say what would be cancelled and sold, how that is known, and what is free."""
    pieces, bought, sold, by_hand, free, locked = (
        f"{each.normalize():f}"
        for each in (
            found.pieces, found.bought, found.sold, found.by_hand, found.free, found.locked,
        )
    )  # fmt: skip
    rests = [
        f"  cancel {order.side} {order.quantity.normalize():f} {base}, order {order.id}"
        for order in found.resting
    ]
    money = f"{found.pieces * found.price:.2f} at {found.price.normalize():f}"
    sells = f"  sell {pieces} {base} at market, about {money}, the price of its last trade here"
    known = (
        f"  orders with the tag of tradenb bought {bought} and sold {sold} within {days} d; "
        f"{by_hand} that were sold by hand since are subtracted\n"
        f"  the account has {free} {base} free and {locked} locked in orders\n"
        "  Sales by hand of positions of tradenb, and purchases by hand, cannot be told apart "
        "from the exchange alone: compare this with what is yours."
    )
    what = sells if found.pieces else "  sell nothing"
    return "\n".join([f"{symbol}:", *rests, what, known, *(f"  {each}" for each in found.problems)])


def _with_orders(disk: Filesystem, home: Home) -> dict[Key, HeldRun]:
    """Return the runs that have something at an exchange, and what their processes do."""
    from tradenb.brokers.unattended.force_close import runs_with_orders

    return {held.key: held for held in runs_with_orders(disk, home)}


def _look(disk: Filesystem, home: Home) -> _Look:
    """Look at what is still open: the positions of runs, and what accounts have at an exchange.

    A run that has sold at the exchange may tell so at its next candle alone.
    """
    from tradenb.brokers.arming.account_share import every_share
    from tradenb.brokers.unattended.force_close import has_sold, runs_with_orders
    from tradenb.live.status.listing import statuses

    found: list[dict[str, str]] = []
    live = [status for status in statuses([], home) if status.mode == "live"]
    accounts = {status.orders.account for status in live if status.orders is not None}
    for status in live:
        if has_sold(disk, home, Key(status.strategy, status.symbol)):
            continue
        if status.state is None:
            if status.error:
                found.append(_row("", status.id, status.error, status.status_text))
        elif status.state.signal is not None:
            account = PAPER if status.orders is None else status.orders.account
            found.append(_row(account, status.id, status.holds, status.status_text))
    for account, name, share in every_share(disk, home):
        accounts.add(account)
        if share is None:
            found.append(_row(account, name, "its share cannot be read", ""))
        elif share.positions or share.in_doubt:
            words = f"positions: {share.positions}, cost {share.invested.normalize():f}"
            doubts = f"orders in doubt: {share.in_doubt}" if share.in_doubt else ""
            found.append(_row(account, name, words, doubts))
    said, texts = {row["run"] for row in found}, {each.id: each.status_text for each in live}
    for held in runs_with_orders(disk, home):
        if held.key.id not in said:
            words = "orders at the exchange that have not ended"
            found.append(_row(held.account, held.key.id, words, texts.get(held.key.id, "")))
    return _Look(found, len(live), len(accounts))


def _row(account: str, name: str, holds: str, status: str) -> dict[str, str]:
    return {"account": account, "run": name, "holds": holds, "status": status}


def _words(home: Home, says: str, found: _Look, closed: list[ClosedRun]) -> str:
    from tradenb.view.formatting import plural

    head = f"kill switch {home.kill}: {says}; remove it to trade again"
    if says != "flatten":
        head = f"kill switch {home.kill}: {says}, which stops entries and closes nothing"
    if found.is_empty:
        where = f"no live run is known under {home.root}"
        return f"{head}\n{where}; is this the right home? (--home, TRADENB_HOME)"
    if not found.left:
        seen = ", ".join(
            plural(count, word)
            for count, word in ((found.runs, "run"), (found.accounts, "account"))
            if count
        )
        return f"{head}\nnothing is open: {seen} looked at"
    rows = [("account", "run", "holds", "status"), *(tuple(row.values()) for row in found.left)]
    if any(each.ended and not each.flat for each in closed):
        cure = (
            "still open, and no process looks after it now: `tradenb guard --every 30s` does, and "
            "sells it as soon as the exchange answers; or sell at the exchange by hand"
        )
        return f"{head}\n{table(rows)}\n{cure}"
    if says != "flatten":
        return f"{head}\n{table(rows)}\nstill open. {_HALTS}"
    papers = [row["account"] == PAPER for row in found.left]
    cures = [_SELLS] * (not all(papers)) + [_CLOSES] * any(papers)
    return f"{head}\n{table(rows)}\nstill open. {' '.join(cures)}"
