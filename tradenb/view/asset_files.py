"""The style sheets and scripts of this package, as text."""

from __future__ import annotations

import functools
import importlib.resources
import re


@functools.cache
def asset(name: str) -> str:
    """Return a style sheet or script of this package, without its comments."""
    path = importlib.resources.files("tradenb.view").joinpath("assets", name)
    text = path.read_text(encoding="utf-8").replace("\r", "")
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL).strip()
