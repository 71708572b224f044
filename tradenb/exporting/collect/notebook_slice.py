"""What a notebook file runs, found without running the whole notebook.

The last call of `tn.live.background`, `tn.live.run` or `tn.live.rehearse` counts, else the last
backtest. Only the cells that its arguments need are executed. Where the call cannot be read (in a
loop, a helper, under another name), what leads to it is executed as well, and the call is noted:
nothing of `tn.live` runs (`held_calls`), so that nothing goes live.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import linecache
import os
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tradenb.engine.notebook_cells import Statement, Statements
from tradenb.engine.slices import dotted, imported_in, slice_of
from tradenb.errors import ExportError
from tradenb.exporting.collect.held_calls import STARTS, HeldCall, held_calls
from tradenb.exporting.collect.statement_checks import BLOCKS, check_notebook, reads_environment

_CALLS: Final = (
    ("live.background", "live.run", "live.rehearse"),
    ("backtest.run", "backtest.background"),
)
"""A live call says more of what the user means than a backtest."""
_AWAIT: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class NotebookCall(NamedTuple):
    """A call in a notebook: the expressions of its arguments."""

    symbol: ast.expr
    arguments: dict[str, ast.expr]
    is_live: bool
    is_plain: bool

    def settings(self) -> list[str]:
        """Return the text of what calls of one script have in common."""
        names = ("strategy", "exchange", "rules", "account", "broker", "home")
        return [ast.unparse(self.arguments[name]) for name in names if name in self.arguments]


class Notebook:
    """The cells of a file (`cells_of_file`); only what is needed is executed, into `names`."""

    def __init__(self, texts: list[str]) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "In": texts}
        self._statements = Statements(self.names)
        self._done: set[int] = set()
        self._wanted: set[str] = set()
        self._held: list[HeldCall] = []
        self._imported = imported_in(self._statements)

    def calls(self) -> Iterator[NotebookCall]:
        """Yield the calls of the notebook, live ones first, of each kind the latest first."""
        for suffixes in _CALLS:
            for statement in reversed(list(self._statements)):
                for node in reversed(list(ast.walk(statement.node))):
                    if isinstance(node, ast.Call) and dotted(node.func).endswith(suffixes):
                        given = {item.arg: item.value for item in node.keywords if item.arg}
                        symbol = node.args[0] if node.args else given.get("symbol")
                        if symbol is not None and {"strategy", "exchange"} <= set(given):
                            live = suffixes is _CALLS[0]
                            yield NotebookCall(symbol, given, live, _is_plain(statement, node))

    def started(self) -> list[HeldCall]:
        """Return the calls that would start runs, in whatever form they are.

        What leads to them is executed; a statement that starts none makes names that may.
        """
        names: set[str] = set()
        for place, statement in enumerate(self._statements):
            node = statement.node
            if isinstance(node, ast.ImportFrom) and str(node.module).endswith("live"):
                names |= statement.binds
            elif statement.uses & names or _speaks_of_live(node):
                before = len(self._held)
                if not isinstance(node, BLOCKS):
                    self._need(set(statement.uses))
                    if place not in self._done:
                        self._done.add(place)
                        self._execute(statement)
                if len(self._held) == before:
                    names |= statement.binds
        return self._held

    def strategies(self) -> list[str]:
        """Return the names of functions and classes that are marked as strategies."""
        return [
            statement.node.name
            for statement in self._statements
            if isinstance(statement.node, BLOCKS)
            for item in statement.node.decorator_list
            if isinstance(item, ast.Call) and dotted(item.func).endswith("strategy")
        ]

    def value(self, expression: ast.expr | str) -> Any:
        """Execute what an expression needs, and then the expression."""
        node = (
            ast.parse(expression, mode="eval").body if isinstance(expression, str) else expression
        )
        self._need({item.id for item in ast.walk(node) if isinstance(item, ast.Name)})
        code = compile(ast.Expression(node), "<export>", "eval", dont_inherit=True)
        try:
            with held_calls(self._held):
                return eval(code, self.names)  # noqa: S307 - the user's own cell
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            raise ExportError(f"`{ast.unparse(node)}` of the notebook raised {words}") from error

    def _need(self, names: set[str]) -> None:
        """Execute the statements that make some names, in their order."""
        self._wanted |= names
        wanted = slice_of(list(self._statements), self._wanted, self._imported)
        for place, statement in enumerate(self._statements):
            if place in wanted and place not in self._done:
                self._done.add(place)
                self._execute(statement)

    def _execute(self, statement: Statement) -> None:
        name = min(statement.binds, default="a statement")
        check_notebook(name, statement)
        _check_environment(statement)
        cell = statement.cell
        file = f"<{cell.label} of the notebook>"
        lines = cell.text.splitlines(keepends=True)
        linecache.cache[file] = (len(cell.text), None, lines, file)
        module = ast.Module([statement.node], [])
        try:
            code = compile(module, file, "exec", _AWAIT, dont_inherit=True)
            with held_calls(self._held):
                made = eval(code, self.names)  # noqa: S307 - the user's own cell
                if inspect.iscoroutine(made):
                    asyncio.run(made)
        except NameError as error:
            if error.name and not hasattr(builtins, error.name):
                raise ExportError(
                    f"{cell.label} uses `{error.name}`, which no cell before it defines: its cell "
                    "was deleted or is further down (hidden state). Define it above and try Run All"
                ) from error
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            raise ExportError(f"{cell.label} raised {words}; try Run All in Jupyter") from error


def _is_plain(statement: Statement, call: ast.Call) -> bool:
    """Tell whether a call is all that a statement does, but for what is done with its run."""
    node = statement.node
    if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
        return False
    value: ast.expr | None = node.value
    while isinstance(value, ast.Call | ast.Attribute | ast.Await) and value is not call:
        value = value.func if isinstance(value, ast.Call) else value.value
    return value is call


def _speaks_of_live(node: ast.stmt) -> bool:
    """Tell whether a statement names a function that starts a run."""
    items = list(ast.walk(node))
    names = [dotted(item) for item in items if isinstance(item, ast.Attribute)]
    if any(name.endswith(_CALLS[0]) for name in names):
        return True
    texts = {item.value for item in items if isinstance(item, ast.Constant)}
    by_text = not texts.isdisjoint(STARTS)  # getattr(tn.live, "run")
    return by_text and any(name.endswith(".live") for name in names)


def _check_environment(statement: Statement) -> None:
    for name in reads_environment(statement.node):
        if name not in os.environ and "environ[" in ast.unparse(statement.node):
            raise ExportError(
                f"{statement.cell.label} reads {name} from the environment, where it is not "
                f"set; set it: {name}=... tradenb export ..."
            )
