"""What the probes of an exchange found, kept under the home: `data/venues/{exchange}-{mode}.json`.

It holds no keys and no order. It counts for 30 days and for the version of ccxt that it was made
with: either may bring other rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, ValidationError

from tradenb.core.signal import Time
from tradenb.core.timeframe import DAY, iso
from tradenb.errors import StateWriteError
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.field_types import Moment, Name, Plain
from tradenb.store.filesystem import Filesystem, replace_durably
from tradenb.store.paths import Home

if TYPE_CHECKING:
    from tradenb.brokers.checking.venue_probes import ProbeResult

COUNTS_FOR: Final = 30 * DAY
_LIMIT: Final = 1 << 18
_WORDS: Final = 300
_CURE: Final = "run tradenb venue-check"


class _Probe(Plain):
    name: Name
    passed: bool | None
    words: Annotated[str, Field(max_length=_WORDS)]


class _VenueRecord(Plain):
    format: Literal["tradenb-venue"] = "tradenb-venue"
    v: Literal[1] = 1
    exchange: Name
    mode: Literal["sandbox", "live"]
    symbol: Name
    at: Moment
    ccxt: Name
    probes: Annotated[list[_Probe], Field(min_length=1)]


def ccxt_version() -> str:
    """Return the version of ccxt that is installed, without importing it; "none" without one."""
    try:
        return version("ccxt")
    except PackageNotFoundError:
        return "none"


def write_venue_check(
    filesystem: Filesystem,
    home: Home,
    exchange: str,
    mode: str,
    symbol: str,
    results: Sequence[ProbeResult],
    now: Time,
) -> None:
    """Keep what the probes found, in place of what was kept before.

    Raises
    ------
    StateWriteError
        When it could not be written.
    """
    record = _VenueRecord.model_validate(
        {
            "exchange": exchange,
            "mode": mode,
            "symbol": symbol,
            "at": now,
            "ccxt": ccxt_version(),
            "probes": [
                {"name": each.name, "passed": each.passed, "words": each.words[:_WORDS]}
                for each in results
            ],
        }
    )
    path = home.venue_check(exchange, mode)
    try:
        replace_durably(filesystem, path, dump(record.model_dump()) + b"\n")
    except OSError as error:
        raise StateWriteError(f"{path} could not be written ({error.strerror or error})") from error


def venue_trouble(filesystem: Filesystem, home: Home, account: str, now: Time) -> str:
    """Say why the exchange of an account does not count as checked; "" if it does.

    A sandbox needs no check: it is where checks are made. A live account goes by the check of its
    exchange, live or on its testnet.

    Parameters
    ----------
    account : str
        Mode, exchange and key: "live:binance:1a2b3c4d".
    now : int
        ms UTC.
    """
    mode, _, rest = account.partition(":")
    if mode == "sandbox":
        return ""
    exchange = rest.partition(":")[0]
    told = (_trouble(filesystem, home, exchange, each, now) for each in ("sandbox", "live"))
    troubles = [words for words in told if words is not None]
    if "" in troubles:
        return ""
    return "; ".join(troubles) or f"{exchange} was not checked; {_CURE} {exchange} --sandbox"


def _trouble(filesystem: Filesystem, home: Home, exchange: str, mode: str, now: Time) -> str | None:
    """Say what is wrong with one check; None: there is none."""
    path = home.venue_check(exchange, mode)
    try:
        found = _VenueRecord.model_validate(parse(filesystem.read(path, limit=_LIMIT)))
    except FileNotFoundError:
        return None
    except (OSError, Damaged, ValidationError):
        return f"{path} is not a check of an exchange; {_CURE} {exchange} --sandbox"
    if (found.exchange, found.mode) != (exchange, mode):
        return f"{path} is of {found.exchange}, {found.mode}; {_CURE} {exchange} --sandbox"
    if not found.at <= now <= found.at + COUNTS_FOR:
        return f"{exchange} was checked at {iso(found.at)} UTC, 30 days count; {_CURE} again"
    if _minor(found.ccxt) != _minor(ccxt_version()):
        words = f"{exchange} was checked with ccxt {found.ccxt}, {ccxt_version()} is installed"
        return f"{words}; {_CURE} again"
    failed = [each.name for each in found.probes if each.passed is False]
    if failed:
        return f"{exchange} failed {', '.join(failed)}; see {path}"
    return ""


def _minor(found: str) -> list[str]:
    return found.split(".")[:2]
