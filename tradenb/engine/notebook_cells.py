"""The text of a namespace: the cells of a notebook that were run, or the file of a module.

IPython keeps what it ran in the list `In`: a cell that was edited or deleted since is there as it
was when it ran. What cells define is found by the names that their statements bind.
"""

from __future__ import annotations

import ast
import copy
import linecache
import math
import symtable
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

TRANSPARENT: Final = frozenset({"capture", "prun", "time", "timeit"})
"""Cell magics whose cell is Python all the same."""
TOP_LEVEL_AWAIT: Final = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top of a cell.

    Attributes
    ----------
    place : tuple of int
        Number of the cell and line: the order in which statements ran.
    binds, uses : frozenset of str
        Names of the module that it makes, and that it or a function in it looks up.
    rebinds : frozenset of str
        Names of the module that a function in it assigns (`global`, `nonlocal`).
    """

    cell: Cell
    place: tuple[int, int]
    node: ast.stmt
    binds: frozenset[str]
    uses: frozenset[str]
    rebinds: frozenset[str]

    @property
    def text(self) -> str:
        """The user's own lines, with the comments that belong to it."""
        return self.cell.lines_of(self.node)

    @property
    def awaits(self) -> bool:
        """Whether it waits at the top of the cell."""
        return _awaits(self.node)


class Cell:
    """A cell, or a whole file, and its statements.

    Attributes
    ----------
    label : str
        How a message calls it: "cell [3]", "helpers.py".
    """

    def __init__(self, number: int, label: str, text: str) -> None:
        self.number = number
        self.label = label
        self.text = text
        self._lines = text.splitlines()

    @cached_property
    def statements(self) -> list[Statement]:
        """What stands at the top of it; empty if it is no Python."""
        try:
            tree = compile(self.text, self.label, "exec", TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError):
            return []
        assert isinstance(tree, ast.Module)  # noqa: S101 - what these flags give
        return [
            Statement(self, (self.number, node.lineno), node, *names_of(node)) for node in tree.body
        ]

    @property
    def futures(self) -> bool:
        """Whether its annotations are not evaluated."""
        return "from __future__ import annotations" in self.text

    def lines_of(self, node: ast.stmt) -> str:
        """Return the text of a statement: whole lines, and the comment right above it."""
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(item.lineno for item in decorators)]) - 1
        last = node.end_lineno or node.lineno
        if self._is_shared(node, first, last):
            return ast.get_source_segment(self.text, node) or ast.unparse(node)
        indent = len(self._lines[first]) - len(self._lines[first].lstrip())
        while first and self._lines[first - 1][indent:].startswith("#"):
            first -= 1
        while last < len(self._lines) and _is_inner_comment(self._lines[last], indent):
            last += 1
        return "\n".join(line.rstrip() for line in self._lines[first:last])

    def _is_shared(self, node: ast.stmt, first: int, last: int) -> bool:
        """Tell whether another statement stands on the same line."""
        before = self._lines[first].encode()[: node.col_offset].strip()
        after = self._lines[last - 1].encode()[node.end_col_offset :].strip()
        return bool(before and not getattr(node, "decorator_list", [])) or after.startswith(b";")


class Statements:
    """All statements that made a namespace, in the order in which they ran."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.cells = list(_cells_of(namespace))
        last = _line_that_runs(namespace)
        self._statements = [
            item for cell in self.cells for item in cell.statements if item.node.lineno <= last
        ]

    def binding(self, name: str) -> list[Statement]:
        """Return the statements that bind a name, the latest first."""
        return [item for item in reversed(self._statements) if name in item.binds]

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._statements)


def _line_that_runs(namespace: Mapping[str, Any]) -> float:
    """Return the line at which a script is: what stands below has not happened yet."""
    frame = None if "In" in namespace else sys._getframe()
    while frame is not None:
        if frame.f_globals is namespace and frame.f_code.co_name == "<module>":
            return frame.f_lineno
        frame = frame.f_back
    return math.inf


def names_of(node: ast.stmt) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names of the module that a statement binds, uses, and binds in functions."""
    table = symtable.symtable(ast.unparse(_without_await(node)), "statement", "exec")
    binds, uses, rebinds = set(), set(), set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            uses.add(symbol.get_name())
    for inner in _inner(table):
        for symbol in inner.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                uses.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                uses.add(symbol.get_name())
                rebinds.add(symbol.get_name())
            if symbol.is_nonlocal() and symbol.is_assigned():
                rebinds.add(symbol.get_name())
    uses |= _quoted(node)
    return frozenset(binds), frozenset(uses), frozenset(rebinds)


def _inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _inner(child)


def _quoted(node: ast.stmt) -> set[str]:
    """Return the names in annotations that are written as strings."""
    found: set[str] = set()
    for item in ast.walk(node):
        for field in ("annotation", "returns"):
            written = getattr(item, field, None)
            if isinstance(written, ast.Constant) and isinstance(written.value, str):
                words = ast.parse(written.value, mode="eval")
                found |= {part.id for part in ast.walk(words) if isinstance(part, ast.Name)}
    return found


class _Plain(ast.NodeTransformer):
    """Takes `await` away at the top of a cell, where the compiler knows it from IPython only."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        parts = {field: getattr(node, field) for field in ("target", "iter", "body", "orelse")}
        return self.generic_visit(ast.copy_location(ast.For(**parts), node))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        made = ast.With(items=node.items, body=node.body)
        return self.generic_visit(ast.copy_location(made, node))


def _awaits(node: ast.AST) -> bool:
    """Tell whether something is awaited outside of functions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return False
    waits = isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
    return waits or any(map(_awaits, ast.iter_child_nodes(node)))


def _without_await(node: ast.stmt) -> ast.stmt:
    # Copying a tree takes longer than all else that is done with it, and hardly any needs it.
    return _Plain().visit(copy.deepcopy(node)) if _awaits(node) else node


def _inside_magic(text: str) -> str:
    """Return the Python inside a cell magic such as %%time; any other cell as it is."""
    if "run_cell_magic" not in text:
        return text
    match ast.parse(text).body:
        case [
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(attr="run_cell_magic"),
                    args=[ast.Constant(value=str(name)), _, ast.Constant(value=str(inner))],
                )
            )
        ] if name in TRANSPARENT:
            return inner
    return text


def _is_inner_comment(line: str, indent: int) -> bool:
    """Tell whether a line is a comment that belongs to the block before it."""
    text = line.lstrip()
    return text.startswith("#") and len(line) - len(text) > indent


def _cells_of(namespace: Mapping[str, Any]) -> Iterator[Cell]:
    ran = namespace.get("In")
    if isinstance(ran, list):
        for number, text in enumerate(ran):
            if isinstance(text, str) and text.strip():
                yield Cell(number, f"cell [{number}]", _inside_magic(text))
        return
    file = namespace.get("__file__")
    if isinstance(file, str):
        text = "".join(linecache.getlines(file))
        if text:
            yield Cell(0, Path(file).name, text)
