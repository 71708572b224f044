"""`tn.live.list`: the runs of this process and every document under a home, as a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import RunStatus, with_last_error
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home, find_home
from tradenb.view.formatting import number

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.live.loop.record import RunRecord

COLUMNS: Final = (
    "id",
    "mode",
    "symbol",
    "strategy",
    "status",
    "label",
    "stopping",
    "stale",
    "state",
    "account",
    "pnl",
    "equity",
    "orders",
    "last_tick",
    "saved",
    "last_error",
)


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account over all its runs under one home, quote currency."""

    name: str
    home: str
    cash: float
    pnl: float

    @property
    def equity(self) -> float:
        """Cash and what all runs made, what is open included."""
        return self.cash + self.pnl

    def __str__(self) -> str:
        return f"{self.name}: equity {number(self.equity)} of {number(self.cash)}"


def lost_orders(home: Home) -> dict[str, str]:
    """Return why nobody looks after the orders of runs of which no state can be read, by id.

    Runs whose process works are not meant: it has the state.
    """
    disk, found = DiskFilesystem(durable=False), dict[str, str]()
    for key in home.keys(disk, locks=True):
        if not disk.exists(home.orders(key)):
            continue
        files = RunFiles(home, key)
        if files.status().status != "running" and files.failure is not None:
            found[key.id] = str(files.failure)
    return found


def listing(runs: Sequence[RunRecord], home: str | Path | None) -> pd.DataFrame:
    """Return one row a run, those of this process first."""
    import pandas as pd

    frame = pd.DataFrame(rows_of(statuses(runs, find_home(home))), columns=list(COLUMNS))
    times = pd.to_datetime(frame["last_tick"].astype("Int64"), unit="ms", utc=True)
    frame["last_tick"] = times.astype("datetime64[ms, UTC]")
    return frame.astype({"stopping": "bool", "stale": "bool", "saved": "bool"}).astype(
        {"pnl": "float64", "equity": "float64"}
    )


def statuses(runs: Sequence[RunRecord], home: Home) -> Iterator[RunStatus]:
    """Return how all runs are: those of this process, then the others under a home."""
    if runs:
        from tradenb.live.status.status_of_run import status_of_run

        for run in runs:
            yield with_last_error(status_of_run(run), run.storage.events)
    known = {(run.id, run.storage.home) for run in runs}
    disk = DiskFilesystem(durable=False)
    for each in (home, home.rehearsal):
        for key in each.keys(disk, locks=True):
            if (key.id, each.root) in known:
                continue
            files = RunFiles(each, key)
            status = files.status()
            if status.state is not None:
                yield with_last_error(status, files.events)
            elif status.error or status.status == "running":
                yield status  # the others have ended without ever having saved anything


def rows_of(found: Iterable[RunStatus]) -> list[dict[str, Any]]:
    """Return statuses as the list shows them, with the equity of the accounts of all of them."""
    several = list(found)
    equity = {(each.name, each.home): each.equity for each in account_statuses(several)}
    names = ((_shared_name(status), status) for status in several)
    return [
        _row(status) | {"equity": None if name is None else equity[name, status.home]}
        for name, status in names
    ]


def _row(status: RunStatus) -> dict[str, Any]:
    """Return a status as the list shows it, `last_tick` in ms UTC."""
    own = status.money
    return {
        "id": status.id,
        "mode": status.mode,
        "symbol": status.symbol,
        "strategy": status.strategy,
        "status": status.status,
        "label": status.label,
        "stopping": status.stopping,
        "stale": status.stale,
        "state": None if status.state is None else status.holds,
        "account": None if own is None else own.account,
        "pnl": None if own is None else own.pnl,
        "orders": None if status.orders is None else "; ".join(status.orders.words),
        "last_tick": status.last_tick,
        "saved": status.saved,
        "last_error": status.last_error or None,
    }


def account_statuses(statuses: Iterable[RunStatus]) -> list[AccountStatus]:
    """Return the accounts that runs name, in the order of their first run.

    A rehearsal has a time of its own, and so shares its account with no other run.
    """
    found: dict[tuple[str, str], AccountStatus] = {}
    for status in statuses:
        own, name = status.money, _shared_name(status)
        if own is None or name is None:
            continue
        key = name, status.home
        before = found.get(key, AccountStatus(*key, own.cash, 0.0))
        found[key] = AccountStatus(*key, own.cash, before.pnl + own.pnl)
    return list(found.values())


def accounts_of(runs: Sequence[RunRecord]) -> list[AccountStatus]:
    """Return the accounts of runs, over all runs under their homes that share them."""
    from tradenb.live.status.status_of_run import status_of_run

    named = {(_shared_name(each), each.home) for each in map(status_of_run, runs) if each.money}
    homes = sorted({run.storage.home for run in runs})
    return [
        account
        for home in homes
        for account in account_statuses(statuses(runs, find_home(home)))
        if (account.name, account.home) in named and account.home == str(home)
    ]


def _shared_name(status: RunStatus) -> str | None:
    """Return the account as far as runs share it: those of rehearsals are their own."""
    if status.money is None:
        return None
    own = f" of {status.id}" if status.mode == "rehearsal" else ""
    return status.money.account + own
