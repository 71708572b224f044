"""Which modules `python -I` finds: what is installed, and not what lies beside a notebook."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Final

_LOOK: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
_SECONDS: Final = 60


@functools.lru_cache(maxsize=1_024)
def is_installed(module: str) -> bool:
    """Tell whether a module can be imported by a script that runs isolated."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    if top in ("tradenb", "numpy", "pandas"):
        return True
    if top == "__main__":
        return False
    command = [sys.executable, "-I", "-c", _LOOK, top]
    ran = subprocess.run(command, timeout=_SECONDS, check=False, capture_output=True)  # noqa: S603
    return ran.returncode == 0
