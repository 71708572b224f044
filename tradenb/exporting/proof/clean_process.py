"""The clean process: executes a script as it will be executed, over the recorded candles.

Started as `python -I -m tradenb.exporting.proof.clean_process SCRIPT FOLDER`. The script's call of
`run_script` comes here, so that nothing goes live; the result is in the folder as `result.json`.
"""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

TASK: Final = "task.json"
RESULT: Final = "result.json"


def main(arguments: list[str]) -> int:
    """Execute a script and write down what it gives."""
    script, folder = arguments[0], Path(arguments[1])
    task = json.loads((folder / TASK).read_text(encoding="utf-8"))
    found: dict[str, Any] = {}

    def replay(symbols: Any, **job: Any) -> int:
        names = sys._getframe(1).f_globals
        found.update(_replayed(folder, task, symbols, names, job))
        return 0

    stand_in = ModuleType("tradenb.script")
    stand_in.__dict__["run_script"] = replay
    sys.modules[stand_in.__name__] = stand_in
    sys.argv = [script]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001 - whatever the script raises is what is looked for
        found["error"] = _described(error, script)
    (folder / RESULT).write_text(json.dumps(found), encoding="utf-8")
    return 0


def _replayed(
    folder: Path,
    task: Mapping[str, Any],
    symbols: Any,
    names: Mapping[str, Any],
    job: Mapping[str, Any],
) -> dict[str, Any]:
    from tradenb.backtest import run
    from tradenb.engine.serialise import event_to_row
    from tradenb.exporting.collect.plain_values import facts
    from tradenb.exporting.proof.recorded_sample import RecordedSource

    known = {name: facts(names[name]) for name in task["names"] if name in names}
    broker = job.get("broker")
    result = run(
        symbols,
        strategy=job["strategy"],
        exchange=RecordedSource.read(task["exchange"], folder),
        start=task["start"],
        end=task["end"],
        rules=job.get("rules"),
        account=job.get("account") if broker is None else broker.account,
        progress=False,
    )
    return {"facts": known, "events": [event_to_row(event) for event in result.event_list]}


def _described(error: BaseException, script: str) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame for frame in frames if frame.filename == script]
    return {
        "kind": type(error).__name__,
        "words": str(error),
        "name": getattr(error, "name", None),
        "line": lines[-1].line if lines else None,
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
