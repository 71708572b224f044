"""Runs and events as rows of the dashboard, and the line above: plain values and words to view.

Numbers are written here, so that the table in the browser, the static one and the tests say the
same; the view measures only how much time has passed since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.engine.position_view import Position, position_of
from tradenb.live.status.listing import account_statuses
from tradenb.live.status.position_words import position_words
from tradenb.live.status.run_status import RunStatus, outlook_words
from tradenb.live.status.status_card import astray_words
from tradenb.panel.order_panel import shields_of
from tradenb.panel.replica import MOST_EVENTS, Replica
from tradenb.view.event_words import event_words
from tradenb.view.formatting import number, percent, plural, price, tone

Row = dict[str, Any]
EventRow = list[Any]

# Clock offsets up to this are harmless.
CLOCK_MS: Final = 1_000
_LONGEST: Final = 300
_MOST_PENDING: Final = 5
_TRACE: Final = 4_000
NUMBER, RUN, WHEN, KIND, WORDS, TONE, TIMES, SINCE = range(8)
"""Where what is in the row of an event."""
_ORDER: Final = {"running": 1, "idle": 2, "done": 3}


def row_of(status: RunStatus, replica: Replica) -> Row:
    """Return a run as the view shows it, JSON-plain.

    `entry` is the average, `stop` the one in force, `target` the nearest that is left; `parts` says
    what else is special about the position, `outlook` what ends by itself and what is asked next;
    `ladder` whether several targets are left. `progress` is percent of the way from the entry, to
    the target above 0 and to the stop below; `tone` names its colour; `trouble` is why the run is
    red, `doubt` why it is amber; both are empty while all is well.
    """
    market, as_of = _market(status, replica)
    row: Row = {
        "key": status.key,
        "symbol": _cut(status.symbol, 40),
        "strategy": _cut(status.strategy, 40),
        "mode": status.mode,
        "status": status.label,
        "running": status.status == "running",
        "stale": status.stale,
        "saved": status.saved,
        "held_by": status.held_by,
        "age_s": None if status.age_s is None else round(status.age_s, 1),
        "cursor": "" if status.state is None else f"{iso(status.state.cursor)} UTC",
        "price": "" if market is None else price(market),
        "as_of": as_of,
        "trouble": _cut(status.trouble, _LONGEST),
        "unwatched": status.unwatched,
        "pending": _pending(status),
        "warnings": [_cut(words, _LONGEST) for words in _warnings(status)[:_MOST_PENDING]],
        "reads": _cut(", ".join(status.reads), 80),
        "trace": status.trace[-_TRACE:],
        "doubt": _cut(doubt_of(status, replica), _LONGEST),
        "shields": [] if status.orders is None else shields_of(status, status.orders),
        "alarms": [_cut(words, _LONGEST) for words in _more_alarms(status)],
    }
    row["outlook"] = _cut(" · ".join(outlook_words(status)), _LONGEST)
    return row | _position(status, market)


def _more_alarms(status: RunStatus) -> list[str]:
    """Return the alarms of its orders that are not its trouble already."""
    alarms = () if status.orders is None else status.orders.alarms
    return [each.text for each in alarms if each.text != status.trouble][:_MOST_PENDING]


def doubt_of(status: RunStatus, replica: Replica) -> str:
    """Say what is not as it should be although the run goes on, or nothing."""
    if not status.saved:
        return "the last state is not on disk yet"
    if replica.missing:
        return replica.missing
    state = status.state
    in_step = state is not None and replica.last_seq == status.last_event_seq
    if state is not None and in_step and not replica.agrees(state.signal):
        return "the events do not end with the position of the state"
    if status.old_code:
        return status.old_code
    waits = status.mode == "live" and state is not None and state.is_scheduled
    if status.unknown:
        return status.error
    if status.status == "idle" and waits:
        return f"no process watches the entry that waits. {status.way_on}"
    return status.note if status.starting or status.stopping else ""


def order_of(status: RunStatus) -> tuple[int, str, str, str]:
    """Return what rows are sorted by: what nobody watches, and alarms, come first."""
    alarmed = status.orders is not None and bool(status.orders.alarms)
    return (
        0 if status.unwatched or alarmed else _ORDER.get(status.status, 4),
        status.mode,
        status.symbol,
        status.strategy,
    )


def progress_of(held: Position, market: float) -> float:
    """Return percent of the way from the entry: above 0 to the next target, below to the stop."""
    ahead = market - held.entry
    if held.is_short:
        ahead = -ahead
    level = held.take_profit if ahead >= 0 else held.stop_loss
    if level is None:
        return 0.0
    whole = abs(level - held.entry)
    return max(-100.0, min(100.0, 100 * ahead / whole)) if whole else 0.0


def health_of(statuses: Sequence[RunStatus], rows: Sequence[Row], errors: int) -> dict[str, Any]:
    """Return the health line of runs and their rows, with the errors since the dashboard was made.

    `level` is good, doubt, bad or empty; `words` a list of short phrases; `lateness` how long after
    a candle has closed it is acted on, in words.
    """
    running = [row for row in rows if row["running"]]
    unwatched = [row for row in rows if row["unwatched"]]
    bad = [row for row in running if row["trouble"]]
    seen = [*running, *(row for row in rows if row["status"] == "unknown")]
    doubt = [row for row in seen if row["doubt"] or row["warnings"]]
    level = "bad" if bad or unwatched else "doubt" if doubt else "good" if running else "empty"
    words = [f"{len(running)} of {plural(len(rows), 'run')} running" if rows else "no runs"]
    if unwatched:
        words.append(f"{plural(len(unwatched), 'open position')} unwatched")
    if bad:
        words.append(f"{len(bad)} in trouble")
    unsaved = sum(not row["saved"] for row in rows)
    if unsaved:
        words.append(f"{unsaved} not saved")
    if errors:
        words.append(plural(errors, "error"))
    ahead = max((item.clock_ahead_ms or 0 for item in statuses), key=abs, default=0)
    if abs(ahead) > CLOCK_MS:
        side = "ahead of" if ahead > 0 else "behind"
        words.append(f"clock {abs(ahead) / 1000:.1f} s {side} the exchange")
        level = "doubt" if level == "good" else level
    words += [f"account {each}" for each in account_statuses(statuses)]
    return {"level": level, "words": words, "lateness": _lateness(statuses)}


def event_row(event: Event, mode: str, number: int) -> EventRow:
    """Return an event for the view.

    Its number here, run, time, kind, words, tone, how often it came, and since when.
    """
    words = _cut(event_words(event), _LONGEST)
    colour = tone(event.pnl_percent) if event.kind == "closed" else "even"
    key, when = f"{mode}:{event.symbol}:{event.strategy}", iso(event.at)
    return [number, key, when, event.kind, words, colour, 1, when]


class EventRows:
    """The newest events, oldest first; an error that repeats is one row that counts."""

    def __init__(self) -> None:
        self._rows: deque[EventRow] = deque(maxlen=MOST_EVENTS)

    def __iter__(self) -> Iterator[EventRow]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: EventRow) -> None:
        """Add a row; an error that is there already moves up and counts one more."""
        if row[KIND] == "error":
            known = next((each for each in self._rows if _same(each) == _same(row)), None)
            if known is not None:
                self._rows.remove(known)
                row[TIMES], row[SINCE] = known[TIMES] + 1, known[SINCE]
        self._rows.append(row)

    def after(self, number: int) -> list[EventRow]:
        """Return the rows with a higher number, oldest first."""
        return [row for row in self._rows if row[NUMBER] > number]


def counted_words(row: EventRow) -> str:
    """Return the words of a row, and how often it came: "... x9 since 13:50".

    Examples
    --------
    >>> row = [9, "live:B:dip", "2024-01-01 13:59", "error", "no answer", "even", 9]
    >>> counted_words([*row, "2024-01-01 13:50"])
    'no answer · x9 since 13:50'
    """
    if row[TIMES] == 1:
        return str(row[WORDS])
    same_day = row[SINCE][:10] == row[WHEN][:10]
    since = row[SINCE][11:] if same_day else row[SINCE]
    return f"{row[WORDS]} · x{row[TIMES]} since {since}"


def _market(status: RunStatus, replica: Replica) -> tuple[float | None, str]:
    """Return the market price, and when it was if it is not that of a running run's candle."""
    if status.price is not None:
        if status.state is None or status.status == "running":
            return status.price, ""
        return status.price, f"{iso(status.state.cursor)} UTC"
    if replica.price is None or replica.priced_at is None:
        return None, ""
    return replica.price, f"{iso(replica.priced_at)} UTC"


