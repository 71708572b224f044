"""Code within sentences: the names and arguments of `tn`, `ctx`, `run` and `result` exist."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import tradenb as tn
from tests.pages.fences import TOP, blocks_of, pages

SPAN = re.compile(r"(?<!`)`((?:tn|ctx|run|result|server)\.[^`]+)`(?!`)")
ROOTS: dict[str, Any] = {
    "tn": tn,
    "ctx": tn.Context,
    "run": tn.LiveRun,
    "server": tn.testing.ExchangeServer,
}


@pytest.fixture(autouse=True)
def result(monkeypatch):
    """A result, since its frames have the columns that pages name."""
    hold = tn.strategy("hold", every="1h")(lambda ctx: tn.long(**tn.bracket(stop=1, target=1)))
    walk = tn.testing.random_walk(seed=7, days=1)
    made = tn.backtest.run("BTCUSDT", strategy=hold, exchange=walk, progress=False)
    monkeypatch.setitem(ROOTS, "result", made)


def prose() -> dict[str, str]:
    """Pages without their blocks, and the text of notebooks; a changelog has old names."""
    texts = {}
    for page, text in pages().items():
        if page != "CHANGELOG.md":
            lines = text.splitlines()
            for block in blocks_of(page, text):
                inside = block.text.count("\n")
                lines[block.line - 1 : block.line + 1 + inside] = [""] * (inside + 2)
            texts[page] = "\n".join(lines)
    for path in (TOP / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        said = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        texts[path.name] = "\n\n".join(said)
    return texts


def value_of(node: ast.expr) -> Any:
    """What a dotted name stands for; None where it begins with another name."""
    if isinstance(node, ast.Attribute):
        within = value_of(node.value)
        if isinstance(within, property | None):
            return None
        return getattr(within, node.attr)
    return ROOTS.get(node.id) if isinstance(node, ast.Name) else None


def strange(span: str) -> set[str]:
    """What a span names that does not exist; `name=` stands for an argument with any value."""
    text = re.sub(r", \.\.\.(?=\))", "", " ".join(span.split()))
    try:
        nodes = [*ast.walk(ast.parse(re.sub(r"=(?=[,)])", "=...", text)))]
    except SyntaxError as error:
        return {error.msg}
    return {name for node in nodes for name in unknown_to(node)}


def unknown_to(node: ast.AST) -> Iterator[str]:
    """The name of an attribute that does not exist, and arguments that a call does not take."""
    try:
        if isinstance(node, ast.Attribute):
            value_of(node)
        elif isinstance(node, ast.Call) and callable(called := value_of(node.func)):
            parameters = inspect.signature(called).parameters
            if not any(each.kind == each.VAR_KEYWORD for each in parameters.values()):
                named = [each.arg for each in node.keywords if each.arg]
                yield from (f"{name}=" for name in named if name not in parameters)
    except AttributeError as error:
        yield error.name


def test_names_and_arguments_within_sentences_exist():
    spans = [(page, span) for page, text in prose().items() for span in SPAN.findall(text)]
    wrong = [f"{page}: `{span}`: {name}" for page, span in spans for name in sorted(strange(span))]
    assert wrong == []
    assert len(spans) > 350


@pytest.mark.parametrize(
    ("span", "name"),
    [
        ("tn.live.backgrund(...)", "backgrund"),
        ("tn.long(take_proft=)", "take_proft="),
        ("tn.backtest.run(..., exchnge=ex)", "exchnge="),
        ("run.ordrs()", "ordrs"),
        ("result.report(all_candels=True)", "all_candels="),
        ("tn.subscribe(tn.nothing)", "nothing"),
        ("tn.Account(cash= / quote=)", "invalid syntax"),
    ],
)
def test_a_name_that_does_not_exist_is_found(span, name):
    assert strange(span) == {name}
