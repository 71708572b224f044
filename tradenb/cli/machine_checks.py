"""What the doctor checks apart from the home: versions, patched event loops, culled kernels."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tradenb import __version__

Verdict = Literal["well", "note", "wrong"]
_DEPENDENCIES: Final = ("numpy", "pandas", "pydantic", "ccxt", "ipywidgets", "ipykernel")
_CULLING: Final = re.compile(r"cull_idle_timeout\W+(\d+)")


class Check(NamedTuple):
    """One finding: name, verdict ("well", "note" or "wrong"), and words."""

    name: str
    verdict: Verdict
    words: str


def versions() -> Iterator[Check]:
    """Check Python, and report the versions of what tradenb depends on."""
    old = sys.version_info < (3, 11)
    python = f"{platform.python_version()} on {platform.system()} {platform.release()}"
    yield Check("python", "wrong" if old else "well", python + (", needs 3.11" if old else ""))
    yield Check("tradenb", "well", __version__)
    yield Check("packages", "well", ", ".join(map(_version, _DEPENDENCIES)))


def _version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"


def event_loops() -> Iterator[Check]:
    """Check whether something patches asyncio in this process or in every kernel."""
    harm = "cells of Run All may silently never run; live runs do not need it"
    if hasattr(asyncio, "_nest_patched"):
        yield Check("nest_asyncio", "wrong", f"is applied in this process; {harm}")
    profile = Path(os.environ.get("IPYTHONDIR", Path.home() / ".ipython")) / "profile_default"
    files = [profile / "ipython_config.py", *sorted(profile.glob("startup/*.py"))]
    found = [file for file in files if "nest_asyncio" in _text(file)]
    for file in found:
        yield Check("nest_asyncio", "wrong", f"{file} applies it in every kernel; {harm}")
    if not found and not hasattr(asyncio, "_nest_patched"):
        yield Check("nest_asyncio", "well", "is not applied")


def kernel_culling() -> Iterator[Check]:
    """Check whether the Jupyter server ends kernels that seem idle."""
    found = [
        (file, int(seconds))
        for file in _jupyter_files()
        for seconds in _CULLING.findall(_text(file))
    ]
    for file, seconds in found:
        if seconds:
            words = f"{file} ends kernels after {seconds} s without output; live runs end with them"
            yield Check("kernel culling", "note", words)
    if not any(seconds for _, seconds in found):
        yield Check("kernel culling", "well", "is not configured")


def _jupyter_files() -> Iterable[Path]:
    folders = [Path(os.environ.get("JUPYTER_CONFIG_DIR", Path.home() / ".jupyter"))]
    folders += [Path(sys.prefix) / "etc/jupyter", Path("/usr/local/etc/jupyter")]
    folders.append(Path("/etc/jupyter"))
    for folder in folders:
        for pattern in ("jupyter*_config.py", "jupyter*_config.json", "jupyter*_config.d/*.json"):
            yield from sorted(folder.glob(pattern))


def _text(file: Path) -> str:
    """Return the lines of a file without comments; nothing if it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
