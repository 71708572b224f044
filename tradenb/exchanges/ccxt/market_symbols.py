"""Which markets of an exchange a symbol stands for, in any spelling."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError


def markets_by_symbol(client: Any) -> dict[str, list[str]]:
    """Return ccxt's symbols by canonical symbol, or by the exchange's own name if it is not one."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in client.markets:
        with contextlib.suppress(UsageError):  # some markets have names that are not symbols
            found[canonical(name)].append(name)
    for name, markets in (client.markets_by_id or {}).items():
        if name not in found:
            found[name] = [market["symbol"] for market in markets]
    return dict(found)
