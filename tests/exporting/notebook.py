"""A notebook for tests: cells that are run one after another, as a kernel does, in this process."""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import types
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

import tradenb as tn
from tradenb.exporting import Exported, export

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
EXCHANGE = tn.testing.random_walk(seed=7, days=4)


class Notebook:
    """Cells, and the names that they make."""

    def __init__(self, *cells: str) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "In": [""]}
        self.names["get_ipython"] = lambda: _shell(self.names)
        for cell in cells:
            self.run(cell)

    def run(self, cell: str) -> None:
        """Run a cell, with its magics, and its `await` at the top."""
        text = TransformerManager().transform_cell(cell)
        self.names["In"].append(text)
        file = f"<cell {id(self)} {len(self.names['In']) - 1}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        made = eval(compile(text, file, "exec", AWAIT, dont_inherit=True), self.names)
        if inspect.iscoroutine(made):
            asyncio.run(made)

    def export(self, path: Any, *names: str, **settings: Any) -> Exported:
        """Export strategies; each name is what a cell would say."""
        what = [eval(name, self.names) for name in names or ("dip",)]
        given = {"symbol": "BTCUSDT", "exchange": EXCHANGE} | settings
        return export(path, what, **given)


def _shell(names: dict[str, Any]) -> Any:
    """Stand for IPython's shell."""
    return types.SimpleNamespace(
        run_line_magic=lambda name, line: None,
        system=lambda line: None,
        getoutput=lambda line: [line],
        run_cell_magic=lambda name, line, cell: exec(cell, names),
    )
