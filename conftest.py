"""The examples in docstrings: no other test sees their live runs."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "tradenb"


@pytest.fixture(autouse=True)
def own_runs(request, monkeypatch):
    """Give an example live runs of its own: they would be listed as long as the process lives."""
    if request.path.is_relative_to(PACKAGE):
        from tradenb.live.run_registry import run_registry

        monkeypatch.setattr(run_registry, "_runs", {})
