"""tradenb against every golden case: bit for bit, statistics to a relative 1e-9."""

from __future__ import annotations

import pytest

from tests.scenarios import (
    golden_differences,
    golden_names,
    load_golden,
    on_tradenb,
    stats_differences,
)


@pytest.mark.parametrize("name", golden_names())
def test_tradenb_plays_the_golden_case(name: str) -> None:
    scenario, expect = load_golden(name)
    played = on_tradenb(scenario)
    assert golden_differences(played, expect) == []
    assert stats_differences(played.stats, expect.get("stats", {})) == []
