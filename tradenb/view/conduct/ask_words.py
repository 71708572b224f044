"""What asks came to, in sentences: why there are no or few trades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tradenb.core.candidate import ENTRY_REACHED
from tradenb.core.events import WRONG, AskRow, Event, Function
from tradenb.core.signal import Signal
from tradenb.core.timeframe import iso
from tradenb.view.formatting import plural

_MOST = 5
_LONGEST = 160
# Orders that an exchange or a limit of the account kept from being filled; "invalid", "risk" and
# "funds" are outcomes of asks themselves.
_OF_ORDERS = frozenset({"refused", "absent", "not_sent", "late", "limits"})
_FUNCTIONS: dict[Function, str] = {"entry": "", "manage": " about what was open"}


def was_reached(signal: Signal) -> bool:
    """Tell whether the limit of an entry was reached when it was decided: it opened at once."""
    return (signal.note or "").endswith(ENTRY_REACHED)


def waited_idly(signal: Signal, opened_at: int | None) -> bool:
    """Tell whether the `wait` of a position changed nothing: it had no entry to wait for."""
    return signal.wait is not None and opened_at == signal.at and not was_reached(signal)


def idle_wait_words(wait: int | None, of: str = "") -> str:
    """Say that a `wait` changes nothing."""
    return (
        f"wait={wait}{of} changes nothing: it is how long an entry is waited for; "
        "pass entry= or breakout=, or leave wait= out"
    )


def why_words(rows: Iterable[tuple[str, str, AskRow]], events: Iterable[Event] = ()) -> str:
    """Say of each strategy how often it was asked, and what that came to; a line a function.

    Parameters
    ----------
    rows : iterable of (str, str, AskRow)
        Symbol, strategy, and what asks came to.
    events : iterable of Event, optional
        Of the same run; they say what became of its candidates.

    Examples
    --------
    >>> row = AskRow("entry", "none", "", 0, 0, 12)
    >>> why_words([("BTCUSDT", "dip", row)])
    'dip was asked 12 times: 12 answers None'
    """
    counts: dict[tuple[str, Function], Counter[tuple[str, str]]] = {}
    for _, strategy, row in rows:
        own = counts.setdefault((strategy, row.asked), Counter())
        own[row.outcome, row.reason] += row.count
    ends = _ends(events)
    # An event does not say which function asked for what it is about.
    both = {
        name for (name, asked), own in counts.items() if asked == "manage" and own["candidate", ""]
    }
    lines = []
    for (strategy, asked), own in sorted(counts.items()):
        end = ends.get(strategy, "")
        if end and strategy in both:
            end = f"with those for an entry: {end}" if asked == "manage" else ""
        lines.append(_line(strategy, asked, _gathered(own), end))
    return "\n".join(lines) if lines else "nothing was asked"


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


def _gathered(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Count all that was wrong in one way under the reason that is most frequent."""
    found: Counter[tuple[str, str]] = Counter()
    most: dict[str, str] = {}
    for (outcome, reason), count in counts.most_common():
        shown = most.setdefault(outcome, reason) if outcome in WRONG else reason
        found[outcome, shown] += count
    return found


def _became(event: Event) -> str:
    """Say what an event made of a candidate, or nothing."""
    match event.kind, event.exit_reason:
        case "opened", _:
            return "opened"
        case ("cancelled", _) | ("rejected", "unfilled"):
            return "unfilled"
        case "rejected", str(reason) if reason in _OF_ORDERS:
            return f"rejected: {reason}"
    return ""


def _ends(events: Iterable[Event]) -> dict[str, str]:
    """Say of each strategy what became of its candidates."""
    became: dict[str, Counter[str]] = {}
    for event in events:
        if what := _became(event):
            became.setdefault(event.strategy, Counter())[what] += 1
    return {
        strategy: ", ".join(f"{count:,} {what}" for what, count in sorted(own.items()))
        for strategy, own in became.items()
    }


def _line(strategy: str, asked: Function, counts: Counter[tuple[str, str]], ends: str) -> str:
    found = counts.most_common()
    shown = [
        _counted(outcome, ends if outcome == "candidate" else reason, count)
        for (outcome, reason), count in found[:_MOST]
    ]
    left = sum(count for _, count in found[_MOST:])
    shown += [f"{left:,} others"] if left else []
    times = plural(counts.total(), "time")
    return f"{strategy} was asked {times}{_FUNCTIONS[asked]}: {', '.join(shown)}"


def _counted(outcome: str, reason: str, count: int) -> str:
    match outcome:
        case "none":
            return f"{plural(count, 'answer')} None"
        case "candidate":
            return plural(count, "candidate") + _in_brackets(reason)
        case "action":
            return f"{count:,} {reason}"
        case "refused":
            return f"{count:,} refused by {reason}"
        case "invalid":
            return f"{count:,} broke a rule" + _in_brackets(reason)
        case "error":
            return plural(count, "error") + _in_brackets(reason)
        case _:
            why = "found too little history" if reason == "warm_up" else f"skipped ({reason})"
            return f"{count:,} {why}"


def _in_brackets(words: str) -> str:
    plain = " ".join(words.split())
    if len(plain) > _LONGEST:
        plain = plain[: _LONGEST - 1] + "…"
    return f" ({plain})" if plain else ""
