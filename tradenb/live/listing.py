"""`tn.live.list`: the runs of this process and every document under a home, as a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.core.state import State
from tradenb.engine.record import from_record
from tradenb.engine.registry import registry
from tradenb.errors import StateError
from tradenb.live.run import LiveRun
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import REHEARSAL, Home, Key, find_home
from tradenb.store.reading import read_document
from tradenb.view.words import price

if TYPE_CHECKING:
    import pandas as pd

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


def listing(runs: Sequence[LiveRun], home: str | Path | None) -> pd.DataFrame:
    """Return one row a run, those of this process first."""
    import pandas as pd

    frame = pd.DataFrame(rows_of(runs, find_home(home)), columns=list(COLUMNS))
    times = pd.to_datetime(frame["last_tick"].astype("Int64"), unit="ms", utc=True)
    frame["last_tick"] = times.astype("datetime64[ms, UTC]")
    return frame.astype({"stopping": "bool", "stale": "bool", "saved": "bool"})


def rows_of(runs: Sequence[LiveRun], home: Home) -> list[dict[str, Any]]:
    """Return the same as plain rows, `last_tick` in ms UTC."""
    rows = [_row_of_run(run) for run in runs]
    known = {(run.id, run.shelf.home) for run in runs}
    return rows + [
        row
        for each in (home, home.rehearsal)
        for row in _rows_on_disk(each)
        if (row["id"], each.root) not in known
    ]


def _row_of_run(run: LiveRun) -> dict[str, Any]:
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
        "last_error": None if run.error is None else str(run.error),
    }


def is_stale(run: LiveRun) -> bool:
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
    if found is None:
        return row | {"status": "running" if locked else "idle"}
    body = found.body
    state = from_record(body["state"])
    row |= {"stopping": state.stopping and not state.done, "last_tick": body["saved_at"]}
    if locked:
        row["status"] = "running"
    elif state.done:
        row["status"] = "done"
    row["state"] = holding(state)
    return row


def holding(state: State) -> str:
    """Say in a line what a state holds."""
    signal = state.signal
    if signal is None:
        return "nothing open"
    what = "scheduled" if state.opened_at is None else "open"
    return f"{signal.position} {what} at {price(signal.entry)}"


def mode_of(root: Path) -> str:
    """Tell what a run is by the folder of its state: live or rehearsal."""
    return "rehearsal" if root.name == REHEARSAL else "live"


def is_locked(disk: DiskFilesystem, path: Path) -> bool:
    """Tell whether somebody holds a lock, by asking for it and giving it back."""
    if not disk.exists(path):
        return False
    try:
        disk.unlock(disk.lock(path))
    except BlockingIOError:
        return True
    return False
