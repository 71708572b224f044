"""What a run holds and does next, in words: stop, parts and targets, time left, asks, locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradenb.core.lifecycle.missing import expires_at
from tradenb.core.lifecycle.scheduled import times_out_at
from tradenb.core.timeframe import MINUTE, next_after
from tradenb.engine.position_view import position_of
from tradenb.engine.specs.risks import locks
from tradenb.live.status.run_status import moment
from tradenb.view.conduct.ask_words import answer_words
from tradenb.view.formatting import duration, number, price

if TYPE_CHECKING:
    from tradenb.core.lifecycle.state import State
    from tradenb.core.rules import Rules
    from tradenb.engine.position_view import Position
    from tradenb.live.status.run_status import RunStatus

_MOST: Final = 6
_STOPS: Final = {"trailing_stop": "the stop trails", "breakeven": "the stop is at breakeven"}


def position_words(held: Position) -> list[str]:
    """Return short phrases; none of a position that was entered once and has one target."""
    found = [_STOPS[held.stop_by]] if held.stop_by in _STOPS else []
    if held.entries > 1:
        found.append(f"average of {held.entries} entries")
    if held.open < 1:
        found.append(f"{number(100 * held.open, 0)}\xa0% open")
    if len(held.targets) > 1 or (held.targets and held.open < 1):
        shown = ", ".join(
            f"{price(level)} ({number(100 * fraction, 0)}\xa0%)"
            for level, fraction in held.targets[:_MOST]
        )
        more = len(held.targets) - _MOST
        found.append(f"targets left {shown}" + (f" and {more} more" if more > 0 else ""))
    return found


def outlook_words(status: RunStatus) -> list[str]:
    """Say what the asks came to last, when the next one is, and what ends or waits by itself.

    All of it as of the state on disk; the manage function of a run elsewhere is not known.
    """
    state = status.state
    if state is None:
        return []
    found = [_left(state, status.rules)]
    if state.asks:
        found.append(f"last answer: {answer_words(state.asks[-1])}")
    if status.status == "running" and not state.done:
        every = state.every if state.signal is None else state.manage_every
        found.append(f"next ask {moment(next_after(state.cursor, every))}" if every else "")
    if state.signal is None:
        locked = locks(status.risk, state.trades, state.cursor)
        found += [f"{name} until {moment(until)}" for name, until in locked]
    return [words for words in found if words]


def _left(state: State, rules: Rules) -> str:
    """Say how long a position or a waiting entry has left, if it ends by itself."""
    signal, opened = state.signal, state.opened_at
    if signal is None:
        return ""
    ends = times_out_at(signal, rules) if opened is None else expires_at(signal, opened)
    if ends is None:
        return ""
    left = duration(max(0, ends - state.cursor) / MINUTE)
    what = "it waits" if opened is None else "it lasts"
    return f"{what} until {moment(ends)} ({left})"


def held_now(status: RunStatus) -> Position | None:
    """Return what a run holds open, at its market price; where that is not known, at the entry."""
    state = status.state
    if state is None or state.signal is None:
        return None
    market = state.signal.entry if status.price is None else status.price
    return position_of(state, state.cursor, market, status.rules)
