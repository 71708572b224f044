"""The options of ccxt's constructor: an unknown name is refused.

ccxt ignores unknown names without a word. A mistyped `timeout` would change nothing, and a mistyped
`apiKey` would leave a secret in plain text.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Final

from tradenb.errors import UnknownName, near
from tradenb.exchanges.ccxt.ccxt_client import ccxt_class
from tradenb.exchanges.ccxt.credentials import SECRET_FIELDS

ORDINARY: Final = frozenset(
    {"enableRateLimit", "headers", "options", "rateLimit", "timeout", "urls", "verbose"}
)
"""The options of every exchange, known without importing ccxt."""

_TEST_MARKET: Final = frozenset({"sandbox", "testnet"})


def check_options(exchange: str, given: Iterable[str]) -> None:
    """Refuse names that the constructor of an exchange would ignore; values are never shown."""
    unsure = sorted(set(given) - ORDINARY - SECRET_FIELDS)
    if not unsure:
        return
    made = ccxt_class(exchange)()
    known = {name for name in dir(made) if not name.startswith("_")}
    # These two are not attributes: newer versions of ccxt read them from the constructor alone.
    if "userConfig" in inspect.signature(made.after_construct).parameters:
        known |= _TEST_MARKET
    # A method may be replaced (ccxt's manual does so with `nonce`), but is never suggested.
    plain = {name for name in known if name in _TEST_MARKET or not callable(getattr(made, name))}
    for name in unsure:
        if name not in known:
            advice = _advice(name, plain | SECRET_FIELDS, {*made.options, *_TEST_MARKET})
            raise UnknownName(f"ccxt's {exchange} has no option {name!r}{advice}")


def _advice(name: str, known: set[str], inner: set[str]) -> str:
    if name in inner:
        return f"; pass options={{{name!r}: ...}}"
    alike = {item.lower(): item for item in known}.get(name.lower().replace("_", ""))
    if alike is not None:
        return f"; did you mean {alike!r}?"
    return near(name, known) or f"; usual ones are {', '.join(sorted(ORDINARY))}"
