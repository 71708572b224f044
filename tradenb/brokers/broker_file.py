"""How an account is reached, left on disk: `data/brokers/{account}.json`.

Written when a run with a broker starts, so that its orders can be followed without its notebook. It
holds references to secrets, never secrets.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tradenb.brokers.broker import Broker, broker
from tradenb.core.money.account import Account
from tradenb.errors import StateError
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.filesystem import Filesystem, replace_durably
from tradenb.store.paths import Home, decoded

log = logging.getLogger("tradenb")

_LIMIT: Final = 1 << 16
_ADDRESS: Final = ("urls", "sandbox")
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
    before = b""
    try:
        with contextlib.suppress(FileNotFoundError):
            before = filesystem.read(path, limit=_LIMIT)
        keys = _keys_in(before)  # not written anew without them because a read failed
        if keys:
            known["keys"] = keys
        data = dump({"format": "tradenb-broker", "v": 1, **known}) + b"\n"
        if before != data:
            replace_durably(filesystem, path, data)
    except OSError as error:
        words = error.strerror or error
        log.warning("%s could not be written (%s); tradenb guard needs it", path, words)


def add_key(filesystem: Filesystem, home: Home, account: str, digits: str) -> None:
    """Note that a later key is one of an account; `digits` are those of `key_digits`.

    Raises
    ------
    StateError
        When the file of the account cannot be read or written.
    """
    path = home.broker(account)
    try:
        found = parse(filesystem.read(path, limit=_LIMIT))
        found["keys"] = [*dict.fromkeys((*found.get("keys", ()), digits))]
        replace_durably(filesystem, path, dump(found) + b"\n")
    except (OSError, Damaged, TypeError, AttributeError) as error:
        raise StateError(f"{path} could not be written ({error})") from error


def with_known_key(filesystem: Filesystem, home: Home, given: Broker) -> Broker:
    """Return a broker under the name that its account had before its key was replaced."""
    folder = home.broker("any").parent
    if not given.sends_orders or given.connect is not None or not filesystem.exists(folder):
        return given
    before, _, digits = given.id.rpartition(":")
    for name in filesystem.names(folder):
        account = decoded(name.removesuffix(".json"), "account") or ""
        if account.startswith(f"{before}:") and digits in _later_keys(filesystem, folder / name):
            return replace(given, id=account)
    return given


def recorded_broker(
    filesystem: Filesystem, home: Home, account: str, *, any_key: bool = False
) -> Broker:
    """Return the broker of an account as its runs left it; of its account the cash alone counts.

    Parameters
    ----------
    any_key : bool, default False
        Take the key that its variables hold now, whichever it is.

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
    known = made.id == account or made.id.rpartition(":")[2] in _later_keys(filesystem, path)
    if not known and not any_key:
        raise StateError(
            f"{path}: the key at {options.get('apiKey')} is that of {made.id}, not of {account}; "
            "set the key of that account, or if it has a new one: tradenb reconcile NAME --new-key"
        )
    return replace(made, id=account)


def recorded_address(
    filesystem: Filesystem, home: Home, account: str
) -> tuple[str, dict[str, Any]] | None:
    """Return the exchange of an account and where it is asked; needs no key. None: not known."""
    try:
        found = parse(filesystem.read(home.broker(account), limit=_LIMIT))
        options = {name: found["options"][name] for name in _ADDRESS if name in found["options"]}
        return str(found["exchange"]), options
    except (OSError, Damaged, LookupError, TypeError):
        return None


def recorded_account(filesystem: Filesystem, home: Home, account: str) -> Account | None:
    """Return the money of an account as its last run left it, if it did; asks for no secret."""
    try:
        found = parse(filesystem.read(home.broker(account), limit=_LIMIT))
        return Account(cash=float(found["cash"]), **found["size"])
    except (OSError, Damaged, LookupError, TypeError, ValueError):
        return None


def _later_keys(filesystem: Filesystem, path: Path) -> list[str]:
    """Return the digits of the keys that an account has had since its first one."""
    try:
        return _keys_in(filesystem.read(path, limit=_LIMIT))
    except OSError:
        return []


def _keys_in(data: bytes) -> list[str]:
    try:
        found = parse(data)["keys"]
    except (Damaged, LookupError, TypeError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _plain(value: Any) -> Any:
    """Return what JSON can hold of options."""
    if isinstance(value, Mapping):
        kept = {str(name): _plain(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) else None
