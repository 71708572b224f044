"""A new key of the same account: what the account held goes on under its old name.

The name of an account follows from its first key. That a later key is of the same account only its
owner can say; what can be checked is that the exchange shows the orders of the run to that key.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tradenb.brokers.broker import key_digits
from tradenb.brokers.broker_file import add_key, recorded_broker
from tradenb.brokers.unattended.force_close import runs_on
from tradenb.brokers.unattended.reconcile_now import BrokerOf, Seen, ledger_of, seen_at
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import ZERO
from tradenb.engine.ports import Clock
from tradenb.errors import StateError
from tradenb.store.filesystem import Filesystem
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key

WITH_ANY_KEY: Final[BrokerOf] = partial(recorded_broker, any_key=True)


async def take_new_key(
    filesystem: Filesystem,
    home: Home,
    clock: Clock,
    key: Key,
    *,
    broker_of: BrokerOf = WITH_ANY_KEY,
) -> str:
    """Let the account of a run go on with the key that its variables hold now.

    Returns
    -------
    str
        What was done, in words.

    Raises
    ------
    StateError
        When the key is not new, shows other orders than those of the run, or has a run of its own,
        or a process still has a run of the account.
    ExchangeError
        When the exchange does not answer, or does not take the key.
    """
    account, ledger = ledger_of(filesystem, home, key)
    broker = broker_of(filesystem, home, account)
    digits = key_digits(broker.options)
    name = ":".join((*account.split(":")[:2], digits))
    if name == account:
        raise StateError(f"the variables of {account} hold the key that it had; set the new one")
    for held in runs_on(filesystem, home, account):
        holder = holder_of(filesystem, home.lock(held.key))
        if held.pid is not None and not holder.yields:
            raise StateError(
                f"{holder} has {held.key.id} and goes on with the key that it began with; end it "
                "first (Ctrl-C there, or run.release()), its stop goes on resting at the exchange"
            )
    for held in runs_on(filesystem, home, name):
        raise StateError(
            f"{held.key.id} runs or holds something on {name}, which is the account of the new "
            "key; stop that run and let it close first"
        )
    seen = await seen_at(broker, clock, key.symbol, ledger)
    found, missing = _compared(ledger, seen)
    if missing or not found:
        which = f"does not show order {missing[0]}" if missing else "has no order of it to show"
        raise StateError(
            f"with the new key the exchange {which}, so nothing says that it is account {account}; "
            "take a key of that account, or sell by hand at the exchange"
        )
    add_key(filesystem, home, account, digits)
    return (
        f"the new key shows {found} of {found} orders of {key.id}: it is {account} from now on. "
        "Start the run with it, or let tradenb guard look after it; entries wait for tradenb arm"
    )


def _compared(ledger: OrderLedger, seen: Seen) -> tuple[int, list[str]]:
    """Return how many orders a key has to show, and those that it does not.

    What rests, and what was filled: of others exchanges forget. Those of before the moment that is
    read do not count: a position may be older.
    """
    shown = {snapshot.id for snapshot in seen.overview.orders}
    asked = [
        order
        for order in ledger.orders
        if order.exchange_id is not None
        and (order.stands or order.filled > ZERO)
        and order.sent_at >= seen.overview.since
    ]
    missing = [order.id for order in asked if shown.isdisjoint((order.id, *order.leg_ids))]
    return len(asked), missing
