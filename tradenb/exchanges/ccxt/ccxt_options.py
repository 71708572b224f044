"""The options of ccxt's constructor: a name that ccxt does not know is refused.

ccxt takes any name and drops what it does not know without a word, so a mistyped `timeout` would
change nothing, and a mistyped `apiKey` would be a secret in plain text.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Final

from tradenb.errors import UnknownName, near
from tradenb.exchanges.ccxt import ccxt_client as ccxt
from tradenb.exchanges.ccxt import credentials

ORDINARY: Final = frozenset(
    {"enableRateLimit", "headers", "options", "rateLimit", "timeout", "urls", "verbose"}
)
"""Those that every exchange has: they are known without importing ccxt."""

_TEST_MARKET: Final = frozenset({"sandbox", "testnet"})


def check(exchange: str, given: Iterable[str]) -> None:
    """Refuse names that the constructor of an exchange would drop; values are never shown.

    Raises
    ------
    UnknownName
        With the nearest name that it knows.
    """
    unsure = sorted(set(given) - ORDINARY - credentials.FIELDS)
    if not unsure:
        return
    made = ccxt.kind_of(exchange)()
    known = {name for name in dir(made) if not name.startswith("_")}
    # No attributes: newer versions look at them in what the constructor is given.
    if "userConfig" in inspect.signature(made.after_construct).parameters:
        known |= _TEST_MARKET
    # Methods may be replaced, which ccxt's manual does with `nonce`; nobody means one by mistake.
    plain = {name for name in known if name in _TEST_MARKET or not callable(getattr(made, name))}
    for name in unsure:
        if name not in known:
            advice = _advice(name, plain | credentials.FIELDS, {*made.options, *_TEST_MARKET})
            raise UnknownName(f"ccxt's {exchange} has no option {name!r}{advice}")


def _advice(name: str, known: set[str], inner: set[str]) -> str:
    if name in inner:
        return f"; give options={{{name!r}: ...}}"
    alike = {item.lower(): item for item in known}.get(name.lower().replace("_", ""))
    if alike is not None:
        return f"; did you mean {alike!r}?"
    return near(name, known) or f"; usual ones are {', '.join(sorted(ORDINARY))}"
