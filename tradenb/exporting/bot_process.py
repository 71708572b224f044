"""`tn.live.background(..., process=True)`: an exported script in a process of its own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from tradenb.brokers.broker import Broker
from tradenb.clock import wall_ms
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateLocked
from tradenb.exporting.api import export
from tradenb.live.attached_run import AttachedRun
from tradenb.live.candle_sources import live_source
from tradenb.live.own_process import holder_pid, script_of, start_and_wait, started_pid
from tradenb.live.status.run_files import RunFiles
from tradenb.store.launch import Launch
from tradenb.store.paths import Home, Key, find_home

log = logging.getLogger("tradenb")

_RUN: Final = ["-I"]  # as it was verified: nothing beside the notebook is found


def start_process(
    symbol: str,
    *,
    strategy: Any,
    exchange: Any,
    rules: Rules | None,
    account: Account | None,
    broker: Broker | None,
    home: str | Path | None,
    take_over: bool,
) -> AttachedRun:
    """Export a strategy, verify it, and start the script; the parameters are `background`'s."""
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    place = find_home(home)
    key = Key(spec.name, canonical(symbol))
    run = AttachedRun(place, key)
    if run.status == "running" and not take_over:
        if holder_pid(place, run) != started_pid(place, key):
            raise StateLocked(
                f"{run!r}; release it first, or take it over: tn.live.background(..., "
                "process=True, take_over=True)"
            )
        old_code = RunFiles(place, key).status().old_code
        if old_code:
            log.warning("%s %s", run.id, old_code)
        return run
    for words in old_rules(spec.name, spec.risk):
        log.warning("%s: %s", run.id, words)
    source = live_source(exchange)
    script = script_of(place, key)
    export(
        script,
        spec,
        symbol=run.symbol,
        exchange=source,
        rules=rules,
        account=account,
        broker=broker,
        home=place.root,
    )
    launch = _launch(script, place, spec)
    start_and_wait(place, run, launch, ["--take-over"] if take_over else [])
    return run


def _launch(script: Path, home: Home, spec: StrategySpec) -> Launch:
    return Launch(
        file=str(script),
        command=(*_RUN, str(script), "--json", "--home", str(home.root)),
        folder=str(home.root),
        at=wall_ms(),
        code=spec.fingerprint,
    )
