"""Each row of reconciliation, end to end: found at a start, by the light look, by the full look.

The light look reads what rests every 15 s, and once a minute what was traded; the full look reads
everything, at a start, after doubts and every ten minutes. To be found by the full look the light
one is switched off.
"""

from __future__ import annotations

import pytest

from tests.brokers.reconciliation_case import Case
from tests.brokers.reconciliation_mutants import MUTANTS
from tests.brokers.reconciliation_rows import ROWS
from tests.laws.mutants import Mutant, always, planted

CASES = [(row, by) for row in ROWS for by in row.found_by]
# One way for each row, each in its turn; the others miss the same rule, and are for soak.
WITHOUT = [
    pytest.param(row, by, id=f"{row.name}, {by}", marks=() if turn else pytest.mark.soak)
    for number, row in enumerate(ROWS)
    for place, by in enumerate(row.found_by)
    for turn in [place == number % len(row.found_by)]
]
NO_LIGHT_LOOK = Mutant(
    "there is no light look",
    "tradenb.core.orders.next_action:_look_due",
    always(lambda now: 1 << 60),
)

LIGHT = (
    "6 a trade with other numbers",
    "6 a trade of a part with other numbers",
    "6 a trade of the protection with other numbers",
    "6 a trade of the exit with other numbers",
    "7 an order of nobody",
    "7 an order of nobody that filled",
    "8 foreign trades",
    "14 two protections",
    "16 an order while idle",
)
"""Rows of which nothing else tells before the next full look."""


def judge(row, found_by, monkeypatch):
    """Play a row, and assert what is made of it."""
    if found_by == "full look":
        planted(NO_LIGHT_LOOK, monkeypatch)
    case = Case(row, found_by)
    case.play()
    row.expected(case)


@pytest.mark.no_cover
@pytest.mark.parametrize(("row", "found_by"), CASES, ids=[f"{row.name}, {by}" for row, by in CASES])
def test_what_happens_at_the_exchange_is_found(row, found_by, monkeypatch):
    judge(row, found_by, monkeypatch)


@pytest.mark.no_cover
@pytest.mark.parametrize(("row", "found_by"), WITHOUT)
def test_without_its_rule_a_row_fails(row, found_by, monkeypatch):
    for mutant in MUTANTS[row.name]:
        planted(mutant, monkeypatch)
    with pytest.raises((AssertionError, LookupError, ValueError)):
        judge(row, found_by, monkeypatch)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name in LIGHT], ids=lambda row: row.name
)
def test_without_the_light_look_a_row_is_not_found_by_it(row, monkeypatch):
    planted(NO_LIGHT_LOOK, monkeypatch)
    with pytest.raises((AssertionError, LookupError, ValueError)):
        judge(row, "light look", monkeypatch)
