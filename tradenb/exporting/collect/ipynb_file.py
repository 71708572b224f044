"""The cells of an .ipynb file as Python, numbered as Run All numbers them; nothing is executed."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Final

from tradenb.engine.notebook_cells import TOP_LEVEL_AWAIT, TRANSPARENT
from tradenb.errors import ExportError

_LINE: Final = re.compile(
    r"^(?P<before>\s*(?:[\w.,\s]+=\s*)?)(?P<magic>[%!].*|\?\S.*|\S+\?{1,2})\s*$"
)


def cells_of_file(path: Path) -> list[str]:
    """Return the texts of the code cells; place 0 is empty, as in IPython's `In`.

    A magic or a shell line becomes a call of `get_ipython()`, so that a definition which needs it
    is refused, and one which does not is not.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ExportError(f"cannot read {path} as a notebook: {error}") from error
    return ["", *(python_of(text) for text in texts if text.strip())]


def python_of(text: str) -> str:
    """Return the Python of a cell, with as many lines.

    Examples
    --------
    >>> python_of("files = !ls")
    "files = get_ipython('!ls')"
    >>> python_of("left = 7 % 4")
    'left = 7 % 4'
    """
    first = text.lstrip().partition("\n")[0].split()
    if first and first[0].startswith("%%"):
        rest = text.lstrip().partition("\n")[2]
        return f"#\n{python_of(rest)}" if first[0][2:] in TRANSPARENT else ""
    if _is_python(text):
        return text
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    found = _LINE.match(line)
    return line if found is None else f"{found['before']}get_ipython({found['magic']!r})"


def _is_python(text: str) -> bool:
    try:
        compile(text, "cell", "exec", TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
