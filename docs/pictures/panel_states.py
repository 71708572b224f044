"""Take pictures of the panel in the states that matter, at several widths, light and dark.

`python docs/pictures/panel_states.py FOLDER` writes them to a folder; nobody needs them in the
repository. The rows are those that the kernel would send of runs in trouble.
"""  # noqa: INP001 - a script beside the pictures, no package

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from dashboard import PAGE, SHOWN, rehearsed
from make import THEMES, chromium

import tradenb as tn
from tradenb.core.lifecycle.state import State
from tradenb.core.signal import Signal
from tradenb.live.status.pending_commands import PendingCommand
from tradenb.live.status.run_status import RunStatus
from tradenb.panel.dashboard import Dashboard
from tradenb.panel.watch_runs import WatchedRun

REVISED = (
    "3 candles of BTCUSDT were changed after they were acted on; one would have touched the stop; "
    "raise settle_seconds"
)
WIDTHS = {320: 2_200, 360: 2_150, 760: 1_500, 1_100: 1_450, 2_200: 1_000}
MINUTE = 60_000


def states(base: WatchedRun) -> list[WatchedRun]:
    """Return runs as a dashboard may meet them, made of one that is well."""
    status, now = base.status, time.time_ns() // MINUTE // 1_000_000 * MINUTE
    held = status.state.signal
    live = replace(status, mode="live", status="running", stale=False, last_event_seq=-1)
    close = now + MINUTE

    def named(symbol: str, strategy: str = "dip", **more: object) -> RunStatus:
        signal = held._replace(symbol=symbol, strategy=strategy)
        given = {"state": status.state._replace(symbol=symbol, strategy=strategy, signal=signal)}
        return replace(live, symbol=symbol, strategy=strategy, **(given | more))

    entry = Signal(**held._asdict() | {"entry": held.entry * 0.99, "id": "w1"})
    waits = status.state._replace(symbol="ADAUSDT", signal=entry, opened_at=None)
    flatten = PendingCommand("f1", "flatten", now, close, (close - now) / 1000)
    idle = State("DOGEUSDT", "dip", MINUTE, status.state.cursor)
    found = [
        named("BTCUSDT", warnings=(REVISED,)),
        named("ETHUSDT", status="idle", resume="/srv/bots/eth_bot.py", age_s=900.0),
        named("SOLUSDT", pending_commands=(PendingCommand("s1", "stop", now, close, 36.0),
                                           flatten), stopping=True),
        named("XRPUSDT", "breakout",
              error="binance: candles: the exchange cannot be reached; check the network",
              held_by="process 4711 on server"),
        named("ADAUSDT", state=waits, reads=("BTCUSDT", "ETHUSDT")),
        named("DOGEUSDT", state=idle, starting=True, note=""),
    ]  # fmt: skip
    return [base._replace(status=each) for each in found]


def sent(folder: str, width: int) -> dict[str, object]:
    """Return what the widget would be sent of the states, drawn for a width."""
    shown = Dashboard(folder)
    (base,) = shown.model.watch.poll()
    runs = states(base)
    shown.model.watch.poll = lambda: runs
    inner = width - 32
    shown.model.width = (inner - 28) // 2 if inner >= 1_400 else inner
    for again in range(9):
        shown.model.watch._on_error(failing(runs[3].status, again))
    shown.model.poll()
    shown._show()
    found = {name: getattr(shown, name) for name in SHOWN}
    found["events"] = {"total": shown.model.total, "rows": list(shown.model.events)}
    shown.close()
    return found


def failing(status: RunStatus, minute: int) -> tn.Event:
    """Return the error that a failing run meets each minute."""
    at = status.state.cursor + minute * MINUTE
    return tn.Event(0, at, status.symbol, status.strategy, "error", mode="live", note=status.error,
                    wall=at)  # fmt: skip


def main() -> None:
    """Write a picture for each width and theme."""
    from tradenb.panel.static_fallback import script_of_view, style

    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    script = script_of_view().replace("export default", "const dashboard =")
    with tempfile.TemporaryDirectory() as folder:
        rehearsed(folder)
        page = Path(folder) / "page.html"
        for width, height in WIDTHS.items():
            found = json.dumps(sent(folder, width)).replace("</", "<\\/")
            for theme, colours in THEMES.items():
                styled = PAGE.replace("THEME", colours).replace("SCHEME", theme)
                styled = styled.replace("CSS", style())
                page.write_text(styled.replace("ESM", script).replace("STATE", found), "utf-8")
                chromium(
                    page,
                    f"--screenshot={target / f'panel-{width}-{theme}.png'}",
                    f"--window-size={width},{height}",
                    "--virtual-time-budget=2000",
                )


if __name__ == "__main__":
    main()
