"""Handing a run over from one process to another, without opening or closing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tradenb.core.symbol import canonical
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, StateLocked
from tradenb.live.attached_run import AttachedRun
from tradenb.store.paths import Key, find_home

HANDOVER_S: Final = 30.0


def take_over(
    symbol: str, strategy: Any, home: str | Path | None, *, seconds: float = HANDOVER_S
) -> bool:
    """Ask the process that runs a pair to release it, and wait until it is free.

    False if no process ran it. One that hangs, or does not read requests, is a StateLocked error.
    """
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    held = AttachedRun(find_home(home), Key(spec.name, canonical(symbol)))
    try:
        held.release()
    except StateError:
        if held.status == "running":
            raise
        return False
    if not held.wait(seconds):
        raise StateLocked(
            f"{held.id} was not released within {seconds:g} s ({held!r}); end that process, its "
            "position stays on disk"
        )
    return True
