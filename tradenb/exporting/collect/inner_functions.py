"""A function that was defined inside another one, as a definition of its own."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tradenb.engine.notebook_cells import Cell
from tradenb.engine.reach import cells_of, function_of
from tradenb.errors import ExportError
from tradenb.exporting.collect.script_parts import Place
from tradenb.exporting.collect.statement_checks import check_statement


class InnerFunction(NamedTuple):
    """A function: its text, the names it looks up, and where they are found."""

    name: str
    text: str
    uses: frozenset[str]
    closed: Mapping[str, Any]
    namespace: Mapping[str, Any]
    place: Place
    maker: str


def inner_function(name: str, value: Any) -> InnerFunction:
    """Find the text of the function of a value, inside the function that made it."""
    function = function_of(value)
    assert function is not None  # noqa: S101 - the caller has checked
    code = function.__code__
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        raise ExportError(
            f"`{name}` belongs to the class {owner.rpartition('.')[2]}, which is not defined at "
            "the top of a cell; define it there"
        )
    text = "".join(linecache.getlines(code.co_filename))
    node = _node_of(text, code.co_firstlineno, code.co_name)
    if node is None:
        raise ExportError(
            f"the source of `{name}` is not found ({Path(code.co_filename).name}); define it in a "
            "cell or in a file"
        )
    whole = Cell(0, Path(code.co_filename).name, text)
    own = textwrap.dedent(whole.lines_of(node))
    statement = Cell(0, whole.label, own).statements[0]
    check_statement(name, statement, function.__globals__)
    closure = cells_of(function)
    place = (1, 0, code.co_firstlineno)
    maker = function.__qualname__.partition(".<locals>")[0]
    return InnerFunction(
        code.co_name, own, statement.uses, closure, function.__globals__, place, maker
    )


def made_together(one: Any, other: Any) -> bool:
    """Tell whether both were defined inside the same function: a call of it makes both again."""
    owners = {
        getattr(function_of(it), "__qualname__", "").rpartition(".")[0] for it in (one, other)
    }
    return len(owners) == 1 and owners.pop().endswith("<locals>")


def _node_of(text: str, line: int, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            if first == line:
                return node
    return None
