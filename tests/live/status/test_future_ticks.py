"""A state that was saved at a time to come is not taken for fresh."""

from __future__ import annotations

import time

from tests.live.mortal import event, kept, mortal
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.live.status.run_files import RunFiles
from tradenb.store.paths import Key, find_home


def test_fault_89_a_tick_in_the_future_is_not_taken_for_fresh():
    ahead_ms = round(time.time() * 1000) + 5 * 3_600_000
    storage = DiskStorage(find_home(), "BTCUSDT", mortal, "made-up", now=lambda: ahead_ms)
    storage.open()
    storage.commit(kept(1, (event(1),)))
    status = RunFiles(find_home(), Key("mortal", "BTCUSDT")).status()
    storage.close()
    assert status.status == "running"
    assert status.silent
