"""`StatusWatch`: looks at the runs of a home every half minute, on a thread of its own.

It raises alarms (`alarms.py`), writes the daily summary, and asks for the heartbeat's URL while the
runs of this process tick. A heartbeat that hangs delays neither a tick nor a message.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tradenb.clock import wall_ms
from tradenb.core.timeframe import DAY, MINUTE, floor_to
from tradenb.errors import TradenbError
from tradenb.live.loop.supervisor import active_runs
from tradenb.live.notifications.alarms import Alarm, alarms_of
from tradenb.live.notifications.daily_summary import summary_lines
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import RunStatus, mode_of
from tradenb.live.status.status_of_run import status_of_run
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home, Key
from tradenb.store.sent_marks import SentMarks

log = logging.getLogger("tradenb")

LOOK_S: Final = 30.0
BEAT_MS: Final = 60_000
# An alarm is raised at the second look that finds it: between a release and the next start of a run
# its position is unwatched for a moment.
_LOOKS: Final = 2
_REMIND_MS: Final = DAY
_SUMMARY: Final = "summary"
_SUMMARY_LATE_MS: Final = 60 * MINUTE


class StatusWatch:
    """Looks at runs for one notification service.

    Parameters
    ----------
    offer : callable
        Takes what is to be sent: an `Alarm`, or a line.
    marks : callable
        Returns the marks of the service under a home.
    alarms : bool
        Whether alarms are wanted.
    summary_minute : int or None
        Minute of the day, UTC, at which the summary is written.
    beat : callable or None
        Asks for the heartbeat's URL, and returns what went wrong.
    now : callable
        Wall clock, ms UTC.
    """

    def __init__(
        self,
        offer: Callable[[Alarm | str], None],
        marks: Callable[[Home], SentMarks],
        *,
        alarms: bool,
        summary_minute: int | None = None,
        beat: Callable[[], str] | None = None,
        now: Callable[[], int] = wall_ms,
    ) -> None:
        self._offer = offer
        self._marks = marks
        self._alarms = alarms
        self._summary_minute = summary_minute
        self._beat = beat
        self._now = now
        self._beat_at = 0
        self._beat_error = ""
        self._homes: dict[Path, None] = {}
        self._files: dict[tuple[Path, Key], RunFiles] = {}
        self._seen: dict[tuple[Path, str], int] = {}
        self._closing = threading.Event()

    def start(self, name: str) -> None:
        """Begin to look."""
        threading.Thread(target=self._serve, name=f"tradenb-watch {name}", daemon=True).start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()

    def look(self) -> None:
        """Look once."""
        own = [run for run in active_runs() if mode_of(run.storage.home) == "live"]
        running = [status_of_run(run) for run in own if run.status == "running"]
        self._homes |= dict.fromkeys(run.storage.home for run in own)
        for root in [*self._homes]:
            home = Home(root)
            mine = [status for status in running if status.home == str(root)]
            found = [*mine, *self._others(home, {status.id for status in mine})]
            if self._alarms:
                self._raise_alarms(home, found)
            self._summarise(home, found)
        self._send_beat(running)

    def _serve(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                self.look()
            except Exception:
                log.exception("a look at the runs failed")

    def _others(self, home: Home, own: set[str]) -> Iterable[RunStatus]:
        """Return how the runs of a home are that this process does not run."""
        try:
            keys = [*home.keys(DiskFilesystem(durable=False))]
        except OSError:
            return
        for key in keys:
            if key.id in own:
                continue
            files = self._files.setdefault((home.root, key), RunFiles(home, key))
            try:
                yield files.status()
            except (OSError, TradenbError, LookupError, ValueError) as error:
                log.debug("%s: %s", key.id, error)

    def _raise_alarms(self, home: Home, found: Iterable[RunStatus]) -> None:
        alarms = {alarm.name: alarm for status in found for alarm in alarms_of(status)}
        marks = self._marks(home)
        for name, alarm in alarms.items():
            looks = self._seen.get((home.root, name), 0) + 1
            self._seen[home.root, name] = looks
            if looks >= _LOOKS and marks.mark_once(name, self._now(), again_ms=_REMIND_MS):
                self._offer(alarm)
        self._seen = {
            (root, name): looks
            for (root, name), looks in self._seen.items()
            if root != home.root or name in alarms
        }
        for name in marks.lasting():
            if name not in alarms and name != _SUMMARY:
                marks.clear(name)

    def _summarise(self, home: Home, found: Iterable[RunStatus]) -> None:
        """Write the summary of the day that has ended, once for all processes of the home."""
        if self._summary_minute is None:
            return
        now = self._now()
        due = floor_to(now, DAY) + self._summary_minute * MINUTE
        due -= DAY if due > now else 0
        if now - due >= _SUMMARY_LATE_MS:
            return
        if not self._marks(home).mark_once(_SUMMARY, now, again_ms=now - due + 1):
            return
        for line in summary_lines(home, found, since=due - DAY, until=due):
            self._offer(line)

    def _send_beat(self, running: list[RunStatus]) -> None:
        """Ask for the heartbeat's URL, but not while a run is silent: the other side notices."""
        now = self._now()
        if self._beat is None or 0 <= now - self._beat_at < BEAT_MS - LOOK_S * 500:
            return
        if not running or any(status.silent for status in running):
            return
        self._beat_at = now
        error = self._beat()
        if error and error != self._beat_error:
            log.warning("the heartbeat failed: %s", error)
        self._beat_error = error
