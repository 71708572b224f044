"""Candles for the price chart of a run that is only known from its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tradenb.core.candles.arrays import Candles
from tradenb.core.rules import Rules
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE, iso
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.errors import CandleError, TradenbError, UsageError
from tradenb.live.status.run_report import RunReport

_NO_RETRIES: Final = Rules(candle_retries=0)
# A market entry may be an average of the last candles.
_ENTRY_CANDLES: Final = 5
# Candles of another market are seen in any of them, so a long run is looked at here and there.
_CHECKED: Final = 1_000


def add_candles(report: RunReport, home: Path, files: str | None = None) -> RunReport:
    """Add the candles of the time of a run, or a note that says why there are none.

    They come from files if given, else from its exchange; fetched ones are kept under the home.
    """
    symbol, end = report.status.symbol, report.end
    try:
        source = _source(report.status.exchange, home, files)
        found = source.load(
            CandleRequest(symbol=symbol, start=report.start, end=end, rules=_NO_RETRIES)
        ).candles.between(report.start, end)
        _check_those(found, report.trades)
    except (TradenbError, OSError) as error:
        return report._replace(notes=(*report.notes, f"no price chart: {error}"))
    return report._replace(candles=found)


def _source(exchange: str, home: Path, files: str | None) -> CandleSource:
    if files is not None:
        from tradenb.exchanges.tables.file_source import file_exchange

        return file_exchange(files)
    from tradenb.exchanges.ccxt.ccxt_client import ccxt_names
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    if exchange not in ccxt_names():
        raise UsageError(
            f"no candle source for exchange {exchange!r} on this machine; pass the files with "
            "--candles"
        )
    return ccxt_exchange(exchange, home=home)


def _check_those(found: Candles, trades: Sequence[Trade]) -> None:
    """Refuse candles in which a position could not have been opened at its price."""
    if not len(found):
        raise CandleError("there are no candles for the time of the run", code="range")
    for trade in trades[:: max(1, len(trades) // _CHECKED)]:
        if not found.start < trade.opened_at <= found.end:
            continue
        around = found.between(trade.opened_at - _ENTRY_CANDLES * MINUTE, trade.opened_at)
        if not around.low.min() <= trade.entry <= around.high.max():
            raise CandleError(
                f"these are not the candles of the run: it opened at {trade.entry:g} at "
                f"{iso(trade.opened_at)}, where they have {around.low.min():g} to "
                f"{around.high.max():g}",
                code="range",
            )
