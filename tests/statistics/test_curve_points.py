from __future__ import annotations

import random

import pytest

from tradenb.statistics.equity.curve_points import thinned


@pytest.mark.parametrize("count", [0, 1, 5, 100, 101, 20_000])
@pytest.mark.parametrize("limit", [4, 5, 100, 1000])
def test_thinning_keeps_ends_and_extremes(count, limit):
    rng = random.Random(count)
    values = [rng.gauss(0, 1) for _ in range(count)]
    chosen = thinned(values, limit)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= limit
    if count:
        assert {0, count - 1} <= set(chosen)
        assert min(values[i] for i in chosen) == min(values)
        assert max(values[i] for i in chosen) == max(values)


def test_thinning_finds_a_spike_wherever_it_is():
    for spike in range(500):
        values = [0.0] * 500
        values[spike] = 1.0
        assert spike in thinned(values, 20)
