"""CPU seconds: of this process with all its threads, or of a child process from start to end."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


def fastest(*functions: Callable[[], Any], times: int) -> list[float]:
    """Return the least CPU seconds of each function; they take turns, so that noise hits all."""
    least = [float("inf")] * len(functions)
    for _ in range(times):
        for place, function in enumerate(functions):
            gc.collect()
            began = time.process_time()
            function()
            least[place] = min(least[place], time.process_time() - began)
    return least


def child(*arguments: str) -> str:
    """Run an interpreter with these arguments and return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return done.stdout.strip()


def child_seconds(*arguments: str) -> float:
    """Return user and system CPU seconds of an interpreter from start to end."""
    before = children_seconds()
    child(*arguments)
    return children_seconds() - before


def children_seconds() -> float:
    """Return what all child processes that have ended used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
