"""Requests to a run from outside: one file each, watched by its loop; works without Jupyter.

The kill switch is the file `KILL`: everything under its home closes at once (`flatten`) or stops
acting (`halt`, and whatever else it says).
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, get_args

from tradenb.errors import StateWriteError, UsageError, unknown
from tradenb.store.aside import move_aside
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.filesystem import (
    Filesystem,
    forget,
    make_folders,
    replace_durably,
    replace_whole,
)
from tradenb.store.paths import Home, Key
from tradenb.store.request import Received, Request, RequestKind, Waiting, checked_request

KillKind = Literal["halt", "flatten", "unreadable"]
KINDS: Final = get_args(RequestKind)
DECISIONS: Final = frozenset({"keep_ours", "take_theirs"})
MARKER: Final = "HOME"
ACCEPTED: Final = ".accepted"
_LIMIT: Final = 1 << 16
_AT_A_TIME: Final = 1_000
_WALL_DIGITS: Final = 15
_sent = itertools.count()

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def send(
    filesystem: Filesystem,
    home: Home,
    key: Key,
    kind: RequestKind,
    *,
    wall: int,
    signal_id: str | None = None,
    cancel_id: str | None = None,
    request_id: str | None = None,
    price: float | None = None,
    values: dict[str, object] | None = None,
    id: str | None = None,
) -> Request:
    """Leave a request for a run; it survives a power loss when this returns.

    Parameters
    ----------
    kind : str
        See `Request`; `wall` is now, ms UTC.
    signal_id, cancel_id, request_id, price, values : optional
        See `Request`.
    id : str, optional
        Default made up; those of one process sort as they were sent, also within a millisecond.

    Raises
    ------
    UsageError
        When the request is not valid.
    StateWriteError
        When it could not be written.
    """
    if kind not in KINDS:
        raise unknown("request", kind, KINDS)
    try:
        request = checked_request(
            {
                "id": id or f"{next(_sent) % 0x10000:04x}{os.urandom(4).hex()}",
                "wall": wall,
                "kind": kind,
                "strategy": key.strategy,
                "symbol": key.symbol,
                "signal_id": signal_id,
                "cancel_id": cancel_id,
                "request_id": request_id,
                "price": price,
                "values": values,
            }
        )
    except Damaged as error:
        raise UsageError(f"not a valid request: {error}") from error
    path = _path(home, request)
    try:
        replace_durably(filesystem, path, dump(request.record) + b"\n")
    except OSError as error:
        raise StateWriteError(f"{path} could not be written ({error.strerror or error})") from error
    return request


def receive(filesystem: Filesystem, folder: Path, key: Key, *, pid: int | None = None) -> Received:
    """Read the requests to a run, oldest first, at most 1,000; other files are moved aside.

    What cannot be read, or moved aside, keeps nobody from reading the rest.

    Parameters
    ----------
    folder : Path
        `Home.control(key)`.
    pid : int, optional
        For the names of files that are moved aside; default this process.
    """
    try:
        names = requests_in(filesystem, folder)
    except OSError as error:
        return Received(unreadable=((folder, words_of(error)),))
    ending = f"refused-{os.getpid() if pid is None else pid}"
    waiting, refused, unreadable = [], [], []
    for path in [folder / name for name in names[:_AT_A_TIME]]:
        try:
            try:
                waiting.append(Waiting(_read(filesystem, path, key), path))
            except Damaged as error:
                refused.append((move_aside(filesystem, path, ending), str(error)))
            except OSError:
                if not filesystem.exists(path):
                    continue  # taken back meanwhile
                if filesystem.is_file(path):
                    raise
                refused.append((move_aside(filesystem, path, ending), "not a regular file"))
        except OSError as error:
            unreadable.append((path, words_of(error)))
    return Received(tuple(sorted(waiting, key=_given)), tuple(refused), tuple(unreadable))


def peek(filesystem: Filesystem, folder: Path, key: Key) -> list[Request]:
    """Read the requests that wait for a run and change nothing; what cannot be read is left out."""
    found = []
    with contextlib.suppress(OSError):
        for name in requests_in(filesystem, folder)[:_AT_A_TIME]:
            with contextlib.suppress(OSError, Damaged):
                found.append(Waiting(_read(filesystem, folder / name, key), folder / name))
    return [item.request for item in sorted(found, key=_given)]


def prepare(filesystem: Filesystem, home: Home, key: Key) -> None:
    """Make the folder of the requests to a run, and the file by which a page finds its home.

    The run itself makes them when it starts, for the Jupyter server makes no folder, and who only
    looks at a run makes nothing. They are not synced: a request is, with all that is above it.
    """
    folder, marker = home.control(key), home.data / "control" / MARKER
    if not filesystem.exists(folder):
        make_folders(filesystem, folder, sync=False)
    if not filesystem.exists(marker):
        replace_whole(filesystem, marker, f"{os.urandom(16).hex()}\n".encode())


def requests_in(filesystem: Filesystem, folder: Path) -> list[str]:
    """Return the names of the requests to a run, or raise OSError if their folder cannot be read.

    What else is there does not count: Jupyter's server, for one, puts a folder beside its files.
    """
    try:
        return [name for name in filesystem.names(folder) if is_request(name)]
    except FileNotFoundError:
        return []


def remove(filesystem: Filesystem, waiting: Iterable[Waiting]) -> None:
    """Remove requests that are in a committed document, or ended the loop, or raise OSError.

    The id of one that cannot be removed has to be remembered until it can.
    """
    for item in waiting:
        forget(filesystem, item.path)


def words_of(error: OSError) -> str:
    """Say what the system says, without the file's name."""
    return str(error.strerror or error)


