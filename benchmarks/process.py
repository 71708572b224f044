"""Whole processes, in CPU seconds (user and system) of child processes from start to end.

Each starts an interpreter, imports tradenb, loads a year of candles from a file and runs work W.
Bytecode is compiled before: the fastest of several counts. `import tradenb` is measured inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import child, child_seconds
from benchmarks.lines import Heading, Line

CHILD = ("-m", "benchmarks.child")
AIMS = {".npy": 0.9, ".parquet": 1.5}


def measure(times: int, folder: Path) -> Iterator[Line | Heading]:
    yield Heading("Whole process: import, load a year from a file, run work W")
    empty = min(child_seconds("-c", "pass") for _ in range(times))
    yield Line("an interpreter that does nothing", empty, "s")
    light = min(float(child(*CHILD, "import")) for _ in range(times))
    yield Line("import tradenb", light * 1000, "ms", 100)
    for kind, aim in AIMS.items():
        path = str(folder / "year" / f"S00-1m{kind}")
        seconds = min(child_seconds(*CHILD, "run", path) for _ in range(times))
        yield Line(f"from {kind}", seconds, "s", aim)
    yield Line("heavy modules after import tradenb", child(*CHILD, "modules"))
    for kind in AIMS:
        path = str(folder / "day" / f"S00-1m{kind}")
        found = child(*CHILD, "modules", path)
        yield Line(f"heavy modules after a run from {kind}", found)
