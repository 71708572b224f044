"""An account of live runs: what it may be, and that all runs that name it agree on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tradenb.brokers.broker import Broker
from tradenb.core.lifecycle.exchange_route import desired_position
from tradenb.core.money.account import Account, check_account
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import is_flat
from tradenb.core.rules import Rules
from tradenb.errors import StateError, UsageError
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage


def check_live_account(account: Account, rules: Rules) -> None:
    """Refuse an account that a live run cannot have.

    Raises
    ------
    UsageError
        When it is none, its funding is historic, or its leverage is too high for the rules.
    """
    check_account(account, rules)
    if account.funding is not None:
        raise UsageError(
            "account has historic funding, which a live run cannot know; pass funding_percent"
        )


def check_agrees(account: Account, storage: DiskStorage, own: tuple[str, str]) -> None:
    """Refuse an account that other runs under the home know otherwise.

    Parameters
    ----------
    own : tuple of (str, str)
        Symbol and strategy of the run that is started.

    Raises
    ------
    UsageError
        When cash, leverage or funding differ; the message names both values.
    """
    for run, other in storage.accounts(account.name, own):
        differing = [
            f"{name} {other[name]:g} and not {getattr(account, name):g}"
            for name in ("cash", "leverage", "funding_percent")
            if other[name] != getattr(account, name)
        ]
        if differing:
            raise UsageError(
                f"account {account.name!r} of {run} has {', '.join(differing)}: all runs under one "
                "home that name an account share it; pass the same, or another name="
            )


def account_of(broker: Broker | None, account: Account | None) -> Account | None:
    """Return the account of a run: that of its broker, if there is one."""
    if broker is None:
        return account
    if account is not None:
        raise UsageError("account= is part of broker=; pass tn.broker(..., account=) alone")
    return broker.for_live().live_account


def check_orders_of(checkpoint: Checkpoint | None, orders_of: str) -> None:
    """Refuse to follow what another account holds.

    Raises
    ------
    StateError
        When a signal is open or waits, or something is left at the exchange, as are pieces of a
        position that came back; the message names both accounts.
    """
    if checkpoint is None or checkpoint.orders_of == orders_of:
        return
    state = checkpoint.state
    if state.signal is not None or not is_flat(checkpoint.ledger, desired_position(state)):
        raise StateError(
            f"{state.symbol}:{state.strategy} holds something on account {checkpoint.orders_of}, "
            f"and would go on as {orders_of}; start it with the broker it had, and "
            "stop it first. If the account is the same and its key is new: tradenb reconcile "
            f"{state.symbol}:{state.strategy} --new-key"
        )


class StartedRun(Protocol):
    """A run of this process."""

    id: str
    symbol: str
    storage: DiskStorage

    @property
    def status(self) -> str:
        """Such as "running"."""


def check_alone(storage: DiskStorage, symbol: str, started: Iterable[StartedRun]) -> None:
    """Refuse a second run that sends orders for a symbol of an account: pieces have no names.

    Parameters
    ----------
    started : iterable of StartedRun
        Those of this process; the others are found by their documents.

    Raises
    ------
    UsageError
        When there is one; the message names it.
    """
    if not sends_orders(storage.orders_of):
        return
    here = [
        run.id
        for run in started
        if run.symbol == symbol
        and run.status == "running"
        and run.storage.orders_of == storage.orders_of
    ]
    others = [*here, *storage.sending_on(symbol)]
    if others:
        raise UsageError(
            f"{others[0]} sends orders for {symbol} on account {storage.orders_of}; one run a "
            "symbol and account can: stop that run, or use a key of another account"
        )
