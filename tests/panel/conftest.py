"""Runs of its own for every test, a rehearsal to look at, and no dashboard left open."""

from __future__ import annotations

from weakref import WeakSet

import pytest

import tradenb as tn
from tradenb.live.loop import supervisor

START, END = "2024-01-02", "2024-01-02T06:00"


@pytest.fixture(autouse=True)
def own_runs(monkeypatch):
    monkeypatch.setattr(supervisor, "_runs", WeakSet())


@pytest.fixture(scope="session")
def market():
    return tn.testing.random_walk(seed=7, days=10)


@pytest.fixture
def swing():
    """A strategy that is nearly always in the market, long or short."""

    @tn.strategy("swing", every="15m")
    def swing(ctx):
        close = ctx.candles("1h", 6).close
        up = ctx.price > close.mean()
        make, way = (tn.long, 1) if up else (tn.short, -1)
        target, stop = ctx.price * (1 + 0.012 * way), ctx.price * (1 - 0.01 * way)
        return make(take_profit=target, stop_loss=stop, minutes=600)

    return swing


@pytest.fixture
def rehearse(swing, market):
    """Start rehearsals of the swing; those that still run are released afterwards."""
    runs = []

    def start(**more):
        given = {"start": START, "end": END, "speed": None, "strategy": swing} | more
        runs.append(tn.live.rehearse("BTCUSDT", exchange=market, **given))
        return runs[-1]

    yield start
    for run in runs:
        if run.status == "running":
            run.release()
        assert run.wait(240)


@pytest.fixture
def dashboards():
    """Make dashboards that are closed afterwards."""
    made = []

    def make(*args, **keys):
        made.append(tn.dashboard(*args, **keys))
        return made[-1]

    yield make
    for dashboard in made:
        dashboard.close()
