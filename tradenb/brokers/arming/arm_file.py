"""The permission to send entries to an account, as a file: `data/arm/{account}.json`.

It is an input of the gate, not state: no document has it. What cannot be read, is of another
account or belongs to another user is not a permission.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from tradenb.core.orders.gate import Arm
from tradenb.core.signal import Time
from tradenb.errors import StateError, StateWriteError
from tradenb.store.aside import move_aside
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.field_types import Moment, Name, Plain, sentence_of
from tradenb.store.durable_file import replace_durably
from tradenb.store.filesystem import Filesystem
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
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?$")]
Few = Annotated[int, Field(ge=1, le=100_000)]


class _Tripped(Plain):
    at: Moment
    why: Annotated[str, Field(min_length=1, max_length=_WORDS)]
    by_hand: bool = False


class _ArmRecord(Plain):
    """The file, whole."""

    format: Literal["tradenb-arm"] = "tradenb-arm"
    v: Literal[1] = 1
    account: Name
    symbols: list[Name]
    strategies: list[Name]
    max_order: Amount
    max_total: Amount
    max_daily_loss: Amount
    max_open: Few
    orders_an_hour: Few
    since: Moment
    until: Moment
    by: Annotated[str, Field(max_length=_WORDS)] = ""
    unchecked: bool = False
    tripped: _Tripped | None = None

    @model_validator(mode="after")
    def _lasts_a_week_at_most(self) -> _ArmRecord:
        longest = REHEARSED if self.account.startswith(OF_REHEARSAL) else LONGEST
        if not self.since < self.until <= self.since + longest:
            raise ValueError("a permission lasts 7 days at most, and ends after it begins")
        return self


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
    _write(filesystem, home, _ArmRecord.model_validate(_fields(arm) | {"unchecked": unchecked}))


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
        ended = record.model_copy(update={"tripped": _Tripped(at=now, why=words, by_hand=by_hand)})
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


def _record(filesystem: Filesystem, path: Path) -> _ArmRecord:
    data = filesystem.read(path, limit=_LIMIT + 1)
    if len(data) > _LIMIT:
        raise Damaged(f"larger than {_LIMIT} bytes")
    found = parse(data)
    try:
        return _ArmRecord.model_validate(found)
    except ValidationError as error:
        raise Damaged(sentence_of(error.errors()[0])) from error


def _reading(record: _ArmRecord) -> ArmReading:
    tripped = record.tripped
    arm = Arm(
        account=record.account,
        symbols=tuple(record.symbols),
        strategies=tuple(record.strategies),
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
    amounts = ("max_order", "max_total", "max_daily_loss")
    return {
        **arm._asdict(),
        **{name: f"{getattr(arm, name):f}" for name in amounts},
        "symbols": list(arm.symbols),
        "strategies": list(arm.strategies),
        "tripped": None,
    }


def _write(
    filesystem: Filesystem, home: Home, record: _ArmRecord, path: Path | None = None
) -> None:
    path = home.arm(record.account) if path is None else path
    try:
        replace_durably(filesystem, path, dump(record.model_dump()) + b"\n")
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
