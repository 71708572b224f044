"""`tradenb withdraw NAME`: take back a stop, flatten or cancel before it acts."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import add_common, answer, running_run


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "withdraw",
        help="take back a stop or flatten before it acts",
        description="Take back what a running run was asked for and has not done yet: a command "
        "acts on the first candle that closes after it was given. `tradenb status` shows it.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    parser.add_argument("--id", help="take back this command alone, by its id")
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Take back what is pending; 1 if no such run is running, or nothing is pending."""
    run = running_run(options, "withdraw", {"withdrawn": None})
    if run is None:
        return 1
    meant = [each for each in run.pending_commands if options.id in (None, each.id)]
    run.withdraw(options.id)
    facts = {"withdrawn": run.id, "commands": [each._asdict() for each in meant]}
    words = ", ".join(f"{each.kind} ({each.id})" for each in meant)
    answer(facts, f"asked {run.id} to withdraw {words}", as_json=options.json)
    return 0
