"""The command line: `tradenb demo`.

Exit codes: 0 all is well, 1 the market, the disk or a strategy is at fault, 2 the call is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tradenb import __version__
from tradenb.errors import TradenbError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options))
    except UsageError as error:
        return _fail(error, 2)
    except (TradenbError, OSError) as error:
        return _fail(error, 1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tradenb", description="Trading strategies from research to live, in a notebook."
    )
    parser.add_argument("--version", action="version", version=f"tradenb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="backtest a small strategy and write its report")
    demo.add_argument(
        "--data", metavar="FILE", help="1m candles: parquet, csv or npy; default a random walk"
    )
    demo.add_argument(
        "--days", type=_days, default=90, help="length of the random walk (default 90)"
    )
    demo.add_argument(
        "--report",
        type=Path,
        default=Path("demo-report.html"),
        metavar="FILE",
        help="where the report goes (default demo-report.html)",
    )
    demo.set_defaults(run=_demo)
    return parser


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3660:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 to 3660 days, was {text!r}")
    return int(text)


def _demo(options: argparse.Namespace) -> str:
    from tradenb.demo import run_demo

    return run_demo(options.data, days=options.days, report=options.report)


def _fail(error: Exception, code: int) -> int:
    print(f"tradenb: {error}", file=sys.stderr)
    return code
