"""What the doctor looks at, one function a subject; each gives checks and changes nothing."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tradenb import __version__
from tradenb.core.timeframe import iso
from tradenb.errors import StateError
from tradenb.store.control import kill_switch
from tradenb.store.document.commit import how_to_decide
from tradenb.store.document.read import read_document
from tradenb.store.document.state_conflict import ours_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.home_check import GOOD, check_home
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key

Verdict = Literal["well", "note", "wrong"]
_LITTLE: Final = 500_000_000
_TOO_LITTLE: Final = 50_000_000
_OLDEST_NOW: Final = 1_735_689_600_000  # 2025: an earlier clock was never set
_SKEW_MS: Final = 60_000
_DEPENDENCIES: Final = ("numpy", "pandas", "pydantic", "ccxt", "ipywidgets", "ipykernel")
_CULLING: Final = re.compile(r"cull_idle_timeout\W+(\d+)")


class Check(NamedTuple):
    """One thing that was looked at: name, verdict ("well", "note" or "wrong"), and words."""

    name: str
    verdict: Verdict
    words: str


def look(home: Home, exchange: str | None = None) -> list[Check]:
    """Look at everything; an exchange is asked for its time as well, and those of the runs are."""
    disk = DiskFilesystem(durable=False)
    return [
        *_versions(),
        *_folder(home),
        *_clock(disk, home),
        *_exchanges(disk, home, exchange),
        *_kill(disk, home),
        *_locks(disk, home),
        *_files(disk, home),
        *_nested(),
        *_culling(),
    ]


def _versions() -> Iterator[Check]:
    old = sys.version_info < (3, 11)
    python = f"{platform.python_version()} on {platform.system()} {platform.release()}"
    yield Check("python", "wrong" if old else "well", python + (", needs 3.11" if old else ""))
    yield Check("tradenb", "well", __version__)
    yield Check("packages", "well", ", ".join(map(_version, _DEPENDENCIES)))


def _version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"


def _folder(home: Home) -> Iterator[Check]:
    """Look at the folder itself: there, writable, with room."""
    folder = home.root
    if folder.exists() and not folder.is_dir():
        yield Check("home", "wrong", f"{folder} is no folder")
        return
    there = folder
    while not there.exists():
        there = there.parent
    words = str(folder) if there == folder else f"{folder} is not there yet"
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield Check("home", "wrong", f"{words}; its file system is read-only: remount it")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Check("home", "wrong", f"{words}; {there} is not writable for this user")
    else:
        yield Check("home", "well", words)
    free = shutil.disk_usage(there).free
    verdict: Verdict = "well" if free >= _LITTLE else "note" if free >= _TOO_LITTLE else "wrong"
    yield Check("free space", verdict, f"{free / 1e6:,.0f} MB")


def _clock(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    now = time.time_ns() // 1_000_000
    words = f"{iso(now)} UTC"
    if now < _OLDEST_NOW:
        yield Check("clock", "wrong", f"{words} cannot be; set the clock of this machine")
        return
    latest = max(_saved(disk, home), default=0)
    if latest > now + _SKEW_MS:
        yield Check(
            "clock",
            "wrong",
            f"{words}, but a state was saved at {iso(latest)}: the clock was or is wrong",
        )
        return
    zone = datetime.now(UTC).astimezone().tzname()
    yield Check("clock", "well", f"{words}, local zone {zone}; tradenb works in UTC")


def _exchanges(disk: DiskFilesystem, home: Home, given: str | None) -> Iterator[Check]:
    """Compare the clock with those of the exchanges; one that cannot be asked is no trouble."""
    from tradenb.cli.exchange_clocks import SKEW_MS, exchange_clocks
    from tradenb.exchanges.ccxt.ccxt_client import ccxt_names

    used = {str(body["exchange"]) for body in _bodies(disk, home)} & {*ccxt_names()}
    for name, ahead, why in exchange_clocks([given] if given else used, home.root):
        what = f"clock against {name}"
        if ahead is None:
            yield Check(what, "note", f"not known: {why}")
        elif abs(ahead) < SKEW_MS:
            yield Check(what, "well", f"{abs(ahead)} ms {'ahead' if ahead > 0 else 'behind'}")
        else:
            side = "ahead" if ahead > 0 else "behind"
            words = f"this machine is {abs(ahead) / 1000:.1f} s {side}; synchronise it (NTP)"
            yield Check(what, "wrong", words)


def _saved(disk: DiskFilesystem, home: Home) -> Iterator[int]:
    yield from (int(body["saved_at"]) for body in _bodies(disk, home))


def _bodies(disk: DiskFilesystem, home: Home) -> Iterator[dict[str, Any]]:
    for key in _keys(disk, home):
        try:
            found = read_document(disk, home.document(key))
        except StateError:
            continue
        if found is not None:
            yield found.body


def _kill(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    found = kill_switch(disk, home)
    if found is not None:
        yield Check("kill switch", "wrong", f"on ({found}); remove {home.kill} to trade again")
    else:
        yield Check("kill switch", "well", "off")


def _locks(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    from tradenb.live.status.run_files import is_locked

    held = [key for key in _keys(disk, home) if is_locked(disk, home.lock(key))]
    for key in held:
        holder = holder_of(disk, home.lock(key))
        yield Check("lock", "well", f"{key.symbol}:{key.strategy} is held by {holder}")
    if not held:
        yield Check("lock", "well", "no run is held by a process")


def _keys(disk: DiskFilesystem, home: Home) -> list[Key]:
    try:
        return list(home.keys(disk))
    except OSError:
        return []


def _files(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    """Look at every file; those that are well are only counted."""
    for place in (home, home.rehearsal):
        findings = check_home(disk, place)
        bad = [item for item in findings if item.verdict not in GOOD]
        for item in bad:
            verdict: Verdict = "note" if item.verdict in ("stale", "unknown") else "wrong"
            yield Check(f"file {item.verdict}", verdict, f"{item.path}: {item.words}")
        yield from _undecided(disk, place)
        counts = Counter(item.verdict for item in findings)
        if findings or place is home:
            words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            yield Check("files", "well", f"{words or 'none'} under {place.data}")


def _undecided(disk: DiskFilesystem, home: Home) -> Iterator[Check]:
    """Find runs that two wrote, and those without a valid generation with one moved aside."""
    for key in _keys(disk, home):
        path = home.document(key)
        names = disk.names(path.parent)
        if ours_of(disk, path):
            words = f"somebody else wrote the state of {key.symbol}:{key.strategy}"
            yield Check("state", "wrong", f"{words}; {how_to_decide(path)}")
        if path.name in names or f"{path.name}.bak" in names:
            continue
        aside = [path.with_name(name) for name in names if ".json.corrupt-" in name]
        kept = " ".join(str(file) for file in aside if file.name.startswith(f"{path.name}."))
        words = f"{key.symbol}:{key.strategy} has no valid state; choose one with --accept: {kept}"
        yield Check("state", "wrong", words)


def _nested() -> Iterator[Check]:
    """Look whether something patches asyncio in this process or in every kernel."""
    harm = "cells of Run All may silently never run; live runs do not need it"
    if hasattr(asyncio, "_nest_patched"):
        yield Check("nest_asyncio", "wrong", f"is applied in this process; {harm}")
    profile = Path(os.environ.get("IPYTHONDIR", Path.home() / ".ipython")) / "profile_default"
    files = [profile / "ipython_config.py", *sorted(profile.glob("startup/*.py"))]
    found = [file for file in files if "nest_asyncio" in _text(file)]
    for file in found:
        yield Check("nest_asyncio", "wrong", f"{file} applies it in every kernel; {harm}")
    if not found and not hasattr(asyncio, "_nest_patched"):
        yield Check("nest_asyncio", "well", "is not applied")


def _culling() -> Iterator[Check]:
    """Look whether the Jupyter server ends kernels that seem idle."""
    found = [
        (file, int(seconds))
        for file in _jupyter_files()
        for seconds in _CULLING.findall(_text(file))
    ]
    for file, seconds in found:
        if seconds:
            words = f"{file} ends kernels after {seconds} s without output; live runs end with them"
            yield Check("kernel culling", "note", words)
    if not any(seconds for _, seconds in found):
        yield Check("kernel culling", "well", "is not configured")


def _jupyter_files() -> Iterable[Path]:
    folders = [Path(os.environ.get("JUPYTER_CONFIG_DIR", Path.home() / ".jupyter"))]
    folders += [Path(sys.prefix) / "etc/jupyter", Path("/usr/local/etc/jupyter")]
    folders.append(Path("/etc/jupyter"))
    for folder in folders:
        for pattern in ("jupyter*_config.py", "jupyter*_config.json", "jupyter*_config.d/*.json"):
            yield from sorted(folder.glob(pattern))


def _text(file: Path) -> str:
    """Return the lines of a file without comments; nothing if it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
