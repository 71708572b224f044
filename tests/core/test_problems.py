"""The rule book of candidates: every rule by its name, in its order, with its words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Real

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradenb.core.candidate import Candidate, long, short
from tradenb.core.offsets import distance, percent
from tradenb.core.rules import Rules
from tradenb.core.validation.candidate_rules import (
    as_candidate,
    check_reply,
    is_plain,
    problems,
    resolved,
)
from tradenb.core.validation.terms import ID_LIMIT, NOTE_LIMIT

LONG = {"position": "long", "take_profit": 102.0, "stop_loss": 99.0, "minutes": 60}
SHORT = {"position": "short", "take_profit": 98.0, "stop_loss": 101.0, "minutes": 60}


def names(base: Mapping[str, object], *, used=(), rules=None, **fields: object) -> list[str]:
    """The names of the rules broken at a market price of 100."""
    candidate, found = as_candidate({**base, **fields})
    rules = rules or Rules()
    found += problems(candidate, price=100.0, rules=rules, used=used)
    return [problem.name for problem in found]


def words(base: Mapping[str, object], **fields: object) -> str:
    candidate, found = as_candidate({**base, **fields})
    candidate = resolved(candidate, 100.0)
    found += problems(candidate, price=100.0, rules=Rules(), used=("taken",), at=1_704_153_600_000)
    assert len(found) == 1
    return found[0].words


def test_a_good_candidate_has_no_problems():
    assert names(LONG) == names(SHORT) == []
    assert names(LONG, entry=99.9, id="a", note="", size=1) == []
    assert names(SHORT, entry=100.1, id="a", note="b", size=0.5) == []


def test_unknown_fields_are_named_with_the_known_ones_and_the_rest_is_checked_too():
    assert names(LONG, leverage=3, take_profit=-1) == ["unknown_field", "take_profit_number"]
    assert words(LONG, leverage=3).startswith("unknown field 'leverage'; the fields are position, ")


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({}, ["position", "stop_loss_number"]),
        ({"position": "buy"}, ["position"]),
        ({"position": "LONG"}, ["position"]),
        ({"position": None}, ["position"]),
        ({"position": ["long"]}, ["position"]),
        ({"entry": 0}, ["entry_number"]),
        ({"entry": "99.9"}, ["entry_number"]),
        ({"minutes": 0}, ["minutes_range"]),
        ({"minutes": -5}, ["minutes_range"]),
        ({"minutes": 60.0}, ["minutes_int"]),
        ({"minutes": True}, ["minutes_int"]),
        ({"minutes": np.True_}, ["minutes_int"]),
        ({"minutes": "60"}, ["minutes_int"]),
        ({"minutes": None}, []),
        ({"id": ""}, ["id_string"]),
        ({"id": 7}, ["id_string"]),
        ({"id": ["a"]}, ["id_string"]),
        ({"id": "a\ud800"}, ["id_string"]),
        ({"id": "taken"}, ["id_used"]),
        ({"id": "i" * (ID_LIMIT + 1)}, ["id_length"]),
        ({"note": 7}, ["note_string"]),
        ({"note": "n" * (NOTE_LIMIT + 1)}, ["note_length"]),
        ({"size": 0}, ["size_number"]),
        ({"size": math.nan}, ["size_number"]),
        ({"size": True}, ["size_number"]),
    ],
)
def test_each_rule_has_its_name(broken, expected):
    base = LONG if broken else {}
    assert names(base, used=("taken",), **broken) == expected


@pytest.mark.parametrize(
    "value",
    [0, -1.5, math.nan, math.inf, -math.inf, 10**400, True, np.True_, "102", {}, Decimal(102)],
)
def test_what_is_no_finite_number_above_0_is_no_price(value):
    assert names(LONG, take_profit=value) == ["take_profit_number"]
    assert names(LONG, stop_loss=value) == ["stop_loss_number"]
    if value is not None:
        assert names(LONG, entry=value) == ["entry_number"]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, Fraction, int])
def test_every_real_number_is_a_price(kind):
    assert names(LONG, take_profit=kind(102), stop_loss=kind(99)) == []


def test_a_number_whose_conversion_fails_is_no_price():
    class Odd(Fraction):
        def __float__(self) -> float:
            raise TypeError("not today")

    assert isinstance(Odd(102), Real)
    assert names(LONG, take_profit=Odd(102)) == ["take_profit_number"]


@pytest.mark.parametrize("minutes", [1, 1440, np.int64(60), np.int8(60)])
def test_minutes_are_any_whole_number_in_range(minutes):
    assert names(LONG, minutes=minutes) == []


@pytest.mark.parametrize(
    ("base", "broken", "expected"),
    [
        (LONG, {"take_profit": 98.0}, ["take_profit_side", "market_price_outside"]),
        (LONG, {"take_profit": 100.0}, ["take_profit_side", "market_price_outside"]),
        (LONG, {"stop_loss": 101.0}, ["stop_loss_side", "market_price_outside"]),
        (LONG, {"stop_loss": 100.0}, ["stop_loss_side", "market_price_outside"]),
        (LONG, {"stop_loss": 101.0, "take_profit": "?"}, ["stop_loss_side"]),
        (SHORT, {"take_profit": 102.0}, ["take_profit_side", "market_price_outside"]),
        (SHORT, {"stop_loss": 99.0}, ["stop_loss_side", "market_price_outside"]),
        # a limit entry is compared as given, the market price only where it is reached already
        (LONG, {"entry": 98.0, "stop_loss": 97.0, "take_profit": 99.5}, []),
        (LONG, {"entry": 98.0, "stop_loss": 98.5}, ["stop_loss_side"]),
        (LONG, {"entry": 98.0, "take_profit": 97.0, "stop_loss": 96.0}, ["take_profit_side"]),
        (LONG, {"entry": 101.0, "take_profit": 103.0, "stop_loss": 100.5}, ["outside"]),
        (SHORT, {"entry": 99.0, "take_profit": 97.0, "stop_loss": 99.5}, ["outside"]),
    ],
)
def test_sides_are_tested_on_the_entry_or_the_market_price(base, broken, expected):
    found = names(base, rules=Rules(min_stop_loss_percent=0.0), **broken)
    sides = [name for name in found if name.endswith("_side") or name == "market_price_outside"]
    assert sides == ["market_price_outside" if name == "outside" else name for name in expected]


@pytest.mark.parametrize(
    ("base", "broken", "expected"),
    [
        (LONG, {"take_profit": 100.49}, ["min_take_profit"]),
        (LONG, {"take_profit": 100.5}, []),
        (LONG, {"stop_loss": 99.51}, ["min_stop_loss"]),
        (LONG, {"stop_loss": 99.5}, []),
        (LONG, {"stop_loss": 80.0}, []),
        (LONG, {"stop_loss": 79.99}, ["max_stop_loss"]),
        (SHORT, {"take_profit": 99.51, "stop_loss": 120.01}, ["min_take_profit", "max_stop_loss"]),
        # on the price that will be paid: the entry, or the market price where that is better
        (LONG, {"entry": 99.4, "stop_loss": 99.0}, ["min_stop_loss"]),
        (LONG, {"entry": 101.0, "take_profit": 101.2, "stop_loss": 99.5}, []),
        (LONG, {"entry": 101.0, "take_profit": 101.4, "stop_loss": 99.6}, ["min_stop_loss"]),
        # without a position only a market entry has a known price
        (LONG, {"position": "buy", "take_profit": 100.1}, ["position", "min_take_profit"]),
        (LONG, {"position": "buy", "take_profit": 100.1, "entry": 100.0}, ["position"]),
        (LONG, {"entry": "x", "take_profit": 100.1}, ["entry_number"]),
    ],
)
def test_distances_are_tested_on_the_price_that_will_be_paid(base, broken, expected):
    assert names(base, **broken) == expected


@pytest.mark.parametrize("price", [0.07, 1.1, 42_123.45, 9.7e-6])
def test_half_a_percent_is_half_a_percent_at_every_price(price):
    near = long(take_profit=1.005 * price, stop_loss=0.995 * price, minutes=1)
    far = short(take_profit=0.995 * price, stop_loss=1.2 * price, minutes=1)
    assert problems(near, price=price, rules=Rules()) == []
    assert problems(far, price=price, rules=Rules()) == []


def test_problems_come_in_the_order_of_the_rule_book_all_at_once():
    broken = {"take_profit": 99.0, "stop_loss": -1, "entry": 99.8, "minutes": 0, "note": 1}
    assert names({"position": "long", **broken, "id": "taken", "size": "1"}, used=["taken"]) == [
        "stop_loss_number",
        "take_profit_side",
        "minutes_range",
        "id_used",
        "note_string",
        "size_number",
    ]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"position": "buy"}, "position must be 'long' or 'short', was 'buy'"),
        ({"take_profit": -1}, "take_profit must be a finite number above 0, was -1"),
        ({"entry": 99.0, "stop_loss": 99.5}, "stop_loss must be below entry 99.0 for a long, was"),
        (
            {"take_profit": 100.1},
            "take_profit must be at least 0.5 % away from the price paid 100.0, was 0.1000 %",
        ),
        ({"minutes": 0}, "minutes must be at least 1, was 0"),
        ({"minutes": 1.5}, "minutes must be a whole number, was 1.5"),
        ({"id": "taken"}, "id 'taken' was used by an earlier signal; choose another"),
        ({"note": 5}, "note must be a string, was 5"),
        ({"stop_loss": percent(150)}, "stop_loss must be a finite number above 0, was tn.percent("),
        ({"stop_loss": distance(100)}, "stop_loss must be a finite number above 0, was tn.distan"),
        ({"breakeven_plus": 1}, "breakeven_plus needs breakeven, was 1"),
        ({"breakeven": 1, "breakeven_plus": 2}, "breakeven_plus must be a finite number from 0 to"),
        ({"until": 5}, "until must lie after the moment of the decision (2024-01-02 00:00), was 5"),
        (
            {"id": "i" * 301},
            f"id must be at most 300 characters, was 301: '{'i' * 76}...",
        ),
        (
            {"note": "n" * 1_000_000},
            f"note must be at most 2,000 characters, was 1,000,000: '{'n' * 76}...",
        ),
    ],
)
def test_words_give_the_value_and_the_bound(broken, sentence):
    assert words(LONG, **broken).startswith(sentence)


@pytest.mark.parametrize("stop", [2, 0.02])
def test_a_stop_that_looks_like_a_percent_is_told_how_to_be_one(stop):
    said = f"; {stop:g} is a price, a stop {stop:g} % away is tn.percent({stop:g})"
    assert words(LONG, stop_loss=stop).endswith(said)
    assert "tn.percent" not in words(LONG, stop_loss=60.0)


@pytest.mark.parametrize(
    "broken", [{"entry": percent(1)}, {"position": "buy"}, {"entry": 99.0, "breakout": 101.0}]
)
def test_a_distance_is_not_blamed_for_an_entry_or_a_side_that_is_refused(broken):
    levels = {"stop_loss": percent(2), "take_profit": [(percent(2), 0.5)]}
    candidate, found = as_candidate({**LONG, **levels, **broken})
    found += problems(resolved(candidate, 100.0), price=100.0, rules=Rules(), used=())
    said = " is a distance from an entry, and the entry or side is refused"
    told = {each.words for each in found if each.name in ("stop_loss_number", "take_profit_number")}
    assert told == {
        f"stop_loss tn.percent(2){said}",
        f"take_profit [(tn.percent(2), 0.5)]{said}",
    }


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"take_profit": 100.1}, "min_take_profit_percent"),
        ({"stop_loss": 99.9}, "min_stop_loss_percent"),
        ({"stop_loss": 50.0}, "max_stop_loss_percent"),
        ({"stop_loss": None}, "max_stop_loss_percent"),
        ({"take_profit": None}, "require_take_profit"),
        ({"minutes": 61}, "max_signal_minutes"),
        ({"minutes": None}, "max_signal_minutes"),
        ({"until": 9_000_000_000}, "max_signal_minutes"),
    ],
)
def test_words_name_the_rule_that_sets_the_limit(broken, field):
    rules = Rules(max_signal_minutes=60, require_take_profit=True)
    candidate, _ = as_candidate({**LONG, "minutes": 9, **broken})
    (problem,) = problems(candidate, price=100.0, rules=rules, used=())
    assert f"tn.Rules({field}=" in problem.words
    assert field in Rules.model_fields


def test_ids_and_notes_may_be_as_long_as_their_bounds():
    assert names(LONG, id="i" * ID_LIMIT, note="n" * NOTE_LIMIT) == []


def test_no_value_of_a_user_breaks_or_floods_a_message():
    class Rude:
        def __repr__(self) -> str:
            raise ValueError("rude")

    assert words(LONG, note=Rude()).endswith("was <Rude whose repr raised ValueError>")
    assert words(LONG, note=["x"] * 999).endswith("...")
    assert len(words(LONG, note=["x"] * 999)) < 120


def test_many_unknown_fields_and_an_endless_error_are_shown_in_part():
    class Endless(dict):
        def __getitem__(self, key):
            raise KeyError("x" * 1_000_000)

    many = words(LONG, **{f"field_{number}": 1 for number in range(100_000)})
    assert "'field_0', 'field_1'" in many
    assert "and 99,995 more; the fields are position" in many
    assert len(many) < 300
    (problem,) = as_candidate(Endless(LONG))[1]
    assert problem.words.startswith("the mapping could not be read: KeyError: 'xxx")
    assert len(problem.words) < 150


@settings(max_examples=300)
@given(
    position=st.sampled_from(["long", "short", "buy", None]),
    rungs=st.lists(
        st.tuples(
            st.sampled_from([98.0, 99.4, 99.5, 100.0, 100.5, 101.0, 102.0, 103, -1.0, math.inf]),
            st.sampled_from([0.0, 0.25, 0.5, 0.5 + 1e-9, 1, 1.5, math.nan]),
        ),
        max_size=3,
    ),
    stop=st.sampled_from([97.0, 99.0, 99.99, 101.0, 150.0]),
    minutes=st.sampled_from([None, 0, 60]),
    found_in=st.sampled_from([list, tuple]),
)
def test_a_ladder_is_judged_the_same_however_it_is_looked_at(
    position, rungs, stop, minutes, found_in
):
    fields = {"position": position, "stop_loss": stop, "minutes": minutes}
    fields["take_profit"] = found_in(rungs)
    made = [
        check_reply(reply, "S", "s", 60_000, price=100.0, rules=Rules(), used=())
        for reply in (Candidate(**fields), fields)  # a mapping is never looked at in short
    ]
    assert repr(made[0]) == repr(made[1])


@pytest.mark.parametrize(
    ("ladder", "plain"),
    [
        ([(101.0, 0.5), (102.0, 0.5)], True),
        ([(101.0, 0.5), (102.0, 0.5 + 1e-6)], False),
        ([(100.01, 0.5), (102.0, 0.5)], False),
        ([(99.5, 0.5), (102.0, 0.5)], False),
        ([(102.0, 0.5), (101.0, 0.5)], False),
        ([(101.0, 0.5), (math.inf, 0.5)], False),
        ([(101.0, 0.5), (102, 0.5)], False),
    ],
)
def test_all_rungs_of_a_plain_ladder_keep_the_rules(ladder, plain):
    candidate = long(stop_loss=99.0, take_profit=ladder, minutes=9)
    assert is_plain(candidate, 100.0, Rules()) is plain
