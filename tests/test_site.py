"""The documentation site, without building it: `make site` does that, and checks its links."""

from __future__ import annotations

import ast
import configparser
import doctest
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import tradenb as tn

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
STRATEGY = re.compile(r'@tn\.strategy\("([^"]+)"')
BRACKETS = re.compile(r"<([^<>]*)>")
SKIPS = doctest.OPTIONFLAGS_BY_NAME["SKIP"]
NO_EXAMPLE = {
    "TimeLike": "a type for annotations",
    "allow_nested": "it patches the process, here that of the tests",
}
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "STOPSIGNAL", "CMD"}


def script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_code_of_pages_is_run_when_the_site_is_built():
    pages = [page for page in PAGES if CELL.search(page.read_text("utf-8"))]
    assert len(pages) > 25
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith("---\nfile_format: mystnb\n"), page.name
        for cell in CELL.findall(text):
            ast.parse(cell)


def test_the_reference_lists_every_public_name():
    pages = script("site_pages")
    assert pages.listed_names() == pages.public_names()


def test_every_name_of_the_reference_has_an_example_that_runs():
    examples = {}
    for name in script("site_pages").listed_names():
        found = tn
        for part in name.split("."):
            found = getattr(found, part)
        if not (inspect.isclass(found) and issubclass(found, tn.TradenbError)):
            examples[name] = doctest.DocTestParser().get_examples(inspect.getdoc(found) or "")
    assert len(examples) > 80
    without = {name for name, steps in examples.items() if not steps}
    assert without == set(NO_EXAMPLE)
    skipped = [name for name, steps in examples.items() if any(SKIPS in s.options for s in steps)]
    assert skipped == []


def test_messages_of_errors_name_what_is_filled_in_as_a_reader_would():
    found = script("raised_messages").raised()
    filled = [name for texts in found.values() for text in texts for name in BRACKETS.findall(text)]
    assert len(filled) > 200
    assert [name for name in filled if not re.fullmatch(r"[a-z][a-z0-9 ]*|\.\.\.", name)] == []


def test_each_page_of_the_cookbook_has_a_strategy_and_a_warning():
    pages = [page for page in (DOCS / "cookbook").glob("*.md") if page.stem != "index"]
    listed = (DOCS / "cookbook" / "index.md").read_text("utf-8").splitlines()
    for page in pages:
        text = page.read_text("utf-8")
        assert STRATEGY.search(text), page.name
        assert "\n## What to watch for\n\n- " in text, page.name
        assert page.stem in listed
    assert len(pages) == 20


def test_the_example_of_a_guard_is_a_service_and_its_timer():
    units = {}
    for ending in ("service", "timer"):
        unit = units[ending] = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str
        unit.read(DOCS / "operations" / f"tradenb-guard.{ending}", encoding="utf-8")
    assert units["service"]["Service"]["ExecStart"].endswith("tradenb guard --once")
    assert units["service"]["Service"]["Type"] == "oneshot"
    assert int(units["timer"]["Timer"]["OnUnitInactiveSec"]) == 30
    assert units["timer"]["Install"]["WantedBy"] == "timers.target"


def test_the_example_of_a_service_is_a_unit_that_releases_its_runs():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(DOCS / "operations" / "tradenb@.service", encoding="utf-8")
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert unit["Service"]["ExecStart"].endswith("tradenb run %i.py")
    assert unit["Service"]["KillSignal"] == "SIGTERM"


def test_the_example_of_a_container_keeps_the_home_in_a_volume():
    lines = (DOCS / "operations" / "Dockerfile").read_text("utf-8").splitlines()
    said = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert {word for word, _ in said} <= INSTRUCTIONS
    values = dict(said)
    assert values["ENV"] == f"TRADENB_HOME={values['VOLUME']}"
    assert said[0][0] == "FROM"
    assert said[-1][0] == "CMD"


NO_ANCHOR, NO_FILE = "there is no anchor for the link", "leads nowhere"
LOADS = '<script src="https://example.org/x.js">'
WARNS = '<div class="output stderr highlight"><pre>FutureWarning: x</pre></div>'
FAULTS = {
    "own": ('<a href="#here">x</a><p id="here">', None),
    "other": ('<a href="other.html#there">x</a>', None),
    "outside": ('<a href="https://example.org/x">x</a>', None),
    "no-anchor": ('<a href="#gone">x</a>', f"{NO_ANCHOR} #gone"),
    "no-anchor-there": ('<a href="other.html#gone">x</a>', f"{NO_ANCHOR} other.html#gone"),
    "no-file": ('<a href="gone.html">x</a>', f"the link gone.html {NO_FILE}"),
    "network": (LOADS, "loads https://example.org/x.js from a network"),
    "warning": (WARNS, "a cell warned"),
    "progress": (WARNS.replace("FutureWarning: x", "50%|##"), "a cell shows a bar of progress"),
}


@pytest.mark.parametrize(("page", "fault"), FAULTS.values(), ids=FAULTS)
def test_dead_links_and_what_comes_from_a_network_are_found(tmp_path, page, fault):
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    (tmp_path / "other.html").write_text('<p id="there">', encoding="utf-8")
    assert script("check_links").faults(tmp_path) == ([] if fault is None else [f"a.html: {fault}"])
