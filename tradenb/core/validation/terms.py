"""Rules for how long a candidate lasts, and for its words."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from tradenb.core.candidate import Candidate
from tradenb.core.timeframe import MINUTE, iso
from tradenb.core.values import (
    Problem,
    limit_of,
    moment,
    not_negative,
    number_problem,
    positive,
    whole,
)
from tradenb.errors import shown

if TYPE_CHECKING:
    from tradenb.core.rules import Rules

# Ids and notes are in the document, the journal and the log, again with every event.
ID_LIMIT: Final = 300
NOTE_LIMIT: Final = 2_000


def minutes_problems(candidate: Candidate, rules: Rules) -> list[Problem]:
    """Say what is wrong with `minutes`; with a longest life, minutes or until is needed."""
    given, longest = candidate.minutes, rules.max_signal_minutes
    if given is None and (longest is None or candidate.until is not None):
        return []
    minutes = whole(given)
    if minutes is None:
        words = f"minutes must be a whole number, was {shown(given)}"
        return [Problem("minutes_int", words + (longest_of(rules) if given is None else ""))]
    if minutes >= 1 and (longest is None or minutes <= longest):
        return []
    bound = "at least 1" if longest is None else f"1 to {longest}"
    words = f"minutes must be {bound}, was {shown(given)}"
    return [Problem("minutes_range", words + longest_of(rules))]


def longest_of(rules: Rules) -> str:
    """Say which rule limits how long a position may be held, if one does."""
    return "" if rules.max_signal_minutes is None else limit_of("max_signal_minutes")


def time_problems(candidate: Candidate, rules: Rules, at: int) -> list[Problem]:
    """Say what is wrong with `wait` and `until` of a candidate decided at a moment, ms UTC."""
    found = []
    if candidate.wait is not None:
        wait = whole(candidate.wait)
        if wait is None or wait < 1:
            words = f"wait must be a whole number of at least 1, was {shown(candidate.wait)}"
            found.append(Problem("wait_int", words))
    if candidate.until is not None:
        found += until_problems(candidate.until, rules, at, at)
    return found


def until_problems(given: object, rules: Rules, at: int, since: int) -> list[Problem]:
    """Say what is wrong with a moment to leave at: after `at`, not too long after `since`."""
    until, longest = moment(given), rules.max_signal_minutes
    if until is None:
        words = f"until must be ms UTC, a datetime or ISO text, was {shown(given)}"
        return [Problem("until_time", words)]
    if until <= at:
        words = f"until must lie after the moment of the decision ({iso(at)}), was {shown(given)}"
        return [Problem("until_range", words)]
    if longest is not None and until > since + longest * MINUTE:
        words = f"until must be at most {longest} minutes away, was {shown(given)}"
        return [Problem("until_range", words + longest_of(rules))]
    return []


def trail_problems(candidate: Candidate) -> list[Problem]:
    """Say what is wrong with a declared trail."""
    found = []
    trail, distance, after = candidate.trail, candidate.trail_distance, candidate.trail_after
    percent = positive(trail)
    if trail is not None and (percent is None or percent >= 100):
        words = f"trail must be a number above 0 and below 100 (percent), was {shown(trail)}"
        found.append(Problem("trail_number", words))
    elif distance is not None and positive(distance) is None:
        words = f"trail_distance must be a finite number above 0, was {shown(distance)}"
        found.append(Problem("trail_number", words))
    if trail is not None and distance is not None:
        found.append(Problem("trail_both", "give trail (percent) or trail_distance, not both"))
    if after is not None and not_negative(after) is None:
        words = f"trail_after must be a finite number of at least 0, was {shown(after)}"
        found.append(Problem("trail_after_number", words))
    elif after is not None and trail is None and distance is None:
        words = f"trail_after needs trail or trail_distance, was {shown(after)}"
        found.append(Problem("trail_after_number", words))
    return found


def breakeven_problems(candidate: Candidate) -> list[Problem]:
    """Say what is wrong with a declared breakeven."""
    found = []
    given, plus = candidate.breakeven, candidate.breakeven_plus
    percent, beyond = positive(given), not_negative(plus)
    if given is not None and percent is None:
        found.append(number_problem("breakeven", given))
    if plus is None:
        return found
    if given is None and beyond is not None:
        words = f"breakeven_plus needs breakeven, was {shown(plus)}"
        found.append(Problem("breakeven_plus_number", words))
    elif beyond is None or (percent is not None and beyond >= percent):
        words = "breakeven_plus must be a finite number from 0 to below breakeven "
        words += f"{shown(given)}, was {shown(plus)}"
        found.append(Problem("breakeven_plus_number", words))
    return found


def label_problems(candidate: Candidate, used: Collection[str]) -> list[Problem]:
    """Say what is wrong with id, note and size."""
    found = []
    id, size = candidate.id, candidate.size
    if id is not None:
        if not isinstance(id, str) or not id or _half(id):
            found.append(Problem("id_string", f"id must be a non-empty string, was {shown(id)}"))
        elif len(id) > ID_LIMIT:
            found.append(_length_problem("id", id, ID_LIMIT))
        elif id in used:
            words = f"id {shown(id)} was used by an earlier signal; choose another"
            found.append(Problem("id_used", words))
    found += note_problems(candidate.note)
    if size is not None and positive(size) is None:
        found.append(number_problem("size", size))
    return found


def note_problems(note: object) -> list[Problem]:
    """Say what is wrong with a note."""
    if note is None:
        return []
    if not isinstance(note, str):
        return [Problem("note_string", f"note must be a string, was {shown(note)}")]
    return [_length_problem("note", note, NOTE_LIMIT)] if len(note) > NOTE_LIMIT else []


def _length_problem(name: str, text: str, limit: int) -> Problem:
    words = f"{name} must be at most {limit:,} characters, was {len(text):,}: {shown(text)}"
    return Problem(f"{name}_length", words)


def _half(text: str) -> bool:
    """Tell whether a text holds half of a surrogate pair: no file and no screen can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
