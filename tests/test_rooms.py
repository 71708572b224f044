"""How the package is laid out: rooms of a size that can be read, one name for each file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import grimp
import pytest

TOP = Path(__file__).resolve().parents[1]
MODULES = sorted((TOP / "tradenb").rglob("*.py"))
SHARED = {"__init__.py", "__main__.py", "api.py"}


def circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """Return the modules that import each other: what is left once all that import nothing go."""
    left = {module: set(found) for module, found in imports.items()}
    while ends := {module for module in left if not left[module] & left.keys()}:
        left = {module: found for module, found in left.items() if module not in ends}
    reached = {module: reach(module, left) for module in left}
    rings = [{other for other in reached[module] if module in reached[other]} for module in left]
    return [ring for place, ring in enumerate(rings) if ring and ring not in rings[:place]]


def reach(module: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = (imports[waiting.pop()] & imports.keys()) - found
        found |= new
        waiting += new
    return found


def test_no_room_holds_more_than_fifteen_modules():
    sizes = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {str(room.relative_to(TOP)): n for room, n in sizes.items() if n > 15} == {}


def test_no_file_name_stands_twice():
    names = Counter(path.name for path in MODULES if path.name not in SHARED)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_modules_import_each_other_not_even_for_types():
    graph = grimp.build_graph("tradenb", exclude_type_checking_imports=False)
    modules = graph.modules - {"tradenb"}  # its public names are those of all floors
    imports = {name: graph.find_modules_directly_imported_by(name) for name in modules}
    assert len(imports) > 250
    assert circles(imports) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d", "a"}}) == [{"b", "c"}, {"d"}]


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_a_file_that_a_page_names_is_there(page):
    text = (TOP / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.(?:py|js|css))`", text))
    known = {path.name for path in MODULES} | {path.name for path in (TOP / "tests").rglob("*.py")}
    missing = [
        name
        for name in sorted(named)
        if not ((TOP / name).exists() or (TOP / "tradenb" / name).exists() or name in known)
    ]
    assert len(named) > 4
    assert missing == []
