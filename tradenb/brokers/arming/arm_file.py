"""The permission to send entries to an account, as a file: `data/arm/{account}.json`.

It is an input of the gate, not state: no document has it. What cannot be read, is of another
account or belongs to another user is not a permission.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.core.orders.gate import Arm
from tradenb.core.signal import Time
from tradenb.core.timeframe import LATEST
from tradenb.errors import StateError, StateWriteError, shown
from tradenb.store.aside import move_aside
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.plain_record import outside, whole_record
from tradenb.store.filesystem import Filesystem, replace_durably
from tradenb.store.lock import FileLock
from tradenb.store.ownership import name_of, owner_of
from tradenb.store.paths import Home

log = logging.getLogger("tradenb")

LONGEST: Final = 7 * 24 * 3_600_000
"""A permission lasts so long at most, ms."""
OF_REHEARSAL: Final = "sandbox:rehearsal:"
REHEARSED: Final = 1 << 60
"""That of a rehearsal lasts as long as its candles: no person, and no money, is in it."""
TRIP_WAIT_S: Final = 2.0
_LIMIT: Final = 1 << 16
_WORDS: Final = 500
_HEAD: Final = {"format": "tradenb-arm", "v": 1}
_AMOUNTS: Final = ("max_order", "max_total", "max_daily_loss")
_AMOUNT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_LONGEST_NAME: Final = 300
_MANY: Final = 100_001


class Tripped(NamedTuple):
    """Why a permission ended before its time."""

    at: Time
    why: str
    by_hand: bool = False


class ArmFile(NamedTuple):
    """The file, whole."""

    account: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    max_order: str
    max_total: str
    max_daily_loss: str
    max_open: int
    orders_an_hour: int
    since: Time
    until: Time
    by: str = ""
    unchecked: bool = False
    tripped: Tripped | None = None


def _problems(record: ArmFile) -> Iterator[str]:
    """Name what no permission says."""
    for name in (record.account, *record.symbols, *record.strategies):
        if not 1 <= len(name) <= _LONGEST_NAME:
            yield f"a name must have 1 to {_LONGEST_NAME} letters, was {shown(name)}"
    for amount in _AMOUNTS:
        given = getattr(record, amount)
        if not _AMOUNT.fullmatch(given):
            yield f"{amount}: must be an amount such as 100.50, was {shown(given)}"
    yield from outside(record, 1, _MANY, "max_open", "orders_an_hour")
    yield from outside(record, 0, LATEST, "since", "until")
    longest = REHEARSED if record.account.startswith(OF_REHEARSAL) else LONGEST
    if not record.since < record.until <= record.since + longest:
        yield "a permission lasts 7 days at most, and ends after it begins"
    if len(record.by) > _WORDS:
        yield f"by: must have at most {_WORDS} letters"
    if record.tripped is not None:
        yield from outside(record.tripped, 0, LATEST, "at")
        if not 1 <= len(record.tripped.why) <= _WORDS:
            yield f"why: must have 1 to {_WORDS} letters"


class ArmReading(NamedTuple):
    """What the file of an account says.

    Attributes
    ----------
    arm : Arm or None
        None: disarmed. It may have expired or tripped; the gate looks.
    why : str
        Why there is none, with its cure.
    tripped_at : int or None
        When it tripped, ms UTC.
    unchecked : bool
        The person who armed goes without a check of the exchange.
    by_hand : bool
        A person ended it.
    """

    arm: Arm | None
    why: str = ""
    tripped_at: Time | None = None
    unchecked: bool = False
    by_hand: bool = False


def read_arm(filesystem: Filesystem, home: Home, account: str) -> ArmReading:
    """Read the permission of an account; whatever is wrong with its file, it is disarmed."""
    path = home.arm(account)
    try:
        record = _record(filesystem, path)
    except FileNotFoundError:
        return ArmReading(
            None, f"account {account} is not armed; arm it with tn.arm or tradenb arm"
        )
    except OSError as error:
        words = error.strerror or error
        return ArmReading(None, f"{path} cannot be read ({words}); move it away and arm again")
    except Damaged as error:
        return ArmReading(None, f"{path} is not a permission ({error}); arm again")
    if record.account != account:
        return ArmReading(None, f"{path} is for {record.account}, not {account}; arm again")
    foreign = foreign_owner(home, path)
    if foreign:
        return ArmReading(None, f"{path} belongs to {foreign}; move it away and arm again")
    return _reading(record)


def write_arm(filesystem: Filesystem, home: Home, arm: Arm, *, unchecked: bool = False) -> None:
    """Write a permission in place of the one before; a power loss keeps it.

    Parameters
    ----------
    unchecked : bool
        See `ArmReading`.

    Raises
    ------
    StateWriteError
        When it could not be written.
    """
    _write(filesystem, home, _record_from(_fields(arm) | {"unchecked": unchecked}))


def trip(
    filesystem: Filesystem,
    home: Home,
    account: str,
    why: str,
    now: Time,
    *,
    by_hand: bool = False,
    wait_s: float = TRIP_WAIT_S,
) -> bool:
    """End the permission of an account, for the reason given; the first reason is kept.

    Parameters
    ----------
    why : str
        A clause without a full stop; the gate says "disarmed: ...".
    now : int
        ms UTC.
    by_hand : bool
        A person ends it.
    wait_s : float
        So long it waits for the lock of the account; then it goes on without.

    Returns
    -------
    bool
        Whether there was one that had not tripped.

    Raises
    ------
    StateWriteError
        When the disk takes neither the reason nor a new name of the file: other processes may
        still go by it.
    """
    path = home.arm(account)
    with _locked_if_free(filesystem, home, account, wait_s):
        try:
            record = _record(filesystem, path)
        except FileNotFoundError:
            return False
        except Damaged:
            return False  # nobody takes it for a permission
        except OSError:
            return _moved_away(filesystem, path)  # it may be readable again later
        if record.tripped is not None:
            return False
        words = why[:_WORDS] or "no reason given"
        ended = record._replace(tripped=Tripped(now, words, by_hand))
        try:
            _write(filesystem, home, ended, path)
        except StateWriteError as error:
            log.warning("%s; it is moved away instead", error)
            return _moved_away(filesystem, path)
        return True


def foreign_owner(home: Home, path: Path) -> str:
    """Return the name of the user a file belongs to, if it is not the owner of the home; or ""."""
    owner, user = owner_of(home.root), owner_of(path)
    return "" if None in (owner, user) or user in (owner, 0) else name_of(int(user or 0))


def _record(filesystem: Filesystem, path: Path) -> ArmFile:
    data = filesystem.read(path, limit=_LIMIT + 1)
    if len(data) > _LIMIT:
        raise Damaged(f"larger than {_LIMIT} bytes")
    return _record_in(data)


@lru_cache(maxsize=64)  # it is read at every step of every order, and hardly ever changes
def _record_in(data: bytes) -> ArmFile:
    return _record_from(parse(data))


def _record_from(found: object) -> ArmFile:
    record = whole_record(ArmFile, found, **_HEAD)
    problem = next(_problems(record), None)
    if problem is not None:
        raise Damaged(problem)
    return record


@lru_cache(maxsize=64)
def _reading(record: ArmFile) -> ArmReading:
    tripped = record.tripped
    arm = Arm(
        account=record.account,
        symbols=record.symbols,
        strategies=record.strategies,
        max_order=Decimal(record.max_order),
        max_total=Decimal(record.max_total),
        max_daily_loss=Decimal(record.max_daily_loss),
        max_open=record.max_open,
        orders_an_hour=record.orders_an_hour,
        since=record.since,
        until=record.until,
        by=record.by,
        tripped="" if tripped is None else tripped.why,
    )
    if tripped is None:
        return ArmReading(arm, unchecked=record.unchecked)
    return ArmReading(
        arm, tripped_at=tripped.at, unchecked=record.unchecked, by_hand=tripped.by_hand
    )


def _fields(arm: Arm) -> dict[str, object]:
    return {
        **arm._asdict(),
        **{name: f"{getattr(arm, name):f}" for name in _AMOUNTS},
        "symbols": list(arm.symbols),
        "strategies": list(arm.strategies),
        "tripped": None,
    }


def _write(filesystem: Filesystem, home: Home, record: ArmFile, path: Path | None = None) -> None:
    path = home.arm(record.account) if path is None else path
    tripped = None if record.tripped is None else record.tripped._asdict()
    data = dump({**_HEAD, **record._asdict(), "tripped": tripped}) + b"\n"
    try:
        replace_durably(filesystem, path, data)
    except OSError as error:
        raise StateWriteError(f"{path} could not be written ({error.strerror or error})") from error


def _moved_away(filesystem: Filesystem, path: Path) -> bool:
    try:
        move_aside(filesystem, path, "tripped")
    except OSError as error:
        raise StateWriteError(
            f"{path} could be neither written nor moved ({error.strerror or error}); entries of "
            "other processes may go on: remove it, or stop everything with data/KILL"
        ) from error
    return True


@contextlib.contextmanager
def _locked_if_free(
    filesystem: Filesystem, home: Home, account: str, wait_s: float
) -> Iterator[None]:
    """Hold the lock of an account if it can be had soon: an end does not wait for a decision."""
    lock = FileLock(filesystem, home.arm_lock(account), what=f"account {account}")
    with contextlib.suppress(StateError):
        lock.acquire_within(wait_s)
    try:
        yield
    finally:
        lock.release()
