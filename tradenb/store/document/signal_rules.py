"""Whether the signal of a document breaks a rule for new signals.

Without the distances: these belong to rules that may have changed since.
"""

from __future__ import annotations

from typing import Any, Final

from tradenb.core.candidate import candidate_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.validation.candidate_rules import keeps_rules, problems

# Of a signal of the core, and of the record of one: there a ladder is a list.
_NOTHING: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = tuple(
    (name, (value, [])) for name, value in Signal._field_defaults.items()
)
_ANY_DISTANCE: Final = Rules(
    slippage_percent=0.0,
    fee_percent=0.0,
    min_take_profit_percent=0.0,
    min_stop_loss_percent=0.0,
    max_stop_loss_percent=1e300,
    max_signal_minutes=None,
)
# With the market price at the entry the sides are tested on it; once is enough. A position is not
# given up for a long note, and a note has some words more where the entry was reached at once.
_NOT_ASKED: Final = frozenset({"market_price_outside", "id_length", "note_length"})

# Stops and targets of a position may be moved to either side of its entry.
_SIDES: Final = frozenset({"stop_loss_side", "take_profit_side"})


def signal_problems(signal: Signal) -> list[str]:
    """Name the rules for new signals that this one breaks."""
    if _is_usual(signal):
        return []
    candidate = candidate_of(signal)
    found = problems(candidate, price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name not in _NOT_ASKED | _SIDES]


def side_problems(signal: Signal) -> list[str]:
    """Name the sides of the entry on which the levels of a signal must not be.

    Only where nothing has moved them: of a position that has no record of its own.
    """
    if _is_usual(signal):
        return []
    found = problems(candidate_of(signal), price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name in _SIDES]


def _is_usual(signal: Signal) -> bool:
    """Tell at once of a signal with four numbers and nothing else that it breaks no rule."""
    target, stop, minutes = signal.take_profit, signal.stop_loss, signal.minutes
    if target is None or minutes is None or signal.size is not None or not signal.id.isascii():
        return False
    if any(getattr(signal, name) not in nothing for name, nothing in _NOTHING):
        return False
    return keeps_rules(signal.position, target, stop, minutes, signal.entry, _ANY_DISTANCE)
