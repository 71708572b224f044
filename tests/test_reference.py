"""The naive machine against every golden case, so that it may judge tradenb."""

from __future__ import annotations

import pytest

from tests.conftest import some_to_soak
from tests.scenarios import golden_differences, golden_names, load_golden, on_reference

# The reference machine asks functions; it knows nothing of vectorised tables.
ASKED = [name for name in golden_names() if not name.startswith("positions/table-")]


@pytest.mark.parametrize("name", some_to_soak(ASKED))
def test_the_reference_plays_the_golden_case(name: str) -> None:
    scenario, expect = load_golden(name)
    assert golden_differences(on_reference(scenario), expect) == []
