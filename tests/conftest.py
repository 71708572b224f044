"""What holds for every test: its own home and registry, no thread left, no skip where it counts.

Environment
-----------
TRADENB_REQUIRE=1
    A skipped test fails (CI sets it: there everything that a test may lack is installed).
TRADENB_HYPOTHESIS=soak
    Property tests draw seven times as many examples, new ones each time (`make soak`); `thorough`
    draws fifty times as many and shrinks whatever fails.
TRADENB_BROWSER=1
    The tests in a real browser are collected too (`make browser`).
TRADENB_REAL_DATA=FOLDER
    Where the recorded candles are, if not in `../shared/data` beside the repository.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from tradenb.engine.specs.registry import registry

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIRED = os.environ.get("TRADENB_REQUIRE") == "1"
THREAD_GRACE_SECONDS = 20.0
# Second tries that one run of all tests may need. A run that needs more has a fault.
RERUN_BUDGET = 5
_NUMBERS = itertools.count()
# Tests start many interpreters. Each would compile the package anew, and each worker all tests,
# where the environment forbids to keep what is compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in every run: a red test is red for everybody. Nothing is timed, because the
# machines that run this are shared; each test has its time-out from pyproject.toml.
hypothesis.settings.register_profile(
    "default",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "soak", hypothesis.settings.get_profile("default"), derandomize=False, max_examples=300
)
# For a night or a doubt: what it finds is kept in .hypothesis and tried first the next time.
hypothesis.settings.register_profile(
    "thorough",
    hypothesis.settings.get_profile("default"),
    derandomize=False,
    database=DirectoryBasedExampleDatabase(REPOSITORY / ".hypothesis" / "examples"),
    max_examples=2_000,
)
hypothesis.settings.load_profile(os.environ.get("TRADENB_HYPOTHESIS", "default"))

# Read by mypy alone: `make types`.
collect_ignore = ["typing/api.py"]
if os.environ.get("TRADENB_BROWSER") != "1":
    collect_ignore.append("browser")


def examples(count: int) -> int:
    """So many examples where a test draws 100 by default; more and fewer as the profile says."""
    return max(1, count * hypothesis.settings().max_examples // 100)


def some_to_soak(cases: Sequence[Any], *, keep: int = 2) -> list[Any]:
    """Leave one of `keep` cases to `make test`; `make soak` takes the others.

    For parameters that are many of one kind, each of which takes long.
    """
    return [
        case if place % keep == 0 else pytest.param(case, marks=pytest.mark.soak)
        for place, case in enumerate(cases)
    ]


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Start one worker more than there are cores: many tests wait for clocks and processes."""
    count = yield
    return count if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else count + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that are marked `realtime` a second try, and no others."""
    for item in items:
        if item.get_closest_marker("realtime"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Leave what is collected here to no garbage collection: it lives until the end of the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that needed more second tries than the budget allows; workers do not count."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    again = [] if reporter is None else reporter.stats.get("rerun", [])
    if len(again) > RERUN_BUDGET:
        names = ", ".join(report.nodeid for report in again)
        reporter.ensure_newline()
        reporter.write_line(f"{len(again)} second tries, at most {RERUN_BUDGET}: {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip of a test or of its set-up into a failure under TRADENB_REQUIRE=1."""
    report = yield
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"skipped, but TRADENB_REQUIRE=1 lets no test be skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a file that skips itself as a whole."""
    report = yield
    if REQUIRED and report.skipped:
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"skipped, but TRADENB_REQUIRE=1 lets no file be skipped: {reason}"
    return report


def _lingering(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the non-daemon threads that are still alive after a moment's patience."""
    deadline = time.monotonic() + THREAD_GRACE_SECONDS
    new = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in new:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in new if thread.is_alive()]


@pytest.fixture(autouse=True)
def isolation(request, tmp_path_factory, monkeypatch):
    """Give each test a home of its own; afterwards no thread and no other folder may be left.

    The folder of a test that asks for none is not made: most tests have nothing to put there.
    """
    asks = "tmp_path" in request.fixturenames
    own = tmp_path_factory.getbasetemp() / f"test-{next(_NUMBERS)}"
    place = request.getfixturevalue("tmp_path") if asks else own
    monkeypatch.setenv("TRADENB_HOME", str(place / "home"))
    folder = Path.cwd()
    before = set(threading.enumerate())
    yield
    if not asks and own.exists():
        shutil.rmtree(own)
    now = Path.cwd()
    os.chdir(folder)
    assert now == folder, f"the test left the working folder at {now}"
    left = _lingering(before)
    assert not left, f"the test left threads that would hold up the interpreter's exit: {left}"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Give each test a registry of its own: names of other tests are not there."""
    monkeypatch.setattr(registry, "_named", {})
    monkeypatch.setattr(registry, "_instances", {})


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the top folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of recorded candles; skip where it is missing."""
    folder = Path(os.environ.get("TRADENB_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded candles in {folder}; TRADENB_REAL_DATA names another folder")
    return folder
