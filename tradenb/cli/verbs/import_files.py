"""`tradenb import FILE ... --symbol SYMBOL`: candles of readable files into one Parquet file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tradenb.cli.options import add_common, answer
from tradenb.errors import UsageError


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="read candles from files, once, into Parquet under the home",
        description="Read candles in any form that tn.file_exchange takes, check them, and write "
        "them to one Parquet file under the home, which loads in a moment.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, folders or patterns")
    parser.add_argument("--symbol", required=True, metavar="SYMBOL", help="such as BTC/USDT")
    parser.add_argument(
        "--timeframe", default="1m", metavar="LENGTH", help="of the candles (default 1m)"
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Read, check and write."""
    from tradenb.core.rules import Rules
    from tradenb.core.symbol import canonical
    from tradenb.core.timeframe import iso
    from tradenb.engine.history.frames import frame_of
    from tradenb.engine.ports import CandleRequest
    from tradenb.exchanges.tables.file_source import file_exchange
    from tradenb.store.paths import encoded, find_home

    symbol = canonical(options.symbol)
    source = file_exchange({symbol: options.files}, timeframe=options.timeframe)
    candles = source.load(CandleRequest(symbol=symbol, rules=Rules())).candles
    folder = find_home(options.home).root / "imported"
    target = folder / f"{encoded(symbol, 'symbol')}-{options.timeframe}.parquet"
    if target.exists():
        raise UsageError(f"{target} exists; move it away first")
    folder.mkdir(parents=True, exist_ok=True)
    _write(target, frame_of(candles))
    start, end = iso(candles.start), iso(candles.end)
    facts = {"symbol": symbol, "candles": len(candles), "start": start, "end": end}
    facts |= {"file": str(target), "read_as": source.forms}
    words = [f"{symbol}: {len(candles):,} candles, {start} to {end}"]
    words += [f"{name} was read as: {form}" for name, form in source.forms.items()]
    length = "" if options.timeframe == "1m" else f", timeframe={options.timeframe!r}"
    words.append(f"use it: tn.file_exchange({{{symbol!r}: {str(target)!r}}}{length})")
    answer(facts, "\n".join(words), as_json=options.json)
    return 0


def _write(target: Path, frame: Any) -> None:
    temporary = target.with_suffix(".tmp")
    frame.to_parquet(temporary)
    temporary.replace(target)
