"""`tn.ccxt_exchange`: one exchange object for each name and set of options in this process."""

from __future__ import annotations

import copyreg
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tradenb.call_errors import explained
from tradenb.engine.specs.registry import registry
from tradenb.errors import unknown
from tradenb.exchanges.ccxt.ccxt_client import ccxt_names
from tradenb.exchanges.ccxt.ccxt_options import check_options
from tradenb.exchanges.ccxt.ccxt_source import OTHER_MARKET_OPTIONS, CcxtExchange, options_text
from tradenb.exchanges.ccxt.credentials import check_secrets


@explained("tn.ccxt_exchange")
def ccxt_exchange(
    name: str, *, cache: bool = True, home: str | Path | None = None, **options: Any
) -> CcxtExchange:
    """Take candles from an exchange, through ccxt.

    The same call gives the same object, so that its rate limit is shared and a cell may be run
    again. Public data need no key.

    Parameters
    ----------
    name : str
        Any exchange of ccxt, such as "binance", "kraken" or "bybit".
    cache : bool, default True
        Keep closed candles under {home}/data/candles, and fetch each once.
    home : path, optional
        Default `TRADENB_HOME` or ./dump.
    **options
        For ccxt's constructor: urls, options, timeout (ms), httpProxy and so on. Secrets (apiKey,
        secret, password, ...) are given as "env:NAME" or "keyring:SERVICE/USER". What is inside
        `options={...}` belongs to the exchange and is not checked: a mistyped name there is
        ignored without a word.

    Returns
    -------
    CcxtExchange

    Raises
    ------
    UnknownName
        When ccxt does not have the exchange, or its constructor the option; near names are shown.
    UsageError
        When a secret is passed in plain text.

    Examples
    --------
    >>> ccxt_exchange("binance")
    ccxt_exchange('binance')
    >>> ccxt_exchange("binance") is ccxt_exchange("binance")
    True
    """
    check_secrets(options)
    if name not in ccxt_names():
        raise unknown("exchange", name, ccxt_names(), hint="(of ccxt)")
    check_options(name, options)
    key = (name, cache, None if home is None else str(home), options_text(options))
    with _lock:
        if key not in _made:
            _made[key] = CcxtExchange(name, options, cache=cache, home=home)
        made = _made[key]
    return (
        made if set(OTHER_MARKET_OPTIONS) & options.keys() else registry.register("exchange", made)
    )


def resolve_by_name(name: str) -> Any:
    """Return the exchange that is registered under a name, or the one of ccxt."""
    registered = registry.known("exchange", name)
    if registered is not None:
        return registered
    if name in ccxt_names():
        return ccxt_exchange(name)
    raise unknown("exchange", name, [*registry.names("exchange"), *ccxt_names()])


def _unpickled(
    name: str, cache: bool, home: str | Path | None, options: Mapping[str, Any]
) -> CcxtExchange:
    """Return the exchange that was pickled, made again where it does not exist."""
    return ccxt_exchange(name, cache=cache, home=home, **options)


def _reduced(exchange: CcxtExchange) -> tuple[Any, ...]:
    return _unpickled, exchange.made_of


copyreg.pickle(CcxtExchange, _reduced)


_lock: Final = threading.Lock()
_made: Final[dict[tuple[Any, ...], CcxtExchange]] = {}
