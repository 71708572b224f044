"""`Sender`: the queue of one notification service, and the daemon thread that empties it.

`offer` is all that a live loop ever calls: it appends to a bounded queue and returns. What waits
while the service is slow is gathered, twenty to a message; of what is too much the oldest is left
out, and the next message says how many.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tradenb.core.events import Event
from tradenb.live.notifications.alarms import Alarm
from tradenb.live.notifications.message_text import message
from tradenb.view.formatting import plural

log = logging.getLogger("tradenb")

QUEUE_LENGTH: Final = 1_000
# A message of some services holds 4,096 characters.
BATCH: Final = 20
PAUSE_S: Final = 1.0
RETRY_S: Final = (5.0, 30.0, 300.0)

Item = Event | Alarm | str


class Service(Protocol):
    """What delivers a message."""

    def send(self, title: str, body: str, *, again: bool) -> bool:
        """Deliver a message and tell whether that worked; `again` after it did not."""


class Sender:
    """Delivers what it is offered, in its order, on a thread of its own.

    Parameters
    ----------
    name : str
        Of the service, without secrets.
    service : Service
    choose : callable
        Gets what waited; marks it as sent, and returns a line for each item that is news.
    pause_s : float
        How long to gather after a message, so that a burst is one message.
    retry_s : tuple of float
        Pauses before a message that failed is tried again.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        choose: Callable[[Sequence[Item]], list[str]],
        *,
        length: int = QUEUE_LENGTH,
        pause_s: float = PAUSE_S,
        retry_s: tuple[float, ...] = RETRY_S,
    ) -> None:
        self.sent = 0
        self.dropped = 0
        self.failed = 0
        self._service = service
        self._choose = choose
        self._length = length
        self._pause_s = pause_s
        self._retry_s = retry_s
        self._queue: deque[Item] = deque()
        self._ready = threading.Condition()
        self._closing = threading.Event()
        self._reported = (0, 0)
        self._thread = threading.Thread(
            target=self._serve, name=f"tradenb-notify {name}", daemon=True
        )

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Put something into the queue, from any thread; never waits for the service."""
        with self._ready:
            if len(self._queue) >= self._length:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(item)
            self._ready.notify()

    def close(self, seconds: float = 0.0) -> bool:
        """End the thread once the queue is empty; wait at most so long, and tell if it ended."""
        with self._ready:
            self._closing.set()
            self._ready.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while batch := self._take():
            try:
                self._deliver(batch)
            except Exception:
                log.exception("notifications failed")
            self._closing.wait(self._pause_s)

    def _take(self) -> list[Item]:
        """Wait for something to deliver; nothing once the sender is closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._closing.is_set())
            return [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]

    def _deliver(self, batch: Sequence[Item]) -> None:
        lines = self._choose(batch)
        if not lines:
            return
        counts = (self.dropped, self.failed)
        title, body = message([*self._losses(counts), *lines])
        if self._send(title, body):
            self.sent += len(lines)
            self._reported = counts
        else:
            self.failed += len(lines)
            log.warning("%s could not be notified; tradenb notify-test shows why", self.name)

    @property
    def name(self) -> str:
        """Of the service."""
        return self._thread.name.partition(" ")[2]

    def _losses(self, counts: tuple[int, int]) -> list[str]:
        """Say what was lost since that was last said."""
        dropped, failed = (now - told for now, told in zip(counts, self._reported, strict=True))
        lines = []
        if dropped:
            lines.append(f"{plural(dropped, 'message')} left out: the service was too slow")
        if failed:
            lines.append(f"{plural(failed, 'message')} could not be delivered")
        return lines

    def _send(self, title: str, body: str) -> bool:
        if self._service.send(title, body, again=False):
            return True
        for pause in self._retry_s:
            if self._closing.wait(pause):
                return False
            if self._service.send(title, body, again=True):
                return True
        return False
