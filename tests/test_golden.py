"""tradenb against every golden case, bit for bit."""

from __future__ import annotations

import pytest

from tests.golden_figures import figure_differences
from tests.scenarios import golden_differences, golden_names, load_golden, on_tradenb


@pytest.mark.parametrize("name", golden_names())
def test_tradenb_plays_the_golden_case(name: str) -> None:
    scenario, expect = load_golden(name)
    played = on_tradenb(scenario, frames=True)
    assert golden_differences(played, expect) == []
    if "stats" in expect:
        assert figure_differences(played.result, expect) == []
