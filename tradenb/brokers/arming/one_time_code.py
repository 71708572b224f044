"""The six letters that a person copies to arm an account: good for 10 minutes, once.

A code belongs to the very terms that were shown with it. So a notebook whose cells are all run
again arms nothing: the code in its cell was used, or is too old. The file holds a salted hash; it
keeps a code from being run twice, not from somebody who may write in the home.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.errors import StateWriteError
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.field_types import Moment, Plain
from tradenb.store.filesystem import Filesystem, replace_durably
from tradenb.store.paths import Home

LETTERS: Final = "ACDEFHJKLMNPQRTUVWXY"
"""Those that nobody mistakes for another letter or a digit."""
LENGTH: Final = 6
GOOD_FOR: Final = 600_000
TRIES: Final = 5
"""After so many wrong codes the right one is void."""
_LIMIT: Final = 1 << 12
_ANEW: Final = "call it without code= to be shown a new one"
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class _CodeRecord(Plain):
    format: Literal["tradenb-arm-code"] = "tradenb-arm-code"
    v: Literal[1] = 1
    at: Moment
    salt: Hex
    code: Hex
    terms: Hex
    wrong: Annotated[int, Field(ge=0, le=TRIES)] = 0
    used_at: Moment | None = None


def show_code(
    filesystem: Filesystem,
    home: Home,
    account: str,
    terms: str,
    now: Time,
    *,
    choose: Callable[[Sequence[str]], str] = secrets.choice,
) -> str:
    """Return a new code for these terms; the one before is void.

    Parameters
    ----------
    terms : str
        All that is shown with it; the code arms nothing else.
    now : int
        ms UTC.

    Raises
    ------
    StateWriteError
        When its file could not be written.
    """
    code = "".join(choose(LETTERS) for _ in range(LENGTH))
    salt = secrets.token_hex(16)
    record = _CodeRecord(at=now, salt=salt, code=_hash(salt, code), terms=_hash(salt, terms))
    _write(filesystem, home, account, record)
    return code


def use_code(
    filesystem: Filesystem,
    home: Home,
    account: str,
    terms: str,
    code: str,
    now: Time,
    *,
    ended_at: Time | None = None,
) -> str:
    """Use up a code; return "", or why it arms nothing.

    Called under the lock of the account, so that one code is used once.

    Parameters
    ----------
    ended_at : int, optional
        When the last permission tripped: a code that was shown before is void.

    Raises
    ------
    StateWriteError
        When it could not be marked as used; then it arms nothing.
    """
    record = _read(filesystem, home, account)
    if record is None:
        return f"no code was shown for {account}; {_ANEW}"
    if record.used_at is not None:
        return f"the code was used at {iso(record.used_at)} UTC; {_ANEW}"
    if not record.at <= now <= record.at + GOOD_FOR:
        return f"the code was shown at {iso(record.at)} UTC and is good for 10 minutes; {_ANEW}"
    if ended_at is not None and ended_at >= record.at:
        return f"the account was disarmed after the code was shown; {_ANEW}"
    if record.wrong >= TRIES:
        return f"{TRIES} wrong codes were given; {_ANEW}"
    if not hmac.compare_digest(record.code, _hash(record.salt, code.strip().upper())):
        wrong = record.model_copy(update={"wrong": record.wrong + 1})
        _write(filesystem, home, account, wrong)
        return f"{code!r:.20} is not the code that was shown last; {_ANEW}"
    if not hmac.compare_digest(record.terms, _hash(record.salt, terms)):
        return f"the code is for other limits; {_ANEW}"
    _write(filesystem, home, account, record.model_copy(update={"used_at": now}))
    return ""


def _hash(salt: str, text: str) -> str:
    return blake2b(text.encode(), salt=bytes.fromhex(salt), digest_size=16).hexdigest()


def _read(filesystem: Filesystem, home: Home, account: str) -> _CodeRecord | None:
    try:
        return _CodeRecord.model_validate(
            parse(filesystem.read(home.arm_code(account), limit=_LIMIT))
        )
    except (OSError, Damaged, ValidationError):
        return None


def _write(filesystem: Filesystem, home: Home, account: str, record: _CodeRecord) -> None:
    path = home.arm_code(account)
    try:
        replace_durably(filesystem, path, dump(record.model_dump()) + b"\n")
    except OSError as error:
        raise StateWriteError(
            f"{path} could not be written ({error.strerror or error}), so nothing was armed"
        ) from error
