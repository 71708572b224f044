"""A process that is told of a run's events, as a loop tells them after a restart, until it dies.

    python -m tests.live.notifications.killed HOME COUNT

The loop is delivered every event from the first on each time, which is more than a restart does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tradenb.bus import bus
from tradenb.clock import SystemClock
from tradenb.core.events import Event
from tradenb.live.loop.notify import Notifier
from tradenb.live.notifications import api, news
from tradenb.live.notifications.api import notify
from tradenb.store.paths import Home
from tradenb.testing import InlineWorkers

MINUTE = 60_000


def main(home: Path, count: int) -> None:
    news.home_of_run = lambda symbol, strategy: Home(home)
    made = notify("env:SINK_URL", kinds={"opened"})
    made._sender._pause_s = 0.0
    notifier = Notifier(SystemClock(), InlineWorkers(), bus)
    for seq in range(1, count + 1):
        event = Event(seq, seq * MINUTE, "BTCUSDT", "dip", "opened", mode="live", wall=seq)
        asyncio.run(notifier.publish([event]))
    sys.stdout.write('{"published": true}\n')
    api.close_all(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
