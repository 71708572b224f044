"""Client ids: the same signal, role and attempt have the same id in every process.

A UUID of version 8 as 32 hexadecimal digits, which every exchange of docs/orders.md accepts. The
first six digits are the tag of this package, the seventh is the role; the rest is a hash.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from tradenb.core.orders.order_records import LegName, Role

TAG: Final = "746e62"
PROBE_TAG: Final = "746e63"
"""Of the orders of a venue check: not the tag of runs, or those of a lost home would take them."""
_ROLES: Final[dict[Role | LegName, str]] = {
    "entry": "1",
    "protection": "2",
    "exit": "3",
    "stop": "4",
    "target": "5",
    "part": "6",
}
_OF_DIGIT: Final = {digit: role for role, digit in _ROLES.items()}


def client_id(run: str, signal_id: str, role: Role | LegName, attempt: int) -> str:
    """Return the client id of an order.

    Parameters
    ----------
    run : str
        Account, symbol, strategy and start of the run; two runs never share one.
    signal_id : str
    role : str
        "stop" and "target" are the legs of a protective list.
    attempt : int
        1 or more.

    Examples
    --------
    >>> client_id("paper BTCUSDT dip 0", "s1", "entry", 1)[:7]
    '746e621'
    """
    key = "\x1f".join((run, signal_id, role, str(attempt))).encode()
    digits = blake2b(key, digest_size=16).hexdigest()
    variant = f"{8 | int(digits[16], 16) & 3:x}"
    return f"{TAG}{_ROLES[role]}{digits[7:12]}8{digits[13:16]}{variant}{digits[17:]}"


def leg_ids(run: str, signal_id: str, attempt: int) -> tuple[str, str]:
    """Return the client ids of the stop and the target of a protective list."""
    stop = client_id(run, signal_id, "stop", attempt)
    return stop, client_id(run, signal_id, "target", attempt)


def is_tagged(id: str) -> bool:
    """Tell whether a run or a check of this package made an order, and no person."""
    return id.startswith((TAG, PROBE_TAG))


def is_ours(id: str) -> bool:
    """Tell whether an order with this client id was made by this package."""
    return len(id) == 32 and id.startswith(TAG) and id[6] in _OF_DIGIT


def role_of(id: str) -> Role | LegName:
    """Return the role that a client id of ours names."""
    return _OF_DIGIT[id[6]]


def own_role(id: str) -> Role | LegName | None:
    """Return the role that a client id names; None where it is not of ours."""
    return role_of(id) if is_ours(id) else None
