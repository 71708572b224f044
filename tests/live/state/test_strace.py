"""Fault 1: kill -9 at every write-path system call of a life's commits, with strace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.mortal import CALLS, COMMITS, WHEN, event, kept, live, storage_at

POINTS = 60


class Life(NamedTuple):
    kind: str
    k: int
    told: int
    folder: Path


def _strace(folder: Path, repository: Path) -> list[Life]:
    """Let lives end at every call of every kind; the last of a kind lives on and is left out."""
    calls = ",".join(CALLS.values())
    strace = (
        f"strace -f -qq -o /dev/null -e trace={calls} -e inject={calls}:signal=KILL:when={WHEN}"
    )
    found = subprocess.run(
        [*strace.split(), sys.executable, "-B", "-m", "tests.live.mortal", str(folder)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    lives = []
    for kind, k, told, killed, status in (line.split() for line in found.stdout.splitlines()):
        if killed == "1":
            lives.append(Life(kind, int(k), int(told), folder / f"{kind}-{k}"))
        else:
            assert status == "0", f"the last life did not end well: {kind} {k}, {found.stderr}"
    return lives


@pytest.fixture(scope="module")
def lives(repository) -> Iterator[list[Life]]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True
    )
    if tried.returncode:
        pytest.skip(f"strace cannot trace here: {tried.stderr.decode().strip()[:200]}")
    # In memory where that is possible: it is not the disk that dies here.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tradenb-lives-", dir=memory) as folder:
        yield _strace(Path(folder), repository)


@pytest.mark.no_cover
def test_fault_1_after_kill_9_the_state_is_old_or_new_and_no_event_is_lost_or_repeated(lives):
    assert len(lives) >= POINTS
    assert {life.kind for life in lives} == set(CALLS)
    assert {life.told for life in lives} >= {0, 1, COMMITS - 1}
    for life in lives:
        _check(life)


def _check(life: Life) -> None:
    storage = storage_at(life.folder)
    found = storage.open()
    number = 0 if found is None else found.last_seq
    assert life.told <= number <= life.told + 1, f"{life}: neither the old state nor the new one"
    if found is not None:
        assert found == kept(number, found.outbox), f"{life}: a mixed state"
    rows = storage.events()
    assert rows == [event(n) for n in range(1, number + 1)], f"{life}: lost, repeated or invented"
    storage.close()
    assert not list(life.folder.rglob("*.corrupt-*")), f"{life}: something was damaged"

    live(life.folder, lambda _: None)
    again = storage_at(life.folder)
    assert again.open() == kept(COMMITS, (event(COMMITS),)), f"{life}: the next start did not go on"
    assert again.events() == [event(n) for n in range(1, COMMITS + 1)], f"{life}: after it resumed"
    again.close()
    assert not list(life.folder.rglob("*.tmp")), f"{life}: a temporary file was left"
