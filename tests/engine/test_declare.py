"""`@tn.strategy` and `@tn.risk`: functions and classes become specs with a name."""

from __future__ import annotations

import pytest

import tradenb as tn
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec


def declare(target, name: str = "dip", **more) -> StrategySpec:
    return tn.strategy(name, **{"every": "5m", **more})(target)


def test_a_decorated_function_is_a_spec_that_can_still_be_called():
    @tn.strategy("dip", every="15m", history="3d")
    def dip(ctx):
        return ctx

    assert isinstance(dip, StrategySpec)
    assert (dip.name, dip.every, dip.history, dip.risk, dip.callbacks) == (
        "dip", "15m", "3d", (), {},
    )  # fmt: skip
    assert dip("anything") == "anything"


def test_every_callback_has_its_kind_of_event():
    given = {
        name: (lambda event, name=name: name)
        for name in ("on_schedule", "on_open", "on_milestone", "on_close", "on_cancel", "on_ping")
    }
    callbacks = declare(lambda ctx: None, **given).callbacks
    assert {kind: function(None) for kind, function in callbacks.items()} == {
        "scheduled": "on_schedule",
        "opened": "on_open",
        "milestone": "on_milestone",
        "closed": "on_close",
        "cancelled": "on_cancel",
        "ping": "on_ping",
    }


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        ("print", "on_open of 'dip' must be a function, was 'print'"),
        (lambda: None, "on_open of 'dip' must take one argument (event); too many positional"),
        (lambda a, b: None, "on_open of 'dip' must take one argument (event); missing a required"),
    ],
)
def test_a_callback_that_cannot_take_an_event_is_refused_at_once(callback, words):
    with pytest.raises(tn.SpecError) as caught:
        declare(lambda ctx: None, on_open=callback)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("name", [None, 5, lambda ctx: None])
def test_a_strategy_and_a_rule_need_a_name(name):
    with pytest.raises(tn.SpecError, match=r'a strategy needs a name: @tn.strategy\("dip", every='):
        tn.strategy(name, every="5m")
    with pytest.raises(tn.SpecError, match=r'a risk rule needs a name: @tn.risk\("my-rule"\), was'):
        tn.risk(name)


def test_a_wrong_interval_is_refused_with_all_right_ones():
    with pytest.raises(tn.SpecError, match=r"'dip': every must be one of 1m 3m .*'7m'"):
        declare(lambda ctx: None, every="7m")


# ------------------------------------------------------------------------------------- risk


def test_rules_are_given_as_objects_or_names_alone_or_in_order():
    @tn.risk("mine")
    def mine(book, candidate):
        return None

    portfolio = tn.risks.max_open(5, name="portfolio")
    assert isinstance(mine, RiskSpec)
    assert declare(lambda ctx: None, risk=mine).risk == (mine,)
    assert declare(lambda ctx: None, risk="mine").risk == (mine,)
    assert declare(lambda ctx: None, risk=["portfolio", mine]).risk == (portfolio, mine)
    assert declare(lambda ctx: None, risk=(rule for rule in (mine, portfolio))).risk == (
        mine,
        portfolio,
    )


def test_a_rule_is_named_once():
    rule = tn.risks.max_open(5, name="portfolio")
    with pytest.raises(tn.SpecError, match="each risk rule may be named once, were "):
        declare(lambda ctx: None, risk=[rule, "portfolio"])


def test_an_unknown_rule_is_answered_with_the_nearest():
    tn.risks.max_open(5, name="portfolio")
    with pytest.raises(tn.UnknownName, match="risk rule 'portfolo'; did you mean 'portfolio'"):
        declare(lambda ctx: None, risk="portfolo")


@pytest.mark.parametrize("risk", [lambda book, candidate: None, None, 5, [5]])
def test_what_is_no_rule_is_refused(risk):
    with pytest.raises(tn.SpecError, match="a risk rule must be given as an object or by its name"):
        declare(lambda ctx: None, risk=risk)


def test_a_strategy_is_no_rule():
    other = declare(lambda ctx: None, "other")
    with pytest.raises(tn.SpecError, match="or by its name, was <strategy other: every 5m>"):
        declare(lambda ctx: None, risk=other)


def test_a_rule_takes_a_book_and_a_candidate():
    with pytest.raises(tn.SpecError, match=r"risk rule 'r' must take 2 arguments \(book, candid"):
        tn.risk("r")(lambda book: None)


# ------------------------------------------------------------------------------------- classes


class Counting(tn.Strategy):
    def __init__(self, first: int = 0) -> None:
        self.asks = first

    def get_signal(self, ctx):
        self.asks += 1
        return self.asks

    def on_open(self, event):
        return f"opened {event}"


def test_a_class_is_registered_with_an_object_of_it_and_its_methods_as_callbacks():
    made = declare(Counting)
    assert (made(None), made(None)) == (1, 2)
    assert {kind: function("x") for kind, function in made.callbacks.items()} == {
        "opened": "opened x"
    }


def test_an_object_is_registered_as_it_is():
    made = declare(Counting(first=5))
    assert made(None) == 6


def test_a_callback_that_is_given_stands_before_the_method():
    made = declare(Counting, on_open=lambda event: "given")
    assert made.callbacks["opened"]("x") == "given"


class NeedsMore(tn.Strategy):
    def __init__(self, n):
        self.n = n

    def get_signal(self, ctx):
        return self.n


class Silent(tn.Strategy):
    pass


class Wrong(tn.Strategy):
    def get_signal(self):
        return None


class NotOurs:
    def get_signal(self, ctx):
        return None


class BadCallback(Counting):
    on_close = "print"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (NeedsMore, "'dip': NeedsMore takes arguments; pass an object of the class instead ("),
        (Silent, "'dip': Silent must define get_signal(self, ctx)"),
        (Silent(), "'dip': Silent must define get_signal(self, ctx)"),
        (Wrong, "strategy 'dip' must take one argument (ctx); "),
        (NotOurs, "'dip': a class must derive from tn.Strategy, was NotOurs"),
        (NotOurs(), "strategy 'dip' must be a function, was <"),
        (BadCallback, "on_close of 'dip' must be a function, was 'print'"),
        (5, "strategy 'dip' must be a function, was 5"),
    ],
)
def test_what_cannot_be_a_strategy_says_why(target, words):
    with pytest.raises(tn.SpecError) as caught:
        declare(target)
    assert str(caught.value).startswith(words)
