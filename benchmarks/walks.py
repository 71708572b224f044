"""How many files and functions of tradenb one thing takes: `python -m benchmarks.walks [--list]`.

A walk is counted while the code runs: every distinct function of the package that is entered
between two moments, on any thread. It says how much of the house somebody has to read to follow
one candle, one click or one stop. Nothing is timed; the counts are those of CPython 3.11 to 3.13.
A test holds them to the bounds below; decision 58 says where these come from.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import tradenb as tn
from tradenb.live.live_run import record_of

PACKAGE: Final = str(Path(tn.__file__).parent) + "/"
# Files and functions.
BOUNDS: Final = {"tick": (43, 280), "stop": (32, 175), "click": (48, 285), "sweep": (42, 250)}
NAMES: Final = {
    "tick": "a live tick to disk, with an opening and a closing",
    "stop": "run.stop() until the run is done",
    "click": "a click on Stop in the dashboard until it shows that the run is done",
    "sweep": "one combination of a sweep",
}
_SELDOM: Final = ("<module>", "<lambda>", "<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")


class Walk:
    """The functions that were entered while it was on.

    Attributes
    ----------
    seen : set of (str, str)
        File below the package, and qualified name.
    """

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.on = False
        threading.setprofile(self._entered)
        sys.setprofile(self._entered)

    def _entered(self, frame: FrameType, event: str, _argument: Any) -> None:
        if not self.on or event != "call":
            return
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE) and code.co_name not in _SELDOM:
            self.seen.add((code.co_filename.removeprefix(PACKAGE), code.co_qualname))

    def end(self) -> set[tuple[str, str]]:
        """Stop counting and return what was seen."""
        self.on = False
        threading.setprofile(None)
        sys.setprofile(None)
        return self.seen


def tick() -> set[tuple[str, str]]:
    """Walk from one ask of a live strategy to another; a position opens and closes in between."""
    walk = Walk()
    asked: list[int] = []
    long = tn.long  # found before the walk begins

    @tn.strategy("walked", every="1m")
    def walked(ctx):  # type: ignore[no-untyped-def]
        asked.append(ctx.now)
        if len(asked) == 10:
            walk.on = True
            return long(take_profit=ctx.price * 1.01, stop_loss=ctx.price * 0.99, minutes=2)
        walk.on = False
        return None

    run = _rehearsal(walked, days=1, end="2024-01-01T02:00")
    _until(lambda: len(asked) > 12)
    run.release()
    run.wait(30)
    return walk.end()


def stop() -> set[tuple[str, str]]:
    """Walk from `run.stop()` until the run is done, and the loop that had only this one."""
    walk = Walk()
    run = _at_rest()
    walk.on = True
    run.stop()
    run.wait(30)
    _until(_no_loop_runs)
    return walk.end()


def click() -> set[tuple[str, str]]:
    """Walk from the message of the Stop button until the dashboard shows that the run is done."""
    walk = Walk()
    run = _at_rest()
    dashboard = tn.dashboard()
    dashboard._send_changes()  # what came before the click is drawn already
    key = f"rehearsal:{run.symbol}:{run.strategy}"
    wall = time.time_ns() // 1_000_000
    walk.on = True
    dashboard._handle_custom_msg(
        {"type": "request", "id": "0123456789ab", "kind": "stop", "key": key, "wall": wall}, []
    )
    _until(lambda: dashboard.rows[0]["status"] == "done" and _no_loop_runs())
    seen = walk.end()
    dashboard.close()
    return seen


def sweep() -> set[tuple[str, str]]:
    """Walk from the making of one combination's strategy to that of the next."""
    walk = Walk()
    made: list[int] = []
    strategy, long = tn.strategy, tn.long  # found before the walk begins

    def make(length: int) -> Any:
        made.append(length)
        walk.on = len(made) == 2

        @strategy("swept", every="1h")
        def swept(ctx):  # type: ignore[no-untyped-def]
            close = ctx.candles("1h", length).close
            if ctx.price < close.mean():
                price = ctx.price
                return long(take_profit=price * 1.02, stop_loss=price * 0.98, minutes=600)
            return None

        return swept

    market = tn.testing.random_walk(seed=7, days=10)
    tn.sweep(make, grid={"length": [3, 4, 5]}, symbols=["BTCUSDT"], exchange=market)
    return walk.end()


def main() -> None:
    """Print the counts of all walks, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("walks", nargs="*", choices=[[], *BOUNDS], default=[])
    parser.add_argument("--list", action="store_true", help="name the files and functions")
    given = parser.parse_args()
    for name in given.walks or BOUNDS:
        seen = walked(name)
        files = sorted({file for file, _ in seen})
        print(f"{NAMES[name]}: {_judged(len(files), BOUNDS[name][0])} files,", end=" ")
        print(f"{_judged(len(seen), BOUNDS[name][1])} functions")
        if given.list:
            for file in files:
                inside = sorted(function for other, function in seen if other == file)
                print(f"    {file}: {', '.join(inside)}")


def walked(name: str) -> set[tuple[str, str]]:
    """Make a walk in a home of its own; return its files and functions."""
    before = os.environ.get("TRADENB_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRADENB_HOME"] = folder
        try:
            return WALKS[name]()
        finally:
            os.environ.pop("TRADENB_HOME")
            if before is not None:
                os.environ["TRADENB_HOME"] = before


WALKS: Final[dict[str, Callable[[], set[tuple[str, str]]]]] = {
    "tick": tick,
    "stop": stop,
    "click": click,
    "sweep": sweep,
}


def _rehearsal(strategy: Any, *, days: int, **more: Any) -> Any:
    market = tn.testing.random_walk(seed=7, days=days)
    start = "2024-01-01T01:00"
    return tn.live.rehearse(
        "BTCUSDT", strategy=strategy, exchange=market, start=start, **({"speed": None} | more)
    )


def _at_rest() -> Any:
    """Return a rehearsal whose clock stands since an ask: what is counted is of the walk alone."""
    runs: list[Any] = []
    rests = threading.Event()

    async def stand(woken: asyncio.Event, _until: int) -> None:
        rests.set()
        await woken.wait()

    @tn.strategy("never", every="5m")
    def never(_ctx):  # type: ignore[no-untyped-def]
        for run in runs:
            record_of(run).clock._move = stand

    runs.append(_rehearsal(never, days=20, speed=600))
    _until(rests.is_set)
    return runs[0]


def _no_loop_runs() -> bool:
    return all(thread.name != "tradenb-live" for thread in threading.enumerate())


def _until(ready: Callable[[], bool], seconds: float = 60.0) -> None:
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        if ready():
            return
        pause.wait(0.01)
    raise RuntimeError(f"the walk was not ready within {seconds:g} s")


def _judged(count: int, bound: int) -> str:
    return f"{count} (at most {bound}{', over' if count > bound else ''})"


if __name__ == "__main__":
    main()
