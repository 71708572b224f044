"""Each law is shown to catch planted mistakes: a law that cannot fail is no law.

The scenarios are a fixed list, the same in every run: seeded ones, and golden cases
whose bounds are met exactly. On them the right functions pass every law,
and every mutant fails the law that has to catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.laws.checks import PlayedOnce, chunks_broken, lookahead_broken, reference_broken
from tests.laws.generators import fixed_scenarios, tabled_scenario_of
from tests.laws.mutants import (
    CAUGHT_BY_CHUNKS,
    CAUGHT_BY_NOISE,
    CAUGHT_BY_TABLES,
    CAUGHT_BY_THE_REFERENCE,
    Mutant,
    planted,
)
from tests.scenarios import golden_names, load_golden

# Shows what other tests catch, and measures nothing.
pytestmark = pytest.mark.no_cover
EXACT = ("flatten-", "gap-", "open_", "risk_", "sched_", "warm_up-")
ON_BOUNDS = [
    dict(load_golden(name)[0])
    for name in golden_names()
    if name.split("/")[-1].startswith(EXACT) and not name.endswith("-average_price")
]
SCENARIOS = [*fixed_scenarios(100), *ON_BOUNDS]
TABLED = [tabled_scenario_of(Random(seed)) for seed in range(60)]
ON_REFERENCE = PlayedOnce()
Law = Callable[[dict[str, Any]], list[str]]


def chunks(scenario: dict[str, Any]) -> list[str]:
    return chunks_broken(scenario, Random(1), ON_REFERENCE)


def lookahead(scenario: dict[str, Any]) -> list[str]:
    return lookahead_broken(scenario, Random(1))


def reference(scenario: dict[str, Any]) -> list[str]:
    return reference_broken(scenario, ON_REFERENCE)


LAWS: dict[str, Law] = {
    "chunks": chunks,
    "reference": reference,
    "lookahead": lookahead,
    "tables": reference,
}
# As many as the mutants of a law need, and some more.
TRIED = {"chunks": SCENARIOS[:50], "lookahead": SCENARIOS[:100], "tables": TABLED[:40]}
CASES = [
    *(pytest.param("reference", mutant, id=str(mutant)) for mutant in CAUGHT_BY_THE_REFERENCE),
    *(pytest.param("chunks", mutant, id=f"{mutant}, in blocks") for mutant in CAUGHT_BY_CHUNKS),
    *(pytest.param("tables", mutant, id=str(mutant)) for mutant in CAUGHT_BY_TABLES),
    *(pytest.param("lookahead", mutant, id=str(mutant)) for mutant in CAUGHT_BY_NOISE),
]


def scenarios_of(law: str) -> list[dict[str, Any]]:
    """The scenarios on which a law is tried."""
    return TRIED.get(law, SCENARIOS)


@pytest.mark.parametrize("law", LAWS)
def test_without_a_mutant_the_law_holds(law: str) -> None:
    assert [found for scenario in scenarios_of(law) for found in LAWS[law](scenario)] == []


@pytest.mark.parametrize(("law", "mutant"), CASES)
def test_the_law_catches_the_mutant(
    law: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(mutant, monkeypatch)
    assert any(LAWS[law](scenario) for scenario in scenarios_of(law))
