"""Every fault at every stage of a position, over HTTP: nothing is lost, nothing is done twice.

ORDER_SCENARIOS=all plays all of them, as `make orders` does; else a share of them.
"""

from __future__ import annotations

import os

import pytest

from tests.laws.mutants import Mutant, planted, rewritten
from tests.order_lives.order_scenario import OrderScenario, Scenario, every_scenario
from tradenb.testing.venue.venue_faults import VenueFault

SCENARIOS = every_scenario()
STEP = 1 if os.environ.get("ORDER_SCENARIOS") == "all" else 101
BLOCK = 8


@pytest.mark.parametrize("first", range(0, len(SCENARIOS), STEP * BLOCK))
def test_no_fault_at_any_stage_breaks_a_rule(first):
    for place in range(first, min(first + STEP * BLOCK, len(SCENARIOS)), STEP):
        scenario = OrderScenario(SCENARIOS[place], seed=place)
        assert scenario.play() == [], SCENARIOS[place].name
        assert scenario.met, SCENARIOS[place].name


CLIENT = "tradenb.exchanges.orders.order_client"
LOST = VenueFault("accept", "reset")
WRONG = [
    (
        Mutant(
            "a request is repeated",
            f"{CLIENT}:OrderClient._new",
            rewritten('["maxRetriesOnFailure"] = 0', '["maxRetriesOnFailure"] = 2'),
        ),
        LOST,
    ),
    (
        Mutant(
            "an error means that nothing left",
            f"{CLIENT}:_has_no_connection",
            rewritten("return False", "return True"),
        ),
        LOST,
    ),
    (
        Mutant(
            "a request never dies",
            f"{CLIENT}:OrderClient._dated",
            rewritten('"recvWindow": life', '"recvWindow": 60_000'),
        ),
        VenueFault("late", seconds=30),
    ),
]


@pytest.mark.parametrize(("mutant", "fault"), WRONG, ids=[mutant.name for mutant, _ in WRONG])
def test_a_wrong_way_to_the_exchange_is_caught(mutant, fault, monkeypatch):
    planted(mutant, monkeypatch)
    assert OrderScenario(Scenario(fault, "entry")).play() != []
