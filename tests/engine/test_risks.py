"""`tn.risks`: the ready-made rules as specs, and how they may replace each other."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.core.risk import RiskBook
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.risk_spec import RiskSpec

MAKERS = [
    (lambda **name: tn.risks.max_open(5, **name), "max_open(5)"),
    (lambda **name: tn.risks.cooldown(30, **name), "cooldown(30m)"),
    (lambda **name: tn.risks.cooldown(2.5, "stop_loss", **name), "cooldown(2.5m after stop_loss)"),
    (
        lambda **name: tn.risks.cooldown(2, ["trailing_stop", "loss", "loss"], **name),
        "cooldown(2m after loss, trailing_stop)",
    ),
    (lambda **name: tn.risks.cooldown(2, ["user"], **name), "cooldown(2m after user)"),
    (lambda **name: tn.risks.cooldown(2, iter(["user"]), **name), "cooldown(2m after user)"),
    (lambda **name: tn.risks.max_drawdown(10.0, **name), "max_drawdown(10%)"),
    (lambda **name: tn.risks.daily_loss(3, **name), "daily_loss(3%)"),
]


@pytest.mark.parametrize(("make", "terms"), MAKERS)
def test_a_rule_is_named_by_its_terms_or_as_one_likes_and_is_registered(make, terms):
    assert make().name == terms
    named = make(name="mine")
    assert registry.find("risk rule", "mine", form=RiskSpec) is named
    assert (named.fingerprint, make().fingerprint) == (terms, terms)
    assert named(RiskBook(0), None) is None


def test_rules_may_be_changed_for_each_other_under_one_name():
    @tn.risk("limit")
    def own(book, candidate):
        return "no"

    made = [tn.risks.max_open(1, name="limit"), tn.risks.cooldown(5, name="limit")]
    assert registry.find("risk rule", "limit", form=RiskSpec) is made[-1]
    assert registry.revision("risk rule", "limit") == 3
    again = tn.risk("limit")(own.function)
    assert registry.find("risk rule", "limit", form=RiskSpec) is again


def test_the_same_terms_again_are_no_revision():
    for _ in range(2):
        tn.risks.max_open(2, name="limit")
    assert registry.revision("risk rule", "limit") == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tn.risks.max_open(0), "max_open must be a whole number of at least 1, was 0"),
        (lambda: tn.risks.cooldown("5"), "cooldown minutes must be a finite number above 0"),
        (lambda: tn.risks.cooldown(5, after="win"), "cooldown after must be loss, take_profit"),
        (lambda: tn.risks.cooldown(5, after=["loss", "win"]), "cooldown after must be loss, take_"),
        (lambda: tn.risks.cooldown(5, after=[]), "cooldown after must be loss, take_profit"),
        (lambda: tn.risks.cooldown(5, after=7), "cooldown after must be loss, take_profit"),
        (lambda: tn.risks.max_drawdown(None), "max_drawdown percent must be a finite number"),
        (lambda: tn.risks.daily_loss(-3), "daily_loss percent must be a finite number above 0"),
        (lambda: tn.risks.max_open(5, name=""), "'': name must be 1 to 120 printable characters"),
    ],
)
def test_terms_out_of_range_are_refused_and_nothing_is_registered(make, words):
    with pytest.raises(tn.SpecError) as caught:
        make()
    assert str(caught.value).startswith(words)
    with pytest.raises(tn.UnknownName, match="no risk rule is registered yet"):
        registry.find("risk rule", "anything", form=RiskSpec)
