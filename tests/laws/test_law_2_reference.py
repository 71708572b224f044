"""Law 2: tradenb and the naive reference machine agree on every scenario, in every column."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from tests.laws.checks import reference_broken
from tests.laws.generators import scenarios
from tests.scenarios import on_reference, on_tradenb


@settings(max_examples=max(250, settings.default.max_examples))
@given(scenario=scenarios())
def test_tradenb_is_the_reference_machine(scenario: dict[str, Any]) -> None:
    assert reference_broken(scenario) == []


@settings(max_examples=max(80, settings.default.max_examples))
@given(scenario=scenarios(refused=True))
def test_tradenb_refuses_the_candles_that_the_reference_refuses(scenario: dict[str, Any]) -> None:
    here, there = on_tradenb(scenario), on_reference(scenario)
    assert (here.refused, here.refused_row) == (there.refused, there.refused_row)
