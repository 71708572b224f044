"""Outputs of a notebook: what a cell shows beside what its last line gives."""

from __future__ import annotations

from typing import Any


def publish(data: dict[str, Any], metadata: dict[str, Any] | None = None, **more: Any) -> None:
    """Send an output; where there is no notebook, do nothing."""
    from IPython.core.interactiveshell import InteractiveShell

    if InteractiveShell.initialized():
        shell = InteractiveShell.instance()
        shell.display_pub.publish(data=data, metadata=metadata or {}, **more)
