"""`tradenb demo`: a backtest, and a day of it rehearsed, killed and resumed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo", help="backtest a small strategy, then rehearse a day of it with a crash"
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="file with 1m candles: parquet, csv or npy (default: a random walk)",
    )
    parser.add_argument(
        "--exchange",
        metavar="NAME",
        help="a real exchange such as binance; without a network, a random walk",
    )
    parser.add_argument("--days", type=_days, default=90, help="how many days (default 90)")
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("demo-report.html"),
        metavar="FILE",
        help="where to write the report (default demo-report.html)",
    )
    parser.add_argument("--no-rehearsal", action="store_true", help="skip the rehearsed day")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the demo; 1 if the rehearsed trades are not those of the backtest."""
    from tradenb.demo import run_demo
    from tradenb.demo.candle_origin import origin_of
    from tradenb.view.page_file import page_path

    page = page_path(options.report)  # before anything takes time
    origin = origin_of(options.data, options.exchange, options.days)
    if origin.note:
        print(f"note: {origin.note}", flush=True)
    words, result = run_demo(origin, report=page)
    print(words, flush=True)
    if options.no_rehearsal:
        return 0
    from tradenb.demo.killed_rehearsal import rehearse_day

    outcome = rehearse_day(result, origin)
    print("\n" + outcome.words)
    return 0 if outcome.equal else 1


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3660:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 to 3660 days, was {text!r}")
    return int(text)
