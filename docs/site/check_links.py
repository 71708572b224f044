"""Check a built site: every internal link and anchor is there, and nothing comes from a network.

`make site` runs it on build/site. Links to other sites are not followed.
"""  # noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
}
CSS_URL = re.compile(r"(?:@import\s+|url\()\s*[\"']?(https?:)?//", re.IGNORECASE)

# What Python writes to stderr of a cell; tradenb's own log lines are no warnings.
WARNED = re.compile(r'class="output stderr[^>]*>.*?Warning:.*?</pre>', re.DOTALL)
PROGRESS = re.compile(r'class="output stderr[^>]*>.*?\d%\|.*?</pre>', re.DOTALL)


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top"}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names or points to."""
        for name, value in attrs:
            if value is None:
                continue
            if name in {"id", "name"}:
                self.anchors.add(value)
            if (tag, name) in LOADS:
                self.loads.append(value)
            elif name == "href":
                self.links.append(value)


def found_in(top: Path) -> list[Path]:
    """Return the pages of a site; `_static` holds a template of the theme that is not one."""
    return [path for path in sorted(top.rglob("*.html")) if "_static" not in path.parts]


def faults(top: Path) -> list[str]:
    """Return one line for each dead link and each thing that a page loads from elsewhere."""
    pages = {path.resolve(): Page(path) for path in found_in(top)}
    found = []
    for path, page in pages.items():
        where = path.relative_to(top.resolve())
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme in {"data", "mailto", "javascript"}:
                continue
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    found.append(f"{where}: loads {link} from a network")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{where}: the link {link} leads nowhere")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{where}: there is no anchor for the link {link}")
        text = path.read_text("utf-8")
        if WARNED.search(text):
            found.append(f"{where}: a cell warned")
        if PROGRESS.search(text):
            found.append(f"{where}: a cell shows a bar of progress")
    found += [
        f"{sheet.relative_to(top)}: loads something from a network"
        for sheet in top.rglob("*.css")
        if CSS_URL.search(sheet.read_text("utf-8", errors="replace"))
    ]
    return found


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    print(*problems, f"{len(problems)} faults of links and cells", sep="\n")
    sys.exit(bool(problems))