def kill_switch(filesystem: Filesystem, path: Path) -> KillKind | None:
    """Return what the kill switch says, if it is there; one that cannot be read halts as well."""
    try:
        text = filesystem.read(path, limit=_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return "unreadable"
    for mark, encoding in _BYTE_ORDER_MARKS:  # editors and shells of Windows write them
        if text.startswith(mark):
            text = text.decode(encoding, "replace").encode()
    return "flatten" if text.strip().lower() == b"flatten" else "halt"


def turn_on_kill(filesystem: Filesystem, home: Home) -> KillKind:
    """Turn the kill switch on: everything under a home closes; return what it says now.

    A disk that takes no text may still take an empty file, which halts entries.

    Raises
    ------
    StateWriteError
        When it takes neither.
    """
    try:
        replace_durably(filesystem, home.kill, b"flatten\n")
    except OSError as error:
        with contextlib.suppress(OSError):
            filesystem.close(filesystem.create(home.kill))
        if kill_switch(filesystem, home.kill) is None:
            raise StateWriteError(
                f"{home.kill} could not be written ({words_of(error)}); nothing was stopped: end "
                "the processes and sell at the exchange by hand"
            ) from error
    return kill_switch(filesystem, home.kill) or "unreadable"


def leave_accepted(filesystem: Filesystem, home: Home, key: Key, words: Iterable[str]) -> None:
    """Leave for the process of a run what a person accepts of what nobody could explain.

    Raises
    ------
    StateWriteError
        When it could not be written.
    """
    path = home.control(key) / ACCEPTED
    try:
        replace_durably(filesystem, path, dump([*words]) + b"\n")
    except OSError as error:
        raise StateWriteError(f"{path} could not be written ({words_of(error)})") from error


def take_accepted(filesystem: Filesystem, home: Home, key: Key) -> tuple[str, ...]:
    """Return what a person has accepted, once; a file that cannot be read accepts nothing."""
    path = home.control(key) / ACCEPTED
    try:
        found = parse(filesystem.read(path, limit=_LIMIT))
        forget(filesystem, path)
    except (OSError, Damaged):
        return ()
    return tuple(each for each in found if isinstance(each, str)) if type(found) is list else ()


def _path(home: Home, request: Request) -> Path:
    folder = home.control(Key(request.strategy, request.symbol))
    return folder / f"{request.wall:0{_WALL_DIGITS}d}-{request.id}.json"


def is_request(name: str) -> bool:
    """Tell whether a file in the folder of a run's requests is one, by its name."""
    return name.endswith(".json") and not name.startswith(".")


def _given(item: Waiting) -> tuple[int, str]:
    return item.request.wall, item.request.id


def _read(filesystem: Filesystem, path: Path, key: Key) -> Request:
    data = filesystem.read(path, limit=_LIMIT + 1)
    if len(data) > _LIMIT:
        raise Damaged(f"larger than {_LIMIT} bytes")
    request = checked_request(parse(data))
    if (request.strategy, request.symbol) != key:
        raise Damaged(f"it belongs to {request.symbol}:{request.strategy}")
    return request
