"""Stretches of time, against sets of minutes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tradenb.exchanges.cache.spans import (
    clip,
    month_name,
    month_of,
    split_by_month,
    subtract,
    union,
)

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def minutes(found):
    return {minute for start, end in found for minute in range(start, end)}


@given(spans)
def test_joined_spans_are_the_same_time_sorted_and_apart(given_):
    found = union(given_)
    assert minutes(found) == minutes(given_)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))


@given(spans, st.integers(0, 30), st.integers(0, 30))
def test_what_is_without_and_what_is_within_is_the_whole(given_, start, end):
    whole, known = set(range(start, end)), minutes(given_)
    assert minutes(subtract((start, end), given_)) == whole - known
    assert minutes(clip(given_, start, end)) == whole & known


@given(st.integers(31_536_000_000, 4_102_444_800_000), st.integers(1, 200 * 86_400_000))
def test_months_cut_a_span_and_lose_nothing_of_it(start, length):
    parts = split_by_month((start, start + length))
    assert union(parts) == ((start, start + length),)
    assert len({month_name(part[0]) for part in parts}) == len(parts)
    assert all(month_of(a)[0] <= a < b <= month_of(a)[1] for a, b in parts)
