"""`import tradenb as tn`: light, lazy, and helpful about names that are not there."""

from __future__ import annotations

import copy
import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

import tradenb as tn
from tradenb.view.figure_frames import FigureFrames

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
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
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
from tradenb.view.figure_frames import FigureFrames
dip = tn.strategy("dip", every="1h")(lambda ctx: None)
walk = tn.testing.random_walk(seed=7, days=1)
result = tn.backtest.run("BTCUSDT", strategy=dip, exchange=walk)
repr(result), result.figures, result.warnings, result.event_list
"""
    assert loaded_after(source) & HEAVY == {"numpy", "pydantic"}


LISTED = {
    "backtest": ["Job", "Result", "background", "run"],
    "live": [
        "AttachedRun", "LiveRun", "Tick", "attach", "background", "list", "pending", "rehearse",
        "resume", "run", "scheduled", "stop",
    ],
    "research": ["heatmap", "parallel", "ranking"],
    "risks": ["cooldown", "daily_loss", "max_drawdown", "max_open"],
    "testing": [
        "ExchangeServer", "FakeClock", "FakeDisk", "FakeExchange", "Hang", "InlineWorkers",
        "ServerClock", "ServerTrouble", "Trouble", "World", "broker", "crash_test", "random_walk",
        "simulate",
    ],
    "errors": [
        "AlreadyRunning", "CandidateError", "CandleError", "ExchangeError", "ExportError",
        "LookaheadError", "MarketError", "NotEnoughCandles", "SpecError", "StateConflict",
        "StateCorrupt", "StateError", "StateLocked", "StateVersionError", "StateWriteError",
        "StrategyError", "TradenbError", "UnknownName", "UsageError",
    ],
}  # fmt: skip
"""What Tab shows after each public package."""


@pytest.mark.parametrize("package", sorted(LISTED))
def test_tab_shows_what_a_user_may_call_and_nothing_else(package):
    found = getattr(tn, package)
    assert dir(found) == LISTED[package] == sorted(found.__all__)
    assert all(hasattr(found, name) for name in LISTED[package])


def test_tab_shows_nothing_of_pydantic_after_a_strategy_a_risk_rule_and_rules():
    dip = tn.strategy("shown-by-tab", every="1h", risk=tn.risks.max_open(2))(lambda ctx: None)
    assert dir(dip.risk[0]) == ["function", "name", "terms"]
    assert dir(dip) == [
        "callbacks", "every", "flip", "function", "history", "indicators", "manage", "name", "risk",
        "symbols", "vectorised",
    ]  # fmt: skip
    assert dir(tn.Rules()) == sorted([*tn.Rules.model_fields, "reference"])


def test_every_package_among_the_names_is_tested_for_what_tab_shows():
    packages = {name for name in tn.__all__ if type(getattr(tn, name)) is type(tn)}
    assert packages == set(LISTED)


def test_no_public_name_hides_the_module_that_holds_it():
    names = [item.name for item in pkgutil.walk_packages(tn.__path__, "tradenb.")]
    found = {}
    for name in names:
        if not name.endswith("__main__"):  # it runs the command line
            importlib.import_module(name)
    for name in names:
        if not name.endswith("__main__"):
            exec(f"import {name} as module", found)
            assert found["module"] is sys.modules[name], name
    assert len(names) > 200


@pytest.mark.parametrize("name", sorted(tn.__all__))
def test_every_public_name_is_there(name):
    found = getattr(tn, name)
    assert found is getattr(tn, name)
    assert vars(tn)[name] is found


def test_the_names_are_listed_once_and_in_order():
    assert dir(tn) == sorted(set(tn.__all__))
    assert {"Candidate", "Context", "Event", "LiveRun", "Result", "TimeLike", "Trade"} <= {*dir(tn)}
    assert {"backtest", "long", "short", "strategy", "risk", "risks", "Rules"} <= {*dir(tn)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("backtets", "module 'tradenb' has no attribute 'backtets'; did you mean 'backtest'"),
        ("rules", "module 'tradenb' has no attribute 'rules'; did you mean 'Rules'"),
        ("frame_exchnge", "module 'tradenb' has no attribute 'frame_exchnge'; did you mean 'fra"),
        ("xyzzy", "module 'tradenb' has no attribute 'xyzzy'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(tn, name)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sharpe", "; it is in result.stats.sharpe"),
        ("final_equity", "; it is in result.stats.final_equity, with account=tn.Account(...)"),
        ("curve", "; it is in result.equity"),
        ("trades_frame", "; did you mean 'trades' or 'trades_per_year' or 'trade_list'?"),
        ("sharp", "; did you mean 'sharpe' or 'start' or 'sharpe_daily'?"),
        ("xyzzy", ""),
        ("_repr_png_", ""),
    ],
)
def test_what_a_result_does_not_have_is_answered_with_where_it_is(name, advice):
    never = tn.strategy("never asked about", every="1h")(lambda ctx: None)
    walk = tn.testing.random_walk(seed=1, days=1)
    result = tn.backtest.run("BTCUSDT", strategy=never, exchange=walk, progress=False)
    with pytest.raises(AttributeError) as caught:
        getattr(result, name)
    assert str(caught.value) == f"'Result' object has no attribute {name!r}{advice}"
    assert copy.deepcopy(result).stats.equals(result.stats)


def test_what_a_run_does_not_have_is_answered_with_where_it_is(tmp_path):
    never = tn.strategy("never asked about", every="1h")(lambda ctx: None)
    walk = tn.testing.random_walk(seed=1, days=1)
    settings = {"exchange": walk, "home": tmp_path, "end": "2024-01-01T00:30"}
    run = tn.live.rehearse("BTCUSDT", strategy=never, speed=None, **settings)
    assert run.wait(240)
    for handle in (run, *tn.live.attach(tmp_path)):
        with pytest.raises(
            AttributeError, match=r"no attribute 'sharpe'; it is in run\.report\(\)"
        ):
            handle.sharpe  # noqa: B018 - it is asked for
        with pytest.raises(AttributeError, match="no attribute 'trade'; did you mean 'trades' or"):
            handle.trade  # noqa: B018 - it is asked for


def test_what_a_job_does_not_have_is_in_its_result():
    never = tn.strategy("never asked about", every="1h")(lambda ctx: None)
    walk = tn.testing.random_walk(seed=1, days=1)
    job = tn.backtest.background("BTCUSDT", strategy=never, exchange=walk)
    assert job.wait(240)
    for name in ("trades", "sharpe"):
        with pytest.raises(AttributeError, match=rf"attribute '{name}'; it is in job.result\(\)"):
            getattr(job, name)


def test_a_property_that_fails_is_not_taken_for_one_that_is_missing():
    class Broken(FigureFrames):
        @property
        def stats(self):
            return None.anything

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'anything'"):
        Broken().stats  # noqa: B018 - it is asked for


def test_star_imports_are_the_public_names():
    names: dict[str, object] = {}
    exec("from tradenb import *", names)
    assert set(names) - {"__builtins__"} == set(tn.__all__)
