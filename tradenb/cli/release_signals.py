"""What signals mean to a bot: release the runs; a second signal ends the process at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ReleaseAsked(BaseException):  # so that an `except Exception` of the bot does not catch it
    """A signal asked the process to release its runs and end."""


@contextlib.contextmanager
def release_on_signals() -> Iterator[None]:
    """Let signals raise `ReleaseAsked`, once; the next one of any kind has its usual effect."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def release(number: int, _: FrameType | None) -> None:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_DFL)
        raise ReleaseAsked(signal.Signals(number).name)

    for number in _SIGNALS:
        signal.signal(number, release)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
