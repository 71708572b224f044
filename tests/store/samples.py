"""Bodies of documents that differ in everything from one generation to the next."""

from __future__ import annotations

import copy
from pathlib import Path

from tradenb.store.paths import Home, Key

MINUTE = 60_000
T0 = 1_700_000_040_000  # on the grid
KEY = Key("dip", "BTCUSDT")
HOME = Home(Path("/disk/dump"))
DOCUMENT = HOME.document(KEY)
BAK = DOCUMENT.with_name(DOCUMENT.name + ".bak")


def signal(n: int) -> dict:
    return {
        "id": f"dip-BTCUSDT-{n}",
        "symbol": "BTCUSDT",
        "strategy": "dip",
        "position": "long",
        "entry": 100.0 + n / 7,
        "take_profit": 103.0 + n / 7,
        "stop_loss": 98.5 + n / 7,
        "minutes": 240,
        "size": None,
        "note": f"generation {n}, \u00e9\u4e2d",
        "at": T0 + n * MINUTE,
    }


def trade(n: int) -> dict:
    return {
        "signal_id": f"dip-BTCUSDT-{n}",
        "symbol": "BTCUSDT",
        "strategy": "dip",
        "position": "short",
        "opened_at": T0 + (n - 1) * MINUTE,
        "closed_at": T0 + n * MINUTE,
        "entry": 100.0 + n / 3,
        "exit": 99.0 + n / 3,
        "take_profit": 98.0,
        "stop_loss": 102.0 + n,
        "size": 0.1,
        "exit_reason": "flattened",
        "pnl_percent": 1.0 / (n + 1),
        "late": n % 2 == 0,
        "note": None,
    }


def row(seq: int) -> dict:
    """Return an event; each has its own number, moment and words."""
    return {
        "seq": seq,
        "at": T0 + seq * MINUTE,
        "wall": T0 + seq * MINUTE + 2_001,
        "mode": "live",
        "symbol": "BTCUSDT",
        "strategy": "dip",
        "kind": "milestone",
        "signal_id": f"dip-BTCUSDT-{seq}",
        "position": "long",
        "price": 100.0 + seq / 3,
        "entry": 100.0,
        "take_profit": 103.0,
        "stop_loss": 98.0,
        "minutes": 240,
        "size": None,
        "exit_reason": None,
        "pnl_percent": None,
        "level": 10,
        "late": False,
        "note": f"event {seq}",
    }


def state(n: int) -> dict:
    """Return a state that is open, scheduled or idle by turns."""
    held = signal(n)
    is_open, is_scheduled = n % 3 == 0, n % 3 == 1
    return {
        "symbol": "BTCUSDT",
        "strategy": "dip",
        "every": 5 * MINUTE,
        "cursor": T0 + n * MINUTE,
        "signal": held if is_open else None,
        "scheduled": held if is_scheduled else None,
        "opened_at": T0 + n * MINUTE if is_open else None,
        "milestones": {"gained": 20 if is_open else 0, "lost": 10 if is_open else 0},
        "warming": n % 2 == 0,
        "stopping": n % 5 == 4,
        "done": False,
        "commands": [{"at": T0 + n, "kind": "cancel", "id": None, "cancel_id": f"c{n}"}],
        "ids": [f"dip-BTCUSDT-{i}" for i in range(n + 1)],
        "trades": [trade(i) for i in range(max(1, n - 2), n + 1)],
    }


def body(n: int, outbox: list[dict] | None = None) -> dict:
    """Return the body of the n-th generation; the events up to `n` have happened."""
    return {
        "account": "paper",
        "exchange": "binance",
        "symbol": "BTCUSDT",
        "strategy": "dip",
        "revision": 1 + n,
        "order": 0,
        "risk": ["portfolio"],
        "start": T0,
        "history_start": T0 - 3 * 86_400_000,
        "state": state(n),
        "last_event_seq": n,
        "outbox": [row(n)] if outbox is None and n else outbox or [],
        "user_state": f'{{"n":{n},"text":"\u00e9"}}',
        "taken": [f"r{n}"],
        "saved_at": T0 + n * MINUTE + 2_000,
    }


def changed(n: int, *path, to) -> dict:
    """Return a body with one value replaced, or taken away (`to=KeyError`)."""
    found = copy.deepcopy(body(n))
    place = found
    for name in path[:-1]:
        place = place[name]
    if to is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return found
