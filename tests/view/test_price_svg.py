"""The small chart of prices: what is marked, what the marks mean, what is left out."""

from __future__ import annotations

import re

import pytest

from tradenb.view.svg.price_svg import MARKED, price_svg

LEGEND = re.compile(r'<g class="tnb-legend">(.*?)</g>')


@pytest.fixture
def drawn(make_candles, make_trades):
    """Draw trades with these results on enough candles."""

    def draw(returns, **more):
        trades = make_trades(returns)
        candles = make_candles(60 * (len(returns) + 2))
        return price_svg(candles, trades, None, None, **more)

    return draw


def legend(chart):
    found = LEGEND.search(chart)
    return re.findall(r"<text[^>]*>([^<]*)</text>", found[1]) if found else []


def test_without_trades_nothing_is_marked_and_nothing_explained(drawn):
    assert legend(drawn([])) == []
    assert "tnb-exit" not in drawn([])


def test_the_legend_names_what_is_drawn_and_nothing_else(drawn):
    assert legend(drawn([1.0])) == ["long entry", "exit, win"]
    assert legend(drawn([1.0, -1.0])) == ["long entry", "short entry", "exit, win", "exit, no win"]


def test_an_exit_without_a_win_differs_by_its_form_as_well(drawn):
    assert '<circle class="tnb-exit tnb-up"' in drawn([1.0])
    for change in (-1.0, 0.0):
        assert re.search(r'<path class="tnb-exit tnb-(down|even)"', drawn([change]))
        assert "<circle" not in drawn([change])


def test_of_very_many_trades_the_newest_are_marked_and_the_picture_says_so(drawn):
    chart = drawn([1.0] * (MARKED + 2))
    assert chart.count('<g class="tnb-trade">') == MARKED
    assert legend(chart)[-1] == f"the newest {MARKED} of {MARKED + 2} trades"
    whole = drawn([1.0] * (MARKED + 2), marked=MARKED + 2)
    assert whole.count('<g class="tnb-trade">') == MARKED + 2
    assert "newest" not in "".join(legend(whole))


def test_labels_of_the_legend_do_not_overlap(drawn):
    chart = drawn([1.0, -1.0] * MARKED)
    found = LEGEND.search(chart)[1]
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)"', found)]
    labels = legend(chart)
    ends = [x + 6.5 * len(text) for x, text in zip(places, labels, strict=True)]
    assert all(end < start for end, start in zip(ends, places[1:], strict=False))
    assert ends[-1] < 760
