"""Requests whose sender has another clock than the run."""

from __future__ import annotations

import time

import pytest

import tradenb as tn
from tests.live.fast import until
from tradenb.live.attached_run import attached
from tradenb.store.paths import find_home

pytestmark = pytest.mark.realtime


def test_a_rehearsal_obeys_a_stop_that_was_given_now():
    """It lives in the past: the request seems to come from its future."""

    @tn.strategy("calm-past", every="1h")
    def calm(ctx):
        return None

    run = tn.live.rehearse(
        "BTCUSDT",
        strategy=calm,
        exchange=tn.testing.random_walk(seed=7, days=3),
        speed=600,
    )
    (handle,) = until(lambda: attached(find_home().rehearsal.root), "the run")
    assert run.ticks().empty or run.ticks().wall.max().timestamp() < time.time()
    handle.stop()
    assert run.wait(30)
    assert run.status == "done"
