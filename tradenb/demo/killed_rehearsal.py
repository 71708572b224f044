"""The second half of the demo: a rehearsal of a day whose process is killed on the way.

A child process rehearses the day with the real loop and real files. Half way the parent kills it
with SIGKILL, which no process can handle, and starts it again; then the journal must have the
events of a backtest of the same day.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradenb.core.events import Event
from tradenb.core.timeframe import DAY, iso
from tradenb.engine.serialise import event_to_row, row_to_event
from tradenb.errors import StateError, TradenbError
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key

if TYPE_CHECKING:
    from tradenb.backtest.results.result import Result
    from tradenb.demo.candle_origin import Origin

_POLL_S: Final = 0.005
_LONGEST_S: Final = 120.0
_MAY_DIFFER: Final = frozenset({"wall", "late", "mode", "seq"})


class RehearsalResult(NamedTuple):
    """Whether the rehearsed events are the backtest's, and the words for it."""

    equal: bool
    words: str


class Day(NamedTuple):
    """What is rehearsed: where the candles come from, a symbol and a period, ms UTC."""

    origin: Origin
    symbol: str
    start: int
    end: int


def rehearse_day(result: Result, origin: Origin) -> RehearsalResult:
    """Rehearse the busiest day of a backtest in a child that is killed half way."""
    from tradenb import backtest
    from tradenb.demo import demo_strategy

    began = time.monotonic()
    symbol, start, end = busiest_day(result)
    day = Day(origin, symbol, start, end)
    source, _ = origin.source()
    wanted = backtest.run(symbol, strategy=demo_strategy(), exchange=source, start=start, end=end)
    with tempfile.TemporaryDirectory(prefix="tradenb-demo-") as folder:
        home = Home(Path(folder)).rehearsal
        key = Key("demo-dip", symbol)
        killed_at = _kill_half_way(day, folder, home, key)
        _finish(day, folder)
        journal = Journal(DiskFilesystem(durable=False), home.journal(key))
        rehearsed = [row_to_event(row) for row in journal.read()]
    span = f"{iso(start)} to {iso(end)} of {symbol}"
    words = f"rehearsal: {span}, killed (SIGKILL) at {iso(killed_at)}, started again\n"
    took = f"{time.monotonic() - began:.1f} s"
    trades = len(wanted.trade_list)
    if alike(rehearsed) == alike(wanted.event_list):
        words += f"equal: {trades} trades, {len(rehearsed)} events, live and backtest alike; {took}"
        return RehearsalResult(True, words)
    return RehearsalResult(
        False, words + f"NOT equal: {_difference(rehearsed, wanted.event_list)}; {took}"
    )


def busiest_day(result: Result) -> tuple[str, int, int]:
    """Return symbol, start and end of the 24 hours in which the most trades began and ended."""
    found = Counter(
        (trade.symbol, result.start + (trade.opened_at - result.start) // DAY * DAY)
        for trade in result.trade_list
        if (trade.opened_at - result.start) // DAY == (trade.closed_at - result.start) // DAY
    )
    latest = max(result.start, result.end - DAY)
    symbol, start = max(found, key=found.__getitem__, default=(result.symbols[0], latest))
    start = max(result.start, min(start, latest))
    return symbol, start, min(start + DAY, result.end)


def alike(events: list[Event]) -> list[dict[str, Any]]:
    """Return the columns of events, without those that may differ between live and backtest."""
    rows = map(event_to_row, events)
    return [{name: row[name] for name in row if name not in _MAY_DIFFER} for row in rows]


def _kill_half_way(day: Day, folder: str, home: Home, key: Key) -> int:
    """Start the child, kill it when half of the day is on disk, and return how far it had come."""
    half = day.start + (day.end - day.start) // 2
    deadline = time.monotonic() + _LONGEST_S
    with _start(day, folder) as child:
        try:
            while (_cursor(home, key) or 0) < half:
                if child.poll() is not None or time.monotonic() > deadline:
                    raise TradenbError(f"the rehearsal ended before it was killed: {_said(child)}")
                time.sleep(_POLL_S)
        finally:
            child.kill()
    if child.returncode != -signal.SIGKILL:
        raise TradenbError("the rehearsal was over before it could be killed")
    return _cursor(home, key) or half


def _finish(day: Day, folder: str) -> None:
    with _start(day, folder) as child:
        try:
            _, said = child.communicate(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise TradenbError(f"the rehearsal took more than {_LONGEST_S:.0f} s") from None
    if child.returncode:
        raise TradenbError(f"the rehearsal failed: {said.strip()[-500:]}")


def _start(day: Day, folder: str) -> subprocess.Popen[str]:
    words = json.dumps([*day, folder])
    return subprocess.Popen(  # noqa: S603 - this interpreter, with a module of ours
        [sys.executable, "-m", "tradenb.demo", words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(child: subprocess.Popen[str]) -> str:
    child.kill()
    child.wait()
    said = "" if child.stderr is None else child.stderr.read()
    return said.strip()[-500:] or f"exit code {child.returncode}"


def _cursor(home: Home, key: Key) -> int | None:
    """Return the close of the last candle that is on disk, ms UTC."""
    try:
        found = read_document(DiskFilesystem(durable=False), home.document(key))
    except (StateError, OSError):
        return None  # between two names of the document
    return None if found is None else int(found.body["state"]["cursor"])


def _difference(rehearsed: list[Event], wanted: list[Event]) -> str:
    pairs = enumerate(zip(alike(rehearsed), alike(wanted), strict=False), start=1)
    first = next(((place, a, b) for place, (a, b) in pairs if a != b), None)
    if first is None:
        return f"{len(rehearsed)} events rehearsed, {len(wanted)} in the backtest"
    place, a, b = first
    names = [name for name in a if a[name] != b[name]]
    return f"event {place}: " + ", ".join(f"{k} {a[k]!r}, not {b[k]!r}" for k in names)
