"""What `ctx.state` keeps is what a way through JSON would keep, to the letter, errors included."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.engine import kept_state
from tradenb.engine.kept_state import STATE_LIMIT, KeptState
from tradenb.errors import UsageError


class ThroughJson:
    """The same, written down as the law says it: each ask reads JSON and leaves JSON."""

    def __init__(self, text):
        self.text = text

    def opened(self):
        return json.loads(self.text)

    def keep(self, opened):
        try:
            kept_state._check_plain(opened, "ctx.state")
        except RecursionError:
            raise UsageError("ctx.state is nested too deeply, or contains itself") from None
        text = json.dumps(opened, allow_nan=False, separators=(",", ":"))
        if len(text.encode()) > STATE_LIMIT:
            raise UsageError(f"ctx.state must stay within 64000 bytes as JSON, was {len(text)}")
        self.text = text


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**62, -(2**62), 10**30, -0.0, 5e-324, 1e308, 0.1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["\ud83d\ude00", "\ud800", "\x00\x1f\x7f", "ü", '"\\', "x" * 12_000])
)
STRANGE = st.sampled_from([math.nan, math.inf, (1, 2), {3}, b"x", np.float64(1.5), np.int64(2)])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LEFT = st.dictionaries(st.sampled_from("abc"), VALUES | STRANGE | st.lists(STRANGE), max_size=3)


def same(one, other):
    """Tell whether two values are the same to whoever looks: types, order and signs included."""
    return repr(one) == repr(other)


def kept(state, opened):
    """Keep it; return what was said against it."""
    try:
        state.keep(opened)
    except Exception as error:
        return type(error), str(error)
    return None


@given(st.lists(LEFT, min_size=1, max_size=4))
def test_what_is_kept_and_what_is_refused_is_what_json_says(asks):
    ours, theirs = KeptState("{}"), ThroughJson("{}")
    for left in asks:
        opened, expected = ours.opened(), theirs.opened()
        assert same(opened, expected)
        opened.update(left)
        expected.update(left)
        assert kept(ours, opened) == kept(theirs, expected)
        assert ours.text == theirs.text


@pytest.mark.parametrize("depth", [1, 19, 20, 21, 22, 300])
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"in": inner}])
def test_deep_values_come_back(depth, wrap):
    value = 1.5
    for _ in range(depth):
        value = wrap(value)
    ours, theirs = KeptState("{}"), ThroughJson("{}")
    for state in (ours, theirs):
        state.keep({"deep": value})
    assert ours.text == theirs.text
    assert same(ours.opened(), theirs.opened())


def test_what_contains_itself_is_refused():
    loop: dict = {}
    loop.update(one=loop, other=loop)
    state = KeptState('{"a":1}')
    with pytest.raises(UsageError, match="nested too deeply, or contains itself"):
        state.keep({"loop": loop})
    assert state.opened() == {"a": 1}


@given(LEFT.filter(lambda left: kept(ThroughJson("{}"), left) is None))
def test_nothing_that_is_held_outside_changes_what_was_kept(left):
    """Neither what was left nor what a later ask opens is the same object as what is kept."""
    state = KeptState("{}")
    state.keep(left)
    before = state.text
    spoil(left)
    spoil(state.opened())
    assert same(state.opened(), json.loads(before))
    assert state.text == before


def spoil(value):
    for inner in list(value.values() if isinstance(value, dict) else value):
        if isinstance(inner, dict | list):
            spoil(inner)
    if isinstance(value, dict):
        value["spoilt"] = True
    else:
        value.append("spoilt")


def test_an_integer_that_json_cannot_write_is_refused_as_ever():
    ours, theirs = KeptState("{}"), ThroughJson("{}")
    said = kept(ours, {"huge": 10**5000})
    assert said == kept(theirs, {"huge": 10**5000})
    assert said is not None
    assert ours.opened() == {}


@pytest.mark.parametrize("count", [10_600, 10_664, 10_665, 10_666, 10_667, 10_668, 10_700])
@pytest.mark.parametrize("item", ["x", 123_456, None])
def test_the_limit_is_that_of_the_text(count, item):
    left = {"a": [item] * (count * 6 // (len(json.dumps(item)) + 1))}
    ours, theirs = KeptState("{}"), ThroughJson("{}")
    assert kept(ours, left) == kept(theirs, left)
    assert ours.text == theirs.text
