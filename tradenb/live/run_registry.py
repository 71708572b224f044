"""The live runs of this process: one per symbol and strategy, and the supervisor that runs them."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.brokers.broker_file import record_broker, with_known_key
from tradenb.bus import bus
from tradenb.clock import SystemClock
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import iso
from tradenb.engine.ports import LiveSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import AlreadyRunning, StateError, UsageError
from tradenb.live.candle_sources import check_candles, live_source
from tradenb.live.live_run import LiveRun, handle_of, record_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Supervisor, start_run
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.state.account_agreement import (
    account_of,
    check_agrees,
    check_alone,
    check_live_account,
    check_orders_of,
)
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import PAPER, DiskStorage
from tradenb.live.status.status_of_run import status_of_run
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.home_check import GOOD, check_home
from tradenb.store.paths import Home, find_home

log = logging.getLogger("tradenb")

END_S: Final = 10.0


class _Wanted(NamedTuple):
    """What a run is to be started with, checked."""

    symbol: str
    spec: StrategySpec
    source: LiveSource
    rules: Rules
    account: Account | None
    broker: Broker | None
    home: Home


class RunRegistry:
    """Starts runs and remembers them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._supervisor: Supervisor | None = None
        self._checked: set[Home] = set()
        self._runs: dict[tuple[str, str], LiveRun] = {}

    def start(
        self,
        symbol: str,
        *,
        strategy: object,
        exchange: object,
        rules: Rules | None,
        home: str | Path | None,
        account: Account | None = None,
        broker: Broker | None = None,
    ) -> tuple[LiveRun, bool]:
        """Start a run, or return the one that is running; with it, whether this call started it."""
        wanted = _wanted(symbol, strategy, exchange, rules, home, account, broker)
        with self._lock:
            running = self._runs.get((wanted.symbol, wanted.spec.name))
            if running is not None and record_of(running).ending:
                _wait_for_end(running)
            if running is not None and running.status == "running":
                _check_same(record_of(running), wanted, None if home is None else wanted.home.root)
                _say_old_code(running)
                return running, False
            supervisor = self._started_supervisor()
            self._check(wanted.home)
            run = self._new_run(wanted, supervisor)
            handle = self._runs[wanted.symbol, wanted.spec.name] = handle_of(run)
            start_run(supervisor, run)
        return handle, True

    def _new_run(self, wanted: _Wanted, supervisor: Supervisor) -> RunRecord:
        """Make the record of a run, and open its files."""
        symbol, spec, source, rules, account, broker, home = wanted
        storage = DiskStorage(
            home,
            symbol,
            spec,
            source.name,
            revision=registry.revision("strategy", spec.name),
            now=supervisor.clock.now,
            account=account,
            orders_of=PAPER if broker is None else broker.id,
        )
        run = RunRecord(
            symbol, spec, source, rules, storage, supervisor.clock, supervisor.wake, account, broker
        )
        self._open(run)
        return run

    def _open(self, run: RunRecord) -> None:
        """Open the files of a run, which may not be in the way of another one, and give it a place.

        Raises
        ------
        UsageError, StateError
            The files are closed again then.
        """
        storage, others = run.storage, [record_of(each) for each in self._runs.values()]
        run.checkpoint = storage.open()
        try:
            check_orders_of(run.checkpoint, storage.orders_of)
            check_alone(storage, run.symbol, others)
            if run.account is not None:
                check_agrees(run.account, storage, (run.symbol, run.strategy))
            if run.broker is not None:
                record_broker(storage.filesystem, storage.files, run.broker)
        except (UsageError, StateError):
            storage.close()
            raise
        last = max((other.place for other in others), default=-1)
        run.place = last + 1 if run.checkpoint is None else run.checkpoint.place
        run.note = _stopped_before(run.checkpoint)
        for words in (run.note, *old_rules(run.strategy, run.spec.risk)):
            if words:
                log.warning("%s: %s", run.id, words)

    def find(self, symbol: str, strategy: object) -> LiveRun:
        """Return the run of a symbol and strategy, or raise UsageError if this process has none."""
        wanted = _pair(symbol, strategy)
        for run in self.runs():
            if (run.symbol, run.strategy) == wanted:
                return run
        known = sorted(run.id for run in self.runs())
        raise UsageError(
            f"no live run {wanted[0]}:{wanted[1]} in this process; it has {known or 'none'}. "
            "tn.live.attach() finds the runs of other processes"
        )

    def is_running(self, symbol: str, strategy: object) -> bool:
        """Tell whether this process runs a symbol and strategy now."""
        wanted = _pair(symbol, strategy)
        return any(
            run.status == "running" and (run.symbol, run.strategy) == wanted for run in self.runs()
        )

    def runs(self) -> list[LiveRun]:
        """Return the runs of this process, in the order of first start."""
        with self._lock:
            return list(self._runs.values())

    def _check(self, home: Home) -> None:
        """Look at every file of a home when its first run starts, and say in the log what is."""
        if home in self._checked:
            return
        self._checked.add(home)
        for finding in check_home(DiskFilesystem(), home):
            heals = finding.verdict in GOOD or finding.verdict == "stale"
            level = logging.INFO if heals else logging.WARNING
            log.log(level, "%s: %s, %s", finding.path, finding.verdict, finding.words)

    def _started_supervisor(self) -> Supervisor:
        if self._supervisor is None:
            self._supervisor = Supervisor(SystemClock(), ThreadWorkers(), bus)
        return self._supervisor


