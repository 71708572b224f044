"""The spellings of a symbol, and the markets of an exchange that they lead to."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import Any

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError


def symbols_of(client: Any) -> dict[str, list[str]]:
    """Return the markets of a client of ccxt by every symbol that may be meant by them.

    Parameters
    ----------
    client : ccxt exchange
        With its markets loaded.

    Returns
    -------
    dict of str to list of str
        Canonical symbols, and the names that the exchange itself uses where they are no canonical
        symbol; each with the symbols of ccxt that it leads to.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name in client.markets:
        with contextlib.suppress(UsageError):  # a market that cannot be written down
            found[canonical(name)].append(name)
    for name, markets in (client.markets_by_id or {}).items():
        if name not in found:
            found[name] = [market["symbol"] for market in markets]
    return dict(found)
