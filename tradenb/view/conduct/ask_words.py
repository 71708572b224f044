"""What asks came to, in sentences: why there are no or few trades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tradenb.core.events import WRONG, AskRow, Function
from tradenb.core.timeframe import iso
from tradenb.view.formatting import plural

_MOST = 5
_FUNCTIONS: dict[Function, str] = {"entry": "", "manage": " about what was open"}


def why_words(rows: Iterable[tuple[str, str, AskRow]]) -> str:
    """Say of each strategy how often it was asked, and what that came to; a line a function.

    Examples
    --------
    >>> row = AskRow("entry", "none", "", 0, 0, 12)
    >>> why_words([("BTCUSDT", "dip", row)])
    'dip was asked 12 times: 12 answers None'
    """
    counts: dict[tuple[str, Function], Counter[tuple[str, str]]] = {}
    for _, strategy, row in rows:
        own = counts.setdefault((strategy, row.asked), Counter())
        reason = "" if row.outcome in WRONG else row.reason
        own[row.outcome, reason] += row.count
    lines = [_line(*key, own) for key, own in sorted(counts.items())]
    return "\n".join(lines) if lines else "nothing was asked yet"


def answer_words(row: AskRow) -> str:
    """Say what the last asks came to, in a few words.

    Examples
    --------
    >>> answer_words(AskRow("entry", "refused", "max_open(1)", 0, 300_000, 2))
    'refused by max_open(1), 2 times since 1970-01-01 00:00'
    """
    what: str = row.outcome if row.outcome != "none" else "None"
    match row.outcome:
        case "refused":
            what = f"refused by {row.reason}"
        case "skipped":
            what = f"skipped ({row.reason})"
        case "action":
            what = row.reason
        case "invalid" | "error":
            what = f"{row.outcome}: {row.reason}"
    since = f", {row.count:,} times since {iso(row.first)}" if row.count > 1 else ""
    return what + since


def _line(strategy: str, asked: Function, counts: Counter[tuple[str, str]]) -> str:
    found = counts.most_common()
    shown = [_counted(outcome, reason, count) for (outcome, reason), count in found[:_MOST]]
    left = sum(count for _, count in found[_MOST:])
    shown += [f"{left:,} others"] if left else []
    times = plural(counts.total(), "time")
    return f"{strategy} was asked {times}{_FUNCTIONS[asked]}: {', '.join(shown)}"


def _counted(outcome: str, reason: str, count: int) -> str:
    match outcome:
        case "none":
            return f"{plural(count, 'answer')} None"
        case "candidate":
            return plural(count, "candidate")
        case "action":
            return f"{count:,} {reason}"
        case "refused":
            return f"{count:,} refused by {reason}"
        case "invalid":
            return f"{count:,} broke a rule"
        case "error":
            return plural(count, "error")
        case _:
            why = "found too little history" if reason == "warm_up" else f"skipped ({reason})"
            return f"{count:,} {why}"
