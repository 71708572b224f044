"""Fault 83: each of our own rules, switched off, is noticed by the simulator."""

from __future__ import annotations

import logging

import pytest

from tests.live.rules_off import RULES
from tradenb.errors import TradenbError
from tradenb.testing.simulation import simulate

# Shows what other tests catch, and measures nothing.
pytestmark = pytest.mark.no_cover
# Short lives, those in front that notice most.
SEEDS = (3, 1, 26, 330, 35, 23, 17)


@pytest.fixture(autouse=True)
def no_log():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def is_noticed(seed: int) -> bool:
    try:
        return bool(simulate(seed).problems)
    except (TradenbError, RuntimeError, LookupError):
        return True


def test_with_all_rules_on_the_seeds_pass():
    assert [seed for seed in SEEDS if simulate(seed).problems] == []


@pytest.mark.parametrize("name", RULES)
def test_fault_83_a_rule_that_is_off_is_noticed(name, monkeypatch):
    RULES[name](monkeypatch)
    assert any(is_noticed(seed) for seed in SEEDS)
