"""A need, a kind of event and a kind of command more, each in a copy: mypy has to complain.

`make types` runs this. It shows that whoever adds a variant is told by the type checker where to
handle it. The copies keep the times of their files, so mypy's cache of one serves the next.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".mypy_cache" / "mutants"
STATE, EVENTS = "tradenb/core/lifecycle/state.py", "tradenb/core/events.py"
CORE, ENGINE = "tradenb/core/", "tradenb/engine/"
PUMP, CLEARS = "tradenb/engine/session/", "tradenb/core/lifecycle/machine.py"


class Mutant(NamedTuple):
    """A variant more: what it is, in which file, the text that is replaced once, who complains."""

    what: str
    file: str
    old: str
    new: str
    refused_in: tuple[str, ...]


MUTANTS = (
    Mutant("a need", STATE, "Need = NeedCandles |", "Need = Phase | NeedCandles |", (PUMP, CLEARS)),
    Mutant("a kind of event", EVENTS, '    "ping",\n]', '    "ping",\n    "new",\n]', (ENGINE,)),
    Mutant("a kind of command", STATE, 'Literal["cancel",', 'Literal["new", "cancel",', (CORE,)),
)


def checked(folder: Path) -> list[str]:
    """Return the errors that mypy finds in a copy of the project."""
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(CACHE)]
    command += ["-p", "tradenb.core", "-p", "tradenb.engine", "-p", "tradenb.backtest"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(done.stdout + done.stderr)
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def main() -> None:
    """Check the package as it is, and then each mutant of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tradenb", folder / "tradenb", ignore=skipped)
        shutil.copy2(ROOT / "pyproject.toml", folder)
        if errors := checked(folder):
            raise SystemExit("\n".join(["the package itself has errors:", *errors]))
        for mutant in MUTANTS:
            right = folder / mutant.file
            text = right.read_text()
            if text.count(mutant.old) != 1:
                raise SystemExit(f"{mutant.file} must contain {mutant.old!r} once")
            right.write_text(text.replace(mutant.old, mutant.new))
            places = [line.split(": error: ")[0] for line in checked(folder) if "_never" in line]
            for folder_name in mutant.refused_in:
                if not any(place.startswith(folder_name) for place in places):
                    words = f"{mutant.what} more passes mypy in {folder_name}"
                    raise SystemExit(f"{words}: nothing says where to handle it")
            sys.stdout.write(f"{mutant.what} more is refused in {', '.join(places)}\n")
            shutil.copy2(ROOT / mutant.file, right)


if __name__ == "__main__":
    main()
