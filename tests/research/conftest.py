"""Every test has a registry of its own: names of other tests are not there."""

from __future__ import annotations

import pytest

from tradenb.engine.specs.registry import registry


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_named", {})
    monkeypatch.setattr(registry, "_instances", {})
