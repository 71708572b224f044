"""Law 1, chunk invariance: any split of the candles gives the same events and the same state.

Each drawn scenario is fed whole, cut at a few drawn places, and candle by candle.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.checks import chunks_broken
from tests.laws.generators import scenarios


@settings(max_examples=max(100, settings.default.max_examples))
@given(scenario=scenarios(), random=st.randoms(use_true_random=False))
def test_any_split_of_the_candles_gives_the_same(scenario: dict[str, Any], random: Random) -> None:
    assert chunks_broken(scenario, random) == []
