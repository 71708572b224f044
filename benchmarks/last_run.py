"""The last run that was kept of machines of this kind: `runs/{kind}.json`, committed with the code.

    python -m benchmarks --keep [SUBJECT ...]

keeps the figures of these subjects in place of those before; others stay as they are.
"""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path

from benchmarks.lines import Line, figures

FOLDER = Path(__file__).with_name("runs")
Figures = dict[str, dict[str, float]]
"""Subject, what was measured, the figure."""


def kind_of_machine() -> str:
    """Name processor, how many there are, and the minor version of Python.

    Examples
    --------
    >>> kind_of_machine().endswith("-python-" + "-".join(platform.python_version_tuple()[:2]))
    True
    """
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))
        model = found[1] if found else model
    python = ".".join(platform.python_version_tuple()[:2])
    words = f"{model} {os.cpu_count()} python {python}".lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def last_run() -> Figures:
    """Return the figures that were kept; nothing if there are none of this kind of machine."""
    path = FOLDER / f"{kind_of_machine()}.json"
    if not path.exists():
        return {}
    found: Figures = json.loads(path.read_text(encoding="utf-8"))
    return found


def keep(measured: dict[str, list[Line]]) -> Path:
    """Keep figures by subject, and return where."""
    kept = last_run()
    for subject, lines in measured.items():
        kept[subject] = figures(lines)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{kind_of_machine()}.json"
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return path
