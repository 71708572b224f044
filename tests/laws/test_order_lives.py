"""Lives of the order machine, and proof that they catch wrong ones.

ORDER_LIVES says how many are played; `make orders` plays 20,000.
"""

from __future__ import annotations

import os

import pytest

from tests.laws.mutants import Mutant, planted
from tests.laws.order_mutants import MUTANTS, PLACES
from tradenb.testing.orders.order_life import LifePlan, OrderLife

LIVES = int(os.environ.get("ORDER_LIVES", "120"))
BLOCK = max(20, LIVES // 40)
PLANS = {
    "quiet": LifePlan(faults=0, deaths=0, disk_full=0, longest=10_000),
    "usual": LifePlan(faults=0.05),
    "bad": LifePlan(),
    "careless": LifePlan(disk_full=0.05, deaths=0.04, reads=1),
    "partial": LifePlan(
        faults=0.3, deaths=0, disk_full=0, kinds=("partial_target",), longest=60_000
    ),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("first", range(0, LIVES // len(PLANS), BLOCK))
def test_no_life_breaks_a_rule(plan: str, first: int) -> None:
    for seed in range(first, first + BLOCK):
        assert OrderLife(seed, PLANS[plan]).play() == [], f"seed {seed} of {plan}"


def test_positions_are_covered_within_a_second_mostly_and_soon_at_worst() -> None:
    plan = LifePlan(faults=0.05, deaths=0, disk_full=0)
    spans = []
    for seed in range(60):
        life = OrderLife(seed, plan)
        assert life.play() == []
        spans += life.checks.spans
    spans.sort()
    assert len(spans) > 100
    assert spans[len(spans) // 2] < 1_000
    assert spans[len(spans) * 98 // 100] < 15_000


@pytest.mark.parametrize("mutants", MUTANTS, ids=lambda mutants: mutants[0].name)
def test_a_wrong_machine_is_caught(
    mutants: tuple[Mutant, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, first = PLACES.get(mutants[0].name, ("careless", 0))
    for mutant in mutants:
        planted(mutant, monkeypatch)
    assert any(broken(seed, plan) for seed in range(first, first + 40))


def broken(seed: int, plan: str) -> bool:
    try:
        return bool(OrderLife(seed, PLANS[plan]).play())
    except AttributeError:  # a wrong machine may also fall over what it broke
        return True
