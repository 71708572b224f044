"""Which symbol a file holds, by its name; and which names may be joined.

A name is cut before the first part that is a timeframe or a date, and nowhere else: BTC-USD and
BTC-EUR are two symbols. Where nothing is left, the folder names the symbol. In front of it may
stand the name of an exchange, as in Binance_BTCUSDT_minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError

_SUFFIXES: Final = {".gz", ".zip", ".xz", ".bz2"}
_PARTS: Final = re.compile(r"[^-_ ,]+")
_LONG: Final = r"\d+-?(m|min|mins|minutes?|h|hours?|d|days?|w)"
_WORDS: Final = "min|minute|minutes|hour|hourly|daily|day|candlestick"
_TIMEFRAME: Final = re.compile(rf"{_LONG}|[mhd]\d+|{_WORDS}", re.IGNORECASE)
_SHORT: Final = re.compile(r"[hd]|1|3|5|15|30|60|120|240|360|480|720|1440", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(19|20)\d\d((0[1-9]|1[0-2])(\d\d)?)?|\d{4}\.\d\d\.\d\d|\d\d\.\d\d\.(19|20)\d\d"
)
_EXCHANGES: Final = frozenset(
    {
        "binance", "binanceus", "bitfinex", "bitmex", "bitstamp", "bybit", "cexio", "coinbase",
        "deribit", "ftx", "gateio", "gemini", "huobi", "kraken", "kucoin", "mexc", "okcoin", "okex",
        "okx", "poloniex",
    }
)  # fmt: skip


class Named(NamedTuple):
    """The symbol of a file, and the name that it was taken from."""

    symbol: str
    name: str


def symbol_of(path: Path) -> Named:
    """Return the symbol of a file by its name, or by that of its folder.

    Raises
    ------
    UsageError
        When neither names one.

    Examples
    --------
    >>> symbol_of(Path("BTC-USD-1m-2024-03.csv.gz")).symbol
    'BTC-USD'
    >>> symbol_of(Path("Binance_BTCUSDT_minute.csv")).symbol
    'BTCUSDT'
    >>> symbol_of(Path("BTCUSDT/1m/2024-03.csv")).symbol
    'BTCUSDT'
    """
    folders = [folder.name for folder in path.parents]
    name = next((cut for cut in map(_cut, [_stem(path), *folders[:3]]) if cut), "")
    parts = [(found.start(), found.group()) for found in _PARTS.finditer(name)]
    skipped = len(parts) > 1 and parts[0][1].lower() in _EXCHANGES
    try:
        return Named(canonical(name[parts[1][0] :] if skipped else name), name.lower())
    except UsageError as error:
        raise UsageError(
            f"the name of {path.name!r} must begin with a symbol, or its folder be named by one: "
            f"{error}; or say it: tn.file_exchange({{'BTCUSDT': {path.name!r}}})"
        ) from None


def check_names(symbol: str, named: Iterable[tuple[Path, Named]]) -> None:
    """Refuse files of one symbol that are not named alike, such as those of two exchanges.

    Raises
    ------
    UsageError
    """
    names = {known.name: path for path, known in named}
    if len(names) > 1:
        one, other, *_ = (path.name for path in names.values())
        raise UsageError(
            f"{one} and {other} may be two markets, though both seem to hold {symbol}; say what "
            f"belongs together: tn.file_exchange({{{symbol!r}: [...]}})"
        )


def _stem(path: Path) -> str:
    inner = Path(path.stem) if path.suffix.lower() in _SUFFIXES else path
    return inner.stem


def _cut(stem: str) -> str:
    """Return a name without what follows its symbol; nothing if it begins with that."""
    for place, found in enumerate(_PARTS.finditer(stem)):
        part = found.group().strip("[]()")
        known = _TIMEFRAME.fullmatch(part) or _DATE.fullmatch(part)
        if known or (place and _SHORT.fullmatch(part)):
            return stem[: found.start()].rstrip("-_ ,")
    return stem
