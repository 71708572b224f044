"""Every fenced block of the pages that people read: those of the site, and the README."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
# ::: is a fence, too, where the site is built (`colon_fence` in docs/conf.py).
OPENS = re.compile(r"^ *(`{3,}|~{3,}|:{3,})(.*)$")


class Block(NamedTuple):
    """A fenced block: where it is, what is written behind its fence, and its text."""

    page: str
    line: int
    info: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> dict[str, str]:
    """The text of every page, by its path from the top of the repository."""
    below = [path for path in (TOP / "docs").rglob("*.md") if "generated" not in path.parts]
    files = [*(TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *below]
    return {str(path.relative_to(TOP)): path.read_text("utf-8") for path in sorted(files)}


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """Yield the blocks of a page, in order."""
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if not (opened := OPENS.match(line)):
            continue
        fence, inside = opened[1], []
        for _, next_line in lines:
            if re.fullmatch(rf" *{fence[0]}{{{len(fence)},}} *", next_line):
                break
            inside.append(next_line + "\n")
        else:
            raise AssertionError(f"{page}:{number}: nothing closes this fence")
        yield Block(page, number, opened[2].strip(), textwrap.dedent("".join(inside)))


def blocks() -> list[Block]:
    return [block for page, text in pages().items() for block in blocks_of(page, text)]
