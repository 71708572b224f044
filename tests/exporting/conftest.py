"""What tests of the export share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.exporting.live import CELL, begin
from tests.exporting.notebook import Notebook
from tests.exporting.warm_process import WarmProcess
from tradenb.engine.specs.registry import registry
from tradenb.exporting.proof import compare_runs


@pytest.fixture
def fresh(monkeypatch):
    """No name is registered yet."""
    monkeypatch.setattr(registry, "_named", {})


@pytest.fixture(scope="session")
def one_process():
    """The process of which the clean ones are forks."""
    made = WarmProcess()
    yield made
    made.close()


@pytest.fixture
def forked(one_process, monkeypatch):
    """Prove scripts in forks of one clean process, which is quicker."""
    monkeypatch.setattr(compare_runs, "subprocess", one_process)


@pytest.fixture
def inside(isolation, tmp_path):
    """Work in a folder of the test's own."""
    folder = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(folder)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The script of a strategy that opens one position and holds it; its home is beside it."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_named", {})
        book = Notebook(CELL)
        settings = {"exchange": book.names["wall"], "rules": book.names["rules"]}
        book.export(folder / "hold_bot.py", "hold", **settings, home=folder / "home")
    return (folder / "hold_bot.py").read_text()


@pytest.fixture
def bot(exported, tmp_path):
    """The script in a folder and with a home of the test's own; its first tick is due."""
    path = tmp_path / "hold_bot.py"
    path.write_text(exported)
    begin(tmp_path / "home")
    return path
