"""`tn.live.rehearse`: the real loop and files over recorded candles, on a stepped clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tradenb.brokers.arming.arm_file import write_arm
from tradenb.brokers.broker import Broker
from tradenb.bus import bus
from tradenb.call_errors import explained
from tradenb.core.lifecycle.state import State
from tradenb.core.money.account import Account, check_account
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import TimeLike, iso
from tradenb.engine.arguments import period_of
from tradenb.engine.ports import CandleRequest, CandleSource, Loaded
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import AlreadyRunning, CandleError, UsageError
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.live.candle_sources import check_candles
from tradenb.live.live_run import LiveRun, handle_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Supervisor, active_runs, start_run
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.state.account_agreement import account_of
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import PAPER, DiskStorage
from tradenb.live.stepped_clock import RecordedSource, SteppedClock
from tradenb.store.paths import Home, find_home

END_S: Final = 10.0


@explained("tn.live.rehearse")
def rehearse(
    symbol: str,
    *,
    strategy: StrategySpec | str,
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    speed: float | None = 600,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
) -> LiveRun:
    """Live through recorded candles with the real loop and real files; return at once.

    The next tick begins when the commit of the one before it is done; `speed` only adds waiting.
    A rehearsal that was interrupted goes on where it was; a finished one, and one with orders, is
    begun anew.

    Parameters
    ----------
    symbol : str
    strategy : StrategySpec or str
    exchange : exchange or str
        One that has recorded candles.
    start, end : int, str, datetime or Timestamp, optional
        The period; default all there is.
    speed : float or None, default 600
        Seconds of candles in one second; None: no waiting at all.
    rules : Rules, optional
        What is open keeps the rules that it was opened with until it ends.
    account : Account, optional
        The money of the rehearsal and how large its entries are; it shares it with no other run.
    broker : Broker, optional
        `tn.testing.broker(...)`: real orders on an exchange in memory that follows the candles,
        with faults. Of a paper broker its account counts.
    home : path, optional
        The state is under `rehearsal` in it, apart from that of live runs.

    Returns
    -------
    LiveRun
        `run.wait()` waits for its end.

    Raises
    ------
    UsageError, CandleError
        As `tn.backtest.run`.
    AlreadyRunning
        When it goes on in this process already with other code, another exchange, other rules or
        another start. Otherwise the same object is returned.
    StateLocked
        When another process rehearses the same pair.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("rehearsed", every="1h")
    ... def rehearsed(ctx):
    ...     return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1))
    >>> broker = tn.testing.broker(account=tn.Account(cash=1_000, quote=200), faults="lost_answers")
    >>> run = rehearse(
    ...     "BTCUSDT",
    ...     strategy=rehearsed,
    ...     exchange=tn.testing.random_walk(seed=3, days=1),
    ...     end="2024-01-01T02:00",
    ...     broker=broker,
    ...     speed=None,
    ...     home=tempfile.mkdtemp(),
    ... )
    >>> run.wait(60)
    True
    >>> {*run.orders().role} == {"entry", "protection"}
    True
    """
    _check_speed(speed)
    name = canonical(symbol)
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    settings = checked_rules(rules)
    exchange = resolve_candle_source(exchange)
    check_candles(exchange, settings)
    first, last, loaded = _period(name, spec, exchange, start, end, settings)
    if broker is not None:
        broker = broker.for_rehearsal(name, spec.name, loaded.candles)
        account = account_of(broker, account)
    if account is not None:
        check_account(account, settings)
    files = find_home(home).rehearsal
    running = _running(name, spec, files)
    if running is not None:
        _check_same(running, spec, exchange, settings, first, account, broker)
        return handle_of(running)
    storage, checkpoint = _storage_of(files, name, spec, exchange, first, last, account, broker)
    clock = SteppedClock(checkpoint.state.cursor, speed)
    storage.now = clock.now
    source = RecordedSource(exchange, clock)
    history = spec.history_ms
    period = CandleRequest(symbol=name, start=first, end=last, history=history, rules=settings)
    source.record(period, loaded)
    for other in spec.symbols:
        source.of(other)
    supervisor = Supervisor(clock, ThreadWorkers(), bus, end=last)
    run = RunRecord(name, spec, source, settings, storage, clock, supervisor.wake, account, broker)
    run.checkpoint = checkpoint
    if broker is not None and broker.permission is not None:
        write_arm(storage.filesystem, files, broker.permission)
    run.note = _not_shared(run)
    start_run(supervisor, run)
    return handle_of(run)


def _storage_of(
    files: Home,
    name: str,
    spec: StrategySpec,
    exchange: Any,
    first: int,
    last: int,
    account: Account | None,
    broker: Broker | None,
) -> tuple[DiskStorage, Checkpoint]:
    """Return what was kept of an unfinished rehearsal of the same period, else a new beginning."""
    storage = DiskStorage(
        files,
        name,
        spec,
        exchange.name,
        revision=registry.revision("strategy", spec.name),
        now=lambda: 0,
        durable=False,
        alone=True,
        end=last,
        account=account,
        orders_of=PAPER if broker is None else broker.id,
    )
    checkpoint = storage.open()
    # An exchange in memory is gone with its process, and the orders of the ledger with it.
    kept = storage.orders_of == PAPER and checkpoint is not None and checkpoint.orders_of == PAPER
    if kept and checkpoint is not None and checkpoint.start == first:
        state = checkpoint.state
        if state.cursor < last and not state.done:
            return storage, checkpoint
    storage.start_over()
    state = State(symbol=name, strategy=spec.name, every=spec.every_ms, cursor=first)
    return storage, Checkpoint(state, "{}", 0, first, 0, (), 0)


def _check_speed(speed: object) -> None:
    if speed is not None and not (isinstance(speed, int | float) and speed > 0):
        raise UsageError(f"speed must be a number above 0, or None for no waiting, was {speed!r}")


def _running(name: str, spec: StrategySpec, files: Home) -> RunRecord | None:
    """Return the rehearsal of a pair that goes on in this process."""
    for run in active_runs():
        same = (run.symbol, run.strategy, run.storage.home) == (name, spec.name, files.root)
        if same and run.ending:
            handle_of(run).wait(END_S)
        if same and run.status == "running":
            return run
    return None


def _not_shared(run: RunRecord) -> str:
    """Say that an account is not shared with the other rehearsals that name it."""
    if run.account is None:
        return ""
    others = [
        other.id
        for other in active_runs()
        if other.status == "running" and other.storage.home == run.storage.home
        if other.account is not None and other.account.name == run.account.name
    ]
    if not others:
        return ""
    return (
        f"each rehearsal has a time of its own, so that account {run.account.name!r} is not shared "
        f"with {', '.join(others[:5])}; to see runs share it, pass them to one tn.backtest.run"
    )


def _check_same(
    run: RunRecord,
    spec: StrategySpec,
    exchange: Any,
    rules: Rules,
    first: int,
    account: Account | None,
    broker: Broker | None,
) -> None:
    """Refuse to return a rehearsal that is not what was asked for."""
    origin = run.source.origin if isinstance(run.source, RecordedSource) else None
    differences = {
        "other code": run.spec.fingerprint != spec.fingerprint,
        "another exchange": origin is not exchange,
        "other rules": run.rules != rules,
        "another broker": run.broker != broker,
        "another account": run.account != account,
        "another start": run.checkpoint is not None and run.checkpoint.start != first,
    }
    other = [name for name, differs in differences.items() if differs]
    if other:
        what = " and ".join(other)
        raise AlreadyRunning(
            f"{run.id} is being rehearsed in this process with {what}; end that with run.stop() or "
            "run.release() first"
        )


def _period(
    name: str, spec: StrategySpec, exchange: CandleSource, start: Any, end: Any, rules: Rules
) -> tuple[int, int, Loaded]:
    """Load the candles, and cut the period to what there is."""
    first, last = period_of(start, end)
    loaded = exchange.load(
        CandleRequest(symbol=name, start=first, end=last, history=spec.history_ms, rules=rules)
    )
    candles = loaded.candles
    begin = candles.start if first is None else max(candles.start, first)
    finish = candles.end if last is None else min(candles.end, last)
    if begin >= finish:
        there = f"{iso(candles.start)} to {iso(candles.end)}"
        raise CandleError(f"{name}: no candles to rehearse; there are {there}", code="range")
    return begin, finish, loaded
