"""`tn.live.rehearse`: the real loop and files over recorded candles, on a stepped clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradenb.bus import bus
from tradenb.core.machine import State
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import floor_to, iso, to_ms
from tradenb.engine.ports import CandleSource, Loaded
from tradenb.engine.registry import registry
from tradenb.engine.specs import StrategySpec
from tradenb.errors import CandleError, UsageError
from tradenb.live.beginning import begun_anew
from tradenb.live.disk import DiskShelf
from tradenb.live.engine import Engine
from tradenb.live.run import LiveRun
from tradenb.live.shelf import Kept
from tradenb.live.stepped import Recorded, SteppedClock
from tradenb.live.workers import ThreadWorkers
from tradenb.store.paths import find_home


def rehearse(
    symbol: str,
    *,
    strategy: Any,
    exchange: Any,
    start: Any = None,
    end: Any = None,
    speed: float | None = 600,
    rules: Rules | None = None,
    home: str | Path | None = None,
) -> LiveRun:
    """Live through recorded candles with the real loop and real files; return at once.

    The next tick begins when the commit of the one before it is done; `speed` only adds waiting.
    A rehearsal that was interrupted goes on where it was, a finished one is begun anew.

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
    StateLocked
        When another process rehearses the same pair.
    """
    if speed is not None and not speed > 0:
        raise UsageError(f"speed must be above 0, or None for no waiting, was {speed!r}")
    name = canonical(symbol)
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    settings = rules or Rules()
    first, last, loaded = _period(name, spec, exchange, start, end, settings)
    files = find_home(home).rehearsal
    shelf = DiskShelf(files, name, spec, exchange.name, now=lambda: 0, durable=False, alone=True)
    kept = _resumed(shelf.open(), name, spec, first, last)
    kept = kept._replace(last_seq=max(kept.last_seq, shelf.last_seq()))
    clock = SteppedClock(kept.state.cursor, speed)
    shelf.now = clock.now
    source = Recorded(exchange, clock)
    source.record(name, loaded)
    engine = Engine(clock, ThreadWorkers(), bus, end=last)
    run = LiveRun(name, spec, source, settings, shelf, clock, engine.wake)
    run.kept = kept
    engine.add(run)
    return run


def _period(
    name: str, spec: StrategySpec, exchange: Any, start: Any, end: Any, rules: Rules
) -> tuple[int, int, Loaded]:
    """Load the candles, and cut the period to what there is."""
    if not isinstance(exchange, CandleSource):
        raise UsageError(
            f"exchange must be an exchange such as tn.frame_exchange(df), was {exchange!r:.80}"
        )
    first = None if start is None else floor_to(to_ms(start, "start"))
    last = None if end is None else floor_to(to_ms(end, "end"))
    loaded = exchange.load(name, start=first, end=last, history=spec.history_ms, rules=rules)
    candles = loaded.candles
    begin = candles.start if first is None else max(candles.start, first)
    finish = candles.end if last is None else min(candles.end, last)
    if begin >= finish:
        there = f"{iso(candles.start)} to {iso(candles.end)}"
        raise CandleError(f"{name}: no candles to rehearse; there are {there}", code="range")
    return begin, finish, loaded


def _resumed(kept: Kept | None, name: str, spec: StrategySpec, first: int, last: int) -> Kept:
    """Go on with an unfinished rehearsal of the same period, or begin anew."""
    if kept is not None and kept.start == first and _is_unfinished(kept.state, last):
        return kept
    state = State(name, spec.name, spec.every_ms, first)
    if kept is None:
        return Kept(state, "{}", 0, first, 0, (), 0)
    return begun_anew(kept, state)


def _is_unfinished(state: State, last: int) -> bool:
    return state.cursor < last and not state.done
