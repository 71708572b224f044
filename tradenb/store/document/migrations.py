"""How bodies of older versions become bodies of the present one: pure functions, one per step.

Each version that was released has a stored example in `tests/store/golden`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from tradenb.store.codec import Damaged

VERSION: Final = 2
Migrations: TypeAlias = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]


def _with_orders(body: dict[str, Any]) -> dict[str, Any]:
    """Version 2 keeps orders; a run of before has none."""
    return {**body, "ledger": None}


MIGRATIONS: Final[Migrations] = {1: _with_orders}
"""From the version of the key to the next one."""


def migrated(body: dict[str, Any], version: int, migrations: Migrations) -> dict[str, Any]:
    """Return a body in the present version.

    Raises
    ------
    Damaged
        When no way leads there, or the body is not of the version it claims.
    """
    for step in range(version, VERSION):
        if step not in migrations:
            raise Damaged(f"version {version} was never released")
        try:
            body = migrations[step](body)
        except (LookupError, TypeError, ValueError) as error:
            raise Damaged(f"not a body of version {step} ({error!r})") from error
    return body
