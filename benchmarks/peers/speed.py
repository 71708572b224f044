"""`make bench-peers`: work W in other tools and in tradenb, in turns, each in its own process.

    python -m benchmarks.peers.speed [--rounds N] TOOL=PYTHON ...

PYTHON has the tool; one that is not there was not installed, and is said and skipped. Shown are
medians of CPU seconds: of a run that follows another in the same process, of the first one with
what it compiles, and of the whole process with imports and reading the file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.clock import REPOSITORY, children_seconds
from benchmarks.files import folder_of_candles

OURS = (("tradenb", ()), ("tradenb", ("columns",)))
MORE = {"vectorbt": (("numba",), ("rust",))}
LINE = "  {:<26} {:<8} {:>8} {:>8} {:>8} {:>7}  {}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("tools", nargs="*", metavar="TOOL=PYTHON")
    given = parser.parse_args()
    kinds = [(sys.executable, name, more) for name, more in OURS]
    for name, _, python in (tool.partition("=") for tool in given.tools):
        if Path(python).exists():
            kinds += [(python, name, more) for more in MORE.get(name, ((),))]
        else:
            print(f"{name}: not installed here, skipped")
    print(LINE.format("work W, CPU seconds", "version", "run", "first", "process", "trades", "how"))
    with folder_of_candles() as folder:
        for (_, name, _), found in _in_turns(kinds, folder / "year" / "S00-1m.npy", given.rounds):
            if not found:
                print(f"  {name}: it failed, skipped")
                continue
            middle = {n: statistics.median(each[n] for each in found) for n in found[0] if n in _S}
            seconds = [f"{middle[key]:.3f}" for key in _S]
            last = found[-1]
            print(LINE.format(name, last["version"], *seconds, last["trades"], last["how"]))


_S = ("again", "first", "whole")


def _in_turns(kinds: list[tuple[str, str, tuple[str, ...]]], file: Path, rounds: int) -> Any:
    """Run each once a round; return what each reported, without those that failed."""
    found: list[list[dict[str, Any]]] = [[] for _ in kinds]
    for _ in range(rounds):
        for reports, kind in zip(found, kinds, strict=True):
            if (report := _one(*kind, file)) is not None:
                reports.append(report)
    return zip(kinds, found, strict=True)


def _one(python: str, name: str, more: tuple[str, ...], file: Path) -> dict[str, Any] | None:
    command = [python, "-m", f"benchmarks.peers.speed_{name}", str(file), *more]
    before = children_seconds()
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    whole = children_seconds() - before
    if done.returncode:
        print(
            f"  {name} {' '.join(more)}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr
        )
        return None
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"  {name} {' '.join(more)}: {report['again']:.3f} s", file=sys.stderr, flush=True)
    return report | {"whole": whole}


if __name__ == "__main__":
    main()
