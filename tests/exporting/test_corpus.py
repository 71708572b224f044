"""The corpus: what exports and gives the same trades, and what is refused with the right words."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from unittest import mock

import pytest

import tradenb as tn
from tests.exporting.corpus import BAD, GOOD, MODULE
from tests.exporting.live import CELL
from tests.exporting.notebook import EXCHANGE, Notebook
from tradenb.engine.specs.registry import registry
from tradenb.exporting.api import collected
from tradenb.exporting.export_subject import subject_of
from tradenb.exporting.script_text import is_ours, script_text

FEWEST = 5


pytestmark = pytest.mark.usefixtures("fresh", "inside", "forked", "beside", "mended")


@pytest.fixture
def beside(inside, monkeypatch):
    """Put a module of the user's beside the notebook."""
    (inside / "whole_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(inside)
    monkeypatch.delitem(sys.modules, "whole_module", raising=False)
    yield
    sys.modules.pop("whole_module", None)


@pytest.fixture
def mended(monkeypatch):
    """Take back what a cell patches or sets: other tests would meet it, in some orders."""
    monkeypatch.setattr(statistics, "mean", statistics.mean)
    with mock.patch.dict(os.environ):
        yield


def opened(name):
    """Run the cells of a good notebook; return it and the names to export."""
    registry._named.clear()
    case = GOOD[name]
    book = Notebook(*case.cells)
    return book, case.names


@pytest.mark.parametrize("name", GOOD)
def test_a_notebook_is_exported_and_its_script_gives_the_same_trades(name, tmp_path):
    case = GOOD[name]
    book, names = opened(name)
    path = tmp_path / f"{name}.py"
    done = book.export(path, *names)
    assert done.trades >= FEWEST
    usual = ("recorded candles only", "TRADENB_TEST_SPAN was set here; set it where")
    assert all(any(words in said for words in usual) for said in done.warnings)
    text = path.read_text()
    assert is_ours(text)
    assert [line for line in case.holds if line not in text] == []
    assert [line for line in case.lacks if line in text] == []


@pytest.mark.parametrize("name", BAD)
def test_a_notebook_is_refused_with_words_that_help_and_nothing_is_written(name, tmp_path):
    case = BAD[name]
    path = tmp_path / "script.py"
    with pytest.raises(tn.ExportError, match=case.message) as refused:
        Notebook(*case.cells).export(path)
    assert not path.exists()
    assert "canary" not in str(refused.value)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.soak
def test_the_scripts_pass_ruff_and_mypy_as_they_come(tmp_path, repository):
    for name in GOOD:
        book, names = opened(name)
        given = {"symbol": "BTCUSDT", "exchange": EXCHANGE}
        settings = given | dict.fromkeys(("rules", "account", "home"))
        found, job = collected(subject_of([eval(item, book.names) for item in names], settings))
        text = script_text(found, job, file="script.py", verified="Not verified.")
        (tmp_path / f"{name}.py").write_text(text)
    registry._named.clear()
    book = Notebook(CELL)
    book.export(
        tmp_path / "live.py", "hold", exchange=book.names["wall"], rules=book.names["rules"]
    )
    commands = (
        ["ruff", "check", "--isolated", "."],
        ["ruff", "format", "--check", "--isolated", "--line-length=100", "live.py"],
        ["mypy", "--config-file=", f"--cache-dir={repository / '.mypy_cache' / 'scripts'}", "."],
    )
    for command in commands:
        ran = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
