"""`Request`: what is asked of a run from outside, one file each; works without Jupyter.

The kill switch is the file `KILL`: everything under its home closes at once (`flatten`) or stops
acting (`halt`, and whatever else it says).
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

from tradenb.core.timeframe import LATEST
from tradenb.core.validation.terms import ID_LIMIT
from tradenb.errors import StateWriteError, UsageError, shown, unknown
from tradenb.store.aside import move_aside
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.document.plain_record import record_of
from tradenb.store.filesystem import (
    Filesystem,
    forget,
    make_folders,
    replace_durably,
    replace_whole,
)
from tradenb.store.paths import Home, Key

RequestKind = Literal[
    "stop",
    "flatten",
    "cancel",
    "close",
    "move",
    "withdraw",
    "abandon",
    "release",
    "keep_ours",
    "take_theirs",
]
KillKind = Literal["halt", "flatten", "unreadable"]
KINDS: Final = get_args(RequestKind)
DECISIONS: Final = frozenset({"keep_ours", "take_theirs"})
MARKER: Final = "HOME"
ACCEPTED: Final = ".accepted"
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_LIMIT: Final = 1 << 16
_AT_A_TIME: Final = 1_000
_WALL_DIGITS: Final = 15
_sent = itertools.count()

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Request(NamedTuple):
    """What a user asks of a run.

    Attributes
    ----------
    id : str
        Of the request; a run remembers the ids it obeyed until their files are gone.
    wall : int
        When it was given, ms UTC.
    kind : {"stop", "flatten", "cancel", "withdraw", "abandon", "release", "keep_ours", ...}
        The last two decide which state holds when another program wrote the document.
    signal_id, cancel_id : str or None
        Only for cancel: the signal meant (None is whatever is scheduled), and the words that come
        back in the note.
    request_id : str or None
        Only for withdraw: the request meant (None is all that were given before).
    price : float or None
        Only for abandon.
    values : dict or None
        Only for close and move.
    """

    id: str
    wall: int
    kind: RequestKind
    strategy: str
    symbol: str
    signal_id: str | None = None
    cancel_id: str | None = None
    request_id: str | None = None
    price: float | None = None
    values: dict[str, Any] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What is said, as a plain dict."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Waiting(NamedTuple):
    """A request and its file, to be removed when the request is in a committed document."""

    request: Request
    path: Path


class Received(NamedTuple):
    """What is in the folder of the requests to a run.

    Attributes
    ----------
    waiting : tuple of Waiting
        The requests, in order.
    refused : tuple of (Path, str)
        What is not a request and was moved aside: where it is now, and why.
    unreadable : tuple of (Path, str)
        What may be a request and cannot be read, or can be neither read nor moved aside.
    """

    waiting: tuple[Waiting, ...] = ()
    refused: tuple[tuple[Path, str], ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()

    @property
    def names(self) -> set[str]:
        """The names of the files that are still there."""
        waiting, unreadable = self.waiting, self.unreadable
        return {item.path.name for item in waiting} | {path.name for path, _ in unreadable}

    @property
    def unreadable_words(self) -> str:
        """What cannot be read, and why."""
        return "; ".join(f"{path} ({words})" for path, words in self.unreadable)


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


def checked_request(found: object) -> Request:
    """Return the request of a plain dict.

    Raises
    ------
    Damaged
        When it is none, or makes no sense; the words say everything that is wrong.
    """
    request = record_of(Request, found)
    unknown = found.keys() - {*Request._fields} if isinstance(found, Mapping) else ()
    problems = [*(f"there is no field {shown(name)}" for name in unknown), *_problems(request)]
    if problems:
        raise Damaged("; ".join(problems))
    return request


def _problems(request: Request) -> Iterator[str]:
    if not _ID.fullmatch(request.id):
        yield f"id must be 1 to 64 letters, digits, _ or -, was {shown(request.id)}"
    if not 0 <= request.wall < LATEST:
        yield f"wall must be ms UTC before the year 2200, was {request.wall}"
    for name in ("signal_id", "cancel_id", "request_id"):
        label = getattr(request, name)
        if label is not None and len(label) > ID_LIMIT:
            yield f"{name} must be at most {ID_LIMIT} characters, was {shown(label)}"
    price = request.price
    if (request.kind == "abandon") != (price is not None):
        yield "abandon needs a price, and nothing else takes one"
    if price is not None and not 0 < price < math.inf:
        yield f"price must be a finite number above 0, was {price}"
