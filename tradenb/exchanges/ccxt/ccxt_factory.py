"""`tn.ccxt_exchange`: the exchanges of this process, one for each name and set of options."""

from __future__ import annotations

import copyreg
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tradenb.call_errors import explained
from tradenb.engine.specs.registry import registry
from tradenb.errors import unknown
from tradenb.exchanges.ccxt import ccxt_client as ccxt
from tradenb.exchanges.ccxt import credentials
from tradenb.exchanges.ccxt.ccxt_options import check as check_names
from tradenb.exchanges.ccxt.ccxt_source import ELSEWHERE, CcxtExchange, spelled


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
        Keep closed candles under {home}/data/candles, and ask for each once.
    home : path, optional
        Default `TRADENB_HOME` or ./dump.
    **options
        For ccxt's constructor: urls, options, timeout (ms), httpProxy and so on. Secrets (apiKey,
        secret, password, ...) are given as "env:NAME" or "keyring:SERVICE/USER". What is inside
        `options={...}` is the exchange's own, and ccxt takes it as it is: a name that is mistyped
        there changes nothing, and nobody says so.

    Returns
    -------
    CcxtExchange

    Raises
    ------
    UnknownName
        When ccxt has no such exchange, or its constructor no such option; the nearest are named.
    UsageError
        When a secret is given as it is.

    Examples
    --------
    >>> ccxt_exchange("binance")
    ccxt_exchange('binance')
    >>> ccxt_exchange("binance") is ccxt_exchange("binance")
    True
    """
    credentials.check(options)
    if name not in ccxt.names():
        raise unknown("exchange", name, ccxt.names(), hint="(of ccxt)")
    check_names(name, options)
    key = (name, cache, None if home is None else str(home), spelled(options))
    with _lock:
        if key not in _made:
            _made[key] = CcxtExchange(name, options, cache=cache, home=home)
        made = _made[key]
    return made if set(ELSEWHERE) & options.keys() else registry.register("exchange", made)


def source_named(name: str) -> Any:
    """Return the exchange that is registered under a name, or the one that ccxt has.

    Raises
    ------
    UnknownName
        When there is neither; the nearest are named.
    """
    registered = registry.known("exchange", name)
    if registered is not None:
        return registered
    if name in ccxt.names():
        return ccxt_exchange(name)
    raise unknown("exchange", name, [*registry.names("exchange"), *ccxt.names()])


def _unpickled(
    name: str, cache: bool, home: str | Path | None, options: Mapping[str, Any]
) -> CcxtExchange:
    """Find, or make, the exchange that was pickled."""
    return ccxt_exchange(name, cache=cache, home=home, **options)


def _reduced(exchange: CcxtExchange) -> tuple[Any, ...]:
    return _unpickled, exchange.made_of


copyreg.pickle(CcxtExchange, _reduced)


_lock: Final = threading.Lock()
_made: Final[dict[tuple[Any, ...], CcxtExchange]] = {}
