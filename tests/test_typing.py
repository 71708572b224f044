"""The public API has the types that `tests/typing/api.py` pins."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.timeout(300)  # without a cache mypy reads pandas' stubs first
def test_the_public_api_has_the_types_it_promises(repository):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "tests/typing"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
