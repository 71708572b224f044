"""Going on with a run that no process runs: in this kernel, or by the file that ran it last."""

from __future__ import annotations

from pathlib import Path

from tradenb.engine.ports import LiveSource
from tradenb.engine.specs.registry import registry
from tradenb.errors import StateError, UsageError
from tradenb.exchanges.ccxt.ccxt_client import ccxt_names
from tradenb.live.attached_run import AttachedRun
from tradenb.live.candle_sources import live_source
from tradenb.live.live_run import LiveRun
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import active_runs
from tradenb.live.own_process import start_and_wait
from tradenb.live.run_registry import run_registry
from tradenb.live.state.abandoned import recorded_rules
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import THIS_KERNEL, mode_of
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.launch import launch_of
from tradenb.store.ownership import refuse_foreign
from tradenb.store.paths import Home, Key, find_home


def resume_pair(
    symbol: str, strategy: str, home: str | Path | None = None
) -> LiveRun | AttachedRun:
    """Go on with the run of a symbol and strategy; see `resume`."""
    folder, key = find_home(home), Key(strategy, symbol)
    keys = list(folder.keys(DiskFilesystem(durable=False), locks=True))
    if key not in keys:
        known = ", ".join(each.id for each in keys) or "none"
        raise UsageError(f"no run {key.id} under {folder.root}; known: {known}")
    resume(folder, key)
    if run_registry.is_running(symbol, strategy):
        return run_registry.find(symbol, strategy)
    return AttachedRun(folder, key)


def resume(home: Home, key: Key) -> str:
    """Go on with a run and its position; return in words what runs it now.

    Raises
    ------
    StateError
        When a process runs it already, or nothing is known that could start it.
    """
    if mode_of(home.root) == "rehearsal":
        raise StateError(f"{key.id} is a rehearsal; tn.live.rehearse(...) goes on with it")
    refuse_foreign(home)
    run = AttachedRun(home, key)
    if run.status != "idle":
        what = "a process runs it already" if run.status == "running" else "it has ended"
        raise StateError(f"{key.id} is {run.status}: {what}; only an idle run is resumed")
    record = record_here(home, key)
    launch = launch_of(DiskFilesystem(durable=False), home, key)
    # Its file has the money or the broker that its document does not hold whole.
    is_whole_there = launch is not None and _money_of(home, key) != ""
    known = is_known_here(key, RunFiles(home, key).status().exchange)
    if record is not None or (known and not is_whole_there):
        _resume_here(home, key, record)
        return f"goes on in {THIS_KERNEL}"
    if launch is None:
        raise StateError(f"it is not known what starts {key.id}. {_way_on(home, key)}")
    pid = start_and_wait(home, run, launch)
    return f"goes on in process {pid}, which runs {launch.file}"


def record_here(home: Home, key: Key) -> RunRecord | None:
    """Return the run of this process that was released, with its exchange and rules."""
    same = [
        run
        for run in active_runs()
        if (run.strategy, run.symbol) == key and run.storage.home == home.root
    ]
    return max(same, key=lambda run: run.code_at, default=None)


def is_known_here(key: Key, exchange: str) -> bool:
    """Tell whether this process knows its strategy and can reach its exchange by name."""
    if registry.known("strategy", key.strategy) is None:
        return False
    registered = registry.known("exchange", exchange)
    return exchange in ccxt_names() if registered is None else isinstance(registered, LiveSource)


def _resume_here(home: Home, key: Key, record: RunRecord | None) -> None:
    strategy = registry.known("strategy", key.strategy)
    account = broker = None
    if record is not None:
        exchange, rules, broker = record.source, record.rules, record.broker
        account = record.account if broker is None else None
        strategy = strategy or record.spec
    else:
        _refuse_money(home, key)
        exchange = live_source(RunFiles(home, key).status().exchange)
        rules = recorded_rules(DiskFilesystem(durable=False), home, key)
    run_registry.start(
        key.symbol, strategy=strategy, exchange=exchange, rules=rules, account=account,
        broker=broker, home=home.root,
    )  # fmt: skip


def _refuse_money(home: Home, key: Key) -> None:
    """Refuse to guess how large the entries of a run are, and where its orders go."""
    given = _money_of(home, key)
    if not given:
        return
    raise StateError(
        f"{key.id} ran with {given.rstrip('=')}, which its files do not hold whole; start it with "
        f"tn.live.background(..., {given}), which resumes it"
    )


def _money_of(home: Home, key: Key) -> str:
    """Return the argument that said whose money a run has; "" where it has none."""
    found = read_document(DiskFilesystem(durable=False), home.document(key))
    body = {} if found is None else found.body
    if body.get("account", "paper") != "paper":
        return "broker="
    return "" if body.get("money") is None else "account="


def _way_on(home: Home, key: Key) -> str:
    return RunFiles(home, key).status().way_on
