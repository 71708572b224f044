"""Make the pictures of the dashboard: a rehearsal with an open position, light and dark.

`make pictures` runs it. The page is the widget's own script and style, given the state that the
kernel would send.
"""  # noqa: INP001 - a script beside the pictures, no package

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from make import THEMES, chromium

import tradenb as tn
from tradenb.live.live_run import record_of
from tradenb.live.loop.record import RunRecord
from tradenb.panel.dashboard import Dashboard
from tradenb.panel.static_fallback import script_of_view, style

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1_180, 900
SHOWN = ("rows", "more", "orders", "health", "pictures", "homes", "chosen", "frozen")
PAGE = """<!doctype html><meta charset="utf-8"><style>
:root { THEME --jp-layout-color1: var(--page); --jp-content-font-color1: var(--text);
    color-scheme: SCHEME; }
body { margin: 0; padding: 8px 16px; background: var(--page); } CSS</style><div id="here"></div>
<script type="module">ESM
const state = STATE;
state.beat = Date.now();
for (const row of state.rows) row.tick_ms = row.running ? Date.now() - 21000 : null;
const none = () => {};
const model = { get: (name) => state[name], set: none, save_changes: none, send: none, on: none,
  off: none };
dashboard.render({ model, el: document.getElementById("here") });
</script>"""


@tn.strategy("dip", every="15m")
def dip(ctx: Any) -> object:
    """Buy what fell below the mean of a day, sell what rose above it."""
    mean = ctx.candles("1h", 24).close.mean()
    if ctx.price < 0.99 * mean:
        return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.985 * ctx.price, minutes=1440)
    if ctx.price > 1.01 * mean:
        return tn.short(take_profit=0.98 * ctx.price, stop_loss=1.015 * ctx.price, minutes=1440)
    return None


def rehearsed(folder: str) -> RunRecord:
    """Rehearse until there is something to see."""
    market = tn.testing.random_walk(seed=7, days=30)
    period = {"start": "2024-01-02", "end": "2024-01-04T07:30"}
    run = tn.live.rehearse(
        "BTCUSDT", strategy=dip, exchange=market, speed=None, home=folder, **period
    )
    run.wait(120)
    record = record_of(run)
    record.status = "running"  # as it was a moment ago
    record.ticked = time.monotonic()
    return record


def state(folder: str) -> dict[str, object]:
    """Return what the widget would be sent of a rehearsal."""
    _running = rehearsed(folder)  # the dashboard shows runs that somebody holds
    shown = Dashboard(folder)
    shown.model.width = WIDTH - 32
    shown.refresh()
    sent = {name: getattr(shown, name) for name in SHOWN}
    sent["events"] = {"total": shown.model.total, "rows": list(shown.model.events)}
    shown.close()
    return sent


def main() -> None:
    """Write a picture for each theme beside this file."""
    script = script_of_view().replace("export default", "const dashboard =")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        found = json.dumps(state(folder)).replace("</", "<\\/").replace(folder, "dump")
        for theme, colours in THEMES.items():
            styled = PAGE.replace("THEME", colours).replace("SCHEME", theme)
            styled = styled.replace("CSS", style())
            page.write_text(styled.replace("ESM", script).replace("STATE", found), "utf-8")
            chromium(
                page,
                f"--screenshot={HERE / f'dashboard-{theme}.png'}",
                f"--window-size={WIDTH},{HEIGHT}",
                "--force-device-scale-factor=2",
                "--virtual-time-budget=2000",
            )


if __name__ == "__main__":
    main()
