"""A run as a row of the dashboard: plain values and words, ready for the view.

Numbers are written here, so that the table in the browser, the static one and the tests say the
same; the view measures only how much time has passed since.
"""

from __future__ import annotations

from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.pnl import pnl_percent
from tradenb.core.signal import Signal
from tradenb.core.timeframe import iso
from tradenb.panel.facts import Facts
from tradenb.panel.replica import Story
from tradenb.view.formatting import percent, price, tone

Row = dict[str, Any]

QUIET_S: Final = 180.0
_LONGEST: Final = 300
_TRACE: Final = 4_000
_STATES: Final = {"running": 0, "idle": 1, "done": 2}


def row_of(facts: Facts, story: Story) -> Row:
    """Return a run as the view shows it.

    Returns
    -------
    dict
        JSON-plain. `progress` is percent of the way from the entry, to the target above 0 and to
        the stop below; `tone` names its colour; `trouble` is why the run is red, `doubt` why it is
        amber; both are empty while all is well.
    """
    market, as_of = _market(facts, story)
    row: Row = {
        "key": facts.key,
        "symbol": _cut(facts.symbol, 40),
        "strategy": _cut(facts.strategy, 40),
        "mode": facts.mode,
        "status": status_of(facts),
        "running": facts.status == "running",
        "stale": facts.stale,
        "saved": facts.saved,
        "held_by": facts.held_by,
        "age_s": None if facts.age_s is None else round(facts.age_s, 1),
        "cursor": "" if facts.state is None else f"{iso(facts.state.cursor)} UTC",
        "price": "" if market is None else price(market),
        "as_of": as_of,
        "trouble": _cut(trouble_of(facts), _LONGEST),
        "trace": facts.trace[-_TRACE:],
        "doubt": _cut(doubt_of(facts, story), _LONGEST),
    }
    return row | _position(facts, market)


def status_of(facts: Facts) -> str:
    """Say in one word how a run is: running, stopping, failing, silent, idle or done."""
    if facts.status != "running":
        return facts.status
    if facts.error:
        return "failing"
    if facts.age_s is not None and facts.age_s > QUIET_S:
        return "silent"
    state = facts.state
    return "stopping" if state is not None and state.stopping else "running"


def trouble_of(facts: Facts) -> str:
    """Say why a run is red, or nothing."""
    if facts.error:
        return facts.error
    if facts.status == "running" and facts.age_s is not None and facts.age_s > QUIET_S:
        return f"no tick for {facts.age_s:.0f} s: exits are not being watched"
    return ""


def doubt_of(facts: Facts, story: Story) -> str:
    """Say what is not as it should be although the run goes on, or nothing."""
    if not facts.saved:
        return "the last state is not on disk yet"
    if story.missing:
        return story.missing
    state = facts.state
    in_step = state is not None and story.last_seq == facts.last_event_seq
    if state is not None and in_step and not story.agrees(state.signal):
        return "the events do not end with the position of the state"
    if facts.stale:
        return "runs code from before the strategy was registered again"
    return ""


def order_of(facts: Facts) -> tuple[int, str, str, str]:
    """Return what rows are sorted by: what runs comes first."""
    return _STATES.get(facts.status, 3), facts.mode, facts.symbol, facts.strategy


def progress_of(signal: Signal, market: float) -> float:
    """Return percent of the way from the entry: to the target above 0, to the stop below."""
    ahead = market - signal.entry
    if signal.position == "short":
        ahead = -ahead
    whole = abs((signal.take_profit if ahead >= 0 else signal.stop_loss) - signal.entry)
    return max(-100.0, min(100.0, 100 * ahead / whole)) if whole else 0.0


def event_row(event: Event, mode: str, number: int) -> list[Any]:
    """Return an event as the view shows it: number, run, time, kind, words, tone.

    Parameters
    ----------
    number : int
        Of the event among all that this dashboard has shown.
    """
    gain = event.pnl_percent
    facts = [
        event.position or "",
        "" if event.price is None else f"at {price(event.price)}",
        "" if event.level is None else percent(event.level, 0, plus=True),
        (event.exit_reason or "").replace("_", " "),
        "" if gain is None else percent(gain, plus=True),
        "late" if event.late else "",
        event.note or "",
    ]
    words = " · ".join(part for part in facts if part)
    colour = tone(gain) if event.kind == "closed" else "even"
    key = f"{mode}:{event.symbol}:{event.strategy}"
    when = iso(event.at)
    return [number, key, when, event.kind, _cut(words, _LONGEST), colour]


def _market(facts: Facts, story: Story) -> tuple[float | None, str]:
    """Return the market price, and when it was if it is not that of a running run's candle."""
    if facts.price is not None:
        if facts.state is None or facts.status == "running":
            return facts.price, ""
        return facts.price, f"{iso(facts.state.cursor)} UTC"
    if story.price is None or story.priced_at is None:
        return None, ""
    return story.price, f"{iso(story.priced_at)} UTC"


def _position(facts: Facts, market: float | None) -> Row:
    signal = None if facts.state is None else facts.state.signal
    if facts.state is None or signal is None:
        empty = ("position", "signal", "entry", "target", "stop", "pnl", "since")
        return {**dict.fromkeys(empty, ""), "scheduled": False, "progress": None, "tone": "even"}
    opened = facts.state.opened_at
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
    }
    if market is None or opened is None:
        return row
    gain = pnl_percent(signal.position, signal.entry, market, facts.rules)
    found = round(progress_of(signal, market), 1)
    return row | {"progress": found, "pnl": percent(gain, plus=True), "tone": tone(gain)}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
