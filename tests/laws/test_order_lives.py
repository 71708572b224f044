"""Lives of the order machine, and proof that they catch wrong ones.

ORDER_LIVES says how many are played; `make orders` plays 20,000.
"""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

from tests.laws.mutants import Mutant, planted
from tests.laws.order_mutants import MUTANTS
from tests.laws.order_mutants import PLANS as CAUGHT_BY
from tests.order_lives.order_life import OrderLife
from tests.order_lives.order_life_world import LifePlan
from tradenb.core.orders.ledger import held_quantity
from tradenb.core.orders.order_alarms import alarms
from tradenb.core.orders.order_records import ZERO
from tradenb.core.orders.protection import covering

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
    "late": LifePlan(
        faults=0.7,
        deaths=0,
        disk_full=0,
        kinds=("late", "invisible", "balance_late"),
        owned=ZERO,
    ),
    "refused": LifePlan(
        faults=0.3,
        deaths=0,
        disk_full=0,
        kinds=("accept", "drop"),
        answers=("duplicate", "balance", "filter"),
    ),
    "moved": LifePlan(
        faults=0.3,
        deaths=0,
        disk_full=0,
        kinds=("manual_sale", "manual_cancel", "partial_target", "cancel_race", "steps_changed"),
    ),
    "traded": LifePlan(
        faults=0.3,
        deaths=0,
        disk_full=0,
        kinds=("foreign_trade", "trade_changed", "trade_twice", "trades_late"),
    ),
    "copied": LifePlan(faults=0.3, deaths=0, disk_full=0, kinds=("twice",)),
    "dying": LifePlan(faults=0.02, deaths=0.1, disk_full=0.1),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("first", range(0, LIVES // len(PLANS), BLOCK))
def test_no_life_breaks_a_rule(plan: str, first: int) -> None:
    for seed in range(first, first + BLOCK):
        assert OrderLife(seed, PLANS[plan]).play() == [], f"seed {seed} of {plan}"


def test_dust_that_a_better_price_makes_enough_for_an_order_is_no_position() -> None:
    life = OrderLife(1309, PLANS["partial"])
    assert life.play() == []
    assert any(order.role == "dust" for order in life.doc.ledger.past)


def test_a_changed_trade_that_only_a_dead_process_has_seen_is_not_judged() -> None:
    assert OrderLife(6187, PLANS["bad"]).play() == []


class WatchedLife(OrderLife):
    """A life that remembers for how long it knew of a position without a stop, and who was told."""

    def __init__(self, seed: int, faults: float) -> None:
        super().__init__(seed, LifePlan(faults=faults, deaths=0, disk_full=0))
        self.known: list[tuple[int, bool]] = []
        self._since, self._told = 0, False

    def _step(self) -> None:
        super()._step()
        ledger = self.doc.ledger
        on = {alarm.name for alarm in alarms(ledger, self.market, self.now - self.lag)}
        if self.checks.exposed_since is not None and not any(
            covering(ledger, id, self.held(id), self.market) for id in ledger.signals()
        ):
            self._since = self._since or self.now
            self._told = self._told or "unprotected" in on
        elif self._since:
            self.known.append((self.now - self._since, self._told))
            self._since, self._told = 0, False

    def held(self, signal: str) -> Decimal:
        return held_quantity(self.doc.ledger, signal, self.market)


@pytest.mark.parametrize(
    ("faults", "lives", "longest", "alarms_due"), [(0.05, 200, 15_000, 0), (0.4, 120, 45_000, 5)]
)
def test_positions_are_covered_within_a_second_mostly_and_soon_at_worst(
    faults, lives, longest, alarms_due
):
    spans, known = [], []
    for seed in range(lives):
        life = WatchedLife(seed, faults)
        assert life.play() == []
        spans += life.checks.spans
        known += life.known
    spans.sort()
    assert len(spans) > 1.5 * lives
    assert spans[len(spans) // 2] < 1_000
    assert spans[len(spans) * 99 // 100] < longest
    long = [told for ms, told in known if ms > 15_000]  # ten, and the longest request
    assert len(long) >= alarms_due
    assert all(long)


@pytest.mark.parametrize("mutants", MUTANTS, ids=lambda mutants: mutants[0].name)
def test_a_wrong_machine_is_caught(
    mutants: tuple[Mutant, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = CAUGHT_BY.get(mutants[0].name, "careless")
    for mutant in mutants:
        planted(mutant, monkeypatch)
    assert any(broken(seed, plan) for seed in range(40))


def broken(seed: int, plan: str) -> bool:
    try:
        return bool(OrderLife(seed, PLANS[plan]).play())
    except AttributeError:  # a wrong machine may also fall over what it broke
        return True


def test_orders_that_the_ledger_keeps_no_longer_are_judged_as_well() -> None:
    life = OrderLife(1919, PLANS["moved"])
    assert life.play() == []
    ledger = life.doc.ledger
    kept = {order.id for order in (*ledger.orders, *ledger.past)}
    entries = [each for each in life.exchange.orders.values() if each.side == "BUY"]
    assert any(each.client_id not in kept for each in entries)
