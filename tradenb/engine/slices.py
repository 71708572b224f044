"""Which statements of a notebook or a file make some names, and what is needed for them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Final

from tradenb.engine.notebook_cells import Statement

_IMPORTS: Final = (ast.Import, ast.ImportFrom)


def imported_in(statements: Iterable[Statement]) -> frozenset[str]:
    """Return the names that are imported."""
    return frozenset().union(
        *(item.binds for item in statements if isinstance(item.node, _IMPORTS))
    )


def slice_of(
    statements: Sequence[Statement], wanted: set[str], imported: frozenset[str]
) -> set[int]:
    """Return the places of the statements that make some names, or change what they stand for.

    Parameters
    ----------
    wanted : set of str
        Names; those that their statements use are added.
    """
    # A wanted name pulls in the statement that makes it, and that one the names it uses; so it
    # goes on until nothing is added. Later statements may change an earlier value
    # (`df["x"] = ...`), hence every statement is looked at in every round.
    found: set[int] = set()
    while True:
        more = {
            place
            for place, statement in enumerate(statements)
            if place not in found and _makes(statement, wanted, imported)
        }
        if not more:
            return found
        found |= more
        for place in more:
            wanted |= statements[place].uses | statements[place].binds


def dotted(node: ast.AST) -> str:
    """Return the text of a name with its attributes; "" for all else."""
    return ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""


def base_of(node: ast.expr) -> str:
    """Return the name with which an expression begins: that of `a.b[c].d` is `a`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _makes(statement: Statement, wanted: set[str], imported: frozenset[str]) -> bool:
    """Tell whether a statement makes a wanted name, or changes what it stands for.

    A function that a module is asked to call does neither; it may send, or go live.
    """
    node = statement.node
    if statement.binds & wanted:
        return True
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return True
    targets: list[ast.expr] = []
    match node:
        case ast.Assign():
            targets = node.targets
        case ast.AugAssign() | ast.AnnAssign():
            targets = [node.target]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))):
            return base_of(owner) in wanted - imported or ".risks." in f".{dotted(owner)}."
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            calls = [item for item in node.decorator_list if isinstance(item, ast.Call)]
            return any(base_of(item.func) in wanted - imported for item in calls)
    return any(base_of(target) in wanted for target in targets)
