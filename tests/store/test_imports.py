"""The store is light: no numpy, pandas or engine comes with it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import tradenb.store
for module in pkgutil.iter_modules(tradenb.store.__path__):
    importlib.import_module(f"tradenb.store.{module.name}")
import tradenb.testing.world.fake_disk
heavy = {"numpy", "pandas", "asyncio", "ccxt", "tradenb.engine", "tradenb.core.lifecycle.machine"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_store_and_the_fake_disk_import_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
