"""The picture of a live run in the band of its backtest."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tradenb.statistics.expectation import Band, course_of
from tradenb.view.conduct.expected_course import Expectation

BAND = Band(0.001, 0.01, 100, 2.5, 2.5, 100, 95.0)
SVG = "{http://www.w3.org/2000/svg}"


def expectation(percents):
    return Expectation(BAND, course_of(BAND, list(enumerate(percents, 1))))


def drawn(percents, width=760):
    return ElementTree.fromstring(expectation(percents).svg(width))


def texts(picture):
    return ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]


def corners(picture, kind):
    (path,) = (each for each in picture.iter(f"{SVG}path") if each.get("class") == kind)
    return len(re.findall("[MLHV]", path.get("d")))


def test_a_run_inside_is_a_line_without_a_mark_of_leaving():
    picture = drawn([0.5, -0.3, 0.4])
    assert corners(picture, "tnb-line") == 4  # it begins at nothing
    assert [each for each in picture.iter() if each.get("class") == "tnb-left"] == []
    assert "+0.60\xa0%" in texts(picture)
    assert picture.get("aria-label").startswith("in the band of its backtest: +0.60")


@pytest.mark.parametrize("percent", [-2.0, 2.0])
def test_where_it_left_is_marked_at_the_line_and_said(percent):
    percents = [0.1, 0.1, *[percent] * 8]
    found = expectation(percents)
    picture = drawn(percents)
    assert f"left after {found.left_after}" in texts(picture)
    (ring,) = (each for each in picture.iter(f"{SVG}circle") if each.get("class") == "tnb-left")
    (line,) = (each for each in picture.iter(f"{SVG}path") if each.get("class") == "tnb-line")
    assert f"{ring.get('cx')} {ring.get('cy')}" in re.split("[MLHV]", line.get("d"))


def test_a_run_without_trades_shows_what_is_expected():
    picture = drawn([])
    assert "no trade yet" in texts(picture)
    assert "20 trades" in texts(picture)
    low, high = BAND.bounds(20)
    assert {f"+{high:.1f}\xa0%", f"\u2212{-low:.1f}\xa0%"} <= set(texts(picture))


def test_the_band_is_drawn_half_as_far_again_as_the_run_and_no_farther_than_it_reaches():
    assert "60 trades" in texts(drawn([0.1] * 40))
    assert "100 trades" in texts(drawn([0.1] * 90))


def test_words_do_not_lie_on_each_other_at_the_end_of_the_band():
    low, _ = BAND.bounds(100)
    picture = drawn([100 * ((1 + low / 100) ** 0.01 - 1)] * 100)
    at_the_end = [each for each in texts(picture) if each.startswith("\u2212")]
    assert f"{low:.2f}".replace("-", "\u2212") + "\xa0%" in at_the_end
    assert f"{low:.1f}".replace("-", "\u2212") + "\xa0%" not in at_the_end


@pytest.mark.parametrize("width", [240, 380, 760, 2400])
def test_it_is_as_wide_as_it_is_asked_to_be(width):
    picture = drawn([0.5] * 30, width)
    assert picture.get("viewBox").split()[2] == str(width)


def test_a_cell_shows_words_and_picture():
    page = expectation([0.5, -0.3])._repr_html_()
    assert page.startswith('<div class="tnb-summary">')
    assert "in the band of its backtest" in page
    assert "<svg" in page
