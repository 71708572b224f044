"""What the tests of blocks are given: a kit, and no network."""

from __future__ import annotations

import socket

import pytest

from tests.live.notifications.sink import Sink
from tests.pages.kit import Kit
from tradenb.live.notifications import api
from tradenb.live.run_registry import run_registry

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@pytest.fixture
def no_network(monkeypatch):
    """Refuse every host but this one; what was asked for all the same fails the test."""
    asked, look_up = [], socket.getaddrinfo

    def guarded(host, *more, **options):
        if host not in LOOPBACK:
            asked.append(host)
            raise socket.gaierror(f"{host} is not on this machine")
        return look_up(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
    yield
    assert asked == []


@pytest.fixture
def sink(monkeypatch):
    """A service of messages, and the variables that pages name for one."""
    made = Sink()
    for name in ("TELEGRAM_URL", "MAIL_URL"):
        monkeypatch.setenv(name, made.url.replace("hook", name))
    for name in ("HEALTHCHECK_URL", "BEAT_URL"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{made.port}/{name}")
    yield made
    api.close_all(5)
    made.close()


@pytest.fixture
def kit(tmp_path, monkeypatch, sink, no_network):
    """All of it, in an empty folder; live runs and rehearsals are released at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_registry, "_runs", {})  # so other tests list none of them
    made = Kit(tmp_path, sink, monkeypatch)
    made.new_home()
    with made.servers:
        yield made
        made.release()
    monkeypatch.undo()
