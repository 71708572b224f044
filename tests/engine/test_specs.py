"""Declarations: frozen, checked when they are made, every problem with its bound."""

from __future__ import annotations

import functools
import inspect

import pytest

from tests.sources import T0
from tradenb.core.risk import RiskBook
from tradenb.engine.call import checked_function, is_async
from tradenb.engine.specs.decorators import Strategy
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import SpecError


def asked(ctx):
    return ctx


def spec(**values) -> StrategySpec:
    return StrategySpec(**{"name": "dip", "function": asked, "every": "5m", **values})


def test_a_spec_is_frozen_and_knows_its_intervals():
    made = spec(history="3d")
    assert (made.every_ms, made.history_ms, spec().history_ms) == (
        300_000,
        259_200_000,
        172_800_000,
    )
    with pytest.raises(ValueError, match="frozen"):
        made.every = "1m"


def test_a_spec_can_still_be_called_as_its_function():
    refuses = RiskSpec(name="r", function=lambda book, candidate: f"{book.now} {candidate}")
    assert (spec()("anything"), refuses(RiskBook(T0), "x")) == ("anything", f"{T0} x")


def test_a_spec_says_what_it_is():
    rule = RiskSpec(name="portfolio", function=lambda book, candidate: None)
    assert repr(spec(risk=(rule,))) == "<strategy dip: every 5m, risk=['portfolio']>"
    assert (repr(spec()), repr(rule)) == ("<strategy dip: every 5m>", "<risk portfolio>")


@pytest.mark.parametrize("name", ["", " ", " dip", "dip ", "a\nb", "a\tb", "a\x00b", "x" * 121])
def test_a_name_is_printable_short_and_without_spaces_around(name):
    with pytest.raises(SpecError) as caught:
        spec(name=name)
    words = "name must be 1 to 120 printable characters without spaces around them, was "
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["dip", "x" * 120, "my dip", "über-5m", "a/b", "止"])
def test_any_other_name_is_good(name):
    assert spec(name=name).name == name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"every": "7m"},
            "'dip': every must be one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w (did you ",
        ),
        (
            {"every": 5},
            "'dip': every must be one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w (did",
        ),
        ({"history": 3}, "'dip': history must look like '90m', '36h', '3d' or '2w', was 3"),
        ({"history": "3x"}, "'dip': history must look like '90m', '36h', '3d' or '2w', was '3x'"),
        ({"history": "0d"}, "'dip': history must look like '90m', '36h', '3d' or '2w', was '0d'"),
        ({"function": 5}, "'dip': function: Input should be callable, was 5"),
        ({"name": 5}, "5: name: Input should be a valid string, was 5"),
        ({"colour": "red"}, "'dip': colour: Extra inputs are not permitted, was 'red'"),
    ],
)
def test_a_problem_is_named_with_the_field_the_bound_and_the_value(values, words):
    with pytest.raises(SpecError) as caught:
        spec(**values)
    assert str(caught.value).startswith(words)


def test_all_problems_come_at_once():
    with pytest.raises(SpecError, match=r"every must be .*; history must look"):
        spec(every="2m", history="soon")


# ------------------------------------------------------------------------------------- functions


class Asked:
    def __call__(self, ctx):
        return ctx

    async def later(self, ctx):
        return ctx


async def later(ctx):
    return ctx


@pytest.mark.parametrize(
    "function",
    [
        asked,
        later,
        lambda ctx: None,
        lambda ctx, n=5, *more, key=1, **keys: None,
        lambda *all: None,
        Asked(),
        Asked().later,
        functools.partial(lambda n, ctx: None, 5),
        functools.partial(later),
        print,
        len,
    ],
)
def test_whatever_takes_one_argument_is_a_strategy(function):
    assert checked_function(function, "strategy 'dip'", "ctx") is function


@pytest.mark.parametrize(
    "function",
    [
        lambda: None,
        lambda ctx, other: None,
        lambda ctx, *, key: None,
        Asked.__call__,
        functools.partial(asked, 1),
    ],
)
def test_what_takes_another_number_is_none(function):
    with pytest.raises(SpecError, match=r"strategy 'dip' must take one argument \(ctx\); "):
        checked_function(function, "strategy 'dip'", "ctx")


def test_a_risk_rule_takes_two_arguments():
    assert checked_function(max, "risk rule 'r'", "book", "candidate") is max
    with pytest.raises(SpecError) as caught:
        checked_function(asked, "risk rule 'r'", "book", "candidate")
    assert str(caught.value) == (
        "risk rule 'r' must take 2 arguments (book, candidate); too many positional arguments"
    )


@pytest.mark.parametrize("target", [5, None, "dip", {"position": "long"}])
def test_what_cannot_be_called_is_no_function(target):
    with pytest.raises(SpecError) as caught:
        checked_function(target, "strategy 'dip'", "ctx")
    assert str(caught.value) == f"strategy 'dip' must be a function, was {target!r}"


def test_a_function_that_yields_is_refused():
    def yields(ctx):
        yield None

    async def yields_later(ctx):
        yield None

    for function in (yields, yields_later):
        with pytest.raises(SpecError, match="strategy 'dip' must return its answer, not yield it"):
            checked_function(function, "strategy 'dip'", "ctx")


@pytest.mark.parametrize(
    ("function", "asynchronous"),
    [
        (asked, False),
        (later, True),
        (functools.partial(later), True),
        (Asked(), False),
        (Asked().later, True),
        (lambda ctx: None, False),
        (len, False),
    ],
)
def test_an_async_function_is_recognised_before_it_is_called(function, asynchronous):
    assert is_async(function) is asynchronous


def test_an_object_with_an_async_call_is_async():
    class Later:
        async def __call__(self, ctx):
            return ctx

    assert is_async(Later())
    assert not inspect.iscoroutinefunction(Later())


def test_the_base_class_of_strategies_has_no_answer():
    with pytest.raises(SpecError, match=r"Strategy must define get_signal\(self, ctx\)"):
        Strategy().get_signal(None)


# --------------------------------------------------------------------------------- fingerprints


def test_the_fingerprint_is_that_of_function_interval_history_and_risk():
    def rule(limit: int) -> RiskSpec:
        return RiskSpec(name="r", function=lambda book, candidate: "no" if limit else None)

    base = spec(risk=(rule(1),)).fingerprint
    assert spec(risk=(rule(1),)).fingerprint == base
    others = [
        spec(risk=(rule(0),)),
        spec(),
        spec(risk=(rule(1),), every="1m"),
        spec(risk=(rule(1),), history="1d"),
        spec(risk=(rule(1),), function=lambda ctx: None),
    ]
    assert base not in {other.fingerprint for other in others}
    renamed = spec(risk=(rule(1),), name="other", callbacks={"opened": print})
    assert renamed.fingerprint == base


def test_what_a_function_remembers_while_it_runs_is_no_change_of_it():
    memory = []

    def remembers(ctx):
        memory.append(ctx)

    made = spec(function=remembers)
    before = made.fingerprint
    made("x")
    assert (memory, made.fingerprint) == (["x"], before)
    assert made.model_copy(update={"function": asked}).fingerprint == before


def test_tab_shows_what_a_user_declared_and_nothing_of_pydantic():
    spec = StrategySpec(name="dip", function=lambda ctx: None, every="5m")
    rule = RiskSpec(name="portfolio", function=lambda book, candidate: None)
    assert dir(rule) == ["function", "name"]
    assert dir(spec) == [
        *(
            "callbacks",
            "every",
            "flip",
            "function",
            "history",
            "indicators",
            "manage",
            "name",
            "risk",
            "symbols",
        ),
        "vectorised",
    ]
