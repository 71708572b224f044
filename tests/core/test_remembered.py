"""What an instance remembers of its signals: the last 1,000, in lists that states share."""

from __future__ import annotations

import copy
import pickle

import pytest

from tradenb.core.lifecycle.state import REMEMBERED, Remembered, remember


def after(*items: int) -> Remembered[int]:
    kept = remember((), items[0])
    for item in items[1:]:
        kept = remember(kept, item)
    return kept


def test_the_last_thousand_are_kept_however_many_came():
    kept = after(0)
    for item in range(1, 3 * REMEMBERED + 7):
        kept = remember(kept, item)
        first = max(0, item + 1 - REMEMBERED)
        assert (len(kept), kept[0], kept[-1]) == (item + 1 - first, first, item)
    assert list(kept) == list(range(2 * REMEMBERED + 7, 3 * REMEMBERED + 7))
    assert kept[-2:] == (3 * REMEMBERED + 5, 3 * REMEMBERED + 6)
    assert (3 * REMEMBERED in kept, REMEMBERED in kept) == (True, False)


def test_too_many_at_the_beginning_are_cut():
    assert remember(tuple(range(2 * REMEMBERED)), -1) == (
        *range(REMEMBERED + 1, 2 * REMEMBERED),
        -1,
    )


def test_two_that_go_on_from_one_do_not_see_each_other():
    known = after(1, 2)
    one, other = remember(known, 3), remember(known, 4)
    again = remember(one, 5)
    assert (known, one, other, again) == ((1, 2), (1, 2, 3), (1, 2, 4), (1, 2, 3, 5))
    assert remember(other, 6) == (1, 2, 4, 6)


def test_it_equals_a_tuple_of_the_same_items_either_way():
    kept = after(1, 2)
    assert kept == (1, 2)
    known: object = (1, 2)
    assert known == kept
    assert kept == after(1, 2)
    assert kept != (1, 3)
    assert kept != 12
    assert hash(kept) == hash((1, 2))
    assert repr(kept) == "(1, 2)"


def test_a_place_that_is_not_there_is_refused():
    kept = after(1, 2)
    remember(kept, 3)  # in the list that both share
    for place in (2, -3):
        with pytest.raises(IndexError):
            kept[place]


def test_a_copy_holds_what_was_kept_alone():
    kept = after(1, 2)
    later = remember(kept, 3)
    for same in (copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert same == (1, 2)
        assert remember(same, 9) == (1, 2, 9)
    assert later == (1, 2, 3)
