"""The laws of an account are shown to catch planted mistakes, on a fixed list of scenarios."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.golden_figures import figure_differences
from tests.laws.checks import PlayedOnce, chunks_broken
from tests.laws.generators import money_scenario_of
from tests.laws.money_checks import fills_broken
from tests.laws.mutants import Mutant, always, planted, rewritten
from tests.scenarios import golden_differences, golden_names, load_golden, on_tradenb

# Shows what other tests catch, and measures nothing.
pytestmark = pytest.mark.no_cover
SCENARIOS = [money_scenario_of(Random(seed)) for seed in range(40)]
ON_REFERENCE = PlayedOnce()
GOLDEN = [load_golden(name) for name in golden_names() if name.startswith("money/")]
MONEY = "tradenb.core.money"
BOOK = "tradenb.engine.session.account_book"


def golden() -> bool:
    """Whether a golden case is not met."""
    for scenario, expect in GOLDEN:
        played = on_tradenb(scenario)
        if golden_differences(played, expect):
            return True
        if "stats" in expect and figure_differences(played.result, expect):
            return True
    return False


def fills() -> bool:
    return any(fills_broken(scenario) for scenario in SCENARIOS)


def blocks() -> bool:
    return any(chunks_broken(scenario, Random(1), ON_REFERENCE) for scenario in SCENARIOS)


LAWS: dict[str, Callable[[], bool]] = {"golden": golden, "fills": fills, "blocks": blocks}
MUTANTS = [
    (
        "golden",
        Mutant(
            "unrealised gains are free",
            f"{BOOK}:funds_of",
            rewritten("min(0.0, unrealised)", "unrealised"),
        ),
    ),
    (
        "golden",
        Mutant(
            "a stake takes no part in what is free",
            f"{BOOK}:funds_of",
            rewritten("balance - bound", "balance"),
        ),
    ),
    (
        "golden",
        Mutant(
            "a percentage is one of the balance",
            f"{MONEY}.funds:_wanted",
            rewritten("equity * account.percent / 100", "account.cash * account.percent / 100"),
        ),
    ),
    (
        "golden",
        Mutant(
            "what is too much is not cut",
            f"{BOOK}:grant",
            rewritten("if not fixed and", "if False and"),
        ),
    ),
    (
        "golden",
        Mutant(
            "an exit pays its fee on the cost",
            f"{MONEY}.position_money:left_pieces",
            rewritten("fee = value * fee_percent", "fee = cost * fee_percent"),
        ),
    ),
    (
        "golden",
        Mutant(
            "shorts pay funding, too",
            f"{BOOK}:charge",
            lambda charge: lambda position, *rest: charge("long", *rest),
        ),
    ),
    (
        "golden",
        Mutant(
            "a position pays the funding of the candle that opened it",
            f"{BOOK}:AccountBook.after",
            rewritten("Charged(opened_at, ", "Charged(opened_at - 60_000, "),
        ),
    ),
    (
        "golden",
        Mutant(
            "a stop goes to the farther step",
            "tradenb.core.validation.price_steps:stop_on_step",
            lambda right: lambda level, step, *, long: right(level, step, long=not long),
        ),
    ),
    (
        "golden",
        Mutant(
            "a part leaves half of its pieces",
            "tradenb.core.lifecycle.editing:left",
            rewritten("quantity = money.quantity * share", "quantity = money.quantity * share / 2"),
        ),
    ),
    (
        "golden",
        Mutant(
            "parts of steps are sold",
            f"{MONEY}.position_money:_part",
            always(lambda market, wanted, price: wanted),
        ),
    ),
    (
        "fills",
        Mutant(
            "an entry is paid without its fee",
            "tradenb.core.lifecycle.holding:entered",
            rewritten("fee = stake * fee_percent / 100", "fee = 0.0"),
        ),
    ),
    (
        "fills",
        Mutant(
            "what is open is no money",
            "tradenb.statistics.equity.money_curve:_mark",
            always(lambda *given: None),
        ),
    ),
    (
        "blocks",
        Mutant(
            "what was charged is forgotten at rest",
            "tradenb.engine.session.instance:Instance.rest",
            always(lambda instance: None),
        ),
    ),
    (
        "blocks",
        Mutant(
            "the money of a position does not outlive its block",
            f"{BOOK}:_money",
            lambda money: lambda state: money(state) if state.gained + state.lost == 0 else None,
        ),
    ),
]


@pytest.mark.parametrize("law", LAWS)
def test_without_a_mutant_the_laws_of_money_hold(law: str) -> None:
    assert not LAWS[law]()


@pytest.mark.parametrize(
    ("law", "mutant"), [pytest.param(law, mutant, id=str(mutant)) for law, mutant in MUTANTS]
)
def test_the_laws_of_money_catch_the_mutant(
    law: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(mutant, monkeypatch)
    assert LAWS[law]()
