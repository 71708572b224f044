"""Law 6: a backtest during a live run of the same strategy changes neither."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from tests.conftest import examples
from tests.laws.generators import scenarios
from tests.laws.live_checks import isolation_broken


@settings(max_examples=examples(4))
@given(scenario=scenarios())
def test_a_backtest_in_the_middle_of_a_live_run_changes_neither(scenario: dict[str, Any]) -> None:
    assert isolation_broken(scenario) == []
