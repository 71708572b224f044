"""`tradenb guard` as a command: once, again and again, and what it says."""

from __future__ import annotations

import json

import pytest

from tradenb.brokers.unattended.guard_runs import GuardedRun
from tradenb.cli import main
from tradenb.cli.order_verbs import run_guard

SAFE = GuardedRun("live:binance:00000000", "BTCUSDT:dip", True, "protected: 1 pieces, stop 9")
BARE = SAFE._replace(safe=False, words="1 pieces")


@pytest.fixture
def looks(monkeypatch):
    """What the looks of a test find, one after the other."""
    found = []
    monkeypatch.setattr(run_guard, "_looked", lambda home: found.pop(0))
    return found


def test_a_look_says_what_it_found_and_whether_it_is_safe(looks, capsys):
    looks += [[SAFE], [BARE], []]
    assert main(["guard", "--once"]) == 0
    assert "yes   protected: 1 pieces, stop 9" in capsys.readouterr().out
    assert main(["guard", "--once", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row == BARE._asdict()
    assert main(["guard", "--once"]) == 0
    assert "no run without a process" in capsys.readouterr().out


def test_it_looks_every_30_seconds_and_tells_what_is_new(looks, capsys):
    looks += [[SAFE], [SAFE], [BARE]]
    options = run_guard.argparse.Namespace(home=None, json=True, once=False, every=30)
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    times = iter([0.0, 4.0, 30.0, 65.0, 70.0, 71.0])
    assert run_guard.run(options, wait=wait, now=lambda: next(times)) == 1
    assert waited == [26.0, 0.0, 29.0]
    told = [json.loads(line)["runs"] for line in capsys.readouterr().out.splitlines()]
    assert told == [[SAFE._asdict()], [BARE._asdict()]]


@pytest.mark.parametrize("every", ["4s", "61m", "30", "5x", "1h"])
def test_a_span_that_is_none_is_a_wrong_call(every, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["guard", "--every", every])
    assert ended.value.code == 2
    assert "must be from 5s to 60m" in capsys.readouterr().err


def test_a_home_that_is_not_there_is_not_safe(tmp_path, capsys):
    home = tmp_path / "unmounted"
    assert main(["guard", "--once", "--home", str(home)]) == 1
    out = capsys.readouterr().out
    assert f"{home} is not there" in out
    assert "no run without a process" not in out
    assert not home.exists()
    home.touch()
    assert main(["guard", "--once", "--home", str(home)]) == 1
    assert f"{home} is not a folder" in capsys.readouterr().out
    home.unlink()
    home.mkdir()
    assert main(["guard", "--once", "--home", str(home)]) == 0
