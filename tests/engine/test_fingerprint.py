"""Fingerprints: they change when what a function does changes, and only then."""

from __future__ import annotations

import functools
import textwrap
from typing import Any

import numpy as np
import pytest

from tradenb.engine.fingerprint import fingerprint, identity_of
from tradenb.engine.inputs import data
from tradenb.engine.specs.decorators import Strategy

BASE = """
def dip(ctx, n=5, *, factor=0.985):
    close = ctx.candles("5m", n).close

    def low(values):
        return values[-1] < factor * values.mean()

    return {"position": "long"} if low(close) else None
"""


def defined(source: str, name: str = "dip", **names: Any) -> Any:
    """What a notebook cell with this source defines."""
    namespace: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(textwrap.dedent(source), "cell", "exec"), namespace)
    return namespace[name]


def closing_over(value: Any, name: str = "value") -> Any:
    """A function that closes over a value."""
    source = f"""
        def make({name}):
            def dip(ctx):
                return {name}
            return dip
    """
    return defined(source, "make")(value)


def test_a_cell_that_is_run_again_defines_the_same():
    assert fingerprint(defined(BASE)) == fingerprint(defined(BASE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def dip", "# a comment\n\n\ndef dip"),
        ("    return {", "    # a comment\n\n    return {"),
        ("(ctx, n=5", "(ctx: object, n: int=5"),
    ],
)
def test_comments_moves_and_annotations_change_nothing(old, new):
    assert fingerprint(defined(BASE.replace(old, new))) == fingerprint(defined(BASE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n=5", "n=6"),
        ("factor=0.985", "factor=0.99"),
        ('"5m"', '"15m"'),
        ("values[-1]", "values[-2]"),
        ("<", "<="),
        (".mean()", ".max()"),
        ("None", "0"),
        ("def dip", "async def dip"),
    ],
)
def test_a_default_a_constant_or_a_nested_function_that_changes_is_seen(old, new):
    assert fingerprint(defined(BASE.replace(old, new))) != fingerprint(defined(BASE))


def test_what_is_guarded_by_a_try_is_seen():
    inside = """
        def dip(ctx):
            try:
                ctx.first()
                ctx.second()
            except ValueError:
                pass
    """
    outside = """
        def dip(ctx):
            try:
                ctx.first()
            except ValueError:
                pass
            else:
                ctx.second()
    """
    assert fingerprint(defined(inside)) != fingerprint(defined(outside))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, True),
        ("a", "b"),
        (None, 0.0),
        ((1, (2, 3)), (1, (2, 4))),
        ([1, 2], [2, 1]),
        ({"n": 5}, {"n": 6}),
        ({"a"}, {"b"}),
        (frozenset({1}), frozenset({2})),
        (defined(BASE), defined(BASE.replace("n=5", "n=6"))),
        ([defined(BASE)], [defined(BASE.replace("n=5", "n=6"))]),
        (dict, list),
    ],
)
def test_a_value_that_is_closed_over_is_seen(one, other):
    assert fingerprint(closing_over(one)) == fingerprint(closing_over(one))
    assert fingerprint(closing_over(one)) != fingerprint(closing_over(other))


@pytest.mark.parametrize("make", [object, lambda: np.zeros(3), lambda: (object(),)])
def test_an_object_that_cannot_be_compared_counts_by_its_type(make):
    assert fingerprint(closing_over(make())) == fingerprint(closing_over(make()))
    default = "def dip(ctx, value=value): return value"
    one, other = (fingerprint(defined(default, value=make())) for _ in "ab")
    assert one == other


def test_sets_have_no_order():
    there, back = set([0, 8]), set([8, 0])  # noqa: C405 - in the order in which they are added
    assert list(there) != list(back)
    assert fingerprint(closing_over(there)) == fingerprint(closing_over(back))


def test_a_large_collection_counts_by_its_size():
    large = list(range(100_000))
    assert fingerprint(closing_over(large)) == fingerprint(closing_over(large[::-1]))
    assert fingerprint(closing_over(large)) != fingerprint(closing_over(large[:-1]))


