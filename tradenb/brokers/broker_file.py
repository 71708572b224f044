"""How an account is reached, left on disk: `data/brokers/{account}.json`.

Written when a run with a broker starts, so that its orders can be followed without its notebook. It
holds references to secrets, never secrets.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from tradenb.brokers.broker import Broker, broker
from tradenb.core.money.account import Account
from tradenb.errors import StateError
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.durable_file import replace_durably
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import Home

log = logging.getLogger("tradenb")

_LIMIT: Final = 1 << 16
_SIZE: Final = {"quote", "percent", "risk", "max_percent"}


def record_broker(filesystem: Filesystem, home: Home, given: Broker) -> None:
    """Leave how an account is reached; a disk that does not take it is logged.

    What is no plain value, such as a method or an object of ccxt, is left out.
    """
    if not given.sends_orders or given.connect is not None:
        return
    path = home.broker(given.id)
    options = _plain(given.options)
    known = {
        "exchange": given.exchange,
        "mode": given.mode,
        "cash": given.account.cash,
        "size": given.account.model_dump(include=_SIZE, exclude_none=True),
        "options": options,
    }
    data = dump({"format": "tradenb-broker", "v": 1, **known}) + b"\n"
    with contextlib.suppress(OSError):
        if filesystem.read(path, limit=_LIMIT) == data:
            return
    try:
        replace_durably(filesystem, path, data)
    except OSError as error:
        words = error.strerror or error
        log.warning("%s could not be written (%s); tradenb guard needs it", path, words)


def recorded_broker(filesystem: Filesystem, home: Home, account: str) -> Broker:
    """Return the broker of an account as its runs left it; of its account the cash alone counts.

    Raises
    ------
    StateError
        When there is none, it cannot be read, or its key is that of another account.
    UsageError
        When a secret that it refers to is not there.
    """
    path = home.broker(account)
    try:
        found = parse(filesystem.read(path, limit=_LIMIT))
        exchange, mode, options = found["exchange"], found["mode"], dict(found["options"])
        money = Account(cash=float(found["cash"]), percent=1)
    except FileNotFoundError:
        raise StateError(
            f"{path} does not exist, so it is unknown how to reach {account}; start a run with its "
            "broker once, or sell by hand"
        ) from None
    except (OSError, Damaged, LookupError, TypeError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read ({error}); start a run with its broker, which writes it anew"
        ) from error
    options.pop("sandbox", None)  # follows from the mode
    made = broker(exchange, mode=mode, account=money, **options)
    if made.id != account:
        raise StateError(
            f"{path}: the key at {options.get('apiKey')} is that of {made.id}, not of {account}; "
            "set the key of that account"
        )
    return made


def recorded_account(filesystem: Filesystem, home: Home, account: str) -> Account | None:
    """Return the money of an account as its last run left it, if it did; asks for no secret."""
    try:
        found = parse(filesystem.read(home.broker(account), limit=_LIMIT))
        return Account(cash=float(found["cash"]), **found["size"])
    except (OSError, Damaged, LookupError, TypeError, ValueError):
        return None


def _plain(value: Any) -> Any:
    """Return what JSON can hold of options."""
    if isinstance(value, Mapping):
        kept = {str(name): _plain(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) else None
