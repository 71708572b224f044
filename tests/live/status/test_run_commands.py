"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.live.mortal import event, kept, mortal
from tests.live.processes import BOT, bot, child
from tradenb.cli import main
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Key, find_home

KEY = Key("mortal", "BTCUSDT")


@pytest.fixture
def saved():
    """A run on disk, two generations, held by nobody."""
    storage = DiskStorage(find_home(), "BTCUSDT", mortal, "made-up", now=lambda: 1_704_067_200_000)
    storage.open()
    for number in (1, 2):
        storage.commit(kept(number, (event(number),)))
        storage.announce()
    storage.close()
    return find_home().document(KEY)


def checks(capsys):
    """What the doctor says, as JSON."""
    code = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["well"] == (code == 0)
    return code, {item["name"]: item for item in found["checks"]}


def test_the_module_is_the_command(repository):
    found = subprocess.run(
        [sys.executable, "-m", "tradenb", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=repository,
    )
    assert found.stdout == f"tradenb {tn.__version__}\n"


def test_the_doctor_finds_nothing_in_an_empty_home(capsys):
    assert main(["doctor"]) == 0
    assert "all is well" in capsys.readouterr().out
    assert not find_home().root.exists()  # it only looks


def test_the_doctor_counts_what_is_well(saved, capsys):
    code, found = checks(capsys)
    assert code == 0
    assert found["lock"]["words"] == "no run is held by a process"
    assert found["clock"]["verdict"] == "well"
    assert " ok under " in found["files"]["words"]


def test_the_doctor_reports_damage_and_accept_mends_it(saved, capsys):
    bak = saved.with_name(f"{saved.name}.bak")
    good = saved.read_bytes()
    saved.write_bytes(good[:100])
    bak.write_bytes(b"")
    assert checks(capsys)[1]["file damaged"]["verdict"] == "wrong"
    storage = DiskStorage(find_home(), "BTCUSDT", mortal, "made-up", now=lambda: 0)
    with pytest.raises(tn.StateCorrupt, match="doctor --accept"):
        storage.open()
    code, found = checks(capsys)
    assert code == 1
    assert "choose one with --accept" in found["state"]["words"]
    mended = saved.with_name(f"{saved.name}.corrupt-2-1")
    mended.write_bytes(good)
    assert main(["doctor", "--accept", str(mended)]) == 0
    assert "as generation" in capsys.readouterr().out
    assert storage.open().last_seq == 2
    storage.close()


def test_accept_refuses_what_is_no_generation_of_a_run(saved, tmp_path, capsys):
    other = tmp_path / "x.json"
    other.write_text("{}")
    assert main(["doctor", "--accept", str(other)]) == 2
    bad = saved.with_name(f"{saved.name}.corrupt-9-9")
    bad.write_text("{}")
    assert main(["doctor", "--accept", str(bad)]) == 1
    assert "cannot be put in force" in capsys.readouterr().err


def test_accept_does_not_touch_a_run_that_is_held(saved, capsys):
    storage = DiskStorage(find_home(), "BTCUSDT", mortal, "made-up", now=lambda: 0)
    storage.open()
    assert main(["doctor", "--accept", str(saved)]) == 3
    assert f"process {os.getpid()}" in capsys.readouterr().err
    assert f"process {os.getpid()}" in checks(capsys)[1]["lock"]["words"]
    storage.close()


def test_the_doctor_sees_the_kill_switch_the_clock_and_what_patches_kernels(
    saved, capsys, tmp_path, monkeypatch
):
    find_home().kill.write_text("halt")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import nest_asyncio\nnest_asyncio.apply()\n")
    jupyter = tmp_path / "jupyter"
    jupyter.mkdir()
    (jupyter / "jupyter_server_config.py").write_text(
        "c.MappingKernelManager.cull_idle_timeout = 3600\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(jupyter))
    monkeypatch.setattr("tradenb.cli.doctor_checks.wall_ms", lambda: 10**12)  # 2001
    code, found = checks(capsys)
    assert code == 1
    wrong = {name for name, item in found.items() if item["verdict"] == "wrong"}
    assert wrong == {"kill switch", "clock", "nest_asyncio"}
    assert found["kernel culling"]["verdict"] == "note"
    assert "3600 s" in found["kernel culling"]["words"]


def test_the_doctor_says_that_a_home_is_no_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--home", str(tmp_path / "file")]) == 1
    assert "is not a folder" in capsys.readouterr().out


@pytest.mark.parametrize("home", ["link", "link/home"])
def test_the_doctor_does_not_take_a_link_to_nothing_for_a_new_home(tmp_path, capsys, home):
    (tmp_path / "link").symlink_to(tmp_path / "volume")
    assert main(["doctor", "--home", str(tmp_path / home)]) == 1
    said = f"{tmp_path / 'link'} is a link to {tmp_path / 'volume'}, which is not there"
    assert said in capsys.readouterr().out


def test_status_of_runs_that_nobody_holds(saved, capsys):
    assert main(["status"]) == 0
    assert "BTCUSDT:mortal  live  idle    nothing open" in capsys.readouterr().out
    assert main(["status", "--home", "/nonexistent/x"]) == 0
    assert "no runs under /nonexistent/x" in capsys.readouterr().out


def test_stop_of_a_run_that_nobody_holds_is_1(saved, capsys):
    assert main(["stop", "BTCUSDT:mortal"]) == 1
    assert "BTCUSDT:mortal is idle; only a running run takes stop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("x = 1", 2, "started no live run"),
        ("raise ValueError('my bug')", 1, "ValueError: my bug"),
        ("import tradenb as tn\nraise tn.StateCorrupt('bad')", 4, "tradenb: bad"),
        ("import sys\nsys.exit(7)", 7, ""),
    ],
)
def test_run_ends_with_what_the_bot_file_did(tmp_path, capsys, text, code, words):
    name = bot(tmp_path / "bot.py", text)
    with child("-m", "tradenb", "run", name) as found:
        assert found.ended() == code
        assert words in found.words
        assert "runpy" not in found.words


