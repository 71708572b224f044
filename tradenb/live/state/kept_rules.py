"""Which rules a run goes on under that is started again with others; pure.

What is open or waits for its entry keeps the rules that it was opened with, by its document, until
the run is flat. How candles are requested and how long functions may take says nothing about a
position: there the new rules hold at once.
"""

from __future__ import annotations

from typing import Final

from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.live.state.checkpoint import Checkpoint

AT_ONCE: Final = (
    "signal_timeout_seconds",
    "candle_retries",
    "candle_retry_seconds",
    "price_anomaly_factor",
    "tick_ms",
    "settle_seconds",
    "late_entry_seconds",
)


def rules_for(checkpoint: Checkpoint | None, given: Rules) -> Rules:
    """Return the rules in force where a run goes on that was started with `given`.

    A document of before rules were kept has none: the given ones hold.
    """
    kept = None if checkpoint is None else checkpoint.rules
    if checkpoint is None or kept is None or checkpoint.state.signal is None:
        return given
    kept = kept.model_copy(update={name: getattr(given, name) for name in AT_ONCE})
    return given if kept == given else kept


def kept_words(state: State, rules: Rules, given: Rules) -> str:
    """Say that a run goes on under other rules than it was started with, and which differ."""
    old, new = rules.model_dump(), given.model_dump()
    changed = [name for name in old if old[name] != new[name]]
    differs = ", ".join(f"{name} {old[name]} (new: {new[name]})" for name in changed)
    what = "the open position" if state.is_open else "the waiting entry"
    return (
        f"{what} goes on under the rules that it was made with: {differs}. The new rules hold from "
        "the next time the run is flat"
    )
