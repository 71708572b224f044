"""What the tests of the exchanges share."""

from __future__ import annotations

import pytest

from tradenb.engine.specs.registry import registry


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test declares exchanges under the names it likes."""
    monkeypatch.setattr(registry, "_named", {})
