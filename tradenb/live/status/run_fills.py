"""The fills of a live run, from its journal: the same rows as those of a backtest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.fills import Fill, fills_of
from tradenb.core.rules import Rules

NO_CANDLES: Final = 1 << 60
"""`Recording.read` since then: only what is not a candle."""


def run_fills(events: Iterable[Event], lived: Iterable[Any], rules: Rules) -> list[Fill]:
    """Return the fills of a run, each under the rules that the run had then.

    Parameters
    ----------
    lived : iterable
        Lines of its record; those that say with what it began are read.
    rules : Rules
        Where the record says nothing.
    """
    begun = [line for line in lived if isinstance(line, dict) and "begun" in line]
    in_force, given = _both(begun[0]) if begun else (rules, rules)

    def told() -> Iterator[Event]:
        nonlocal in_force, given
        for event in events:
            # A run that begins at a cursor acts on candles that close after it.
            while begun and begun[0]["begun"] < event.at:
                in_force, given = _both(begun.pop(0))
            yield event
            if event.kind in ("closed", "cancelled"):
                in_force = given

    return fills_of(told(), lambda at: in_force)  # noqa: ARG005 - those of the event told last


def _both(line: dict[str, Any]) -> tuple[Rules, Rules]:
    """Return the rules with which a run began, and those that hold once it is flat."""
    in_force = Rules.model_validate(line["rules"])
    return in_force, Rules.model_validate(line["given"]) if "given" in line else in_force
