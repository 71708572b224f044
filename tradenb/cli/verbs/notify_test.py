"""`tradenb notify-test`: send one message, and say whether it left."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import answer


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "notify-test",
        help="send a test message to a notification service",
        description="Send one message through apprise, as tn.notify does. Exits with 1 if it did "
        "not leave.",
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="where apprise's URL is: env:NAME or keyring:SERVICE/USER; never the URL itself",
    )
    parser.add_argument(
        "--heartbeat",
        metavar="URL",
        help="where the URL of a dead-man service is, as for URL; it is asked for once",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send the message."""
    from tradenb.live.notifications.service_url import Heartbeat, ServiceUrl, check_reference

    reference = check_reference("URL", options.url)
    sent = ServiceUrl(reference).send("tradenb", "This is a test of tn.notify.", again=False)
    words = [f"{reference}: {'sent' if sent else 'the message was not sent; see the lines above'}"]
    error = ""
    if options.heartbeat is not None:
        beat = check_reference("--heartbeat", options.heartbeat)
        error = Heartbeat(beat).beat()
        words.append(f"{beat}: {error or 'asked for'}")
    facts = {"url": reference, "sent": sent, "heartbeat": options.heartbeat, "error": error}
    answer(facts, "\n".join(words), as_json=options.json)
    return 0 if sent and not error else 1
