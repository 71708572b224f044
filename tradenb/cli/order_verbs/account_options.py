"""The options of commands that reach an account without a run."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlsplit

from tradenb.errors import UsageError

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def add_account(parser: argparse._ActionsContainer) -> None:
    """Add the options."""
    parser.add_argument("--symbol", metavar="SYMBOL", help="as the exchange writes it: BTCUSDT")
    parser.add_argument("--key", metavar="REFERENCE", help="where the API key is: env:NAME")
    parser.add_argument("--secret", metavar="REFERENCE", help="where its secret is: env:NAME")
    parser.add_argument("--sandbox", action="store_true", help="the testnet of the exchange")
    parser.add_argument(
        "--url", metavar="URL", help="an exchange on this machine (tn.testing.ExchangeServer)"
    )


def account_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of ccxt; what is missing is a wrong call."""
    missing = [name for name in ("symbol", "key", "secret") if getattr(options, name) is None]
    if missing:
        raise UsageError(f"{', '.join(f'--{name}' for name in missing)} must be given as well")
    found: dict[str, Any] = {"apiKey": options.key, "secret": options.secret}
    if options.url is not None:
        if urlsplit(options.url).hostname not in _LOCAL:
            raise UsageError(
                "--url must be an address of this machine, such as http://127.0.0.1:8000"
            )
        from tradenb.testing.server.redirected_urls import redirected_urls

        return found | {"urls": redirected_urls(options.url)}
    return found | ({"sandbox": True} if options.sandbox else {})


def mode_of(options: argparse.Namespace) -> str:
    """Return "sandbox" or "live"."""
    return "sandbox" if options.sandbox or options.url is not None else "live"
