"""A sink on loopback whose URL is in the environment, and no notifications left after a test."""

from __future__ import annotations

import pytest

from tests.live.notifications.sink import Sink
from tradenb.live.notifications import api


@pytest.fixture
def sink(monkeypatch):
    made = Sink()
    monkeypatch.setenv("SINK_URL", made.url)
    monkeypatch.setenv("BEAT_URL", f"http://127.0.0.1:{made.port}/beat/canary-token")
    yield made
    made.open.set()
    api.close_all(5)
    made.close()