def _wanted(
    symbol: str,
    strategy: object,
    exchange: object,
    rules: Rules | None,
    home: str | Path | None,
    account: Account | None,
    broker: Broker | None,
) -> _Wanted:
    """Find what was named, and refuse what a live run cannot be started with."""
    folder = find_home(home)
    if broker is not None:
        broker = with_known_key(DiskFilesystem(), folder, broker)
    account = account_of(broker, account)
    name = canonical(symbol)
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    source = live_source(exchange)
    settings = checked_rules(rules)
    check_candles(source, settings)
    if account is not None:
        check_live_account(account, settings)
    return _Wanted(name, spec, source, settings, account, broker, folder)


def _pair(symbol: str, strategy: object) -> tuple[str, object]:
    return canonical(symbol), strategy.name if isinstance(strategy, StrategySpec) else strategy


def _say_old_code(running: LiveRun) -> None:
    """Say in the cell that the run goes on with the code that it was started with."""
    words = status_of_run(record_of(running)).old_code
    if words:
        log.warning("%s %s", running.id, words)


def _stopped_before(checkpoint: Checkpoint | None) -> str:
    """Say what a stop means for a run that is started again, if there was one."""
    if checkpoint is None:
        return ""
    state = checkpoint.state
    if state.done:
        return f"a new run: the one before it was stopped and ended at {iso(state.cursor)} UTC"
    if not (state.stopping or any(command.kind == "stop" for command in state.commands)):
        return ""
    return (
        "it was asked to stop before and goes on stopping: no new signals, and it ends with its "
        "position; start it again after that for a new run"
    )


def _wait_for_end(run: LiveRun) -> None:
    """Wait for the last commit of a run that was left or stopped, so that it can begin again."""
    if not run.wait(END_S):
        raise AlreadyRunning(f"{run.id} is still ending after {END_S:g} s; try again")


def _check_same(run: RunRecord, wanted: _Wanted, home: Path | None) -> None:
    """Refuse to return a run that is not what was asked for; no home means the one it has."""
    rules = wanted.rules
    differences = []
    if wanted.source is not run.source:
        differences.append(f"another exchange (runs on {run.source.name!r})")
    if rules != run.rules:
        changed = [k for k, v in run.rules.model_dump().items() if getattr(rules, k) != v]
        differences.append(f"other rules ({', '.join(changed)})")
    if wanted.broker != run.broker:
        differences.append("another broker")
    elif wanted.account != run.account:
        differences.append("another account")
    if home is not None and home != run.storage.home:
        differences.append(f"another home (runs under {run.storage.home})")
    if differences:
        raise AlreadyRunning(
            f"{run.id} already runs with {' and '.join(differences)}; stop or release it first"
        )


run_registry: RunRegistry = globals().get("run_registry") or RunRegistry()
"""The runs of this process; a reload of this module keeps them."""
