"""`tn.live.background(..., process=True)`: a run in a process of its own, from an exported script.

The process has a session of its own: it outlives the kernel, its restarts, and cells that hold
everything up. Script, log and process id are under `{home}/scripts`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, StateLocked
from tradenb.exporting.api import export
from tradenb.live.attached_run import AttachedRun
from tradenb.live.run_registry import live_source
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key, find_home

_RUN: Final = ["-I"]  # as it was verified: nothing beside the notebook is found
_START_S: Final = 60.0
_POLL_S: Final = 0.05
_SHOWN: Final = 2_000
_STARTED: Final[list[subprocess.Popen[bytes]]] = []


def start_process(
    symbol: str,
    *,
    strategy: Any,
    exchange: Any,
    rules: Rules | None,
    home: str | Path | None,
    take_over: bool,
) -> AttachedRun:
    """Export a strategy, verify it, and start the script; the parameters are `background`'s."""
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    place = find_home(home)
    run = AttachedRun(place, Key(spec.name, canonical(symbol)))
    script = _script(place, Key(run.strategy, run.symbol))
    if run.status == "running" and not take_over:
        if _holder(place, run) != _noted(script):
            raise StateLocked(
                f"{run!r}; release it first, or take it over: tn.live.background(..., "
                "process=True, take_over=True)"
            )
        return run
    source = live_source(exchange)
    export(script, spec, symbol=run.symbol, exchange=source, rules=rules, home=place.root)
    process = _spawned(script, place, ["--take-over"] if take_over else [])
    script.with_suffix(".pid").write_text(f"{process.pid}\n", encoding="ascii")
    _wait_until_it_runs(process, script, place, run)
    return run


def _script(home: Home, key: Key) -> Path:
    document = home.document(key)
    return home.root / "scripts" / document.parent.name / f"{document.stem}.py"


def _spawned(script: Path, home: Home, more: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, *_RUN, str(script), "--json", "--home", str(home.root), *more]
    with script.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - the script was made and verified just now
            command,
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _STARTED.append(process)  # kept: it is reaped when the next one starts, and never waited for
    return process


def _wait_until_it_runs(
    process: subprocess.Popen[bytes], script: Path, home: Home, run: AttachedRun
) -> None:
    deadline = time.monotonic() + _START_S
    while _holder(home, run) != process.pid:
        code = process.poll()
        if code is not None or time.monotonic() >= deadline:
            how = "does not run yet" if code is None else f"ended with exit code {code}"
            log = script.with_suffix(".log")
            words = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip()
            error = StateLocked if code == 3 else StateError
            raise error(f"the process of {run.id} {how}; its log {log} ends with: {words}")
        time.sleep(_POLL_S)


def _holder(home: Home, run: AttachedRun) -> int | None:
    """Return the process that runs a pair, if one does."""
    if run.status != "running":
        return None
    return holder_of(DiskFilesystem(), home.lock(Key(run.strategy, run.symbol))).pid


def _noted(script: Path) -> int | None:
    """Return the id of the process that was started last."""
    try:
        return int(script.with_suffix(".pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
