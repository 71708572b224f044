"""`tradenb disarm NAME`: end the permission of an account to send entries."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import add_common, answer
from tradenb.cli.order_verbs.arm_account import NAME, whole_name


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "disarm",
        help="end the permission of an account to send entries",
        description="No run of the account enters any more; stops and exits go on.",
    )
    parser.add_argument("name", metavar="NAME", help=NAME)
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """End it; it is no failure if there was none."""
    from tradenb.brokers.arming.api import disarm

    told = disarm(whole_name(options), home=options.home)
    answer(
        {"account": told.account, "armed": False, "words": told.words},
        told.words,
        as_json=options.json,
    )
    return 0
