"""`tradenb fetch SYMBOL ...`: candles of an exchange into the cache, and on request a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.options import add_common, answer
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.engine.ports import Loaded

_FORMS: Final = (".parquet", ".csv")


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fetch",
        help="fetch one-minute candles of an exchange, once",
        description="Fetch closed one-minute candles and keep them in the cache under the home; "
        "candles in the cache are not fetched again.",
    )
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="such as BTC/USDT")
    parser.add_argument("--exchange", required=True, metavar="NAME", help="such as binance")
    parser.add_argument("--start", required=True, metavar="TIME", help="ISO 8601, UTC")
    parser.add_argument("--end", metavar="TIME", help="exclusive (default now)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write them to a .parquet or .csv file"
    )
    add_common(parser, run, json_help="print one JSON object a symbol")


def run(options: argparse.Namespace) -> int:
    """Fetch, symbol by symbol."""
    _check_out(options)
    from tradenb.exchanges.candles_function import fetch_candles
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    exchange = ccxt_exchange(options.exchange, home=options.home)
    for symbol in options.symbols:
        found = fetch_candles(
            symbol,
            exchange=exchange,
            start=options.start,
            end=options.end,
            progress=sys.stderr.isatty(),
        )
        _print(symbol, found, options)
        if options.out is not None:
            _write(options.out, found)
    return 0


def _check_out(options: argparse.Namespace) -> None:
    if options.out is None:
        return
    if options.out.suffix not in _FORMS:
        raise UsageError(f"--out must end in .parquet or .csv, was {options.out}")
    if len(options.symbols) > 1:
        raise UsageError(
            "--out takes the candles of one symbol; run the command once for each symbol"
        )


def _print(symbol: str, found: Loaded, options: argparse.Namespace) -> None:
    from tradenb.core.symbol import canonical
    from tradenb.core.timeframe import iso
    from tradenb.view.gap_warning import gap_warning, many_missing

    candles = found.candles
    start, end = iso(candles.start), iso(candles.end)
    facts = {"symbol": canonical(symbol), "exchange": options.exchange}
    facts |= {
        "candles": len(candles),
        "filled": found.intake.filled,
        "closed": found.intake.closed,
        "start": start,
        "end": end,
    }
    words = f"{canonical(symbol)} of {options.exchange}: {len(candles):,} candles, "
    words += f"{start} to {end}"
    if found.intake.filled or found.intake.closed:
        gone = found.intake.filled + found.intake.closed
        words += f", {gone:,} minutes missing between them"
    if many_missing(found.intake):
        words += f"\nnote: {gap_warning(canonical(symbol), found.intake)}"
    answer(facts, words, as_json=options.json)


def _write(file: Path, found: Loaded) -> None:
    from tradenb.engine.history.frames import frame_of

    frame = frame_of(found.candles)
    if file.suffix == ".csv":
        frame.to_csv(file)
    else:
        frame.to_parquet(file)
