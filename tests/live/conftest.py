"""A registry of its own for every test, and live runs in quick time that end with the test."""

from __future__ import annotations

import pytest

from tests.live.fast import Quick
from tradenb.engine.specs.registry import registry


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_named", {})
    monkeypatch.setattr(registry, "_instances", {})


@pytest.fixture
def make_quick():
    """Make registries with supervisors of their own; they are closed when the test is over."""
    made = []

    def make(**supervisor):
        made.append(Quick(**supervisor))
        return made[-1]

    yield make
    for quick in made:
        quick.close()


@pytest.fixture
def quick(make_quick):
    return make_quick()
