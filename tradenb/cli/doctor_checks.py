"""What the doctor checks, one function a subject; each returns checks and changes nothing."""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tradenb.brokers.broker_file import recorded_address
from tradenb.cli.machine_checks import Check, Verdict, event_loops, kernel_culling, versions
from tradenb.cli.order_checks import order_checks
from tradenb.clock import wall_ms
from tradenb.core.timeframe import iso
from tradenb.store.control import kill_switch
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.home_check import GOOD, check_home
from tradenb.store.ownership import foreign_paths, name_of, owner_of
from tradenb.store.paths import Home, Key

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus

_LITTLE: Final = 500_000_000
_TOO_LITTLE: Final = 50_000_000
_OLDEST_NOW: Final = 1_735_689_600_000  # 2025: an earlier clock was never set
_SKEW_MS: Final = 60_000
_MOST_NAMED: Final = 20


def check_all(home: Home, exchange: str | None = None) -> list[Check]:
    """Check everything; the clock is compared with one exchange, or with those of the runs."""
    disk = DiskFilesystem(durable=False)
    runs = _runs(disk, home)
    return [
        *order_checks(disk, home, runs),
        *versions(),
        *_folder(home),
        *_owners(home),
        *_clock(runs),
        *_exchanges(runs, home, exchange),
        *_kill(disk, home),
        *_locks(runs),
        *_positions(runs),
        *_files(disk, home, runs),
        *event_loops(),
        *kernel_culling(),
    ]


def _folder(home: Home) -> Iterator[Check]:
    """Check the folder itself: it exists, is writable and has room."""
    folder = home.root
    if folder.exists() and not folder.is_dir():
        yield Check("home", "wrong", f"{folder} is not a folder")
        return
    there = folder
    while not there.exists():
        if there.is_symlink():
            words = f"{there} is a link to {there.readlink()}, which is not there"
            yield Check("home", "wrong", f"{words}: is its volume mounted?")
            return
        there = there.parent
    words = str(folder) if there == folder else f"{folder} does not exist yet"
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield Check("home", "wrong", f"{words}; its file system is read-only: remount it")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Check("home", "wrong", f"{words}; {there} is not writable for this user")
    else:
        yield Check("home", "well", words)
    free = shutil.disk_usage(there).free
    verdict: Verdict = "well" if free >= _LITTLE else "note" if free >= _TOO_LITTLE else "wrong"
    yield Check("free space", verdict, f"{free / 1e6:,.0f} MB")


def _owners(home: Home) -> Iterator[Check]:
    """Name what belongs to another user than the home: its runs may not be able to read it."""
    foreign = [*islice(foreign_paths(home), _MOST_NAMED + 1)]
    for path, user in foreign[:_MOST_NAMED]:
        yield Check("owner", "wrong", f"{path} belongs to {user}; {_cure(home)}")
    if len(foreign) > _MOST_NAMED:
        yield Check("owner", "wrong", "and more than these belong to other users")


def _cure(home: Home) -> str:
    owner = name_of(owner_of(home.root) or 0)
    return f"give it back: sudo chown -R {owner} {shlex.quote(str(home.root))}"


def _runs(disk: DiskFilesystem, home: Home) -> list[RunStatus]:
    """Return how the runs under a home are; none if it cannot be read, which `_folder` reports."""
    from tradenb.live.status.run_files import RunFiles

    try:
        return [RunFiles(home, key).status() for key in home.keys(disk)]
    except OSError:
        return []


def _clock(runs: Sequence[RunStatus]) -> Iterator[Check]:
    now = wall_ms()
    words = f"{iso(now)} UTC"
    if now < _OLDEST_NOW:
        yield Check("clock", "wrong", f"{words} is impossible; set the clock of this machine")
        return
    latest = max((run.last_tick or 0 for run in runs), default=0)
    if latest > now + _SKEW_MS:
        yield Check(
            "clock",
            "wrong",
            f"{words}, but a state was saved at {iso(latest)}: the clock was or is wrong",
        )
        return
    zone = datetime.now(UTC).astimezone().tzname()
    yield Check("clock", "well", f"{words}, local zone {zone}; tradenb works in UTC")


