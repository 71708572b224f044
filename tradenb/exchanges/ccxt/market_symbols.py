"""Which markets of an exchange a symbol stands for, in any spelling."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError


def markets_by_symbol(client: Any) -> dict[str, list[str]]:
    """Return the markets of a ccxt client by every symbol that stands for them.

    Parameters
    ----------
    client : ccxt exchange
        With its markets loaded.

    Returns
    -------
    dict of str to list of str
        By canonical symbol, or by the exchange's own name where that is not a canonical symbol: the
        symbols of ccxt.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name in client.markets:
        with contextlib.suppress(UsageError):  # some markets have names that are not symbols
            found[canonical(name)].append(name)
    for name, markets in (client.markets_by_id or {}).items():
        if name not in found:
            found[name] = [market["symbol"] for market in markets]
    return dict(found)
