"""The files that people and tools look at, made from the documents and never read as truth.

Each carries the number of the document it was made from; later ones that show the same leave it as
it is. They are written after a commit without waiting for the drive, and compared with the document
when a run starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tradenb.errors import StateWriteError
from tradenb.store.codec import Generation
from tradenb.store.filesystem import Filesystem, replace_whole
from tradenb.store.paths import Home, View

_LIMIT: Final = 1 << 22
_RECENT: Final = 100
_STEP: Final = 10
# Where `_text` writes it.
_NUMBER: Final = re.compile(rb'\A\{\n  "seq": [0-9]+')


def run_views(paths: Mapping[View, Path], generation: Generation) -> dict[Path, bytes]:
    """Return what the three views of a run hold.

    Parameters
    ----------
    paths : mapping of {"signal", "schedule", "partial"} to Path
        `Home.views(key)`.
    generation : Generation
        As committed, or as loaded.

    Returns
    -------
    dict of Path to bytes
        An open signal is in signal/, a scheduled one in schedule/, the milestones of an open one in
        partial/; what there is none of is an empty object with the number.
    """
    state = generation.body["state"]
    signal = state["signal"]
    opened = {} if signal is None else {**signal, "opened_at": state["opened_at"]}
    shown = {
        paths["signal"]: opened,
        paths["schedule"]: state["scheduled"] or {},
        paths["partial"]: {} if signal is None else _partial(state),
    }
    return {path: _text({"seq": generation.seq, **view}) for path, view in shown.items()}


def risk_view(home: Home, rule: str, generations: Iterable[Generation]) -> dict[Path, bytes]:
    """Return what the view of a risk rule holds.

    Parameters
    ----------
    generations : iterable of Generation
        Of all runs under this home; those that do not name the rule are left out.

    Returns
    -------
    dict of Path to bytes
        One file: the number of each document, the signals held, the last 100 trades.
    """
    members = [item for item in generations if rule in item.body["risk"]]
    members.sort(key=lambda item: (item.body["order"], _name(item.body)))
    trades = [trade for item in members for trade in item.body["state"]["trades"][-_RECENT:]]
    trades.sort(key=lambda trade: int(trade["closed_at"]))
    view = {
        "seq": {_name(item.body): item.seq for item in members},
        "rule": rule,
        "signals": [held for item in members for held in _held(item.body["state"])],
        "trades": trades[-_RECENT:],
    }
    return {home.risk_view(rule): _text(view)}


def write_views(filesystem: Filesystem, views: Mapping[Path, bytes]) -> None:
    """Write views; readers see the old one or the new one.

    Raises
    ------
    StateWriteError
        When any could not be written, naming each; the others are.
    """
    failed = []
    for path, data in views.items():
        try:
            replace_whole(filesystem, path, data)
        except OSError as error:
            failed.append(f"{path} ({error.strerror or error})")
    if failed:
        raise StateWriteError(f"views could not be written: {', '.join(failed)}")


def behind(filesystem: Filesystem, views: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """Return the views that are missing, damaged or show something else, to be written."""
    return {
        path: data
        for path, data in views.items()
        if _unnumbered(_content(filesystem, path)) != _unnumbered(data)
    }


def _partial(state: Mapping[str, Any]) -> dict[str, Any]:
    gained, lost = state["milestones"]["gained"], state["milestones"]["lost"]
    levels = [*range(_STEP, gained + 1, _STEP), *(-n for n in range(_STEP, lost + 1, _STEP))]
    return {"signal_id": state["signal"]["id"], "gained": gained, "lost": lost, "levels": levels}


def _held(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    if state["signal"] is not None:
        return [{**state["signal"], "state": "open", "opened_at": state["opened_at"]}]
    if state["scheduled"] is not None:
        return [{**state["scheduled"], "state": "scheduled", "opened_at": None}]
    return []


def _name(body: Mapping[str, Any]) -> str:
    return f"{body['symbol']}:{body['strategy']}"


def _text(view: object) -> bytes:
    text = json.dumps(view, ensure_ascii=False, allow_nan=False, indent=2)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _unnumbered(view: bytes | None) -> bytes | None:
    """Return a view without the number of its document."""
    return None if view is None else _NUMBER.sub(b"", view, count=1)


def _content(filesystem: Filesystem, path: Path) -> bytes | None:
    try:
        return filesystem.read(path, limit=_LIMIT)
    except OSError:
        return None
