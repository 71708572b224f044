"""What the doctor says first: positions without a stop, unknown outcomes, alarms, permissions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tradenb.brokers.status.order_account import order_accounts
from tradenb.brokers.status.order_status import age
from tradenb.cli.machine_checks import Check, Verdict
from tradenb.clock import wall_ms
from tradenb.core.orders.order_alarms import DOUBT
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus


def order_checks(disk: DiskFilesystem, home: Home, runs: Sequence[RunStatus]) -> Iterator[Check]:
    """Check the orders of runs with a broker; of others nothing is said."""
    sending = [(run, run.orders) for run in runs if run.orders is not None]
    for run, orders in sending:
        # What has no stop comes first, whatever else is wrong.
        for alarm in sorted(orders.alarms, key=lambda each: each.name != "unprotected"):
            left = "" if run.status == "running" else f". No process follows it. {run.way_on}"
            yield Check(alarm.name, "wrong", f"{run.id}: {alarm.text}{left}")
    for run, orders in sending:
        for order in orders.in_doubt:
            lasts = orders.at - order.sent_at
            words = f"{run.id}: {order.role} order {order.id} since {age(lasts)}"
            if run.status != "running":
                words += f"; no process queries it. {run.way_on}"
                yield Check("unknown outcome", "wrong", words)
            elif lasts < DOUBT:  # later it is an alarm
                yield Check("unknown outcome", "note", f"{words}; it is being queried")
    for run, orders in sending:
        for shield in orders.shields:
            if shield.level != "bad":  # that is an alarm
                verdict: Verdict = "well" if shield.level == "good" else "note"
                yield Check("protection", verdict, f"{run.id}: {shield}")
    for account in order_accounts(disk, home, [orders for _, orders in sending], wall_ms()):
        words = "; ".join((account.state, *account.used, account.checked))
        wrong = account.tripped or account.unreadable
        yield Check(f"account {account.name}", "wrong" if wrong else "well", words)
