"""Checks of every file under a home; nothing is changed: for the log at start, and for doctor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tradenb.errors import StateError, StateVersionError
from tradenb.store.codec import Generation
from tradenb.store.control import is_request, kill_switch
from tradenb.store.document.migrations import MIGRATIONS
from tradenb.store.document.read import read_one
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import backwards
from tradenb.store.journal.order_journal import OrderJournal
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key, bak_of, decoded, key_of
from tradenb.store.view_files import behind, run_views

Verdict = Literal["ok", "damaged", "newer", "unreadable", "kept", "leftover", "stale", "unknown"]
GOOD: Final = frozenset({"ok", "kept", "leftover"})
_MOST: Final = 100_000
# What is kept beside the state and can be had again: looked at by those who use it.
NOT_STATE: Final = frozenset(
    {"arm", "brokers", "candles", "notified", "panel", "research", "venues"}
)


class Finding(NamedTuple):
    """One file, and what is to be said about it.

    Attributes
    ----------
    verdict : str
        "ok"; "damaged"; "newer" (written by a newer tradenb); "unreadable" (disk or rights);
        "kept" (moved aside earlier); "leftover" (of a writer that died); "stale" (a view that does
        not show its document); "unknown" (none of ours).
    """

    path: Path
    verdict: Verdict
    words: str


def check_home(filesystem: Filesystem, home: Home) -> list[Finding]:
    """Check every file of a home; nothing is changed.

    Returns
    -------
    list of Finding
        In the order of paths, at most 100,000.
    """
    found: list[Finding] = []
    documents: list[Generation] = []
    for path in _files(filesystem, home.data, depth=0):
        if len(found) == _MOST:
            break
        finding, generation = _check(filesystem, home, path)
        found.append(finding)
        if generation is not None and path.name.endswith(".json"):
            documents.append(generation)
    views: dict[Path, bytes] = {}
    for item in documents:
        key = Key(item.body["strategy"], item.body["symbol"])
        views |= run_views(home.views(key), item)
    late = behind(filesystem, views)
    missing = [path for path in late if not filesystem.exists(path)]
    shown = [item if item.path not in late else _stale(item.path) for item in found]
    return sorted([*shown, *map(_stale, missing)])


def _stale(path: Path) -> Finding:
    return Finding(path, "stale", "does not show its document; rebuilt when the run starts")


def _files(filesystem: Filesystem, folder: Path, *, depth: int) -> Iterator[Path]:
    try:
        names = filesystem.names(folder)
    except FileNotFoundError:
        return
    except OSError:  # a file, or a folder that cannot be read: said where it is looked at
        yield folder
        return
    for name in names:
        if depth == 0 and name in NOT_STATE:
            continue
        if depth < 3:
            yield from _files(filesystem, folder / name, depth=depth + 1)
        else:
            yield folder / name


def _check(filesystem: Filesystem, home: Home, path: Path) -> tuple[Finding, Generation | None]:
    kind = next(iter(path.relative_to(home.data).parts), "")  # none: `data` cannot be listed
    try:
        if kind == "state":
            return _check_state(filesystem, path)
        return _check_other(filesystem, home, path, kind), None
    except StateVersionError as error:
        return Finding(path, "newer", str(error)), None
    except StateError as error:
        return Finding(path, "unreadable", str(error)), None
    except OSError as error:
        return Finding(path, "unreadable", f"{error.strerror or error}"), None


def _check_state(filesystem: Filesystem, path: Path) -> tuple[Finding, Generation | None]:
    name = path.name
    if name.endswith(".lock"):
        return Finding(path, "ok", f"last locked by {holder_of(filesystem, path)}"), None
    if name.endswith(".tmp"):
        return Finding(
            path, "leftover", "left by a writer that died; removed at the next start"
        ), None
    document = path.with_name(name.split(".json", 1)[0] + ".json")
    if key_of(document) is None or ".json" not in name:
        return Finding(path, "unknown", "not a file of tradenb"), None
    reading = read_one(filesystem, path, of=document, migrations=MIGRATIONS)
    kept = name not in (document.name, f"{document.name}.bak")
    if reading.generation is None:
        return Finding(path, "kept" if kept else "damaged", reading.words), None
    body = reading.generation.body
    words = f"generation {reading.generation.seq} of {body['symbol']}:{body['strategy']}"
    return Finding(path, "kept" if kept else "ok", words), reading.generation


def _check_other(filesystem: Filesystem, home: Home, path: Path, kind: str) -> Finding:
    size = filesystem.size(path)
    if kind != "control" or is_request(path.name):
        filesystem.read(path, limit=1)  # a folder, or what belongs to another user, is unreadable
    if path == home.kill:
        return Finding(path, "ok", f"the kill switch is on: {kill_switch(filesystem, home.kill)}")
    if path.name.endswith(".tmp"):
        return Finding(path, "leftover", "left by a writer that died")
    if kind == "journal" and (".jsonl.torn-" in path.name):
        return Finding(path, "kept", f"{size} bytes cut off after a crash")
    if kind == "lived":
        return Finding(path, "ok", f"{size} bytes recorded for tn.parity")
    if kind == "orders":
        return _check_orders(filesystem, home, path, size)
    if kind == "journal":
        return _check_journal(filesystem, path, size)
    if kind in ("signal", "schedule", "partial", "risk", "error", "control"):
        return Finding(path, "kept" if ".refused-" in path.name else "ok", f"{size} bytes")
    return Finding(path, "unknown", "not a file of tradenb")


def _check_orders(filesystem: Filesystem, home: Home, path: Path, size: int) -> Finding:
    strategy = decoded(path.parent.name, "strategy")
    symbol = decoded(path.name.split(".jsonl", 1)[0], "symbol")
    if strategy is None or symbol is None:
        return Finding(path, "unknown", "not a file of tradenb")
    key = Key(strategy, symbol)
    document = home.document(key)
    if not filesystem.exists(document) and not filesystem.exists(bak_of(document)):
        try:
            OrderJournal(filesystem, home.orders(key)).refuse_to_forget(document)
        except StateError as error:
            return Finding(path, "damaged", str(error))
    return Finding(path, "ok", f"{size} bytes of orders")


def _check_journal(filesystem: Filesystem, path: Path, size: int) -> Finding:
    if decoded(path.name.split(".jsonl", 1)[0], "symbol") is None:
        return Finding(path, "unknown", "not a file of tradenb")
    last = next(backwards(filesystem, path), None)
    if last is None:
        return Finding(path, "damaged" if size else "ok", f"{size} bytes and no event")
    if last.end < size:
        words = f"up to event {last.seq}, then {size - last.end} bytes that are not events"
        return Finding(path, "damaged", f"{words}; repaired at the next event")
    return Finding(path, "ok", f"up to event {last.seq}")
