"""Where everything is under one home, and how names become file names.

A file name is the name in percent-encoding, and gives the name back. Letters of the unusual case
(lower in symbols, upper in names of strategies and rules) are encoded too, so that `dip` and `Dip`
stay apart where the file system does not tell them apart. `BTCUSDT:USDT` is `BTCUSDT%3AUSDT`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from tradenb.errors import UsageError, shown
from tradenb.store.filesystem import Filesystem

LONGEST: Final = 120
REHEARSAL: Final = "rehearsal"
View = Literal["signal", "schedule", "partial"]
VIEWS: Final[tuple[View, ...]] = ("signal", "schedule", "partial")

_DIGITS: Final = frozenset(b"0123456789-_.")
_PLAIN: Final = {
    "symbol": _DIGITS | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "strategy": _DIGITS | frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    "risk rule": _DIGITS | frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    "exchange": _DIGITS | frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    "account": _DIGITS | frozenset(b"abcdefghijklmnopqrstuvwxyz"),
}
Sort = Literal["symbol", "strategy", "risk rule", "exchange", "account"]
# Windows refuses these names, and they may come there through a synchronised folder.
_DEVICE: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


class Key(NamedTuple):
    """Which run a file belongs to."""

    strategy: str
    symbol: str

    @property
    def id(self) -> str:
        """Symbol and strategy, as users name the run."""
        return f"{self.symbol}:{self.strategy}"


@lru_cache(maxsize=1_024)
def encoded(name: str, sort: Sort) -> str:
    """Return a name as a file name.

    Parameters
    ----------
    sort : {"symbol", "strategy", "risk rule", "exchange", "account"}

    Raises
    ------
    UsageError
        When the name is empty, no text, or longer than 120 bytes in this form.

    Examples
    --------
    >>> encoded("BTCUSDT:USDT", "symbol")
    'BTCUSDT%3AUSDT'
    >>> encoded("../Dip", "strategy")
    '%2E.%2F%44ip'
    """
    if not name:
        raise UsageError(f"the name of a {sort} must not be empty")
    try:
        raw = name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the name of a {sort} must be text, was {shown(name)}") from error
    plain = _PLAIN[sort]
    file_name = "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in raw)
    if file_name.startswith(".") or _DEVICE.match(file_name):
        file_name = f"%{raw[0]:02X}{file_name[1:]}"
    if file_name.endswith("."):
        file_name = f"{file_name[:-1]}%2E"
    if len(file_name) > LONGEST:
        raise UsageError(
            f"the name of a {sort} must be at most {LONGEST} bytes as a file name, was "
            f"{len(file_name)}: {shown(name)}; choose a shorter one"
        )
    return file_name


def decoded(file_name: str, sort: Sort) -> str | None:
    """Return the name that a file name stands for, or None if it is none of ours."""
    try:
        name = unquote_to_bytes(file_name).decode()
        return name if encoded(name, sort) == file_name else None
    except (UnicodeError, UsageError):
        return None


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of everything that is kept.

    Attributes
    ----------
    root : Path
        Absolute.
    """

    root: Path

    @property
    def data(self) -> Path:
        """Everything but rehearsals."""
        return self.root / "data"

    @property
    def rehearsal(self) -> Home:
        """The home of rehearsals, beside the real one."""
        return Home(self.root / REHEARSAL)

    @property
    def kill(self) -> Path:
        """The kill switch."""
        return self.data / "KILL"

    @property
    def state(self) -> Path:
        """The folder of the documents."""
        return self.data / "state"

    def document(self, key: Key) -> Path:
        """Return the file that is the truth about a run."""
        return self._file("state", key, ".json")

    def lock(self, key: Key) -> Path:
        """Return the file that is locked for the life of a run."""
        return self._file("state", key, ".json.lock")

    def journal(self, key: Key) -> Path:
        """Return the file of what happened in a run."""
        return self._file("journal", key, ".jsonl")

    def recording(self, key: Key) -> Path:
        """Return the file of what a run went through."""
        return self._file("lived", key, ".jsonl")

    def orders(self, key: Key) -> Path:
        """Return the file of what a run sent to an exchange and heard."""
        return self._file("orders", key, ".jsonl")

    def view(self, kind: View, key: Key) -> Path:
        """Return a file that people and tools look at."""
        return self._file(kind, key, ".json")

    def views(self, key: Key) -> dict[View, Path]:
        """Return all files of a run that people and tools look at."""
        return {kind: self.view(kind, key) for kind in VIEWS}

    def risk_view(self, rule: str) -> Path:
        """Return the file of a risk rule's book, for people and tools."""
        return self.data / "risk" / f"{encoded(rule, 'risk rule')}.json"

    def risk_lock(self, rule: str) -> Path:
        """Return the file that is locked while a rule is asked and its answer committed."""
        return self.state / f".risk-{encoded(rule, 'risk rule')}.lock"

    def error(self, key: Key) -> Path:
        """Return the file of what is wrong with a run now."""
        return self._file("error", key, ".json")

    def control(self, key: Key) -> Path:
        """Return the folder of the requests to a run."""
        return self._file("control", key, "")

    def notified(self, service: str) -> Path:
        """Return the file of what a notification service was sent, by the reference to its URL."""
        name = hashlib.sha256(service.encode()).hexdigest()[:16]
        return self.data / "notified" / f"{name}.json"

    def arm(self, account: str) -> Path:
        """Return the file of the permission to send entries to an account."""
        return self.root.joinpath("data", "arm", f"{encoded(account, 'account')}.json")

    def broker(self, account: str) -> Path:
        """Return the file of how an account is reached."""
        return self.data / "brokers" / f"{encoded(account, 'account')}.json"

    def arm_lock(self, account: str) -> Path:
        """Return the file that is locked while an entry of an account is decided."""
        return self.data / "arm" / f".{encoded(account, 'account')}.lock"

    def arm_code(self, account: str) -> Path:
        """Return the file of the one-time code that was shown last."""
        return self.data / "arm" / "codes" / f"{encoded(account, 'account')}.json"

    @property
    def shares(self) -> Path:
        """The folder of what runs have invested, one folder in it an account."""
        return self.data / "arm" / "shares"

    def account_share(self, account: str, key: Key) -> Path:
        """Return the file of what one run of an account has invested."""
        folder = self.shares / encoded(account, "account") / encoded(key.strategy, "strategy")
        return folder / f"{encoded(key.symbol, 'symbol')}.json"

    def venue_check(self, exchange: str, mode: str) -> Path:
        """Return the file of what the probes of an exchange found."""
        return self.data / "venues" / f"{encoded(exchange, 'exchange')}-{mode}.json"

    def candles(self, exchange: str, symbol: str, timeframe: str = "1m") -> Path:
        """Return the folder of the candles that were fetched of a symbol."""
        folder = self.data / "candles" / encoded(exchange, "exchange")
        return folder / encoded(symbol, "symbol") / timeframe

    def keys(self, filesystem: Filesystem, *, locks: bool = False) -> Iterator[Key]:
        """List the runs that have a document, a generation before it, or one that was moved aside.

        With `locks` also those that have a lock file and perhaps nothing else yet.

        Raises
        ------
        OSError
            When a folder cannot be read.
        """
        if not filesystem.exists(self.state):
            return
        for folder in filesystem.names(self.state):
            strategy = decoded(folder, "strategy")
            if strategy is None:
                continue
            try:
                names = filesystem.names(self.state / folder)
            except NotADirectoryError:
                continue
            stems = {
                name.split(".json", 1)[0]
                for name in names
                if _is_generation(name) or (locks and name.endswith(".json.lock"))
            }
            for stem in sorted(stems):
                symbol = decoded(stem, "symbol")
                if symbol is not None:
                    yield Key(strategy, symbol)

    def _file(self, kind: str, key: Key, ending: str) -> Path:
        folder, name = encoded(key.strategy, "strategy"), encoded(key.symbol, "symbol")
        return self.root.joinpath("data", kind, folder, f"{name}{ending}")


