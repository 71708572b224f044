"""The card of a run with an account says who made its money."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.view.pages.contribution_html import contribution_html


def test_what_symbols_and_strategies_made_is_the_net_profit():
    def make(name, side):
        @tn.strategy(name, every="4h")
        def enters(ctx):
            return side(take_profit=tn.percent(2), stop_loss=tn.percent(2), minutes=1_000)

        return enters

    several = [make("contributes-long", tn.long), make("contributes-short", tn.short)]
    walk = tn.testing.random_walk(seed=5, days=6)
    result = tn.backtest.run(
        ["BTCUSDT", "ETHUSDT"], strategy=several, exchange=walk, progress=False,
        account=tn.Account(cash=1_000, percent=20, funding_percent=0.01),
    )  # fmt: skip
    made = result.summary.contributions
    assert len(made) == 4
    assert len(result.open) > 0
    assert sum(made.values()) == pytest.approx(result.figures["net_profit"], abs=1e-9)
    by_symbol = result.heatmap("symbol")["net_profit"]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        own = sum(value for (_, name), value in made.items() if name == symbol)
        assert own == pytest.approx(by_symbol[symbol], abs=1e-9)
    card = result._repr_html_()
    assert "Contribution to the net profit" in card
    assert card.index("contributes-long</th>") > 0


def test_many_symbols_are_the_best_the_worst_and_a_line_between():
    made = {("one", f"S{number:02}"): float(number) for number in range(20)}
    page = contribution_html(made, 100.0)
    assert page.count("<tr>") == 1 + 4 + 1 + 4
    assert page.index("S19") < page.index("12 between") < page.index("S00")
    assert "+114.00" in page  # 4 + ... + 15
    assert contribution_html({("one", "S"): 5.0}, 100.0) == ""
    assert "Contribution" not in contribution_html({}, 1.0)
