"""`import tradenb as tn`: light, lazy, and helpful about names that are not there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tradenb as tn

HEAVY = {
    "anywidget",
    "asyncio",
    "ccxt",
    "IPython",
    "ipywidgets",
    "numpy",
    "pandas",
    "plotly",
    "pyarrow",
    "pydantic",
    "tqdm",
}


def loaded_after(source: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a line."""
    script = f"import json, sys\n{source}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_it_loads_nothing_heavy():
    found = loaded_after("import tradenb as tn; dir(tn); tn.__version__")
    assert found & HEAVY == set()
    assert "tradenb" in found


def test_errors_are_loaded_without_anything_heavy():
    assert loaded_after("import tradenb as tn; tn.UsageError, tn.errors.near") & HEAVY == set()


def test_a_backtest_of_a_random_walk_needs_no_frames_charts_or_widgets():
    source = """
import tradenb as tn
dip = tn.strategy("dip", every="1h")(lambda ctx: None)
walk = tn.testing.random_walk(seed=7, days=1)
result = tn.backtest.run("BTCUSDT", strategy=dip, exchange=walk)
repr(result), result.figures, result.warnings, result.event_list
"""
    assert loaded_after(source) & HEAVY == {"numpy", "pydantic"}


@pytest.mark.parametrize("name", sorted(tn.__all__))
def test_every_public_name_is_there(name):
    found = getattr(tn, name)
    assert found is getattr(tn, name)
    assert vars(tn)[name] is found


def test_the_names_are_listed_once_and_in_order():
    assert dir(tn) == sorted(set(tn.__all__))
    assert {"backtest", "long", "short", "strategy", "risk", "risks", "Rules", "subscribe"} <= set(
        dir(tn)
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("backtets", "module 'tradenb' has no attribute 'backtets'; did you mean 'backtest'?"),
        ("rules", "module 'tradenb' has no attribute 'rules'; did you mean 'Rules'"),
        ("frame_exchnge", "module 'tradenb' has no attribute 'frame_exchnge'; did you mean 'fra"),
        ("xyzzy", "module 'tradenb' has no attribute 'xyzzy'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(tn, name)
    assert str(caught.value).startswith(words)


def test_star_imports_are_the_public_names():
    names: dict[str, object] = {}
    exec("from tradenb import *", names)
    assert set(names) - {"__builtins__"} == set(tn.__all__)
