"""Peak memory of loading a year and running work W, relative to the candles: 6 x 8 bytes x n.

Measured in processes of their own, beyond what they had after a small run (which imports all that
is needed). Traced is what Python and numpy allocate; resident is the growth of the process, with
what pyarrow allocates and the pages of a mapped file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import child
from benchmarks.files import KINDS
from benchmarks.lines import Heading, Line
from benchmarks.work import YEAR

CANDLES = 6 * 8 * YEAR
AIM = 3


def measure(folder: Path) -> Iterator[Line | Heading]:
    yield Heading(f"Peak memory of load and run, work W; the candles are {CANDLES / 2**20:.1f} MiB")
    measures = ["traced"]
    if Path("/proc/self/status").exists():
        measures.append("resident")
    for kind in KINDS:
        small, path = (str(folder / part / f"S00-1m{kind}") for part in ("day", "year"))
        for how in measures:
            peak = int(child("-m", "benchmarks.child", how, small, path))
            yield Line(f"from {kind}, {how}", peak / 2**20, "MiB")
            yield Line("  ... times the candles", peak / CANDLES, "x", AIM)
