"""What tests of the export share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.exporting.live import CELL, begin
from tests.exporting.notebook import Notebook
from tradenb.engine.specs.registry import registry


@pytest.fixture
def fresh(monkeypatch):
    """No name is registered yet."""
    monkeypatch.setattr(registry, "_named", {})


@pytest.fixture
def inside(isolation, tmp_path):
    """Work in a folder of the test's own."""
    folder = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(folder)


@pytest.fixture
def bot(fresh, tmp_path):
    """The script of a strategy that opens one position and holds it; its first tick is due."""
    book = Notebook(CELL)
    path = tmp_path / "hold_bot.py"
    settings = {"exchange": book.names["wall"], "rules": book.names["rules"]}
    book.export(path, "hold", **settings, home=tmp_path / "home")
    begin(tmp_path / "home")
    return path
