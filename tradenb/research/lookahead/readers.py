"""What a strategy reaches outside of itself: modules, and files that it reads with known functions.

In an analysis a strategy imports stand-ins of the libraries that read tables and arrays: what they
give has noise for a future. Nothing is patched; the stand-ins are seen by the copies alone.
"""

from __future__ import annotations

import builtins
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

from tradenb.engine.reach import all_reached, is_users, is_users_file, names_in
from tradenb.research.lookahead.noise import Spoiler

READERS: Final[dict[str, tuple[str, ...]]] = {
    "numpy": ("load", "loadtxt", "genfromtxt", "fromfile", "memmap"),
    "pandas": (
        "read_csv", "read_table", "read_parquet", "read_feather", "read_pickle", "read_json",
        "read_hdf", "read_excel", "read_sql", "read_orc",
    ),
    "pickle": ("load", "loads"),
    "joblib": ("load",),
}  # fmt: skip
# What reads from where nothing can be replaced.
OUTSIDE: Final = frozenset({"urlopen", "requests", "httpx", "sqlite3"})


SENDS: Final = frozenset(
    {
        "apprise", "httpx", "notify", "patch", "post", "publish", "put", "requests", "send",
        "send_message", "sendmail", "sendto", "smtplib", "socket", "subprocess", "system",
        "telegram", "urlopen", "webhook", "websocket",
    }
)  # fmt: skip
"""Names by which a function tells somebody outside: it is not called in an analysis."""
_EVENTS: Final = frozenset({"open", "sqlite3.connect", "subprocess.Popen", "urllib.Request"})
_OURS: Final = str(Path(__file__).parents[2])
_HOOKED: Final[list[bool]] = []
_WATCHING: Final[list[set[str]]] = []


class Readers:
    """Stand-ins for the libraries that read files.

    Parameters
    ----------
    copied : callable
        Makes the copy of any other module.
    memo : dict, optional
        What files gave, for all runs of an analysis.

    Attributes
    ----------
    opened : set of str
        Files that were opened by hand: what is in them stays as it is.
    builtins : dict
        For the globals of the copies: `import` gives the stand-ins.
    """

    def __init__(
        self, spoiler: Spoiler, copied: Callable[[Any], Any], memo: dict[Any, Any] | None = None
    ) -> None:
        self.opened: set[str] = set()
        self._spoiler = spoiler
        self._copied = copied
        self._made: dict[int, Any] = {}
        self._memo = {} if memo is None else memo
        self._read: dict[Any, Any] = {}
        for name, readers in READERS.items():
            if name in sys.modules:
                self._stand_in(sys.modules[name], readers)
        # What is printed in an analysis would come some hundred times.
        own = {"__import__": self._import, "print": _silent}
        self.builtins = vars(builtins) | own

    def of(self, value: object) -> Any:
        """Return what stands for a library or for one of its readers; None for all else."""
        return self._made.get(id(value))

    def _stand_in(self, module: ModuleType, readers: tuple[str, ...]) -> None:
        made = self._made[id(module)] = _StandIn(module)
        for name in readers:
            read = getattr(module, name, None)
            # What is used as a class as well (np.memmap) stays one.
            if read is not None and not inspect.isclass(read):
                reader = self._made[id(read)] = self._reader(read)
                setattr(made, name, reader)

    def _reader(self, read: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(read)
        def reader(*args: Any, **keywords: Any) -> Any:
            key = _file_key(read, args, keywords)
            if key is None:
                return self._spoiled(read(*args, **keywords))
            if key not in self._read:
                if key not in self._memo:
                    self._memo[key] = read(*args, **keywords)
                self._read[key] = self._spoiled(self._memo[key])
            return copy.deepcopy(self._read[key])

        return reader

    def _spoiled(self, value: Any) -> Any:
        found = self._spoiler.value(value)
        if found is not None:
            return found
        if isinstance(value, Mapping):  # np.load of an npz file gives one
            return {key: self._spoiled(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(map(self._spoiled, value))
        return value

    def _import(self, name: str, *given: Any, **more: Any) -> Any:
        return self._copied(builtins.__import__(name, *given, **more))

    def watching(self) -> AbstractContextManager[set[str]]:
        """Note the files that a user's code opens in a block, however it does it."""
        return watching(self.opened)


@contextmanager
def watching(opened: set[str] | None = None) -> Iterator[set[str]]:
    """Note the files that a user's code opens in a block, however it does it; yield their names."""
    if not _HOOKED:
        _HOOKED.append(True)
        sys.addaudithook(_on_audit)  # it cannot be taken away again
    found = set() if opened is None else opened
    _WATCHING.append(found)
    try:
        yield found
    finally:
        _WATCHING[:] = [item for item in _WATCHING if item is not found]


def _file_key(
    read: Callable[..., Any], args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """Return what a table or an array read from a file depends on; None for anything else."""
    if not args or not isinstance(args[0], str | Path) or read.__module__ == "pickle":
        return None
    try:
        found = Path(args[0]).stat()
    except (OSError, ValueError):
        return None
    given = repr((args, sorted(keywords.items())))
    if " at 0x" in given or "mmap_mode" in keywords:
        return None
    return f"{read.__module__}.{read.__qualname__}", given, f"{found.st_mtime_ns} {found.st_size}"


def _on_audit(event: str, given: tuple[Any, ...]) -> None:
    if not _WATCHING or event not in _EVENTS:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if "importlib" in file or file.startswith(_OURS):
            return  # a module is imported; a stand-in put noise in its place; candles are loaded
        if is_users_file(file):
            name = given[0] if given else event
            _WATCHING[-1].add(name if isinstance(name, str) else repr(name))
            return
        frame = frame.f_back


def _silent(*_: Any, **__: Any) -> None:
    """Print nothing."""


def sent_by(function: Any) -> str:
    """Return by which names a function, or what it calls of the user's code, sends something."""
    functions = [function, *(item for _, item in all_reached(function))]
    codes = [item.__code__ for item in functions if hasattr(item, "__code__") and is_users(item)]
    return ", ".join(sorted(frozenset().union(*(SENDS & names_in(code) for code in codes))))


class _StandIn(ModuleType):
    """A library with some of its functions replaced."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(vars(module))
        self.__dict__["_stands_for"] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stands_for"], name)