def find_home(home: str | Path | None = None) -> Home:
    """Return the home: the given folder, else `TRADENB_HOME`, else `./dump`, made absolute.

    No shell has read the variable in a service or a notebook, so `~` is read here.

    Raises
    ------
    UsageError
        When it is no path, or begins with `~` where a folder is called so.
    """
    if not isinstance(home, str | os.PathLike | None):
        raise UsageError(f"home must be a folder such as 'dump', was {shown(home)}")
    given = Path(home or os.environ.get("TRADENB_HOME") or "dump")
    folder = given
    with contextlib.suppress(RuntimeError):  # a folder `~name` where no user is called so
        folder = given.expanduser()
    if folder != given and given.exists():  # what runs hold there must not be forgotten
        raise UsageError(
            f"home {shown(str(given))} means {folder}, but there is a folder {given.absolute()} as "
            "well: move it, or name the one that you mean by its whole path"
        )
    return Home(folder.absolute())


def bak_of(document: Path) -> Path:
    """Return the name of the generation before a document."""
    return document.with_name(f"{document.name}.bak")


def key_of(document: Path) -> Key | None:
    """Return the run that a document's path belongs to, or None if it is none of ours."""
    strategy = decoded(document.parent.name, "strategy")
    symbol = decoded(document.name.removesuffix(".json"), "symbol")
    return None if strategy is None or symbol is None else Key(strategy, symbol)


def _is_generation(name: str) -> bool:
    aside = ".json.corrupt-" in name or ".json.ours-" in name
    return aside or name.endswith((".json", ".json.bak"))
