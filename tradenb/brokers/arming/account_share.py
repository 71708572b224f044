"""`RunShare`: what one run has in an account, left on disk for the other runs of that account.

A share follows from the ledger of its run and is written anew by it; the limits of an account are
judged over the sum. One that cannot be read may hide anything, so entries wait until it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.core.orders.gate import HOUR
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.core.timeframe import DAY, LATEST
from tradenb.errors import StateError, StateWriteError, UsageError, shown
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.plain_record import outside, whole_record
from tradenb.store.filesystem import Filesystem, replace_durably, replace_whole
from tradenb.store.paths import Home, Key, decoded, encoded, key_of

_LIMIT: Final = 1 << 20
_MOST: Final = 10_000
_HEAD: Final = {"format": "tradenb-share", "v": 1}
_MONEY: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,30})?")
_LARGEST: Final = 1 << 53


class RunShare(NamedTuple):
    """What one run has in an account.

    Attributes
    ----------
    at : int
        When that was so, ms UTC.
    invested : Decimal
        Cost of its open positions and of the entries that are on their way, quote currency.
    positions : int
        How many they are.
    day_result : Decimal
        Realised and open on the UTC day of `at`, quote currency.
    sent : tuple of int
        When it sent orders in the last hour.
    unknown : tuple of int
        When the outcome of an order became unknown, in the last hour.
    in_doubt : int
        Orders whose outcome is unknown now.
    checked_at : int or None
        Of its last good reconciliation.
    """

    at: Time
    invested: Decimal = ZERO
    positions: int = 0
    day_result: Decimal = ZERO
    sent: tuple[Time, ...] = ()
    unknown: tuple[Time, ...] = ()
    in_doubt: int = 0
    checked_at: Time | None = None


class ShareFile(NamedTuple):
    """The file of a share, whole."""

    account: str
    symbol: str
    strategy: str
    at: Time
    invested: str
    positions: int
    day_result: str
    sent: tuple[Time, ...]
    unknown: tuple[Time, ...]
    in_doubt: int
    checked_at: Time | None


def _problems(record: ShareFile) -> Iterator[str]:
    """Name what no share says."""
    for name in ("invested", "day_result"):
        if not _MONEY.fullmatch(getattr(record, name)):
            yield f"{name}: must be an amount such as 100.50, was {shown(getattr(record, name))}"
    yield from outside(record, 0, _LARGEST, "positions", "in_doubt")
    if max(len(record.sent), len(record.unknown)) > _MOST:
        yield f"it has more than {_MOST} orders in an hour"
    for at in (record.at, *record.sent, *record.unknown, record.checked_at or 0):
        if not 0 <= at < LATEST:
            yield f"a moment must lie between 1970 and 2200, was {at}"


def share_of(
    ledger: OrderLedger,
    market: OrderMarket,
    now: Time,
    *,
    day_result: Decimal,
    unknown: Iterable[Time] = (),
) -> RunShare:
    """Return the share that follows from a ledger.

    Parameters
    ----------
    now : int
        ms UTC.
    day_result : Decimal
        See `RunShare`.
    unknown : iterable of int
        When outcomes became unknown.
    """
    costs = [cost for id in ledger.signals() if (cost := _cost(ledger, id, market)) > 0]
    every = (*ledger.past, *ledger.orders)
    return RunShare(
        at=now,
        invested=sum(costs, ZERO),
        positions=len(costs),
        day_result=day_result,
        sent=tuple(sorted(order.sent_at for order in every if order.sent_at > now - HOUR)),
        unknown=tuple(sorted(at for at in unknown if at > now - HOUR)),
        in_doubt=sum(order.state == "unknown" for order in ledger.orders),
        checked_at=ledger.checked_at,
    )


def _cost(ledger: OrderLedger, signal_id: str, market: OrderMarket) -> Decimal:
    """Return what is held of a signal at its cost, and what its entries may still buy."""
    bought = paid = coming = ZERO
    for order in ledger.orders:
        if order.signal_id == signal_id and order.side == "buy":
            bought, paid = bought + order.filled, paid + order.value
            coming += order.rest * (order.price or ZERO)
    held = held_quantity(ledger, signal_id, market)
    return coming + (paid * min(held / bought, Decimal(1)) if bought else ZERO)


def write_share(
    filesystem: Filesystem,
    home: Home,
    account: str,
    run: Key,
    share: RunShare,
    *,
    durable: bool,
) -> None:
    """Write the share of a run; with `durable` a power loss keeps it.

    Raises
    ------
    StateWriteError
        When it could not be written.
    """
    path = home.account_share(account, run)
    record = {
        **_HEAD,
        "account": account,
        "symbol": run.symbol,
        "strategy": run.strategy,
        **share._asdict(),
        "invested": _text(share.invested),
        "day_result": _text(share.day_result),
        "sent": list(share.sent[-_MOST:]),
        "unknown": list(share.unknown[-_MOST:]),
    }
    _record_from(record)  # what the others could not read is not written
    write = replace_durably if durable else replace_whole
    try:
        write(filesystem, path, dump(record) + b"\n")
    except OSError as error:
        raise StateWriteError(f"{path} could not be written ({error.strerror or error})") from error


def other_shares(filesystem: Filesystem, home: Home, account: str, run: Key) -> list[RunShare]:
    """Read the shares of all other runs of an account.

    Raises
    ------
    StateError
        When one cannot be read: it may have used up any limit.
    """
    own = home.account_share(account, run)
    try:
        paths = [path for path in _paths(filesystem, home, account) if path != own]
    except OSError as error:
        raise StateError(
            f"{home.shares} cannot be read ({error.strerror or error}), so it is unknown what "
            "other runs have invested; repair the disk"
        ) from error
    return [_read(filesystem, home, account, path) for path in paths]


def every_share(filesystem: Filesystem, home: Home) -> Iterator[tuple[str, str, RunShare | None]]:
    """Yield account, run and share of all runs under a home; None: the share cannot be read."""
    if not filesystem.exists(home.shares):
        return
    for folder in filesystem.names(home.shares):
        account = decoded(folder, "account")
        if account is None:
            continue
        for path in _paths(filesystem, home, account):
            key = key_of(path)
            name = str(path) if key is None else key.id
            try:
                yield account, name, _read(filesystem, home, account, path)
            except StateError:
                yield account, name, None


def summed(shares: Iterable[RunShare], now: Time) -> RunShare:
    """Return the sum of shares; results of an earlier UTC day are over."""
    found = list(shares)
    today = [each.day_result for each in found if each.at // DAY == now // DAY]
    return RunShare(
        at=now,
        invested=sum((each.invested for each in found), ZERO),
        positions=sum(each.positions for each in found),
        day_result=sum(today, ZERO),
        sent=tuple(at for each in found for at in each.sent),
        unknown=tuple(at for each in found for at in each.unknown),
        in_doubt=sum(each.in_doubt for each in found),
    )


def _paths(filesystem: Filesystem, home: Home, account: str) -> Iterator[Path]:
    top = home.shares / encoded(account, "account")
    if not filesystem.exists(top):
        return
    for folder in filesystem.names(top):
        if folder.startswith("."):
            continue
        for name in filesystem.names(top / folder):
            if name.endswith(".json") and not name.startswith("."):
                yield top / folder / name


def _read(filesystem: Filesystem, home: Home, account: str, path: Path) -> RunShare:
    try:
        found = _record_in(filesystem.read(path, limit=_LIMIT))
        if path != home.account_share(account, Key(found.strategy, found.symbol)):
            raise Damaged(f"it is of {found.symbol}:{found.strategy}")
        if found.account != account:
            raise Damaged(f"it is of account {found.account}")
    except (OSError, UsageError, Damaged) as error:
        raise StateError(
            f"{path} cannot be read ({error}), so it is unknown what its run has invested; start "
            "that run, which writes it anew, or retire it"
        ) from error
    values = {name: getattr(found, name) for name in RunShare._fields}
    amounts = {name: Decimal(getattr(found, name)) for name in ("invested", "day_result")}
    return RunShare(**values | amounts)


@lru_cache(maxsize=1024)  # each run of an account reads those of all others
def _record_in(data: bytes) -> ShareFile:
    return _record_from(parse(data))


def _record_from(found: object) -> ShareFile:
    record = whole_record(ShareFile, found, **_HEAD)
    problem = next(_problems(record), None)
    if problem is not None:
        raise Damaged(problem)
    return record


def _text(value: Decimal) -> str:
    return f"{round(value, 8):f}"
