"""How far somebody has to walk through the house to follow one thing: see docs/adr/0058."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.walks import BOUNDS, NAMES


@pytest.mark.parametrize("name", BOUNDS)
def test_a_walk_takes_no_more_files_and_functions_than_it_may(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.walks", name],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
    )
    assert done.stdout.startswith(f"{NAMES[name]}: ")
    assert done.stdout.count("at most") == 2
    assert "over" not in done.stdout, done.stdout
