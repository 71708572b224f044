"""`tradenb dashboard`: serve the panel as a page, until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import Any, Final

from tradenb.cli.options import answer
from tradenb.errors import UsageError

PORT: Final = 8870
_LAST_PORT: Final = 65_535


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dashboard",
        help="show the live runs under a home in a browser, without Jupyter",
        description="Serve the panel of tn.dashboard() to browsers of this machine, until Ctrl-C. "
        "Open the address that is printed; it holds a token that is made anew at each start. From "
        "another machine, forward the port: ssh -L 8870:127.0.0.1:8870 HOST.",
    )
    parser.add_argument(
        "--home", metavar="FOLDER", help="folder of the state (default TRADENB_HOME or ./dump)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"default {PORT}; 0 takes any that is free"
    )
    parser.add_argument(
        "--control", action="store_true", help="with buttons; without it, the page only reads"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    if not 0 <= options.port <= _LAST_PORT:
        raise UsageError(f"--port must be from 0 to {_LAST_PORT}, was {options.port}")
    import asyncio

    return asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> int:
    import asyncio
    import signal

    from tradenb.panel.page_server import PageServer

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with PageServer(options.home, port=options.port, control=options.control) as server:
        does = "with buttons" if options.control else "read only"
        words = f"The dashboard is at {server.url}\n({does}; Ctrl-C ends it, the runs go on)"
        answer({"url": server.url, "control": options.control}, words, as_json=options.json)
        if options.open:
            import webbrowser

            webbrowser.open(server.url)
        await ended.wait()
    return 0
