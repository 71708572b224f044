"""What tests and examples need without a network: made-up candles."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradenb.exchanges.walk import random_walk as random_walk

_HOMES: Final = {"random_walk": "tradenb.exchanges.walk"}

__all__ = ["random_walk"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
