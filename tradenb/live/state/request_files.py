"""`RequestFiles`: what other processes ask of a run, and what the kill switch says, as files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, cast

from tradenb.live.state.control_requests import Decision, Request, Requests, command_of
from tradenb.store import control
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import Home, Key
from tradenb.store.request import Waiting

log = logging.getLogger("tradenb")

_REMEMBERED: Final = 1_000


class RequestFiles:
    """The requests to one run.

    Parameters
    ----------
    now : callable
        The clock of the run, ms UTC.
    """

    def __init__(
        self, filesystem: Filesystem, home: Home, key: Key, now: Callable[[], int]
    ) -> None:
        self.now = now
        self._filesystem = filesystem
        self._key = key
        # Names are encoded once: a tick looks at these files again and again.
        self._requests, self._kill_file = home.control(key), home.kill
        self._kill: str | None = None
        self._seen: set[str] = set()
        self._taken: list[str] = []
        # Those of the document that is in force.
        self._taken_on_disk: Sequence[str] = ()

    @property
    def kill(self) -> str | None:
        """What the kill switch said at the last poll."""
        return self._kill

    def decision(self) -> Decision | None:
        """Return what was decided from outside about a document that another program wrote."""
        found = control.receive(self._filesystem, self._requests, self._key).waiting
        decisions = [item for item in found if item.request.kind in control.DECISIONS]
        self._remove(decisions)
        return cast(Decision, decisions[-1].request.kind) if decisions else None

    def poll(self) -> Requests:
        """Return the requests of other processes, in order."""
        before, self._kill = self._kill, control.kill_switch(self._filesystem, self._kill_file)
        if before != self._kill:
            off, on = "off: entries are possible again", f"on: {self._kill}"
            turned = off if self._kill is None else on
            log.warning("%s: the kill switch %s is %s", self._key.id, self._kill_file, turned)
        received = control.receive(self._filesystem, self._requests, self._key)
        if self._kill is None and not any(received):
            self._seen = set()
            return Requests([], None)
        for path, words in received.refused:
            log.warning("%s is not a valid request: %s", path, words)
        seen, self._seen = self._seen, received.names
        fresh = self._unknown(received.waiting, seen) if received.waiting else []
        now = self.now()
        requests = [Request(command_of(item.request, now), item) for item in fresh]
        if self._kill != "unreadable":
            return Requests(requests, self._kill, received.unreadable_words)
        words = f"{self._kill_file} (the kill switch)"
        return Requests(requests, None, "; ".join(filter(None, (words, received.unreadable_words))))

    def _unknown(self, waiting: Sequence[Waiting], seen: set[str]) -> list[Waiting]:
        """Return the requests that were not obeyed, and remove the files of the others."""
        # Those that were taken but are not on disk yet keep their file: it is all there is.
        old = [item for item in waiting if item.request.id in self._taken_on_disk]
        pointless = [item for item in waiting if item.request.kind in control.DECISIONS]
        if any(item.path.name not in seen for item in pointless):
            log.warning("%s has no conflict to decide", self._key.id)
        self._remove([*old, *pointless])
        # One that cannot be removed must not be obeyed again after a thousand others.
        there = [item.request.id for item in waiting if item.request.id in self._taken]
        if there:
            self._taken = [*(id for id in self._taken if id not in there), *there]
        known = {*self._taken, *(item.request.id for item in pointless)}
        return [item for item in waiting if item.request.id not in known]

    def _remove(self, waiting: Sequence[Waiting]) -> None:
        """Remove the files of requests; one that stays, in a folder of another user, is known."""
        for item in waiting:
            with contextlib.suppress(OSError):
                control.remove(self._filesystem, [item])
                self._seen.discard(item.path.name)

    def has_requests(self) -> bool:
        """Tell whether requests have come, or the kill switch was turned, since the last poll."""
        if control.kill_switch(self._filesystem, self._kill_file) != self._kill:
            return True
        try:
            names = control.requests_in(self._filesystem, self._requests)
        except OSError:
            return False  # the next tick says so
        return any(name not in self._seen for name in names)

    def has_taken(self, id: str) -> bool:
        """Tell whether a request was obeyed, on disk or in what is committed next."""
        return id in self._taken

    def accept(self, requests: Sequence[Request]) -> None:
        """Note that requests are obeyed by the state that is committed next."""
        self._taken = [*self._taken, *(item.token.request.id for item in requests)][-_REMEMBERED:]

    def remove_requests(self, requests: Sequence[Request]) -> None:
        """Remove requests that are in the document now."""
        self._remove([item.token for item in requests])
