"""Law 4: killed at any disk operation and restarted, no event is lost, twice or different."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.laws.generators import randoms, scenarios, tables_and_hands
from tests.laws.live_checks import crash_broken


@settings(max_examples=examples(4))
@given(scenario=st.one_of(scenarios(), tables_and_hands()), random=randoms())
def test_a_crash_changes_no_event(scenario: dict[str, Any], random: Random) -> None:
    assert crash_broken(scenario, random, crashes=2) == []