def _exchanges(runs: Sequence[RunStatus], home: Home, given: str | None) -> Iterator[Check]:
    """Compare the clock with those of the exchanges; one that does not answer is only a note."""
    from tradenb.cli.exchange_clocks import SKEW_MS, exchange_clocks
    from tradenb.exchanges.ccxt.ccxt_client import ccxt_names

    known = {*ccxt_names()}
    places: dict[str, tuple[str, Mapping[str, Any]]] = {given: (given, {})} if given else {}
    for run in runs if not given else ():
        account = "" if run.orders is None else run.orders.account
        found = recorded_address(DiskFilesystem(durable=False), home, account) if account else None
        # A run with orders may ask another address than the exchange's own.
        if found is not None and found[1]:
            places[account.rpartition(":")[0]] = found
        elif run.exchange in known:
            places[run.exchange] = run.exchange, {}
    for name, ahead, why in exchange_clocks(places, home.root):
        what = f"clock against {name}"
        if ahead is None:
            yield Check(what, "note", f"unknown: {why}")
        elif abs(ahead) < SKEW_MS:
            yield Check(what, "well", f"{abs(ahead)} ms {'ahead' if ahead > 0 else 'behind'}")
        else:
            side = "ahead" if ahead > 0 else "behind"
            words = f"this machine is {abs(ahead) / 1000:.1f} s {side}; synchronise it (NTP)"
            yield Check(what, "wrong", words)


def _kill(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    found = kill_switch(disk, home.kill)
    if found is not None:
        yield Check("kill switch", "wrong", f"on ({found}); remove {home.kill} to trade again")
    else:
        yield Check("kill switch", "well", "off")


def _locks(runs: Sequence[RunStatus]) -> Iterator[Check]:
    held = [run for run in runs if run.status == "running"]
    for run in held:
        yield Check("lock", "well", f"{run.id} is held by {run.held_by}")
    if not held:
        yield Check("lock", "well", "no run is held by a process")


def _positions(runs: Sequence[RunStatus]) -> Iterator[Check]:
    """Report what needs the user now: positions that nothing watches, errors, silence."""
    for run in runs:
        told = run.label == "alarm"  # by `order_checks`
        matters = run.unwatched or run.unknown or run.status == "running"
        if run.trouble and run.saved and not told and matters:
            yield Check(run.label, "wrong", f"{run.id}: {run.trouble}")


def _files(disk: DiskFilesystem, home: Home, runs: Sequence[RunStatus]) -> Iterator[Check]:
    """Check every file; those that are well are only counted."""
    for place in (home, home.rehearsal):
        findings = check_home(disk, place)
        bad = [item for item in findings if item.verdict not in GOOD]
        for item in bad:
            verdict: Verdict = "note" if item.verdict in ("stale", "unknown") else "wrong"
            yield Check(f"file {item.verdict}", verdict, f"{item.path}: {item.words}")
        yield from _undecided(disk, place, runs if place is home else _runs(disk, place))
        counts = Counter(item.verdict for item in findings)
        if findings or place is home:
            words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            yield Check("files", "well", f"{words or 'none'} under {place.data}")


def _undecided(disk: DiskFilesystem, home: Home, runs: Sequence[RunStatus]) -> Iterator[Check]:
    """Report runs with two states, and those without a valid generation and with one set aside."""
    for run in runs:
        if not run.saved:
            yield Check("state", "wrong", f"{run.id}: {run.error}")
        path = home.document(Key(run.strategy, run.symbol))
        names = disk.names(path.parent)
        if path.name in names or f"{path.name}.bak" in names:
            continue
        aside = [path.with_name(name) for name in names if ".json.corrupt-" in name]
        kept = " ".join(str(file) for file in aside if file.name.startswith(f"{path.name}."))
        words = f"{run.id} has no valid state; choose one with --accept: {kept}"
        yield Check("state", "wrong", words)
