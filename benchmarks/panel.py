"""The dashboard under 20,000 events of a run elsewhere: its state, updates and memory."""

from __future__ import annotations

import gc
import json
import tempfile
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.lines import Heading, Line
from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.engine.serialise import event_to_row
from tradenb.panel.dashboard import Dashboard
from tradenb.panel.refresh_thread import refresh_thread
from tradenb.panel.static_fallback import fallback_html, follow
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Key, find_home

EVENTS = 20_000
BLOCK = 100
MINUTE = 60_000


def measure() -> Iterator[Line | Heading]:
    yield Heading(f"The dashboard, {EVENTS:,} events in blocks of {BLOCK}")
    with tempfile.TemporaryDirectory() as folder:
        seconds, shown = _pushed(folder)
        state = len(json.dumps(shown.get_state(), default=str))
        page = len(fallback_html(shown.model, "0", follow("0", folder, "")))
        shown.close()
    with tempfile.TemporaryDirectory() as folder:
        tracemalloc.start()
        _, shown = _pushed(folder)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        shown.close()
    seconds.sort()
    yield Line("state of the widget, script and style in it", state / 2**20, "MiB", 1)
    yield Line("the picture beside it, in the saved notebook", page / 2**20, "MiB", 0.25)
    yield Line("an update, CPU, median", 1000 * seconds[len(seconds) // 2], "ms", 25)
    yield Line("an update, CPU, longest", 1000 * seconds[-1], "ms")
    yield Line("kept in memory", kept / 2**20, "MiB", 5)


def _pushed(folder: str) -> tuple[list[float], Dashboard]:
    """Push all events; return the seconds of each update, and the dashboard."""
    home, key = find_home(folder), Key("dip", "BTCUSDT")
    home.document(key).parent.mkdir(parents=True)
    home.document(key).with_name("BTCUSDT.json.bak").touch()
    journal = Journal(DiskFilesystem(durable=False), home.journal(key))
    journal.append(_rows(1, BLOCK))
    shown, seconds = Dashboard(folder), []
    refresh_thread.remove(shown)
    for first in range(BLOCK + 1, EVENTS, BLOCK):
        journal.append(_rows(first, BLOCK))
        total = shown.model.total
        shown._pace.sent = float("-inf")  # it is due at once, also where the thread has just sent
        began = time.process_time()
        shown.refresh()
        seconds.append(time.process_time() - began)
        assert shown.model.total == total + BLOCK
    return seconds, shown


def _rows(first: int, count: int) -> list[dict[str, object]]:
    signal = Signal("s1", "BTCUSDT", "dip", "long", 100.0, 102.0, 98.0, 60, None, None, 0)
    events = [
        Event(seq, seq * MINUTE, "BTCUSDT", "dip", "milestone", signal, 100.0, level=10, wall=seq)
        for seq in range(first, first + count)
    ]
    return [event_to_row(event._replace(mode="live")) for event in events]
