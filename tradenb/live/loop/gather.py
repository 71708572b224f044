"""Waiting for several things, of which some may never come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

TOGETHER_S: Final = 5.0


async def together(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for all; not long for some of them, but as long as it takes for the first."""
    done, _ = await asyncio.wait(tasks, timeout=TOGETHER_S)
    if not done:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks, timeout=1.0)
