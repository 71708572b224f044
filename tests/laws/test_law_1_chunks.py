"""Law 1, chunk invariance: any split of the candles gives the same events and the same state.

Each drawn scenario is fed whole, cut at a few drawn places, and candle by candle (long ones: every
97 candles); once with a restart at each cut, once with a session whose candles grow.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from tests.conftest import examples
from tests.laws.checks import chunks_broken
from tests.laws.generators import long_scenarios, randoms, scenarios, tables_and_hands


@pytest.mark.no_cover
@settings(max_examples=examples(60))
@given(scenario=scenarios(), random=randoms())
def test_any_split_of_the_candles_gives_the_same(scenario: dict[str, Any], random: Random) -> None:
    assert chunks_broken(scenario, random) == []


@pytest.mark.no_cover
@settings(max_examples=examples(30))
@given(scenario=tables_and_hands(), random=randoms())
def test_any_split_gives_the_same_tables_and_acts_by_hand(
    scenario: dict[str, Any], random: Random
) -> None:
    assert chunks_broken(scenario, random) == []


@settings(max_examples=examples(8))
@given(scenario=long_scenarios(), random=randoms())
def test_any_split_of_days_of_candles_gives_the_same(
    scenario: dict[str, Any], random: Random
) -> None:
    assert chunks_broken(scenario, random) == []
