"""The one spelling of a symbol: in ids, memo keys, paths, locks and event columns."""

from __future__ import annotations

from typing import Final

from tradenb.errors import UsageError, shown

_LIMIT: Final = 128


def canonical(symbol: str) -> str:
    """Return a symbol as tradenb writes it: the given one without "/".

    Parameters
    ----------
    symbol : str
        As a person or an exchange writes it; upper and lower case are kept.

    Raises
    ------
    UsageError
        When it is not a string, is empty or above 128 characters, or holds white space or control
        characters.

    Examples
    --------
    >>> canonical("BTC/USDT")
    'BTCUSDT'
    >>> canonical("BTC/USDT:USDT")
    'BTCUSDT:USDT'
    """
    if not isinstance(symbol, str):
        raise UsageError(f"symbol must be a string such as 'BTCUSDT', was {shown(symbol)}")
    if len(symbol) > _LIMIT:
        words = f"symbol must be at most {_LIMIT} characters, was {len(symbol):,}"
        raise UsageError(f"{words}: {symbol!r:.60}")
    bad = next((char for char in symbol if char.isspace() or not char.isprintable()), None)
    if bad is not None:
        raise UsageError(
            f"symbol must not hold white space or control characters, was {symbol!r} with {bad!r}"
        )
    short = symbol.replace("/", "")
    if not short:
        raise UsageError(f"symbol must not be empty, was {symbol!r}; give one such as 'BTCUSDT'")
    return short
