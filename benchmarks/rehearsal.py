"""Rehearsals: how long a live week takes, and what grows over 100,000 ticks.

Real loop, real files, no waiting; the drive is not waited for, as in every rehearsal. In a process
of its own: python -m benchmarks.rehearsal TICKS prints what it saw after a week, or at a tenth if
there is none, and at the end. A week costs more the more trades a run has: its document has them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.clock import child
from benchmarks.lines import Heading, Line

WEEK = 7 * 1_440
TICKS = 100_000
CANDLE_BYTES = 6 * 8


def measure(*, quick: bool) -> Iterator[Line | Heading]:
    ticks = TICKS // 20 if quick else TICKS
    yield Heading(f"rehearsal: {ticks:,} ticks, a strategy that trades every few hours")
    early, late = json.loads(child("-m", "benchmarks.rehearsal", str(ticks)))
    yield Line("the first live week, CPU, with `import tradenb`", _week(early), "s", 12)
    yield Line("a week of all, CPU", _week(late), "s")
    candles = CANDLE_BYTES * (late["ticks"] - early["ticks"])
    grown = late["resident"] - early["resident"] - candles
    yield Line("memory gained after it, beyond candles", grown / 2**20, "MiB", 32)
    yield Line("open files gained", late["files"] - early["files"], "", 0)
    yield Line("threads gained", late["threads"] - early["threads"], "", 0)
    yield Line("files of the journal", late["journals"], "")
    yield Line("largest file of the journal", late["largest"] / 2**20, "MiB")
    yield Line("files under the home, without journals", late["kept"], "", 20)


def lived(ticks: int) -> list[dict[str, Any]]:
    """Rehearse, and look after a week, or at a tenth if there is none, and at the end."""
    import tradenb as tn
    from tradenb.live.live_run import record_of

    @tn.strategy("hourly", every="1h", risk=[tn.risks.max_open(1)])
    def hourly(ctx: Any) -> object:
        price = ctx.price
        return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=120)

    walk = tn.testing.random_walk(seed=3, days=ticks // 1_440 + 3, start="2024-01-01")
    first = WEEK if ticks > WEEK else ticks // 10
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        start = "2024-01-02"
        run = tn.live.rehearse(
            "BTCUSDT", strategy=hourly, exchange=walk, start=start, speed=None, home=folder
        )
        record = record_of(run)
        while run.status == "running":
            state = record.committed
            at = 0 if state is None else (state.cursor - record.start) // 60_000
            if not seen and at >= first:
                seen.append(_look(at, Path(folder)))
            if at >= ticks:
                break
            time.sleep(0.01)
        run.raise_if_failed()
        seen.append(_look(at, Path(folder)))
        run.release()
        run.wait()
    return seen


def _week(seen: dict[str, Any]) -> float:
    return float(seen["cpu"] * WEEK / seen["ticks"])


def _look(ticks: int, folder: Path) -> dict[str, Any]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    journals = [path for path in files if "journal" in path.parts]
    statm = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return {
        "ticks": ticks,
        "cpu": time.process_time(),
        "resident": int(statm[1]) * os.sysconf("SC_PAGE_SIZE"),
        "files": min(_open_files() for _ in range(20)),
        "threads": threading.active_count(),
        "journals": len(journals),
        "largest": max((path.stat().st_size for path in journals), default=0),
        "kept": len(files) - len(journals),
    }


def _open_files() -> int:
    """Count open files; the run goes on beside, and has one or another open for a moment."""
    time.sleep(0.01)
    return len(list(Path("/proc/self/fd").iterdir()))


if __name__ == "__main__":
    print(json.dumps(lived(int(sys.argv[1]))))
