"""What signals mean to a bot: leave, positions stay; the second one ends the process at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Leave(BaseException):  # no Exception: the bot's own `except` must not keep the process
    """A signal asked the process to go."""


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """Let signals raise `Leave`, once; the next one of any kind has its usual effect."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def leave(number: int, _: FrameType | None) -> None:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_DFL)
        raise Leave(signal.Signals(number).name)

    for number in _SIGNALS:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
