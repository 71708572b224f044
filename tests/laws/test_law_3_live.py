"""Law 3: live under a fake clock is the backtest over the same candles and commands.

The live side is the real loop with its files on a fake disk; runs that share a risk rule tick
together, as they do for users.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.laws.generators import scenarios, tables_and_hands
from tests.laws.live_checks import live_broken


@pytest.mark.no_cover
@settings(max_examples=examples(12))
@given(scenario=st.one_of(scenarios(), tables_and_hands()))
def test_live_is_the_backtest_event_by_event(scenario: dict[str, Any]) -> None:
    assert live_broken(scenario) == []
