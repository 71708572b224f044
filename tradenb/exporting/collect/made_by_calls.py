"""Functions that belong to another one: declared on it, registered by it, or made by it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from inspect import ismethod
from types import CodeType
from typing import Any

from tradenb.engine.notebook_cells import Statement
from tradenb.engine.reach import cells_of, function_of
from tradenb.engine.slices import dotted
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exporting.collect.plain_values import is_data
from tradenb.exporting.collect.statement_checks import BLOCKS, code_of, has_code


def declared_on(value: object) -> Iterator[tuple[str, Any]]:
    """Yield the functions that are declared on a strategy after it, and what each is."""
    if not isinstance(value, StrategySpec):
        return
    for item in value.declared:
        yield "function of indicators", item.function
    own = value.manager
    # A class has it as a method; and where one function answers in all states, it is there already.
    if own is not None and own.function is not value.function and not ismethod(own.function):
        yield "manage function", own.function


def is_made_of_data(statement: Statement, value: Any, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a call with numbers of a table made a function: `dip = make(best.fast)`.

    It closes over the numbers, and is written down with them.
    """
    function = function_of(value)
    inner = function is not None and "<locals>" in function.__qualname__
    if function is None or not inner or isinstance(statement.node, BLOCKS):
        return False
    closed = cells_of(function).values()
    return any(is_data(namespace.get(used)) for used in statement.uses) and not any(
        is_data(item) for item in closed
    )


def registered(name: str, value: Any, statements: Iterable[Statement]) -> Iterator[Statement]:
    """Yield the statements that register functions of `functools.singledispatch` for types."""
    registry = getattr(value, "registry", None)
    if not isinstance(registry, Mapping) or not hasattr(value, "dispatch"):
        return
    live = [code_of(item) for item in registry.values()]
    for statement in statements:
        if any(_registers(statement.node, f"{name}.register", code) for code in live):
            yield statement


def _registers(node: ast.stmt, register: str, code: CodeType | None) -> bool:
    """Tell whether a statement registers the function of a code."""
    if code is None:
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        given = [dotted(item) for item in node.value.args]
        return dotted(node.value.func) == register and code.co_name in given
    if not isinstance(node, ast.FunctionDef) or code.co_name != node.name:
        return False
    marks = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return register in map(dotted, marks) and has_code(node, code)
