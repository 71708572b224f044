"""Every message that the package raises, read from its source; needs nothing of the site.

Values that are filled in are shown as <what they are>. Messages that are put together elsewhere and
only handed to an error cannot be seen from here.
"""  # noqa: INP001 - beside an extension of a tool, no package

from __future__ import annotations

import ast
import re
from pathlib import Path

from tradenb import errors

PACKAGE = Path(errors.__file__).parent
LEFT_OUT = {"testing"}  # its doubles of disk and exchange raise what the real ones do


WORDS = {
    "at": "time",
    "exc": "error",
    "found": "value",
    "given": "value",
    "iso": "time",
    "item": "value",
    "len": "number",
    "other": "another",
    "own": "value",
    "plural": "number",
    "type": "type",
    "words": "...",
    "__name__": "name",
}


def word_of(node: ast.expr) -> str:
    """Return what a reader may call a value that is filled in."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name != "__name__":
            return WORDS.get(name.strip("_"), name.strip("_").replace("_", " ").lower())
        case ast.Attribute(value=value):
            return word_of(value)
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[given]):
            return word_of(given)
        case ast.Call(func=ast.Name(id="plural"), args=[_, ast.Constant(value=str(noun)), *_]):
            return f"number of {noun}s"
        case ast.Call(func=ast.Name(id="len" | "iso" | "type" as name)):
            return WORDS[name]
        case ast.Call(args=[given, *_]):
            return word_of(given)
        case ast.Call(func=func):
            return word_of(func)
        case ast.Subscript(value=value) | ast.Starred(value=value) | ast.Await(value=value):
            return word_of(value)
        case ast.IfExp(body=body):
            return word_of(body)
        case ast.BoolOp(values=[first, *_]) | ast.BinOp(left=first):
            return word_of(first)
        case ast.ListComp(elt=value) | ast.GeneratorExp(elt=value) | ast.SetComp(elt=value):
            return word_of(value)
    return "..."


def text_of(node: ast.expr) -> str | None:
    """Return a message as it is written, or None if it is put together elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            shown = [
                part.value if isinstance(part, ast.Constant) else f"<{word_of(part.value)}>"
                for part in parts
            ]
            return "".join(map(str, shown))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pieces = [text_of(left) or "<...>", text_of(right) or "<...>"]
            return None if set(pieces) == {"<...>"} else "".join(pieces)
    return None


def says_much(text: str) -> bool:
    """Tell whether a message says more than what is filled in."""
    return len(re.sub(r"<[^<>]*>", "", text)) > 12


def raised() -> dict[str, set[str]]:
    """Return the messages of each error class."""
    found: dict[str, set[str]] = {name: set() for name in errors.__all__}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in LEFT_OUT:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in found and (text := text_of(node.args[0])) and says_much(text):
                found[name].add(" ".join(text.split()))
    return found
