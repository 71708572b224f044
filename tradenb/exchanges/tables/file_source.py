"""Candles from files on disk; each symbol is read at its first use."""

from __future__ import annotations

import bisect
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.candle_length import check_step, when
from tradenb.core.candles.intake import accept
from tradenb.core.money.market import Market, checked_markets
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import base_step
from tradenb.engine.ports import CandleRequest, Loaded, Progress
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import CandleError, UsageError, shown, unknown
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.memo import CandleMemo
from tradenb.exchanges.tables.column_detection import check_volume
from tradenb.exchanges.tables.file_patterns import matching
from tradenb.exchanges.tables.file_readers import read
from tradenb.exchanges.tables.symbol_names import Named, check_names, symbol_of
from tradenb.exchanges.tables.text_table import Table

Patterns: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"
Pattern: TypeAlias = "tuple[str | None, Path]"
"""Where files are, and the symbol that they are said to hold."""
log = logging.getLogger("tradenb")
_JUDGED: Final = 4  # rows from which the step of one file among several is known


class _Limits(NamedTuple):
    """What candles are judged by."""

    factor: float
    step: int
    gap_minutes: int | None


class FileExchange(ReprCard):
    """A source of candles in files; made by `file_exchange`.

    Attributes
    ----------
    forms : dict of str to str
        What each file that was read was taken for, where that is not plain: "klines of Binance;
        times in µs".
    """

    def __init__(
        self,
        patterns: tuple[Pattern, ...],
        *,
        name: str,
        step: int,
        markets: Mapping[str, Market] | None = None,
    ) -> None:
        self._patterns = patterns
        self._memo = CandleMemo()
        self._name = name
        self.step = step
        self.markets = dict(markets or {})
        self.forms: dict[str, str] = {}
        self._without_volume: set[str] = set()
        self._files()  # raises now, not at the first load, if there are none

    @property
    def name(self) -> str:
        """Name under which it is registered."""
        return self._name

    @property
    def symbols(self) -> tuple[str, ...]:
        """Canonical symbols that have files now, sorted."""
        return tuple(sorted(self._files()))

    def __repr__(self) -> str:
        return f"file_exchange({self._described()})"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return "file_exchange", [("", self._described()), *self.forms.items()]

    def _described(self) -> str:
        return ", ".join(
            f"{symbol}: {path}" if symbol else str(path) for symbol, path in self._patterns
        )

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`.

        Files that were changed, added or removed since are read again.
        """
        key, files = canonical(request.symbol), self._files()
        if key not in files:
            raise unknown("symbol", key, files, hint=f"(in {self!r})")
        rules = request.rules
        limits = _Limits(rules.price_anomaly_factor, self.step, rules.gap_minutes)
        stamp = (limits, *(_stamp(path) for path in files[key]))
        loaded = self._memo.get(
            key, stamp, lambda: self._loaded(key, files[key], limits, request.progress)
        )
        if key in self._without_volume:
            check_volume(key, rules)
        return loaded

    def _loaded(
        self, symbol: str, paths: list[Path], limits: _Limits, progress: Progress | None
    ) -> Loaded:
        # No name here holds the raw columns, so what `accept` drops is freed at once.
        lengths: list[tuple[str, int]] = []
        try:
            return Loaded(
                *accept(
                    _joined(self._read_all(symbol, paths, limits.step, progress), lengths),
                    **limits._asdict(),
                )
            )
        except CandleError as error:
            if not lengths:  # refused while reading; the message names the file
                raise
            raise _in_its_file(error, lengths) from None

    def _read_all(
        self, symbol: str, paths: list[Path], step: int, progress: Progress | None
    ) -> Iterator[tuple[str, Rows]]:
        self._without_volume.discard(symbol)
        for done, path in enumerate(paths, start=1):
            found = read(path, symbol)
            self._say(symbol, path.name, found)
            if len(paths) > 1 and len(found.rows.time) >= _JUDGED:
                try:
                    check_step(found.rows.time, step)
                except CandleError as error:
                    raise located(error, path.name) from None
            yield path.name, found.rows
            del found
            if progress:
                progress(done, len(paths))

    def _say(self, symbol: str, name: str, found: Table) -> None:
        """Say what a file was taken for."""
        self.forms.pop(name, None)
        if found.notes:
            words = self.forms[name] = "; ".join(found.notes)
            level = logging.INFO if found.has_volume else logging.WARNING
            log.log(level, "%s was read as: %s", name, words)
        if not found.has_volume:
            self._without_volume.add(symbol)

    def _files(self) -> dict[str, list[Path]]:
        """Return the files of each symbol, each file once."""
        files: dict[str, dict[Path, None]] = {}
        named: dict[str, list[tuple[Path, Named]]] = {}
        for symbol, pattern in self._patterns:
            for path in matching(pattern):
                if symbol is None:
                    known = symbol_of(path)
                    named.setdefault(known.symbol, []).append((path, known))
                files.setdefault(symbol or known.symbol, {})[path] = None
        for symbol, several in named.items():
            check_names(symbol, several)
        return {symbol: list(paths) for symbol, paths in files.items()}


@explained("tn.file_exchange")
def file_exchange(
    pattern: Patterns | Mapping[str, Patterns],
    *,
    timeframe: str = "1m",
    market: Market | Mapping[str, Market] | None = None,
    name: str = "files",
) -> FileExchange:
    """Take candles from files: Parquet, CSV of many origins, Feather, JSON, workbooks, npy.

    Parameters
    ----------
    pattern : str or path, or a list of them, or a dict of symbols and these
        Files, folders, or patterns such as `data/*.parquet`. The symbol is the file's name up to a
        timeframe or a date (BTC-USD-1m-2024-03.csv is BTC-USD), or the name of its folder, unless a
        dict says it; files of one symbol are joined in order of their first candles. Parquet and
        Feather have the columns that `frame_exchange` takes; npy is an (n, 6) array [t_ms, open,
        high, low, close, volume], or has fields of these names. CSV (also .gz, .zip, .xz, .bz2;
        UTF-16; separated by ; or tabs; with decimal commas) and JSON: columns by name, or the forms
        of Binance, Kraken, Coinbase, Bitfinex, CryptoDataDownload, MetaTrader, TradingView,
        yfinance, Dukascopy and freqtrade; times in s, ms, µs, ns or text. What could be two things
        is refused; what a file was taken for is in `forms` and in the log. Workbooks (.xlsx) need
        openpyxl.
    timeframe : str, default "1m"
        How long the candles are, "1m" to "1d". A live run and a rehearsal need 1m.
    market : Market, or dict of str to Market, optional
        Steps of prices and sizes, of all symbols or by symbol; orders keep them.
    name : str, default "files"
        Name of the exchange.

    Returns
    -------
    FileExchange

    Raises
    ------
    UsageError
        When nothing matches, or a file has another format. Bad candles raise a CandleError when
        they are first used.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/BTCUSDT-1m.npy", [[1704067200000, 1, 2, 1, 2, 5]])
    ...     file_exchange(f"{folder}/*.npy").symbols
    ('BTCUSDT',)
    """
    step = base_step(timeframe)
    by_symbol: dict[str | None, Any] = {None: pattern}
    if isinstance(pattern, Mapping):
        by_symbol = {canonical(symbol): paths for symbol, paths in pattern.items()}
    given = [(symbol, path) for symbol, paths in by_symbol.items() for path in _several(paths)]
    if not given:
        raise UsageError("pattern must name at least one file, was an empty list")
    paths = tuple((symbol, Path(path).expanduser().absolute()) for symbol, path in given)
    return FileExchange(paths, name=name, step=step, markets=checked_markets(market))


def _several(pattern: object) -> list[str | os.PathLike[str]]:
    if isinstance(pattern, str | os.PathLike):
        return [pattern]
    # A DataFrame can be iterated too, and yields strings.
    given: list[Any] = [*pattern] if isinstance(pattern, Sequence | Set | Iterator) else [None]
    if not all(isinstance(item, str | os.PathLike) for item in given):
        raise UsageError(
            "pattern must be a file, a folder or a pattern such as 'data/*.parquet', or a list of "
            f"them, was {shown(pattern)}"
        )
    return given


def _stamp(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


def _joined(files: Iterable[tuple[str, Rows]], lengths: list[tuple[str, int]]) -> Rows:
    """Return the rows of all files in order of their first times; note how long each is."""
    parts = sorted(
        ((name, rows) for name, rows in files), key=lambda part: part[1].time[:1].tolist()
    )
    full = [part for part in parts if len(part[1].time)] or parts[:1]
    for (before, earlier), (name, later) in itertools.pairwise(full):
        if later.time[0] < earlier.time[-1]:
            raise CandleError(
                f"{name} begins at {when(later.time[0])}, before {before} ends "
                f"({when(earlier.time[-1])}); files of one symbol may overlap by one candle at "
                "most: remove or cut one",
                code="order",
                index=0,
            )
    lengths.extend((name, len(rows.time)) for name, rows in full)
    if len(full) == 1:
        return full[0][1]
    columns = [list(column) for column in zip(*(rows for _, rows in full), strict=True)]
    del parts, full, earlier, later  # each column's parts are freed when they are joined
    return Rows(*(np.concatenate(columns.pop(0)) for _ in range(6)))


def _in_its_file(error: CandleError, lengths: list[tuple[str, int]]) -> CandleError:
    """Return the same error with the row counted in its own file."""
    if error.index is None:
        return located(error, ", ".join(name for name, _ in lengths))
    ends = list(itertools.accumulate(length for _, length in lengths))
    place = bisect.bisect_right(ends, error.index)
    name, length = lengths[place]
    row = error.index - ends[place] + length
    words = str(error).replace(f"row {error.index}", f"row {row}", 1)
    return CandleError(f"{name}: {words}", code=error.code, index=row)
