"""Which account is meant by a run or by a name, and which runs under a home have it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tradenb.brokers.arming.permission import armed_accounts
from tradenb.core.orders.gate import sends_orders
from tradenb.errors import StateError, UsageError, shown, unknown
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import Home, Key, find_home

_ACCOUNT: Final = re.compile(r"[a-z]+:[a-z0-9_-]+:[0-9a-f]{8}")


class RunHandle(Protocol):
    """A live run as `tn.live.background` and `tn.live.attach` return it."""

    @property
    def symbol(self) -> str:
        """Symbol, as the exchange names it."""

    @property
    def strategy(self) -> str:
        """Name of the strategy."""


class ArmTarget(NamedTuple):
    """An account, and what runs under a home have it.

    Attributes
    ----------
    home : Home
    account : str
    symbols, strategies : tuple of str
    """

    home: Home
    account: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]


def arm_target(
    filesystem: Filesystem, run_or_account: RunHandle | str, home: str | Path | None
) -> ArmTarget:
    """Return the account of a run, or of a name: "BTCUSDT:dip" or "live:binance:1a2b3c4d".

    Raises
    ------
    UsageError
        When no run has it, or it is a paper run.
    StateError
        When the state of the run is not on disk yet, or cannot be read.
    """
    found = _home_of(run_or_account, home)
    if isinstance(run_or_account, str) and _ACCOUNT.fullmatch(run_or_account):
        account = run_or_account
        if not sends_orders(account):
            raise UsageError(f"{account} sends no orders and needs no arming")
    else:
        account = _account_of_run(filesystem, found, run_or_account)
    runs = [key for key, of in _accounts(filesystem, found) if of == account]
    if not isinstance(run_or_account, str) and _sends_as(run_or_account) is not None:
        runs.append(Key(run_or_account.strategy, run_or_account.symbol))  # it may have no state yet
    if not runs:
        known = sorted({of for _, of in _accounts(filesystem, found) if sends_orders(of)})
        raise unknown("account of a run", account, known, hint=f"under {found.root}")
    return ArmTarget(
        found,
        account,
        tuple(sorted({key.symbol for key in runs})),
        tuple(sorted({key.strategy for key in runs})),
    )


def disarm_target(
    filesystem: Filesystem, run_or_account: RunHandle | str, home: str | Path | None, now: int
) -> tuple[Home, str]:
    """Return the home and the account, which may be armed (at `now`) though no run has it any more.

    Raises
    ------
    UsageError, StateError
        As `arm_target` raises them, with the names of the accounts that are armed.
    """
    try:
        return arm_target(filesystem, run_or_account, home)[:2]
    except (UsageError, StateError) as error:
        found = _home_of(run_or_account, home)
        armed = armed_accounts(filesystem, found, now)
        if run_or_account in armed:
            return found, str(run_or_account)
        if not armed:
            raise
        kind = UsageError if isinstance(error, UsageError) else StateError
        raise kind(f"{error}. Armed here: {', '.join(armed)}; give one by its name") from error


def _home_of(run_or_account: RunHandle | str, home: str | Path | None) -> Home:
    return find_home(home if home is not None else getattr(run_or_account, "home", None))


def _sends_as(run: RunHandle | str) -> str | None:
    """Return the account of a run of this process that sends orders; None of anything else."""
    broker = getattr(run, "broker", None)
    if broker is None or not broker.sends_orders:
        return None
    if broker.permission is not None:
        raise UsageError("a rehearsal is armed from its start; tn.testing.broker takes its limits")
    return str(broker.id)


def _account_of_run(filesystem: Filesystem, home: Home, run: RunHandle | str) -> str:
    own = _sends_as(run)
    if own is not None:
        return own
    if isinstance(run, str):
        keys = {key.id: key for key in home.keys(filesystem)}
        if run not in keys:
            raise unknown("run or account", run, keys, hint=f"under {home.root}")
        key = keys[run]
    else:
        try:
            key = Key(run.strategy, run.symbol)
        except AttributeError:
            raise UsageError(
                "the first argument must be a live run, its name such as 'BTCUSDT:dip', or an "
                f"account such as 'live:binance:1a2b3c4d', was {shown(run)}"
            ) from None
    document = read_document(filesystem, home.document(key))
    if document is None:
        raise StateError(
            f"{key.id} has no state under {home.root} yet; wait for its first candle, or pass home="
        )
    account = str(document.body["account"])
    if not sends_orders(account):
        kind = account.partition(":")[0]
        raise UsageError(f"{key.id} is a {kind} run, which sends no orders and needs no arming")
    return account


def _accounts(filesystem: Filesystem, home: Home) -> Iterator[tuple[Key, str]]:
    for key in home.keys(filesystem):
        try:
            document = read_document(filesystem, home.document(key))
        except StateError:
            continue  # it is not armed with the others
        if document is not None:
            yield key, str(document.body["account"])
