"""`tradenb retire NAME`: an ended run leaves the risk books; its files are moved, not deleted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, rehearsals
from tradenb.clock import wall_ms
from tradenb.errors import StateError, UsageError

if TYPE_CHECKING:
    from tradenb.store.paths import Home, Key


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "retire",
        help="take an ended run out of the risk books",
        description="Move the files of a run to HOME/retired, if no process holds it and it has no "
        "position. Its closed trades no longer count in the risk books. Refused while its account "
        "is armed, and until 00:00 UTC if it lost today: that counts in the limits. The next start "
        "is a new run. Move the files back to have the old run again.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, in full")
    parser.add_argument(
        "--abandon",
        type=float,
        metavar="PRICE",
        help="end its position at this price first, where its symbol gives no candle any more",
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Retire a run."""
    from tradenb.live.state.abandoned import abandon_on_disk
    from tradenb.live.state.control_requests import abandon_price
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.lock import FileLock
    from tradenb.store.ownership import refuse_foreign
    from tradenb.store.paths import find_home
    from tradenb.store.retire import retire

    home, disk = find_home(options.home), DiskFilesystem()
    key, now = _key(options.name, home), wall_ms()
    refuse_foreign(home)
    ended = {}
    with FileLock(disk, home.lock(key), what=options.name) as lock:
        _refuse_if_limits_change(home, key, now)
        if options.abandon is not None:
            price = abandon_price(options.abandon)
            event = abandon_on_disk(disk, home, key, lock, price, now=now)
            ended = {"ended": event.kind, "price": price, "pnl_percent": event.pnl_percent}
        folder = retire(disk, home, key, now=now)
    facts = {"retired": options.name, "folder": str(folder), **ended}
    words = f"{options.name} is retired; its files are in {folder}"
    if ended:
        gain = "" if event.pnl_percent is None else f", {event.pnl_percent:+.2f} %"
        words = f"{event.kind} at {price:g} ({event.exit_reason}{gain})\n{words}"
    answer(facts, words, as_json=options.json)
    return 0


def _refuse_if_limits_change(home: Home, key: Key, now: int) -> None:
    """Refuse a run that may send entries, or lost today: its share of the limits goes with it.

    Its shares say so of every account, also of one from before its document was lost.
    """
    from tradenb.brokers.arming.account_share import every_share, summed
    from tradenb.brokers.status.order_account import order_accounts
    from tradenb.core.orders.order_records import ZERO
    from tradenb.live.status.run_files import RunFiles
    from tradenb.store.filesystem import DiskFilesystem

    orders, disk = RunFiles(home, key).required().orders, DiskFilesystem(durable=False)
    own = [(name, share) for name, run, share in every_share(disk, home) if run == key.id]
    named = {name for name, _ in own} | (set() if orders is None else {orders.account})
    for account in order_accounts(disk, home, [] if orders is None else [orders], now):
        if account.name in named and account.permitted:
            raise StateError(
                f"{key.id} sends orders to {account.name}, which is {account.permitted}; what it "
                "lost and ordered today counts no longer once it is retired: end the permission "
                f"first, with tradenb disarm {account.name}"
            )
    for name, share in own:
        lost = ZERO if share is None else -summed([share], now).day_result
        if lost > 0:
            raise StateError(
                f"{key.id} lost {lost.normalize():f} today on {name}, which counts no "
                "longer once it is retired, and the account could be armed to lose as much again: "
                "retire it after 00:00 UTC"
            )


def _key(name: str, home: Home) -> Key:
    from tradenb.store.filesystem import DiskFilesystem

    known = {key.id: key for key in home.keys(DiskFilesystem())}
    if name not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"no run {name} under {home.root}; known: {there}{rehearsals(home)}")
    return known[name]
