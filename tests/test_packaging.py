"""The repository as a whole: lists that must agree, files that must exist, words that must not."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tradenb

TOP = Path(__file__).resolve().parents[1]
TEXT = (TOP / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = PROJECT["optional-dependencies"]
DEV = [Requirement(line) for line in EXTRAS["dev"] + EXTRAS["judges"]]

TOP_LEVEL = [
    ".ci/run",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs/adr",
    "environment.yml",
    "notebooks",
    "pyproject.toml",
    "tests",
    "tradenb",
    "tradenb/py.typed",
]

# Written so that none of these patterns finds itself.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|work|tmp|home|Users)/\w")
REGISTRY_HOSTS = re.compile(r"\b(?:pypi|pythonhosted|npmjs|anaconda|debian)\.(?:org|com|net)\b")


def conda_environment():
    listed = yaml.safe_load((TOP / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    packages = [Requirement(line) for line in listed if isinstance(line, str)]
    pip_lines = [line for entry in listed if isinstance(entry, dict) for line in entry["pip"]]
    return {canonicalize_name(r.name): r.specifier for r in packages}, pip_lines


def repository_files():
    """Return the files under version control, and those that a commit would add."""
    if shutil.which("git") is None or not (TOP / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of the repository's files")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=TOP, capture_output=True, check=True).stdout
    paths = [TOP / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def texts():
    for path in repository_files():
        try:
            yield path.relative_to(TOP), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def lines_with(pattern):
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


# --- dependencies ---


def test_conda_and_pip_install_the_same_packages_with_the_same_bounds():
    """Every runtime dependency has the same name on conda-forge."""
    conda, _ = conda_environment()
    del conda["pip"]
    python = conda.pop("python")
    assert python == Requirement(f"python{PROJECT['requires-python']}").specifier
    assert conda == {canonicalize_name(r.name): r.specifier for r in RUNTIME}


def test_pip_adds_nothing_but_tradenb_to_the_conda_environment():
    assert conda_environment()[1] == ["-e ."]


@pytest.mark.parametrize("requirement", RUNTIME + DEV, ids=lambda r: r.name)
def test_every_dependency_has_a_lower_bound(requirement):
    assert any(bound.operator == ">=" for bound in requirement.specifier)


@pytest.mark.parametrize("requirement", RUNTIME, ids=lambda r: r.name)
def test_a_runtime_dependency_is_one_lower_bound(requirement):
    """`make test-oldest` turns each of these lines into a constraint by replacing `>=`."""
    assert [bound.operator for bound in requirement.specifier] == [">="]


@pytest.mark.parametrize("requirement", RUNTIME + DEV, ids=lambda r: r.name)
def test_every_dependency_is_justified_by_a_sentence_above_it(requirement):
    lines = [line.strip() for line in TEXT.splitlines()]
    at = next(i for i, line in enumerate(lines) if re.match(rf'"{requirement.name}[^\w-]', line))
    assert re.fullmatch(r"# [A-Z`].{20,}\.", lines[at - 1]), lines[at - 1]


# --- one version ---


def test_the_version_is_the_same_everywhere():
    assert tradenb.__version__ == PROJECT["version"]
    assert importlib.metadata.version("tradenb") == PROJECT["version"]


def test_the_changelog_has_an_entry_for_this_version():
    changelog = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(PROJECT['version'])}\]"
    assert re.search(heading + r".*\n+(?:.+\n+)*?- ", changelog, flags=re.MULTILINE)


def test_every_supported_python_is_in_the_classifiers():
    supported = Requirement(f"python{PROJECT['requires-python']}").specifier
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c]
    assert named == [f"3.{minor}" for minor in range(30) if f"3.{minor}.0" in supported]


# --- files ---


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_the_top_level_has(name):
    assert (TOP / name).exists()


def test_no_file_names_a_path_of_somebodys_machine():
    assert lines_with(MACHINE_PATHS) == []


def test_no_file_names_the_host_of_a_package_registry():
    assert lines_with(REGISTRY_HOSTS) == []


def test_notebooks_are_stored_without_outputs():
    for path, text in texts():
        if path.suffix == ".ipynb":
            code = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
            assert [c for c in code if c["outputs"] or c["execution_count"]] == [], path


def test_links_between_documents_lead_somewhere():
    broken = [
        f"{path}: {target}"
        for path, text in texts()
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
        if not (TOP / path.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_is_in_the_index():
    folder = TOP / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert records
    assert [name for name in records if f"({name})" not in index] == []


def test_contributing_is_read_in_one_sitting():
    assert len((TOP / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 60


def test_every_verb_of_the_makefile_is_explained():
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, flags=re.MULTILINE)[1]
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    assert set(phony.replace("\\", " ").split()) == explained


def test_a_test_that_waits_for_a_thread_for_ever_ends_its_process_and_is_named(tmp_path):
    (tmp_path / "test_hangs.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from threading import Event\n\n\n"
        "def test_a_worker_that_never_returns():\n"
        "    with ThreadPoolExecutor(1) as pool:\n"
        "        pool.submit(Event().wait).result()\n"
    )
    quick = ["--timeout=1", "-o", "faulthandler_timeout=3", "-p", "no:cacheprovider"]
    given = [str(tmp_path), "-c", str(TOP / "pyproject.toml"), *quick]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "in test_a_worker_that_never_returns" in done.stderr
