"""`tn.candles`: candles as a DataFrame, from any source, with a progress bar if it takes long."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Intake
from tradenb.core.candles.gaps import missing_in
from tradenb.core.candles.resampling import resample
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import TimeLike, iso, timeframe_ms, timeframe_name, to_ms
from tradenb.engine.history.frames import frame_of
from tradenb.engine.ports import CandleRequest, CandleSource, Loaded, Progress
from tradenb.errors import CandleError, UsageError
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.progress_bars import progress_bar

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tradenb")
_DELAY_S: Final = 0.5


class _Limit(NamedTuple):
    """The moment up to which candles are known, and the symbols that were asked for."""

    at: int | None
    asked: list[str]


_LIMIT: Final[ContextVar[_Limit | None]] = ContextVar("limit", default=None)


@explained("tn.candles")
def candles(
    symbol: str,
    *,
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    timeframe: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Return closed candles as a DataFrame.

    Candles of an exchange are cached on disk: what was fetched once is not fetched again.

    Parameters
    ----------
    symbol : str
        Such as "BTC/USDT" or "BTCUSDT".
    exchange : exchange or str
        An exchange, a registered name, or the name of an exchange of ccxt.
    start, end : int, str, datetime or Timestamp, optional
        The period, `end` exclusive; UTC where no zone is given. Default: all candles; a real
        exchange needs `start`, and its `end` is now by default.
    timeframe : str, optional
        Higher ones are built from the candles of the exchange; a candle that is cut off at an end
        is left out. Default: the candles as they are, mostly 1m.
    progress : bool, default True
        Show a progress bar if it takes longer than half a second.

    Returns
    -------
    DataFrame
        Columns open, high, low, close (quote currency) and volume (base currency), float64; a UTC
        index `time` of open times. Where up to 15 minutes are missing there are flat rows of
        volume 0; longer runs are closed time and have no rows. `attrs["intake"]` counts both, and
        the rows that were dropped; the log warns of them.

    Raises
    ------
    UsageError
        When an argument cannot work.
    CandleError
        When candles are refused, or none lie in the period.
    ExchangeError
        When candles cannot be fetched.

    Examples
    --------
    >>> import tradenb as tn
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> df = tn.candles("BTCUSDT", exchange=market, start="2024-01-02", timeframe="4h")
    >>> len(df), list(df), str(df.index[0])
    (12, ['open', 'high', 'low', 'close', 'volume'], '2024-01-02 00:00:00+00:00')
    """
    step = None if timeframe is None else timeframe_ms(timeframe)
    loaded = fetch_candles(symbol, exchange=exchange, start=start, end=end, progress=progress)
    shown = loaded.candles.shown
    if step is not None and step % shown.step:
        raise UsageError(
            f"timeframe {timeframe!r} must be a multiple of the candles of the exchange, which are "
            f"{timeframe_name(shown.step)} long"
        )
    frame = frame_of(resample(shown, step or shown.step))
    frame.attrs["intake"] = _facts(loaded.intake)
    words = _repairs(loaded.intake)
    if words:
        log.warning("%s: %s; see the frame's attrs", canonical(symbol), "; ".join(words))
    return frame


def _facts(intake: Intake) -> dict[str, int]:
    """Return the counts of what was repaired, as a frame keeps them."""
    return {name: value for name, value in asdict(intake).items() if isinstance(value, int)}


def _repairs(intake: Intake) -> list[str]:
    """Say what was dropped, and what is shown instead of what is missing."""
    found = []
    dropped = intake.duplicates_same + intake.duplicates_replaced
    if dropped:
        differing = f"{intake.duplicates_replaced:,} with other values"
        found.append(f"{dropped:,} rows of a time that comes twice dropped ({differing})")
    if intake.filled:
        found.append(f"{intake.filled:,} missing candles are shown flat, with a volume of 0")
    if intake.gaps:
        found.append(
            f"no rows for {intake.closed:,} minutes without candles ({intake.gaps:,} gaps)"
        )
    return found


def fetch_candles(
    symbol: str, *, exchange: Any, start: Any = None, end: Any = None, progress: bool = True
) -> Loaded:
    """Return closed candles, and what was wrong in them; the parameters are those of `candles`.

    What is missing is counted in the period; rows that were dropped, in all that the source read.
    """
    rules = Rules()
    source = resolve_candle_source(exchange)
    first = None if start is None else to_ms(start, "start")
    last = None if end is None else to_ms(end, "end")
    limit = _LIMIT.get()
    if limit is not None:
        limit.asked.append(canonical(symbol))
        last = min((at for at in (last, limit.at) if at is not None), default=None)
    with _loading_bar(canonical(symbol), enabled=progress) as show:
        candles, intake = source.load(
            CandleRequest(symbol=symbol, start=first, end=last, rules=rules, progress=show)
        )
    begin = candles.start if first is None else first
    found = candles.between(begin, candles.end if last is None else last)
    if not len(found):
        raise CandleError(
            f"{canonical(symbol)} of {source.name}: no candles from {_when(first)} to "
            f"{_when(last)}; there are candles from {iso(candles.start)} to {iso(candles.end)}",
            code="range",
        )
    missing = missing_in(found.time, found.step, rules.gap_minutes)
    counts = {name: getattr(missing, name) for name in ("filled", "closed", "gaps", "longest")}
    return Loaded(found, replace(intake, **counts))


@contextmanager
def candles_until(at: int | None) -> Iterator[list[str]]:
    """Let `tn.candles` know nothing that closes after a moment (ms UTC) in a block; None: all.

    Yields the symbols that it was asked for.
    """
    limit = _Limit(at, [])
    token = _LIMIT.set(limit)
    try:
        yield limit.asked
    finally:
        _LIMIT.reset(token)


def _when(at: int | None) -> str:
    return "the beginning" if at is None else iso(at)


@contextmanager
def _loading_bar(words: str, *, enabled: bool) -> Iterator[Progress]:
    """Show a tqdm bar when loading takes a while."""
    began = time.monotonic()
    bar: Any = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            if not enabled or time.monotonic() - began < _DELAY_S:
                return
            bar = progress_bar(words, shown=True, total=total, unit=" candles")
        bar.n = done
        bar.refresh()

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