def _position(status: RunStatus, market: float | None) -> Row:
    signal = None if status.state is None else status.state.signal
    if status.state is None or signal is None:
        empty = ("position", "signal", "entry", "target", "stop", "pnl", "since", "parts")
        none = {"scheduled": False, "ladder": False, "progress": None, "tone": "even"}
        return dict.fromkeys(empty, "") | none
    opened = status.state.opened_at
    row: Row = {
        "position": signal.position,
        "signal": signal.id,
        "scheduled": opened is None,
        "entry": price(signal.entry),
        "target": price(signal.take_profit),
        "stop": price(signal.stop_loss),
        "since": "" if opened is None else f"{iso(opened)} UTC",
        "progress": None,
        "pnl": "",
        "tone": "even",
        "parts": "",
        "ladder": False,
    }
    held = position_of(status.state, status.state.cursor, market or signal.entry, status.rules)
    if held is None:
        return row
    row |= {"target": price(held.take_profit), "ladder": len(held.targets) > 1}
    row["parts"] = " · ".join(position_words(held))
    if market is None:
        return row
    found, gain = round(progress_of(held, market), 1), held.pnl_percent
    return row | {
        "progress": found,
        "pnl": percent(gain, plus=True) + _in_money(status),
        "tone": tone(gain),
    }


def _in_money(status: RunStatus) -> str:
    """Return what is open in money behind its percent."""
    own = status.money
    return "" if own is None else f" ({number(own.unrealised, plus=True)})"


def _pending(status: RunStatus) -> list[dict[str, Any]]:
    """Return commands that have not acted, for the view, which counts down to their candle.

    The time of a rehearsal is its own: there nothing is counted down.
    """
    return [
        {
            "id": command.id,
            "kind": command.kind,
            "what": command.what,
            "at": command.acts_at if status.mode == "live" else None,
            "words": str(command),
        }
        for command in status.pending_commands[:_MOST_PENDING]
    ]


def _warnings(status: RunStatus) -> list[str]:
    """Return what is wrong with its candles, and that it does not go as its backtest did."""
    astray = "" if status.band is None else astray_words(status)
    return [*([astray] if astray else []), *status.warnings]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _lateness(statuses: Sequence[RunStatus]) -> str:
    late = [seconds for item in statuses for seconds in item.lateness_s]
    if not late:
        return ""
    return f"acts {median(late):.1f} s after a candle has closed (at most {max(late):.1f} s)"


def _same(row: EventRow) -> tuple[str, str, str]:
    return row[RUN], row[KIND], row[WORDS]
