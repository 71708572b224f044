"""The forms in which people have candles as text: one function each, in the order of `FORMS`.

A form says where the columns are. By their names they are taken as they are; where a file has no
header, the order of its columns is a convention of those who wrote it, and `column_proof` checks it
against the candles before it is believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tradenb.core.symbol import canonical
from tradenb.errors import CandleError, UsageError
from tradenb.exchanges.tables.column_detection import NAMES, TIME_NAMES, find_columns, plain_name

_HEADERS: Final = 10  # lines in which a header is looked for
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?|\d{6}")
_DAY: Final = re.compile(r"\d{4}[.-]?\d\d[.-]?\d\d")
_NUMBER: Final = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
_COINS: Final = re.compile(r"vol(?:ume)?_?\(?([a-z0-9]+)\)?")
_TICKS: Final = ("tickvol", "tick_volume", "tickvolume")

Cells = Sequence[Sequence[str]]


class Form(NamedTuple):
    """Where the columns of a table are.

    Attributes
    ----------
    skip : int
        Lines before the first candle.
    width : int
        How many columns there are.
    time : tuple of int
        One column, or one of days and one of times of day.
    values : tuple of int or None
        Open, high, low, close and volume; None: there is no volume.
    symbol : int or None
        The column that names markets.
    checks : tuple of int
        Of a table without a header: its columns of whole numbers or sums that prove the others.
    local : bool
        The times are local, and each must say its zone.
    """

    title: str
    skip: int
    width: int
    time: tuple[int, ...]
    values: tuple[int | None, ...]
    symbol: int | None = None
    checks: tuple[int, ...] = ()
    headed: bool = True
    local: bool = False


def form_of(rows: Cells, symbol: str) -> Form | None:
    """Return the form of a table by its first lines, if it is a known one.

    Raises
    ------
    CandleError
        When its columns are named, and which of them are meant is not clear.
    """
    return next((found for form in FORMS if (found := form(rows, symbol)) is not None), None)


def yahoo(rows: Cells, symbol: str) -> Form | None:
    """Find the three lines above candles of yfinance: prices, tickers, and the name of the index.

    Price,Open,High / Ticker,BTC-USD,BTC-USD / Datetime,,
    """
    if len(rows) < 3 or [row[0].lower() if row else "" for row in rows[:2]] != ["price", "ticker"]:
        return None
    names, tickers, times = rows[:3]
    if not times or plain_name(times[0]) not in TIME_NAMES:
        return None
    wanted = {*tickers[1:]}
    if len(wanted) > 1:
        wanted = {ticker for ticker in wanted if canonical(ticker) == symbol}
        if not wanted:
            raise CandleError(
                f"the table holds {', '.join(sorted({*tickers[1:]}))}, not {symbol}", code="columns"
            )
    own = [place for place, ticker in enumerate(tickers) if place and ticker in wanted]
    known = [plain_name(names[place]) for place in own]
    if any(known.count(name) != 1 for name in NAMES):
        return None
    values = tuple(own[known.index(name)] for name in NAMES)
    return Form("yfinance", 3, len(names), (0,), values)


def days_and_times(rows: Cells, symbol: str) -> Form | None:
    """Find a header with a column of days and one of times of day, as MetaTrader writes it."""
    found = _header(rows, symbol)
    if found is None or len(rows) <= found[0] + 1:
        return None
    line, names, volume = found
    first = rows[line + 1]
    if not {"date", "time"} <= {*names} or len(first) < len(names):
        return None
    day, clock = names.index("date"), names.index("time")
    if not (_DAY.fullmatch(first[day]) and _CLOCK.fullmatch(first[clock])):
        return None
    values = (*(names.index(name) for name in NAMES[:4]), volume)
    title = "days and times of day, whose zone is taken for UTC"
    return Form(_in_line(title, line), line + 1, len(names), (day, clock), values)


def named(rows: Cells, symbol: str) -> Form | None:
    """Find a header that names its columns, in the first line or below a banner."""
    found = _header(rows, symbol)
    if found is None:
        return None
    line, names, volume = found
    known = list(names)
    if volume is not None:
        known[volume] = "volume"
    places = find_columns(known)
    if places.time is None:
        return None
    return Form(
        _in_line("columns by name", line),
        line + 1,
        len(names),
        (places.time,),
        (*places.values[:4], volume),
        places.symbol,
        local=names[places.time] == "local_time",
    )


def binance(rows: Cells, symbol: str) -> Form | None:
    """Find klines of Binance: Vision before its headers, and dumps of its API."""
    del symbol
    if not _numbers(rows, 12):
        return None
    opens, closes = (float(rows[0][place].replace(",", ".")) for place in (0, 6))
    if closes <= opens or (closes - opens + 1) % 1000:
        return None
    return Form("klines of Binance", 0, 12, (0,), (1, 2, 3, 4, 5), checks=(7, 9), headed=False)


def kraken(rows: Cells, symbol: str) -> Form | None:
    """Find OHLCVT of Kraken: seconds, prices, volume, number of trades."""
    del symbol
    if not _numbers(rows, 7):
        return None
    return Form("OHLCVT of Kraken", 0, 7, (0,), (1, 2, 3, 4, 5), checks=(6,), headed=False)


def metatrader(rows: Cells, symbol: str) -> Form | None:
    """Find candles of MetaTrader 4 without a header: 2024.03.01,00:00 and five numbers."""
    del symbol
    first = rows[0] if rows else []
    if len(first) != 7 or not (_DAY.fullmatch(first[0]) and _CLOCK.fullmatch(first[1])):
        return None
    title = "candles of MetaTrader, whose zone is taken for UTC"
    return Form(title, 0, 7, (0, 1), (2, 3, 4, 5, 6), headed=False)


def six_numbers(rows: Cells, symbol: str) -> Form | None:
    """Find six columns without a header, in one of the three orders that exchanges have.

    Where the lowest and the highest price are tells them apart: open, high, low, close (most);
    low, high, open, close (Coinbase); open, close, high, low (Bitfinex, KuCoin).
    """
    del symbol
    if not _numbers(rows, 6):
        return None
    prices = [[float(cell.replace(",", ".")) for cell in row[1:5]] for row in rows if row]
    for title, order in _ORDERS:
        highest, lowest = order.index("high"), order.index("low")
        if all(row[highest] == max(row) and row[lowest] == min(row) for row in prices):
            places = tuple(order.index(name) + 1 for name in NAMES[:4])
            return Form(title, 0, 6, (0,), (*places, 5), headed=False)
    return None


FORMS: Final[tuple[Callable[[Cells, str], Form | None], ...]] = (
    yahoo,
    days_and_times,
    named,
    binance,
    kraken,
    metatrader,
    six_numbers,
)
_ORDERS: Final = (
    ("time, open, high, low, close, volume", ("open", "high", "low", "close")),
    ("time, low, high, open, close, volume", ("low", "high", "open", "close")),
    ("time, open, close, high, low, volume", ("open", "close", "high", "low")),
)


def _header(rows: Cells, symbol: str) -> tuple[int, list[str], int | None] | None:
    """Return the line that names the prices, its names, and where the volume is."""
    for line, row in enumerate(rows[:_HEADERS]):
        names = [plain_name(name) for name in row]
        if {*NAMES[:4]} <= {*names} and {*names} & {*TIME_NAMES}:
            return line, names, _volume(names, symbol, rows[line + 1 : line + 2])
    return None


def _volume(names: list[str], symbol: str, first: Cells) -> int | None:
    """Return where the volume of the base coin is; None where no column is one of volumes."""
    if "volume" in names:
        return names.index("volume")
    for name in (*_TICKS, "vol"):
        if name in names:
            return names.index(name)
    coins = {
        place: found.group(1).upper()
        for place, name in enumerate(names)
        if (found := _COINS.fullmatch(name))
    }
    if not coins:
        return None
    markets = [symbol, *(cell for row in first for cell in row)]
    own = [
        place
        for place, coin in coins.items()
        if any(_is_base(coin, market.upper()) for market in markets)
    ]
    if len(own) != 1:
        several = ", ".join(repr(names[place]) for place in coins)
        raise CandleError(
            f"columns are missing: volume; which of {several} is that of {symbol} is not clear: "
            "rename it to volume",
            code="columns",
        )
    return own[0]


def _is_base(coin: str, market: str) -> bool:
    """Tell whether a coin is what a market trades: BTC of BTCUSDT, BTC/USDT and BTC-USD."""
    try:
        rest = canonical(market).removeprefix(coin).lstrip("-_")
    except UsageError:
        return False
    return market.startswith(coin) and 2 < len(rest) < 6 and rest.isalpha()


def _numbers(rows: Cells, width: int) -> bool:
    """Tell whether all cells of the first lines are numbers, so many in each."""
    full = [row for row in rows if row]
    return bool(full) and all(
        len(row) == width and all(_NUMBER.fullmatch(cell) for cell in row) for row in full
    )


def _in_line(title: str, line: int) -> str:
    return f"{title}, the header is in line {line + 1}" if line else title
