"""`tn.live.list`: the runs of this process and every document under a home, as a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import iso
from tradenb.engine.serialise import from_record
from tradenb.engine.specs.registry import registry
from tradenb.errors import StateError
from tradenb.live.status.run_status import LOOKED_AT, last_error_of, mode_of
from tradenb.store.document.read import read_document
from tradenb.store.document.state_conflict import words_if_undecided
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key, find_home
from tradenb.view.formatting import price

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.live.loop.record import RunRecord, Status

COLUMNS: Final = (
    "id",
    "mode",
    "symbol",
    "strategy",
    "status",
    "stopping",
    "stale",
    "state",
    "last_tick",
    "saved",
    "last_error",
)


def listing(runs: Sequence[RunRecord], home: str | Path | None) -> pd.DataFrame:
    """Return one row a run, those of this process first."""
    import pandas as pd

    frame = pd.DataFrame(rows_of(runs, find_home(home)), columns=list(COLUMNS))
    times = pd.to_datetime(frame["last_tick"].astype("Int64"), unit="ms", utc=True)
    frame["last_tick"] = times.astype("datetime64[ms, UTC]")
    return frame.astype({"stopping": "bool", "stale": "bool", "saved": "bool"})


def rows_of(runs: Sequence[RunRecord], home: Home) -> list[dict[str, Any]]:
    """Return the same as plain rows, `last_tick` in ms UTC."""
    rows = [_row_of_run(run) for run in runs]
    known = {(run.id, run.shelf.home) for run in runs}
    return rows + [
        row
        for each in (home, home.rehearsal)
        for row in _rows_on_disk(each)
        if (row["id"], each.root) not in known
    ]


def _row_of_run(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "mode": mode_of(run.shelf.home),
        "symbol": run.symbol,
        "strategy": run.strategy,
        "status": run.status,
        "stopping": run.stopping,
        "stale": is_stale(run),
        "state": run.describe(),
        "last_tick": run.history[-1].wall if run.history else None,
        "saved": run.saved,
        "last_error": last_error_of(run),
    }


def is_stale(run: RunRecord) -> bool:
    """Tell whether the strategy was registered again with other code since the run started."""
    current = registry.known("strategy", run.strategy)
    return current is not None and current.fingerprint != run.spec.fingerprint


def _rows_on_disk(home: Home) -> Iterator[dict[str, Any]]:
    disk = DiskFilesystem()
    for key in home.keys(disk, locks=True):
        row = _row_of_document(disk, home, key)
        if row["state"] is not None or row["last_error"] or row["status"] == "running":
            yield row  # the others have ended without ever having saved anything


def _row_of_document(disk: DiskFilesystem, home: Home, key: Key) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"id": f"{key.symbol}:{key.strategy}", "mode": mode_of(home.root)}
    row |= {"symbol": key.symbol, "strategy": key.strategy}
    row |= {"status": "idle", "stopping": False, "stale": False, "saved": True}
    try:
        found = read_document(disk, home.document(key))
    except StateError as error:
        return row | {"last_error": str(error)}
    locked = is_locked(disk, home.lock(key))
    undecided = words_if_undecided(disk, home.document(key))
    if found is None:
        row |= {"saved": not undecided, "last_error": undecided or None}
        return row | {"status": "running" if locked else "idle"}
    body = found.body
    state = from_record(body["state"])
    row |= {"stopping": state.stopping and not state.done, "last_tick": body["saved_at"]}
    row |= {"status": status_of(has_ended(body), locked=locked), "state": holding(state)}
    if undecided:
        return row | {"saved": False, "last_error": undecided}
    return row | {"last_error": _last_error(disk, home, key, since=body["start"])}


def has_ended(body: Mapping[str, Any] | None) -> bool:
    """Tell from a document whether its run was ended by a stop, or rehearsed to its end."""
    if not body:
        return False
    state, end = body["state"], body.get("end")
    return bool(state["done"]) or (end is not None and state["cursor"] >= end)


def status_of(ended: bool, *, locked: bool) -> Status:
    """Say how a run on disk stands."""
    if locked:
        return "running"
    return "done" if ended else "idle"


def _last_error(disk: DiskFilesystem, home: Home, key: Key, *, since: int) -> str | None:
    """Return the last error in the journal since a run began, with its time."""
    try:
        rows = Journal(disk, home.journal(key)).tail(LOOKED_AT)
    except OSError:
        return None  # said by the doctor
    errors = [row for row in rows if row["kind"] == "error" and row["at"] >= since]
    return f"{iso(errors[-1]['at'])} {errors[-1]['note']}" if errors else None


def holding(state: State) -> str:
    """Say in a line what a state holds."""
    signal = state.signal
    if signal is None:
        return "nothing open"
    what = "open" if state.is_open else "scheduled"
    return f"{signal.position} {what} at {price(signal.entry)}"


def is_locked(disk: DiskFilesystem, path: Path) -> bool:
    """Tell whether somebody holds a lock, by asking for it and giving it back."""
    if not disk.exists(path):
        return False
    try:
        disk.unlock(disk.lock(path))
    except BlockingIOError:
        return True
    return False
