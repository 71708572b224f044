"""The steps of a market as ccxt tells them, kept beside the candles with their date."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.core.money.market import Market
from tradenb.errors import UsageError
from tradenb.store.filesystem import DiskFilesystem, make_folders, replace_whole

log = logging.getLogger("tradenb")

FILE: Final = "market.json"
_DECIMAL_PLACES: Final = 2
_TICK_SIZE: Final = 4
_NAMES: Final = ("price_step", "size_step", "min_size", "max_size", "min_value")


class KeptMarket(NamedTuple):
    """The steps of a market, and when the exchange told them, ms UTC."""

    market: Market
    at: int


def market_of_ccxt(described: Any, mode: int) -> Market:
    """Return the steps of a market that ccxt describes.

    Parameters
    ----------
    described : mapping
        With precision and limits.
    mode : int
        What a precision means: 2 decimal places, 4 a step; of significant digits no step follows.
    """
    precision, limits = described.get("precision") or {}, described.get("limits") or {}
    amounts, costs = limits.get("amount") or {}, limits.get("cost") or {}
    found = {
        "price_step": _step(precision.get("price"), mode),
        "size_step": _step(precision.get("amount"), mode),
        "min_size": amounts.get("min"),
        "max_size": amounts.get("max"),
        "min_value": costs.get("min"),
    }
    return Market(**{name: float(own) for name, own in found.items() if own})


def _step(precision: Any, mode: int) -> float | None:
    if precision is None:
        return None
    if mode == _TICK_SIZE:
        return float(precision)
    return float(f"1e{-int(precision)}") if mode == _DECIMAL_PLACES else None


def keep_market(folder: Path, kept: KeptMarket) -> None:
    """Write the steps of a market beside its candles, if they or their day changed."""
    before = kept_market(folder)
    if before is not None and before.market == kept.market and kept.at - before.at < 86_400_000:
        return
    disk = DiskFilesystem(durable=False)
    steps = {name: getattr(kept.market, name) for name in _NAMES}
    try:
        if not disk.exists(folder):
            make_folders(disk, folder)
        replace_whole(disk, folder / FILE, json.dumps({"at": kept.at, **steps}).encode())
    except OSError as error:
        log.warning("the steps of the market cannot be kept in %s: %s", folder, error)


def kept_market(folder: Path) -> KeptMarket | None:
    """Read the steps that are kept beside candles; None where there are none, or none to read."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return KeptMarket(Market(**{name: found[name] for name in _NAMES}), int(found["at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, UsageError) as error:
        log.warning("%s cannot be read (%s); the steps are asked for again", path, error)
        return None
