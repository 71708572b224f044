"""Whether two sweeps are the same: factory, what it reads, candles, period and rules.

Finished combinations are kept under this key. All that the factory reaches counts (`engine.reach`),
frames, arrays and objects included: where one of them changed, or tradenb did, nothing stale is
taken from disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

import tradenb
from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.engine.fingerprint import digest
from tradenb.engine.inputs import inputs
from tradenb.research.sweep.sweep_trial import Settings

_FORM = "5"


def candles_key(candles: Mapping[str, Candles]) -> str:
    """Hash candles by symbol, to the last bit."""
    found = hashlib.sha256()
    for symbol, own in candles.items():
        found.update(f"{symbol}:{own.start}:{own.step}".encode())
        if not own.regular:
            found.update(np.ascontiguousarray(own.time).data)
        for name in NAMES:
            found.update(np.ascontiguousarray(getattr(own, name)).data)  # no copy
    return found.hexdigest()[:16]


def sweep_key(
    factory: Any,
    candles: str,
    exchange: str,
    settings: Settings,
    memory: frozenset[str] = frozenset(),
) -> str:
    """Hash all that the figures of a combination depend on.

    Parameters
    ----------
    candles : str
        Their key.
    memory : frozenset of str
        What the factory itself changes when it makes a strategy, such as a list of its calls:
        not an input.
    """
    # Its own code is always an input of it, also if it changes an object that it belongs to.
    read = {name: words for name, words in inputs(factory).items() if name not in memory - {""}}
    period = f"{settings.symbols} {settings.start} {settings.end}"
    account, markets = settings.account, settings.markets
    money = [] if account is None else [account.model_dump_json()]
    money += [f"{symbol} {market!r}" for symbol, market in sorted(markets.items())]
    parts = [
        _FORM, tradenb.__version__, candles, exchange, period, settings.rules.model_dump_json(),
        *money,
        *(f"{name}={read[name]}" for name in sorted(read)),
    ]  # fmt: skip
    return digest("\n".join(parts))
