"""What a strategy reaches outside of itself: modules, and files that it reads with known functions.

In an analysis a strategy imports stand-ins of the libraries that read tables and arrays: what they
give has noise for a future. Nothing is patched; the stand-ins are seen by the copies alone.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
_HOOKED: Final[list[bool]] = []
_WATCHING: Final[list[set[str]]] = []


class Readers:
    """Stand-ins for the libraries that read files.

    Parameters
    ----------
    copied : callable
        Makes the copy of any other module.

    Attributes
    ----------
    opened : set of str
        Files that were opened by hand: what is in them stays as it is.
    builtins : dict
        For the globals of the copies: `import` gives the stand-ins.
    """

    def __init__(self, spoiler: Spoiler, copied: Callable[[Any], Any]) -> None:
        self.opened: set[str] = set()
        self._spoiler = spoiler
        self._copied = copied
        self._made: dict[int, Any] = {}
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
            return self._spoiled(read(*args, **keywords))

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

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the files that a user's code opens in a block, however it does it."""
        if not _HOOKED:
            _HOOKED.append(True)
            sys.addaudithook(_on_audit)  # it cannot be taken away again
        _WATCHING.append(self.opened)
        try:
            yield
        finally:
            _WATCHING.remove(self.opened)


def _on_audit(event: str, given: tuple[Any, ...]) -> None:
    if not _WATCHING or event not in _EVENTS:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file == __file__ or "importlib" in file:
            return  # a stand-in read it, and put noise in its place; or a module is imported
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
