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
from tradenb.live.status.run_files import Account

_ASKED_ONCE: Final = Rules(candle_retries=0)
# A market entry may be an average of the last candles.
_LOOKED_BACK: Final = 5


def with_candles(account: Account, home: Path, files: str | None = None) -> Account:
    """Add the candles that a run lived through, or a note that says why there are none.

    Parameters
    ----------
    account : Account
    home : Path
        Where fetched candles are kept.
    files : str, optional
        Files with the candles; default those of its exchange, fetched as far as they are missing.
    """
    symbol, end = account.standing.symbol, account.state.cursor
    try:
        source = _source(account.standing.exchange, home, files)
        found = source.load(
            CandleRequest(symbol=symbol, start=account.start, end=end, rules=_ASKED_ONCE)
        ).candles.between(account.start, end)
        _check_those(found, account.trades)
    except (TradenbError, OSError) as error:
        return account._replace(notes=(*account.notes, f"no price chart: {error}"))
    return account._replace(candles=found)


def _source(exchange: str, home: Path, files: str | None) -> CandleSource:
    if files is not None:
        from tradenb.exchanges.tables.file_source import file_exchange

        return file_exchange(files)
    from tradenb.exchanges.ccxt.ccxt_client import ccxt_names
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    if exchange not in ccxt_names():
        raise UsageError(
            f"the candles of exchange {exchange!r} are not to be had here; say in which files they "
            "are with --candles"
        )
    return ccxt_exchange(exchange, home=home)


def _check_those(found: Candles, trades: Sequence[Trade]) -> None:
    """Refuse candles in which a position could not have been opened at its price."""
    if not len(found):
        raise CandleError("there are no candles of that time", code="range")
    for trade in trades:
        if not found.start < trade.opened_at <= found.end:
            continue
        seen = found.between(trade.opened_at - _LOOKED_BACK * MINUTE, trade.opened_at)
        if not seen.low.min() <= trade.entry <= seen.high.max():
            raise CandleError(
                f"these are not the candles of the run: it opened at {trade.entry:g} at "
                f"{iso(trade.opened_at)}, where they have {seen.low.min():g} to "
                f"{seen.high.max():g}",
                code="range",
            )
