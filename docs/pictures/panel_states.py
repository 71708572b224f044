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
from decimal import Decimal
from pathlib import Path

from dashboard import PAGE, SHOWN, rehearsed
from make import THEMES, chromium

import tradenb as tn
from tradenb.brokers.arming.arm_file import trip, write_arm
from tradenb.brokers.status.order_status import OrderStatus, Shield
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.gate import Arm
from tradenb.core.orders.order_alarms import Alarm
from tradenb.core.orders.order_records import Balance, Order
from tradenb.core.signal import Signal
from tradenb.live.status.pending_commands import PendingCommand
from tradenb.live.status.run_status import RunStatus
from tradenb.panel.dashboard import Dashboard
from tradenb.panel.watch_runs import WatchedRun
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home

REVISED = (
    "3 candles of BTCUSDT were changed after they were acted on; one would have touched the stop; "
    "raise settle_seconds"
)
LIVE, SANDBOX = "live:binance:9f3e21aa", "sandbox:binance:1a2b3c4d"
WIDTHS = {320: 3_300, 360: 3_200, 760: 2_200, 1_100: 2_100, 2_200: 1_300}
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
        named("BNBUSDT", orders=sending(LIVE, now, bare=True)),
        named("LTCUSDT", orders=sending(SANDBOX, now)),
    ]  # fmt: skip
    return [base._replace(status=each) for each in found]


def sending(account: str, now: int, *, bare: bool = False) -> OrderStatus:
    """Return the orders of a run whose position is protected, or is not for 40 s."""
    pieces, since = Decimal("0.5"), now - 40_000
    entry = Order("e", "s", "entry", 1, "buy", "ioc", pieces, Decimal("100.20"), state="done",
                  ending="filled", sent_at=now - 10 * MINUTE, filled=pieces,
                  value=100 * pieces)  # fmt: skip
    stop = Order("p", "s", "protection", 1, "sell", "list", pieces, Decimal(104), Decimal(98),
                 state="working", sent_at=now - 10 * MINUTE, seen_at=now)  # fmt: skip
    gone = stop._replace(state="done", ending="cancelled")
    doubt = stop._replace(id="p2", attempt=2, state="unknown", sent_at=since)
    shield = Shield(pieces, None if bare else Decimal(98), since if bare else None, now, now)
    alarm = Alarm("unprotected", "0.5 pieces have no stop at the exchange", since)
    return OrderStatus(
        account=account,
        shields=(shield,),
        alarms=(alarm,) if bare else (),
        in_doubt=(doubt,) if bare else (),
        orders=(doubt, gone, entry) if bare else (stop, entry),
        balances=(Balance("BTC", Decimal(0), pieces), Balance("USDT", Decimal("812.5"))),
        checked_at=now - 3 * MINUTE,
        at=now,
    )


def permitted(home: Home) -> None:
    """Arm the live account, and let a rule have ended the permission of the other."""
    disk, now = DiskFilesystem(durable=False), time.time_ns() // 1_000_000
    for account in (LIVE, SANDBOX):
        arm = Arm(account, ("BNBUSDT",), ("dip",), Decimal(100), Decimal(300), Decimal(20), 3, 60,
                  since=now - 60 * MINUTE, until=now + 480 * MINUTE, by="anna on desk")  # fmt: skip
        write_arm(disk, home, arm)
    trip(disk, home, SANDBOX, "20.4 lost today, max_daily_loss is 20", now)


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
        permitted(Home(Path(rehearsed(folder).storage.home)))
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
