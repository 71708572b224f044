"""tradenb against every golden case, bit for bit."""

from __future__ import annotations

import pytest

from tests.scenarios import golden_differences, golden_names, load_golden, on_tradenb


@pytest.mark.parametrize("name", golden_names())
def test_tradenb_plays_the_golden_case(name: str) -> None:
    scenario, expect = load_golden(name)
    assert golden_differences(on_tradenb(scenario), expect) == []
