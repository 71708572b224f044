"""The Python blocks of a page, run one after another as a reader would, in one namespace."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from typing import Any

from tests.pages.fences import Block, blocks_of, pages


class PythonPage:
    """The blocks of a page that nobody has run yet, and the names that those before have made.

    `In` holds what was run, as in a notebook, so that `tn.export` finds it.
    """

    def __init__(self, name: str, text: str | None = None, **given: Any) -> None:
        text = pages()[name] if text is None else text
        self.left = [block for block in blocks_of(name, text) if block.info == "python"]
        self.names: dict[str, Any] = {"__name__": "__main__", "In": [""], **given}

    def take(self) -> Block:
        """Return the next block, for a test that runs it elsewhere."""
        assert self.left, "the page has fewer Python blocks than are run here"
        return self.left.pop(0)

    def run(self, change: Callable[[str], str] = str) -> Any:
        """Run the next block and return the value of its last line, which a cell would show."""
        block = self.take()
        return self.run_text(change(block.text), block.place)

    def run_text(self, text: str, place: str) -> Any:
        """Run lines; an error names the page and the line."""
        file = f"<{place}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        self.names["In"].append(text)
        body = ast.parse(text, file).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), file, "exec", dont_inherit=True), self.names)
        if last is None:
            return None
        shown = ast.Expression(last.value)
        return eval(compile(shown, file, "eval", dont_inherit=True), self.names)
