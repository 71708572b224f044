"""The naive machine against every golden case, so that it may judge tradenb."""

from __future__ import annotations

import pytest

from tests.conftest import some_to_soak
from tests.scenarios import golden_differences, golden_names, load_golden, on_reference

# Nothing of tradenb is played here, so nothing is measured.
pytestmark = pytest.mark.no_cover
# The reference machine asks functions; it knows nothing of vectorised tables and of money.
OTHERS = (
    *("positions/table-", "money/"),
    *("positions/real2-doge-grid", "positions/real2-two-symbols-money"),
    "figures_gaps_money/real3-doge-session_hold",
)
ASKED = [name for name in golden_names() if not name.startswith(OTHERS)]


@pytest.mark.parametrize("name", some_to_soak(ASKED))
def test_the_reference_plays_the_golden_case(name: str) -> None:
    scenario, expect = load_golden(name)
    assert golden_differences(on_reference(scenario), expect) == []
