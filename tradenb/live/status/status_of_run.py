"""How a run of this process is; reads memory only. `RunFiles.status` does the same from files."""

from __future__ import annotations

import traceback
from itertools import islice
from typing import Final

from tradenb.brokers.status.order_status import OrderStatus, order_status
from tradenb.engine.specs.registry import registry
from tradenb.live.arrival.candle_warnings import closed_until, none_warning
from tradenb.live.loop.record import RunRecord
from tradenb.live.state.error_file import words_of
from tradenb.live.status.pending_commands import PendingCommand, pending
from tradenb.live.status.run_money import run_money
from tradenb.live.status.run_status import THIS_KERNEL, RunStatus, mode_of

LATEST_TICKS: Final = 60


def status_of_run(run: RunRecord) -> RunStatus:
    """Return how a run of this process is; reads memory only."""
    mode = mode_of(run.storage.home)
    ticks = len(run.last_ticks)
    latest = list(islice(run.last_ticks, max(0, ticks - LATEST_TICKS), None))
    error = "" if run.error is None else words_of(run.error)
    # The first tick comes whenever the run was started: that says nothing of the next ones.
    regular = latest[1:] if ticks == len(latest) else latest
    late = ((tick.wall - tick.at) / 1000 for tick in regular if tick.candles == 1)
    price = latest[-1].price if latest else _price_on_disk(run)
    return RunStatus(
        run.symbol,
        run.strategy,
        mode,
        str(run.storage.home),
        run.status,
        exchange=run.source.name,
        state=run.state,
        given_rules=run.rules_in_force,
        saved=run.saved,
        stopping=run.stopping,
        pending_commands=pending_of_run(run),
        starting=run.starting,
        stale=_is_stale(run),
        code_at=run.code_at if mode == "live" else None,
        note=run.note,
        resume=THIS_KERNEL if run.status == "idle" and mode == "live" else "",
        price=price,
        band=run.band,
        risk=tuple(rule.name for rule in run.spec.risk),
        money=None if run.account is None else run_money(run.account, run.state, price),
        orders=_orders_of(run),
        started=run.start or None,
        last_tick=latest[-1].wall if latest else None,
        age_s=run.clock.monotonic() - run.last_tick_s if run.status == "running" else None,
        ticks=ticks,
        lateness_s=tuple(late) if mode == "live" else (),
        clock_ahead_ms=getattr(run.source, "clock_ahead_ms", None),
        intake=None if run.feed is None else run.feed.intake,
        reads=tuple(run.reads),
        warnings=(*run.arrival.warnings.values(), *_without_candles(run)),
        error=error,
        trace=_trace(run.error),
        last_error=error,
        last_event_seq=run.published_seq,
        loop_restarts=run.loop_restarts,
    )


def pending_of_run(run: RunRecord) -> tuple[PendingCommand, ...]:
    """Return the commands of a run of this process that have not acted yet."""
    commands = run.pending_commands
    return pending(commands, run.cursor, run.clock.now()) if commands else ()


def _without_candles(run: RunRecord) -> tuple[str, ...]:
    """Say of a position that no candle has come for long."""
    state = run.state
    if state is None or state.signal is None or run.status != "running" or run.starting:
        return ()
    if run.clock.stepped:
        return ()  # the next recorded candle may be days later
    now = run.clock.now() - (getattr(run.source, "clock_ahead_ms", None) or 0)
    words = none_warning(run.symbol, state.cursor, now)
    if not words or run.instance is None:
        return ()
    candles = run.instance.candles
    closed = not candles.regular and now < closed_until(candles.time, state.cursor)
    return () if closed else (words,)


def _orders_of(run: RunRecord) -> OrderStatus | None:
    if run.broker is None or not run.sends_orders:
        return None
    # A permission that has ended is said of the account, once for all its runs.
    own = [alarm for alarm in run.alarms if alarm.name != "tripped"]
    return order_status(run.broker.id, run.known_ledger, run.clock.now(), own)


def _price_on_disk(run: RunRecord) -> float | None:
    return None if run.state is None or run.checkpoint is None else run.checkpoint.price


def _is_stale(run: RunRecord) -> bool:
    current, own = registry.known("strategy", run.strategy), run.spec
    if current is None:
        return False
    # The run has a copy, of the same parts: then there is nothing to compute.
    names = (*type(own).model_fields, "declared", "manager")
    if all(getattr(current, name) is getattr(own, name) for name in names):
        return False
    return bool(current.fingerprint != own.fingerprint)


def _trace(error: BaseException | None) -> str:
    found = error is not None and error.__traceback__
    return "".join(traceback.format_exception(error)) if found else ""
