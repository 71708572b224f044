"""The registry: names, replacements, revisions, and one instance of each."""

from __future__ import annotations

import threading

import pytest

import tradenb as tn
from tradenb.engine.specs.registry import Registry, registry
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import SpecError, UnknownName


def cell(body: str = "return None", *, function: str = "dip", module: str = "__main__", **more):
    """Run a notebook cell that declares the strategy dip."""
    keywords = {"every": "5m", **more}
    source = f"@strategy('dip', **keywords)\ndef {function}(ctx, n=5):\n    {body}\n"
    names = {"strategy": tn.strategy, "keywords": keywords, "__name__": module}
    exec(compile(source, "cell", "exec"), names)
    return names[function]


def test_a_cell_that_is_run_again_replaces_and_is_no_new_revision():
    first, second = cell(), cell()
    assert first is not second
    assert registry.find("strategy", "dip", form=StrategySpec) is second
    assert registry.revision("strategy", "dip") == 1


def test_a_revision_is_what_does_something_else():
    bodies = ["return None", "return None  # a comment", "return 1", "return 1", "return None"]
    revisions = []
    for body in bodies:
        cell(body)
        revisions.append(registry.revision("strategy", "dip"))
    assert revisions == [1, 1, 2, 2, 3]


def test_another_interval_history_or_risk_is_a_revision_and_another_callback_is_none():
    cell()
    cell(on_open=lambda event: None)
    assert registry.revision("strategy", "dip") == 1
    for revision, more in enumerate(
        [{"every": "1m"}, {"history": "1d"}, {"risk": tn.risks.max_open(2)}], start=2
    ):
        cell(**more)
        assert registry.revision("strategy", "dip") == revision


@pytest.mark.parametrize("other", [{"function": "other"}, {"module": "elsewhere"}])
def test_another_function_under_the_name_is_an_error_that_names_the_owner(other):
    first = cell()
    with pytest.raises(SpecError) as caught:
        cell(**other)
    assert str(caught.value) == (
        "strategy name 'dip' is used by __main__.dip; choose another name, "
        "or define this one under the same function name to replace it"
    )
    assert registry.find("strategy", "dip", form=StrategySpec) is first


def test_names_of_strategies_and_of_rules_are_apart():
    @tn.risk("dip")
    def rule(book, candidate):
        return None

    made = cell()
    assert registry.find("risk rule", "dip", form=RiskSpec) is rule
    assert registry.find("strategy", "dip", form=StrategySpec) is made


def test_an_object_is_found_whatever_has_its_name_now():
    old = cell()
    cell("return 1")
    assert registry.find("strategy", old, form=StrategySpec) is old


def test_an_unknown_name_is_answered_with_the_nearest():
    cell()
    with pytest.raises(UnknownName, match="unknown strategy 'dipp'; did you mean 'dip'"):
        registry.find("strategy", "dipp", form=StrategySpec)
    with pytest.raises(UnknownName, match="unknown strategy 'moon'; known: 'dip'"):
        registry.find("strategy", "moon", form=StrategySpec)
    with pytest.raises(UnknownName, match="unknown risk rule 'r'; no risk rule is registered yet"):
        registry.find("risk rule", "r", form=RiskSpec)


def test_a_plain_function_is_told_how_to_become_a_strategy():
    with pytest.raises(SpecError) as caught:
        registry.find("strategy", cell, form=StrategySpec)
    assert str(caught.value) == (
        "a strategy must be given as an object or by its name, was <function cell>; "
        "decorate it with @tn.strategy(...) first"
    )
    with pytest.raises(SpecError, match=r"or by its name, was 5$"):
        registry.find("strategy", 5, form=StrategySpec)


def test_there_is_one_instance_of_a_symbol_strategy_and_mode():
    own = Registry()
    made = own.instance("BTCUSDT", "dip", "live", object)
    assert own.instance("BTCUSDT", "dip", "live", object) is made
    others = [
        own.instance("ETHUSDT", "dip", "live", object),
        own.instance("BTCUSDT", "other", "live", object),
        own.instance("BTCUSDT", "dip", "backtest", object),
    ]
    assert len({id(item) for item in (made, *others)}) == 4


def test_threads_that_ask_at_once_get_the_same_instance():
    own, made, found = Registry(), [], []
    together = threading.Barrier(8)

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask() -> None:
        together.wait(240)
        found.append(own.instance("BTCUSDT", "dip", "live", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (found, len(made)) == ([made[0]] * 8, 1)
