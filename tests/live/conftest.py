"""Live runs in quick time that end with the test."""

from __future__ import annotations

import pytest

from tests.live.fast import Quick


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
