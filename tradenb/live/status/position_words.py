"""What is special about an open position, in words: its stop, parts and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradenb.engine.position_view import position_of
from tradenb.view.formatting import number, price

if TYPE_CHECKING:
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


def held_now(status: RunStatus) -> Position | None:
    """Return what a run holds open, at its market price; where that is not known, at the entry."""
    state = status.state
    if state is None or state.signal is None:
        return None
    market = state.signal.entry if status.price is None else status.price
    return position_of(state, state.cursor, market, status.rules)
