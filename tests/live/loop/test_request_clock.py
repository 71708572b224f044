"""Requests whose sender has another clock than the run."""

from __future__ import annotations

import time

import pytest

import tradenb as tn
from tests.live.fast import until
from tradenb.live.attached_run import attached
from tradenb.store.paths import find_home

pytestmark = pytest.mark.realtime


def test_a_rehearsal_obeys_what_was_asked_for_now():
    """It lives in the past: the request seems to come from its future."""

    @tn.strategy("holds-past", every="1m")
    def holds(ctx):
        return tn.long(take_profit=1.2 * ctx.price, stop_loss=0.85 * ctx.price, minutes=720)

    run = tn.live.rehearse(
        "BTCUSDT",
        strategy=holds,
        exchange=tn.testing.random_walk(seed=7, days=3),
        speed=600,
    )
    (handle,) = until(lambda: attached(find_home().rehearsal.root), "the run")
    until(lambda: run.position and len(run.ticks()), "a position")
    assert run.ticks().wall.max().timestamp() < time.time() - 86_400
    handle.flatten()
    handle.stop()
    assert run.wait(240)
    assert run.status == "done"
    assert run.events().exit_reason.iloc[-1] == "flattened"
