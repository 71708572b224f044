"""What strategies, rules and exchanges look like in a cell."""

from __future__ import annotations

import pytest

import tradenb as tn


def test_a_strategy_shows_what_it_was_declared_with():
    rule = tn.risks.cooldown(minutes=60, after="stop_loss")

    @tn.strategy("shown-dip", every="15m", risk=rule, history="3d")
    def dip(ctx):
        """Buy what fell.

        And nothing else.
        """

    made = dip._repr_mimebundle_()
    assert made["text/plain"] == repr(dip)
    for words in ("strategy shown-dip", "every 15m", rule.name, "history 3d", "Buy what fell."):
        assert words in made["text/html"]
    assert "And nothing else" not in made["text/html"]


@pytest.mark.parametrize(
    "thing",
    [
        tn.testing.random_walk(seed=7, days=2),
        tn.risks.max_open(2, name="portfolio"),
    ],
    ids=repr,
)
def test_exchanges_and_rules_show_themselves(thing):
    made = thing._repr_mimebundle_()
    assert set(made) == {"text/plain", "text/html"}
    assert "<b>" in made["text/html"]


def test_a_ready_made_rule_under_another_name_says_what_it_does():
    page = tn.risks.max_open(5, name="mine-alone")._repr_html_()
    assert "<b>risk rule mine-alone</b>" in page
    assert "max_open(5)" in page
    assert tn.risks.max_open(5)._repr_html_().count("max_open(5)") == 1


def test_names_cannot_do_anything_in_a_cell():
    @tn.strategy("<script>alert(1)</script>", every="1h")
    def odd(ctx):
        return None

    assert "<script>" not in odd._repr_html_()
