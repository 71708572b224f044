"""The environment that this process was started with, which is that of a script run by itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_STARTED: Final = Path("/proc/self/environ")


def start_environment() -> dict[str, str]:
    """Return the variables as they were when the process began; where unknown, those of now."""
    try:
        lines = os.fsdecode(_STARTED.read_bytes()).split("\0")
    except OSError:  # not Linux
        return dict(os.environ)
    return dict(line.split("=", 1) for line in lines if "=" in line)


def script_environment(names: Iterable[str]) -> dict[str, str]:
    """Return it with the variables that a script names, which are asked of its user."""
    given = {name: os.environ[name] for name in names if name in os.environ}
    return start_environment() | given


def set_here(names: Iterable[str]) -> list[str]:
    """Return the variables that were set in this process, or changed."""
    before = start_environment()
    return sorted(name for name in names if os.environ.get(name) != before.get(name))
