"""Where ccxt's groups of URLs lead instead, so that nothing that it sends leaves this machine.

The groups are those of the installed ccxt. Each keeps a path of its own: the one that it has at
the exchange, behind the name of its host where that is not the main one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from tradenb.errors import UsageError
from tradenb.exchanges.ccxt.ccxt_client import ccxt_class

# ccxt goes over to the second and the third where a sandbox is asked for.
_TABLES: Final = ("api", "test", "demo")


def redirected_urls(base: str) -> dict[str, Any]:
    """Return ccxt's option `urls` for Binance, with every group on a server at `base`.

    Parameters
    ----------
    base : str
        Such as "http://127.0.0.1:8000".

    Raises
    ------
    UsageError
        When the installed ccxt has a group that cannot be redirected.
    """
    tables = _tables()
    return {key: _redirected(tables[key], base, key) for key in _TABLES if key in tables}


@lru_cache
def _tables() -> Mapping[str, Any]:
    tables: Mapping[str, Any] = ccxt_class("binance")().urls
    return tables


def _redirected(groups: Mapping[str, Any], base: str, where: str) -> dict[str, str]:
    found = {}
    for group, url in groups.items():
        if not isinstance(url, str) or not urlsplit(url).hostname:
            raise UsageError(
                f"ccxt's urls[{where!r}][{group!r}] is {url!r}, which this server cannot redirect; "
                "use a ccxt of which every group is one URL"
            )
        found[group] = base + path_of(url)
    return found


def path_of(url: str) -> str:
    """Return the path on this server of a URL of the exchange.

    Examples
    --------
    >>> path_of("https://api.binance.com/sapi/v1"), path_of("https://fapi.binance.com/futures/data")
    ('/sapi/v1', '/fapi/futures/data')
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").split(".")[0]
    return parts.path if host in {"api", "testnet", "demo-api"} else f"/{host}{parts.path}"