def test_run_of_a_file_that_is_not_there_is_a_wrong_call(capsys):
    assert main(["run", "/nonexistent/bot.py"]) == 2
    assert "is not a file" in capsys.readouterr().err


@pytest.mark.realtime
def test_a_main_that_nobody_called_is_called_and_home_moves(tmp_path):
    text = BOT.replace('if __name__ == "__main__":\n    main()\n', "")
    elsewhere = tmp_path / "elsewhere"
    name = bot(tmp_path / "bot.py", text)
    with child("-m", "tradenb", "run", name, "--json", "--home", str(elsewhere)) as found:
        found.said("started")
        assert (elsewhere / "data" / "state" / "calm" / "BTCUSDT.json.lock").exists()


@pytest.mark.realtime
def test_fault_68_a_reader_that_went_away_does_not_end_the_bot(tmp_path, repository):
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "tradenb", "run", bot(tmp_path / "bot.py")]
    here = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=here) as found:
        os.close(writer)
        os.close(reader)
        try:
            (handle,) = until(tn.live.attach, "the run on disk")
            handle.stop()
            assert found.wait(240) == 0
            assert found.stderr.read() == b""
        finally:
            found.kill()


@pytest.mark.realtime
def test_the_demo_lives_through_a_crash_and_its_reader_may_leave(tmp_path, repository):
    short = repository.parent / "shared" / "data" / "XRPETH-1m-2019-10.parquet"
    more = ["--data", str(short)] if short.exists() else ["--days", "3"]
    arguments = ["-m", "tradenb", "demo", "--report", str(tmp_path / "r.html"), *more]
    with child(*arguments) as found:
        assert found.ended() == 0, found.words
        assert "killed (SIGKILL)" in found.words
        assert "\nequal: " in found.words


def test_a_closed_pipe_ends_a_command_quietly(tmp_path, repository):
    command = f"{sys.executable} -m tradenb demo --no-rehearsal --days 3 --report {tmp_path}/r.html"
    found = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=repository,
    )
    assert found.stdout.count("\n") == 1
    assert found.stderr == ""
