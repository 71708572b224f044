"""Handing a run over from one process to another, without opening or closing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tradenb.clock import wall_ms
from tradenb.core.symbol import canonical
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateLocked
from tradenb.live.attached_run import AttachedRun
from tradenb.store.control import Request, requests_in, send
from tradenb.store.filesystem import DiskFilesystem, forget
from tradenb.store.ownership import refuse_foreign
from tradenb.store.paths import Home, Key, find_home

HANDOVER_S: Final = 30.0


def take_over(
    symbol: str, strategy: Any, home: str | Path | None, *, seconds: float = HANDOVER_S
) -> bool:
    """Ask the process that runs a pair to release it, and wait until it is free.

    False if no process ran it. One that hangs, or does not read requests, is a StateLocked error,
    and goes on with the run when it can.
    """
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    place, key, disk = find_home(home), Key(spec.name, canonical(symbol)), DiskFilesystem()
    held = AttachedRun(place, key)
    if held.status != "running":
        return False
    refuse_foreign(place)
    asked = send(disk, place, key, "release", wall=wall_ms())
    if held.wait(seconds):
        return True
    # Else the holder would release later, when nobody waits to go on.
    _take_back(disk, place, key, asked)
    if held.wait(0):
        return True
    raise StateLocked(
        f"{held.id} was not released within {seconds:g} s ({held!r}), and is asked to no longer; "
        "end that process, its position stays on disk"
    )


def _take_back(disk: DiskFilesystem, home: Home, key: Key, asked: Request) -> None:
    folder = home.control(key)
    for name in requests_in(disk, folder):
        if name.endswith(f"-{asked.id}.json"):
            forget(disk, folder / name)
