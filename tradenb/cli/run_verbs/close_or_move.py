"""`tradenb close NAME` and `tradenb move NAME`: look after an open position by hand."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import add_common, answer, running_run

_LEVELS = {"stop": "stop_loss", "target": "take_profit", "minutes": "minutes", "until": "until"}


def add(commands: Any) -> None:
    """Add the commands."""
    parser = commands.add_parser(
        "close",
        help="close an open position, or a part of it",
        description="Close a position at the market price of the next candle; its run goes on.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="of what is open, above 0 and at most 1"
    )
    add_common(parser, run)
    parser = commands.add_parser(
        "move",
        help="move the stop, the target or the end of an open position",
        description="Move what is named at the next candle; the stop only comes closer.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    parser.add_argument("--stop", type=float, metavar="PRICE", help="stop price")
    parser.add_argument("--target", type=float, metavar="PRICE", help="target price")
    parser.add_argument("--minutes", type=int, help="longest life of the position")
    parser.add_argument("--until", metavar="TIME", help="when it ends, UTC")
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Ask the run; 1 if no such run is running."""
    closing = hasattr(options, "fraction")
    meant = running_run(options, "close" if closing else "move", {"asked": None})
    if meant is None:
        return 1
    if closing:
        given: dict[str, object] = {"fraction": options.fraction}
        meant.close(options.fraction)
        words = f"asked {meant.id} to close {options.fraction:g} of its position"
    else:
        named_levels = {_LEVELS[name]: getattr(options, name) for name in _LEVELS}
        given = {name: value for name, value in named_levels.items() if value is not None}
        meant.move(**given)
        words = f"asked {meant.id} to move " + ", ".join(f"{k} to {v}" for k, v in given.items())
    answer({"asked": meant.id, **given}, words, as_json=options.json)
    return 0
