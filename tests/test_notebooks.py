"""The notebooks and the README as what a newcomer opens first; `make notebooks` executes them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((TOP / "notebooks").glob("*.ipynb"))
PICTURES = [
    f"docs/pictures/{name}-{theme}.png"
    for name in ("dashboard", "result")
    for theme in ("dark", "light")
]

# What a cell would need to reach beyond the machine it runs on, or to change it.
NETWORK = re.compile(r"ccxt|https?:|\b(?:requests|urllib|socket|websockets|aiohttp|httpx)\b")
SHELL = re.compile(r"^\s*[!%]", flags=re.MULTILINE)

# Runs a cell as a kernel does and demands that its last line is something worth showing.
RUN_A_CELL = """
import ast, sys
cell = ast.parse(sys.stdin.read())
last = ast.Expression(cell.body.pop().value)
names = {"__name__": "__main__"}
exec(compile(cell, "cell", "exec"), names)
shown = eval(compile(last, "cell", "eval"), names)
print(shown, shown._repr_html_())
"""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells_of(path, kind=None):
    """Return id and text of each cell (of one kind)."""
    cells = read(path)["cells"]
    return [(c["id"], "".join(c["source"])) for c in cells if kind in (None, c["cell_type"])]


def test_there_are_notebooks_and_they_are_numbered():
    assert [path.name[:3] for path in NOTEBOOKS] == [
        f"{number:02}_" for number in range(1, len(NOTEBOOKS) + 1)
    ]
    assert NOTEBOOKS


@each_notebook
def test_a_notebook_is_read_in_one_sitting(path):
    assert len(cells_of(path)) <= 25


@each_notebook
def test_a_notebook_begins_with_a_title_and_prose(path):
    first = read(path)["cells"][0]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert re.match(rf"# {int(path.name[:2])}\. [A-Z].+\n\n\w", text)


@each_notebook
def test_no_more_than_one_code_cell_comes_without_prose_before_it(path):
    kinds = "".join(cell["cell_type"][0] for cell in read(path)["cells"])
    assert "ccc" not in kinds


@each_notebook
def test_a_notebook_ends_with_the_facts_it_claims(path):
    last = read(path)["cells"][-1]
    assert last["cell_type"] == "code"
    lines = ast.parse("".join(last["source"])).body
    asserted = [line for line in lines if "assert" in ast.unparse(line).partition("(")[0]]
    assert len(asserted) >= 3
    assert asserted == lines


@each_notebook
def test_a_notebook_needs_no_network_and_no_shell(path):
    found = [
        (name, pattern.findall(text))
        for name, text in cells_of(path, "code")
        for pattern in (NETWORK, SHELL)
        if pattern.search(text)
    ]
    assert found == []


@each_notebook
def test_a_notebook_is_stored_for_any_kernel_of_python_3(path):
    notebook = read(path)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)


@each_notebook
def test_the_ids_of_cells_are_words_that_stay(path):
    """Jupyter makes up random ones, which make every diff larger than the change."""
    ids = [name for name, _ in cells_of(path)]
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert len(set(ids)) == len(ids)


@each_notebook
def test_links_in_a_notebook_lead_somewhere(path):
    broken = [
        target
        for _, text in cells_of(path, "markdown")
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_first_cell_of_the_readme_runs_as_printed(tmp_path):
    cell = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    command = [sys.executable, "-W", "error", "-c", RUN_A_CELL]
    ran = subprocess.run(
        command,
        input=cell,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TQDM_DISABLE": "1"},  # a slow machine would see the progress bar
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Result(dip on BTCUSDT, 2024-01-01 00:00 to 2024-03-31 00:00: ")
    assert "<svg" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_readme_shows_the_pictures():
    """They are shown to everybody who opens the page, so they are small."""
    assert sorted(re.findall(r'"(docs/pictures/[^"]+)"', README)) == PICTURES
    for name in PICTURES:
        picture = (TOP / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 300_000
