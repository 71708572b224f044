"""`tradenb dashboard` as a process: it says where it is, and ends when it is told to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tradenb.cli import main


@pytest.mark.realtime
def test_the_command_serves_until_it_is_told_to_end(tmp_path):
    command = [sys.executable, "-m", "tradenb", "dashboard", "--home", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    ) as server:
        told = json.loads(server.stdout.readline())
        assert told["control"] is False
        # Without the token; urllib keeps no cookies.
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(told["url"].split("?")[0], timeout=60)
        refused.value.close()
        assert refused.value.code == 403
        server.send_signal(signal.SIGTERM)
        assert server.wait(240) == 0
    assert list(tmp_path.iterdir()) == []  # who only looks leaves nothing


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_does_not_exist_is_refused(port, capsys):
    assert main(["dashboard", "--port", port]) == 2
    assert f"--port must be from 0 to 65535, was {port}" in capsys.readouterr().err