def test_functions_that_call_themselves_have_a_fingerprint():
    source = """
        def make(end):
            def down(n):
                return down(n - 1) if n > end else n
            return down
    """
    make = defined(source, "make")
    assert fingerprint(make(0)) == fingerprint(make(0)) != fingerprint(make(1))


def test_a_variable_that_is_not_there_yet_is_no_obstacle():
    source = """
        def make():
            def dip(ctx):
                return later
            yield dip
            later = 1
    """
    assert fingerprint(next(defined(source, "make")()))


def test_a_decorator_and_what_it_wraps_are_both_seen():
    source = """
        import functools
        def times(count):
            def decorate(function):
                @functools.wraps(function)
                def wrapper(ctx):
                    return [function(ctx) for _ in range(count)]
                return wrapper
            return decorate
    """
    times, one, two = defined(source, "times"), defined(BASE), defined(BASE.replace("5", "6"))
    prints = {fingerprint(times(count)(inner)) for count in (1, 2) for inner in (one, two)}
    assert len(prints) == 4
    cached = [fingerprint(functools.lru_cache(inner)) for inner in (one, one, two)]
    assert cached[0] == cached[1] != cached[2]


def test_partials_are_their_function_and_their_arguments():
    one, two = defined(BASE), defined(BASE.replace("<", ">"))
    made = [
        functools.partial(one, n=5),
        functools.partial(one, n=5),
        functools.partial(one, n=6),
        functools.partial(two, n=5),
    ]
    prints = [fingerprint(partial) for partial in made]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert identity_of(made[0]) == identity_of(one) == ("__main__", "dip")


CLASS = """
class Base(Strategy):
    n = 5

    def low(self, values):
        return values[-1] < self.factor

class Dip(Base):
    def __init__(self, factor=0.5):
        self.factor = factor

    def get_signal(self, ctx):
        return self.low(ctx.candles("5m", self.n).close)

    @staticmethod
    def helper():
        return 1
"""


@pytest.mark.parametrize(
    ("old", "new"), [("n = 5", "n = 6"), ("[-1]", "[-2]"), ("return 1", "return 2")]
)
def test_of_a_method_the_whole_class_counts(old, new):
    one, same, other = (
        defined(source, "Dip", Strategy=Strategy)().get_signal
        for source in (CLASS, "\n\n# moved\n" + CLASS, CLASS.replace(old, new))
    )
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    assert identity_of(one) == ("__main__", "Dip.get_signal")


def test_of_an_object_its_attributes_count():
    made = defined(CLASS, "Dip", Strategy=Strategy)
    prints = [fingerprint(made(factor).get_signal) for factor in (0.5, 0.5, 0.6)]
    assert prints[0] == prints[1] != prints[2]


def test_a_callable_object_is_its_class_and_its_attributes():
    source = """
        class Asked:
            def __init__(self, n):
                self.n = n
            def __call__(self, ctx):
                return self.n
    """
    made, changed = (
        defined(text, "Asked") for text in (source, source.replace("return self.n", "return 1"))
    )
    prints = [fingerprint(made(5)), fingerprint(made(5)), fingerprint(made(6))]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(changed(5)) != prints[0]
    assert identity_of(made(5)) == ("__main__", "Asked")


def test_builtins_have_an_identity_and_a_fingerprint():
    assert (identity_of(len), fingerprint(len)) != (identity_of(max), fingerprint(max))


class Joint:
    """An object that can be called, and that reaches two others."""

    def __init__(self, first, second, name="joint"):
        self.first, self.second, self.name = first, second, name

    def __call__(self):
        return self.first, self.second


def braided(name="joint"):
    """A function that reaches 60 objects in more ways than can be followed."""
    found = Joint(None, None)
    for _ in range(60):
        found = Joint(found, found)
    top = Joint(found, found, name)
    return lambda: top


def test_objects_that_share_others_are_described_in_bounded_time(monkeypatch):
    monkeypatch.setattr("tradenb.engine.fingerprint._MOST", 4_000)
    assert fingerprint(braided()) == fingerprint(braided())
    assert fingerprint(braided()) != fingerprint(braided("another"))


def test_an_input_that_is_reached_in_many_ways_is_looked_at_once():
    shared = [None]
    for _ in range(60):
        shared = [shared, shared]

    def reads():
        return shared

    assert data(reads) == frozenset()
