"""`tradenb reconcile [NAME]`: what the exchange has now against what the documents say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, lost_of, named, table

if TYPE_CHECKING:
    from tradenb.brokers.unattended.reconcile_now import Comparison
    from tradenb.store.paths import Home, Key


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "reconcile",
        help="compare orders, trades and pieces with the exchange",
        description="Read orders, trades and balance of runs with a broker at the exchange, and "
        "show what differs from their documents. That changes nothing. Exits with 1 if something "
        "needs you.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    parser.add_argument(
        "--accept",
        action="store_true",
        help="take what nobody can explain as your own doing: it is not asked again, and entries "
        "go on where the account is armed",
    )
    parser.add_argument(
        "--new-key",
        action="store_true",
        help="the account is the same and its key is new: set the variables that the run names to "
        "the new key, stop the run, and call this with NAME. It is checked that the exchange shows "
        "the orders of the run to that key",
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Compare; 1 if something needs a person, or an exchange was not reached."""
    import asyncio

    from tradenb.errors import TradenbError, unknown
    from tradenb.live.status.listing import lost_orders
    from tradenb.store.ownership import refuse_foreign
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    refuse_foreign(home)
    every = _runs_with_broker(home)
    keys = every if options.name is None else named(options.name, every, lambda key: key.id)
    known = {key.id for key in every}  # comparing a damaged one says why it cannot be read
    unknown_lost = {run: why for run, why in lost_orders(home).items() if run not in known}
    lost = lost_of(options.name, unknown_lost)
    if options.name is not None and not keys and not lost:
        ids = [key.id for key in every]
        raise unknown("run with a broker", options.name, ids, hint=f"under {home.root}")
    if options.new_key:
        return _new_key(home, keys, options)
    facts, words, needs = [], list[str](), bool(lost)
    for key in keys:
        try:
            found, said = asyncio.run(_looked(home, key, accept=options.accept))
        except TradenbError as error:
            facts.append({"run": key.id, "error": str(error)})
            words.append(f"{key.id}: {error}")
            needs = True
            continue
        needs |= bool(found.open) and not said.startswith("accepted")
        facts.append({**_facts(found), "accepted": said})
        words.append(_words(found, said))
    words = [*words, *lost] or [f"no run under {home.root} sends orders"]
    found_all = {"home": str(home.root), "runs": facts, "lost": lost}
    answer(found_all, "\n\n".join(words), as_json=options.json)
    return 1 if needs else 0


def _new_key(home: Home, keys: list[Key], options: argparse.Namespace) -> int:
    """Take a new key of the account of one run."""
    import asyncio

    from tradenb.brokers.unattended.new_key import take_new_key
    from tradenb.clock import SystemClock
    from tradenb.errors import UsageError
    from tradenb.store.filesystem import DiskFilesystem

    if options.name is None or len(keys) != 1:
        raise UsageError("--new-key needs the NAME of one run, such as BTCUSDT:dip")
    said = asyncio.run(take_new_key(DiskFilesystem(), home, SystemClock(), keys[0]))
    answer({"home": str(home.root), "run": keys[0].id, "said": said}, said, as_json=options.json)
    return 0


def _runs_with_broker(home: Home) -> list[Key]:
    from tradenb.core.orders.gate import sends_orders
    from tradenb.errors import StateError
    from tradenb.store.document.read import read_document
    from tradenb.store.filesystem import DiskFilesystem

    disk, found = DiskFilesystem(), []
    for key in home.keys(disk):
        try:
            document = read_document(disk, home.document(key))
        except StateError:
            found.append(key)  # comparing it says why it cannot be read
            continue
        if document is not None and sends_orders(document.body["account"]):
            found.append(key)
    return found


async def _looked(home: Home, key: Key, *, accept: bool) -> tuple[Comparison, str]:
    from tradenb.brokers.unattended.reconcile_now import accepted, compared
    from tradenb.clock import SystemClock
    from tradenb.store.filesystem import DiskFilesystem

    disk, clock = DiskFilesystem(), SystemClock()
    found = await compared(disk, home, clock, key)
    if not accept or not found.open:
        return found, ""
    return found, await accepted(disk, home, clock, found)


def _facts(found: Comparison) -> dict[str, Any]:
    differences = [each._asdict() for each in found.differences]
    known = {"run": found.key.id, "account": found.account, "seen": found.seen}
    return known | {"differences": differences, "open": list(found.open)}


def _words(found: Comparison, said: str) -> str:
    lines = [f"{found.key.id} on {found.account}: {found.seen}"]
    if found.differences:
        lines.append(table([("what", "here", "there", "then"), *found.differences]))
    else:
        lines.append("nothing differs")
    if said:
        lines += [f"{said}: {each}" for each in found.open]
        done = "entries go on where the account is armed; a disarmed one needs tradenb arm"
        lines.append(done if said.startswith("accepted") else "entries wait until it takes that")
    elif found.open:
        lines += [f"nobody can explain: {each}" for each in found.open]
        lines.append("entries wait. If that was you, --accept takes it as your own doing")
    return "\n".join(lines)
