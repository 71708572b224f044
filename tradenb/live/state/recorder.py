"""`Recorder`: writes down what a run goes through, before it acts on it.

The candles as it sees them, what was asked of it, asks that were left out, with which code and
rules it began: what `tn.parity` needs later, perhaps in another process. It stands beside the
commit and never in its way. Decision 43 in docs/adr.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import compress
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.core.lifecycle.state import Command
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.past_code import PastCode
from tradenb.engine.session.instance import Instance
from tradenb.errors import StateError
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.codec import dump_lines

log = logging.getLogger("tradenb")

_BEGINNINGS: Final[WeakKeyDictionary[Candles, dict[tuple[int, int, int], bytes]]] = (
    WeakKeyDictionary()
)
"""The histories that runs on a symbol begin with, written out once for all of them."""

# Candles that a power loss may cost where nothing happened; with events and commands they are
# synced at once.
_UNSYNCED: Final = 60


class Recorder:
    """Notes for one run.

    Parameters
    ----------
    storage : DiskStorage
        Where the notes go.
    code, exchange, rules, account
        What the run was begun with; the exchange by its name.

    Attributes
    ----------
    in_force : Rules
        Those in force after what was written last; what is open may keep other ones than `rules`.
    earned : float
        What earlier runs had changed the balance of its account by when it began, quote currency.
    """

    def __init__(
        self,
        storage: DiskStorage,
        code: PastCode,
        exchange: str,
        rules: Rules,
        account: Account | None = None,
    ) -> None:
        self._storage = storage
        self._account = account
        self._code = code
        self._spec = code.spec
        self._exchange = exchange
        self._given = self.in_force = rules
        self.earned = 0.0
        self._noted: list[object] = []
        self._first: int | None = None
        self._until = 0
        self._unsynced = 0
        self._failed = False

    def note_commands(self, commands: Iterable[Command]) -> None:
        """Note what the run was asked to do."""
        self._noted += [{"command": asdict(command)} for command in commands]

    def note_withdrawn(self, commands: Iterable[Command]) -> None:
        """Note commands that were taken back before they acted."""
        self._noted += [{"withdrawn": asdict(command)} for command in commands]

    def note_skipped(self, instance: Instance, fresh_from: int, newest: int) -> None:
        """Note which calls of the strategy this tick leaves out, as of `newest` at the latest."""
        cursor = instance.state.cursor
        first = cursor + MINUTE
        last = newest if instance.halted else floor_to(fresh_from - 1)
        if len(instance.candles.dues(cursor, last, instance.state.every)):
            why = "halted" if instance.halted else "late"
            note = {"left_out": [first, last], "why": why}
            if note not in self._noted[-1:]:  # a tick that could not be saved has noted it already
                self._noted.append(note)

    def write(self, seen: Candles, checkpoint: Checkpoint, since: int) -> None:
        """Write down what a run was given up to the cursor that is committed next.

        Parameters
        ----------
        seen : Candles
            All that the run has, and perhaps more.
        checkpoint : Checkpoint
            What is committed next.
        since : int
            Cursor at the beginning of the tick, ms UTC.
        """
        candles = seen.between(checkpoint.history_start, checkpoint.state.cursor)
        try:
            began = candles.start != self._first
            parts = [*self._beginning(checkpoint, seen, candles, since)] if began else []
            fresh = candles.between(since if began else self._until, candles.end)
            parts += [*self._noted, *_missing(candles, fresh.start), _text(_lines(fresh))]
            data = dump_lines(parts)
            if data:
                lines = self._unsynced + data.count(b"\n")
                sync = bool(checkpoint.outbox or self._noted) or lines >= _UNSYNCED
                self._storage.append_recording([data], sync=sync)
                self._unsynced = 0 if sync else lines
        except (OSError, StateError) as error:
            if not self._failed:
                what = f"{checkpoint.state.symbol}:{self._spec.name}"
                log.warning("%s: the recording for tn.parity has a gap: %s", what, error)
            self._failed = True
        else:
            self._noted, self._failed = [], False
            self._first, self._until = candles.start, candles.end
            self.in_force = checkpoint.rules or self._given

    def _beginning(
        self, checkpoint: Checkpoint, seen: Candles, candles: Candles, since: int
    ) -> Iterable[object]:
        """Say with what a run begins, and which candles of its history were not noted like that."""
        account, market = self._account, checkpoint.state.market
        yield {
            "begun": since,
            "start": checkpoint.start,
            "history_start": checkpoint.history_start,
            "exchange": self._exchange,
            "rules": self.in_force.model_dump(mode="json"),
            "given": self._given.model_dump(mode="json"),
            "account": None if account is None else account.model_dump(mode="json"),
            "earned": self.earned,
            "market": None if market is None else asdict(market),
            "code": self._spec.fingerprint,
            "names": self._code.names,
            "python": platform.python_version(),
        }
        history = candles.between(candles.start, since)
        yield from _missing(history, history.start)
        before = [*self._storage.recording(history.start)]
        self._compare_code([line for line in before if "begun" in line][-1:], checkpoint)
        noted = [line for line in before if isinstance(line, list)]
        yield self._unnoted(noted, seen, history, since)

    def _compare_code(self, beginnings: Iterable[Any], checkpoint: Checkpoint) -> None:
        """Say that a run which was started again goes on with other code."""
        names, run = self._code.names, f"{checkpoint.state.symbol}:{self._spec.name}"
        for line in beginnings:
            same = (line.get("start"), line.get("python"))
            was = line.get("names")
            if same != (checkpoint.start, platform.python_version()) or not isinstance(was, dict):
                continue  # another run, or all code has other hashes, or nothing to compare with
            changed = [name for name in {**was, **names} if was.get(name) != names.get(name)]
            if changed or line.get("code") != self._spec.fingerprint:
                log.warning(
                    "%s goes on with other code or values than before (%s): what is open keeps its "
                    "levels, all else is up to the new code",
                    run,
                    ", ".join(sorted(changed)) or "its declaration",
                )

    def _unnoted(self, noted: Sequence[Any], seen: Candles, history: Candles, since: int) -> bytes:
        """Return the lines of those candles of a history that were not noted like that before."""
        if not noted:
            written = _BEGINNINGS.setdefault(seen, {})
            key = history.start, len(history), since
            if key not in written:
                written[key] = _text(_lines(history, f",{since}"))
            return written[key]
        known = np.full((len(history), len(NAMES)), np.nan)
        places = {time: place for place, time in enumerate(history.time.tolist())}
        for row in noted:
            if row[0] in places:
                known[places[row[0]]] = row[1:6]
        changed = [known[:, place] != column for place, column in enumerate(history.columns)]
        lines = _lines(history, f",{since}")
        return _text(compress(lines, np.logical_or.reduce(changed).tolist()))


def _missing(candles: Candles, since: int) -> Iterable[object]:
    """Say which minutes have no candle, from the candle before `since` on."""
    if candles.regular:
        return
    row = max(0, candles.reaching(since + candles.step) - 1)
    times = candles.time[row:]
    places = np.flatnonzero(np.diff(times) > candles.step)
    if len(places):
        begins, ends = times[places] + candles.step, times[places + 1]
        yield {"missing": np.stack([begins, ends], axis=1).tolist()}


def _lines(candles: Candles, more: str = "") -> list[str]:
    """Return candles as lines of JSON: open time, open, high, low, close, volume, and more.

    Made by hand: a run that starts notes a history of thousands, and JSON takes twice as long.
    """
    columns = [column.tolist() for column in candles.columns]
    rows = zip(candles.time.tolist(), *columns, strict=True)
    return [
        f"[{at},{o!r},{high!r},{low!r},{close!r},{volume!r}{more}]\n"
        for at, o, high, low, close, volume in rows
    ]


def _text(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode()
