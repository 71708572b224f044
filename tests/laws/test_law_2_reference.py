"""Law 2: tradenb and the naive reference machine agree on every scenario, in every column."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from tests.conftest import examples
from tests.laws.checks import reference_broken
from tests.laws.generators import long_scenarios, scenarios, tables_and_hands, thousand_trades
from tests.scenarios import on_reference, on_tradenb


@settings(max_examples=examples(150))
@given(scenario=scenarios())
def test_tradenb_is_the_reference_machine(scenario: dict[str, Any]) -> None:
    assert reference_broken(scenario) == []


@settings(max_examples=examples(150))
@given(scenario=tables_and_hands())
def test_tables_and_what_a_person_does_are_those_of_the_reference(scenario: dict[str, Any]) -> None:
    assert reference_broken(scenario) == []


@settings(max_examples=examples(60))
@given(scenario=scenarios(refused=True))
def test_tradenb_refuses_the_candles_that_the_reference_refuses(scenario: dict[str, Any]) -> None:
    here, there = on_tradenb(scenario), on_reference(scenario)
    assert (here.refused, here.refused_row) == (there.refused, there.refused_row)


@pytest.mark.no_cover
@settings(max_examples=examples(15))
@given(scenario=long_scenarios())
def test_tradenb_is_the_reference_machine_over_days(scenario: dict[str, Any]) -> None:
    assert reference_broken(scenario) == []


def test_only_the_last_thousand_signals_and_trades_are_remembered() -> None:
    scenario = thousand_trades()
    assert reference_broken(scenario) == []
    played = on_reference(scenario)
    assert len(played.trades) > 1_010
    refused = [(event[0], event[-2]) for event in played.events if event[3] == "rejected"]
    assert refused == [(scenario["start"] + 1_001 * 60_000, "id_used")]
