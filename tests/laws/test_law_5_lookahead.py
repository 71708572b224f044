"""Law 5, no look-ahead: replacing every candle after a moment changes nothing up to it."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings

from tests.conftest import examples
from tests.laws.checks import lookahead_broken
from tests.laws.generators import randoms, scenarios


@settings(max_examples=examples(70))
@given(scenario=scenarios(), random=randoms())
def test_other_candles_later_change_nothing_before(
    scenario: dict[str, Any], random: Random
) -> None:
    assert lookahead_broken(scenario, random) == []
