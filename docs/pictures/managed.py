"""Take pictures of managed positions: the panel and a report, at several widths, light and dark.

`python docs/pictures/managed.py FOLDER` writes them to a folder; nobody needs them in the
repository. The position has a ladder of targets, is added to, and its stop trails.
"""  # noqa: INP001 - a script beside the pictures, no package

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dashboard import PAGE, SHOWN
from make import THEMES, chromium

import tradenb as tn
from tradenb.live.live_run import record_of
from tradenb.live.loop.record import RunRecord
from tradenb.panel.dashboard import Dashboard

TALL = 1_700
OPEN_FORM = """document.querySelector("button[aria-label^='Move the stop']").click();</script>"""
FRAME = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0; color-scheme: {theme}; }}
</style><iframe src="themed.html" width="{width}" height="1700" frameborder="0"></iframe>"""
WIDTHS = {360: 1_650, 1_100: 1_300, 2_200: 1_000}
PERIOD = {"start": "2024-01-03T12:00", "end": "2024-01-04T15:45"}


@tn.strategy("pyramid", every="15m")
def pyramid(ctx: Any) -> object:
    """Buy strength: three targets, one more unit for each half percent, a stop that trails."""
    close = ctx.candles("15m", 16).close
    if close[-1] < close[:-1].max():
        return None
    targets = [(tn.percent(1.2), 0.25), (tn.percent(2.4), 0.25), (tn.percent(4), 0.25)]
    return tn.long(stop_loss=tn.percent(1.2), take_profit=targets, trail=1.0, trail_after=0.6)


@pyramid.manage(every="15m")
def grow(ctx: Any) -> object:
    """Add a unit where the last one is half a percent ahead."""
    position = ctx.position
    if position.entries < 3 and ctx.price > position.entry * 1.005:
        return tn.add()
    return None


def rehearsed(folder: str, market: Any) -> RunRecord:
    """Rehearse until there is something to see."""
    run = tn.live.rehearse(
        "BTCUSDT", strategy=pyramid, exchange=market, speed=None, home=folder, **PERIOD
    )
    run.wait(120)
    record = record_of(run)
    record.status = "running"  # as it was a moment ago
    record.ticked = time.monotonic()
    return record


def sent(folder: str, width: int) -> dict[str, object]:
    """Return what the widget would be sent, drawn for a width."""
    shown = Dashboard(folder)
    inner = width - 32
    shown.model.width = (inner - 28) // 2 if inner >= 1_400 else inner
    shown.refresh()
    found = {name: getattr(shown, name) for name in SHOWN}
    found["events"] = {"total": shown.model.total, "rows": list(shown.model.events)}
    shown.close()
    return found


def main() -> None:
    """Write a picture of the panel and one of the report for each width and theme."""
    from tradenb.panel.static_fallback import script_of_view, style

    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    script = script_of_view().replace("export default", "const dashboard =")
    market = tn.testing.random_walk(seed=7, days=30)
    with tempfile.TemporaryDirectory() as folder:
        _running = rehearsed(folder, market)  # the dashboard shows runs that somebody holds
        page, report, themed = (
            Path(folder) / f"{name}.html" for name in ("page", "report", "themed")
        )
        tn.backtest.run(
            "BTCUSDT", strategy=pyramid, exchange=market, progress=False, **PERIOD
        ).report(report)
        for width, height in WIDTHS.items():
            found = json.dumps(sent(folder, width)).replace("</", "<\\/")
            for theme, colours in THEMES.items():
                styled = PAGE.replace("THEME", colours).replace("SCHEME", theme)
                styled = styled.replace("CSS", style()).replace("ESM", script)
                opened = styled.replace("STATE", found).replace("</script>", OPEN_FORM)
                page.write_text(opened, "utf-8")
                size = f"--window-size={width},{height}"
                picture = f"--screenshot={target / f'panel-{width}-{theme}.png'}"
                chromium(page, picture, size, "--virtual-time-budget=2000")
                text = report.read_text("utf-8").replace('"light dark"', f'"{theme}"')
                themed.write_text(text, "utf-8")
                # In a frame: a window of chromium is never as narrow as a telephone.
                page.write_text(FRAME.format(width=width, theme=theme), "utf-8")
                picture = f"--screenshot={target / f'report-{width}-{theme}.png'}"
                size = f"--window-size={width},{TALL}"
                colour = f"--blink-settings=preferredColorScheme={int(theme == 'light')}"
                chromium(page, picture, size, colour, "--virtual-time-budget=4000")


if __name__ == "__main__":
    main()
