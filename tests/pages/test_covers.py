"""Every fenced block of every page is run, parsed or named here: none is there unseen.

    python -m tests.pages.test_covers

lists all of them, and by what each is covered.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

import tests.test_site as site
from benchmarks.peers import page as peers
from tests.pages import other_pages
from tests.pages.fences import Block, blocks, blocks_of, pages
from tests.pages.python_page import PythonPage
from tests.pages.test_python_blocks import PAGES

BUILT = {"{toctree}", "{image}", "{eval-rst}", "{error-messages}"}
"""What Sphinx makes of these, it makes with warnings as errors."""
INCLUDED = {
    "tradenb@.service": site.test_the_example_of_a_service_is_a_unit_that_releases_its_runs,
    "tradenb-guard.service": site.test_the_example_of_a_guard_is_a_service_and_its_timer,
    "tradenb-guard.timer": site.test_the_example_of_a_guard_is_a_service_and_its_timer,
    "Dockerfile": site.test_the_example_of_a_container_keeps_the_home_in_a_volume,
}
NOT_CODE = {"docs/architecture.md": "a drawing"}
NOT_RUN = {
    ("docs/coming_from/backtest_kit.md", "typescript"): "nothing: its packages cannot be installed",
}


def cover(block: Block) -> str:
    """What runs or checks a block; nothing if nobody does."""
    on_site = block.page.startswith("docs/")
    match block.info.split():
        case ["{code-cell}", "ipython3"] if on_site:
            return "make site runs it"
        case ["{literalinclude}", file] if file in INCLUDED:
            return INCLUDED[file].__name__
        case [directive, *_] if directive in BUILT and on_site:
            return "make site"
        case ["python"] if PAGES.get(block.page) is other_pages.theirs:
            return "make peers runs it, test_python_blocks compiles it"
        case ["python"] if block.page in PAGES:
            return "test_python_blocks runs it"
        case ["console"]:
            return "test_commands parses it"
        case ["text"]:
            return NOT_CODE.get(block.page, "")
    return NOT_RUN.get((block.page, block.info), "")


def test_every_block_of_every_page_is_covered():
    covers = {block.place: cover(block) for block in blocks()}
    assert len(covers) > 200
    assert [place for place, by in covers.items() if not by] == []


def test_what_is_named_is_there():
    found = {(block.page, block.info) for block in blocks()}
    assert set(NOT_RUN) | {(page, "text") for page in NOT_CODE} <= found
    assert {page for page, info in found if info == "python"} == set(PAGES)


def test_code_of_other_tools_is_on_the_pages_that_make_peers_runs():
    told = {name for name, check in PAGES.items() if check is other_pages.theirs}
    assert told == {f"docs/coming_from/{page}.md" for page, _ in peers.TOOLS.values()}


@pytest.mark.parametrize(
    ("page", "info"),
    [
        ("docs/data.md", "python"),
        ("docs/data.md", "bash"),
        ("docs/data.md", "json"),
        ("docs/data.md", "text"),
        ("docs/data.md", ""),
        ("docs/data.md", "{code-block} python"),
        ("docs/operations/index.md", "{literalinclude} other.service"),
        ("README.md", "{code-cell} ipython3"),
        ("docs/coming_from/index.md", "typescript"),
    ],
)
@pytest.mark.parametrize("fence", ["```", "   ````", "~~~", ":::"])
def test_a_planted_block_that_nobody_runs_is_found(page, info, fence):
    text = f"{pages()[page]}\n{fence}{info}\ntn.planted()\n{fence}\n"
    *others, planted = blocks_of(page, text)
    assert (planted.info, planted.text) == (info, "tn.planted()\n")
    assert cover(planted) == ""
    assert all(map(cover, others))


def test_a_planted_block_on_a_page_whose_blocks_are_run_is_left_over():
    name = "docs/coming_from/backtrader.md"
    page = PythonPage(name, f"{pages()[name]}\n```python\ntn.planted()\n```\n")
    PAGES[name](page, None)
    assert [block.text for block in page.left] == ["tn.planted()\n"]


def test_a_fence_that_nothing_closes_is_found():
    with pytest.raises(AssertionError, match=r"page.md:2: nothing closes this fence"):
        [*blocks_of("page.md", "\n````python\n```\n")]


if __name__ == "__main__":
    found = [(block, cover(block) or "NOTHING") for block in blocks()]
    lines = [f"{block.place}: {block.info or 'no language'}: {by}" for block, by in found]
    counts = [f"{count:5} {by}" for by, count in Counter(by for _, by in found).most_common()]
    sys.stdout.write("\n".join([*lines, *counts, ""]))
