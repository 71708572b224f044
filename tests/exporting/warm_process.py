"""Clean processes in a tenth of the time: forks of one that has imported tradenb and nothing else.

For tests of what is exported, of which there are many. That the clean process is one of its own,
started as users start it, is shown by `test_script.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FORKS = """
import json, os, sys, traceback
import pandas
import tradenb.backtest
from tradenb.exporting.proof import clean_process
tradenb.backtest.run

for line in sys.stdin:
    arguments, folder, errors, environment = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        file = os.open(errors, os.O_WRONLY | os.O_CREAT)
        for number in (1, 2):
            os.dup2(file, number)
        code = 1
        try:
            code = clean_process.main(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.write(f"{code}\\n")
    sys.stdout.flush()
"""


class WarmProcess:
    """Stands for `subprocess` in the module that starts the clean process."""

    TimeoutExpired = subprocess.TimeoutExpired

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-W", "ignore", "-c", FORKS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str], *, cwd: Path, env: dict[str, str], **more: Any) -> Any:
        """Execute a script in a fork."""
        del more  # how the process would be started
        assert command[1:4] == ["-I", "-m", "tradenb.exporting.proof.clean_process"]
        assert self._process.stdin
        assert self._process.stdout
        errors = cwd / "errors.txt"
        task = [command[4:], str(cwd), str(errors), env]
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(command, code, "", errors.read_text())

    def close(self) -> None:
        """End the process that is forked."""
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()
