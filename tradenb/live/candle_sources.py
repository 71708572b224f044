"""Which candles a live run and a rehearsal can be given."""

from __future__ import annotations

from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, timeframe_name
from tradenb.engine.ports import CandleSource, LiveSource, step_of
from tradenb.errors import UsageError, shown
from tradenb.exchanges.resolve_exchange import resolve_candle_source


def live_source(given: object) -> LiveSource:
    """Return an exchange that has new candles; refuse one that only has recorded ones."""
    found = resolve_candle_source(given)
    if isinstance(found, LiveSource):
        return found
    raise UsageError(
        f"a live run needs an exchange that keeps delivering candles, was {shown(found)}; "
        "rehearse recorded candles with tn.live.rehearse(...)"
    )


def check_candles(source: CandleSource, rules: Rules) -> None:
    """Refuse what can only be backtested: candles of other lengths, and minutes that are invented.

    Raises
    ------
    UsageError
    """
    step = step_of(source)
    if step != MINUTE:
        raise UsageError(
            f"live runs and rehearsals need candles of 1m, those of {source.name} are "
            f"{timeframe_name(step)} long; backtest them, or give candles of 1m"
        )
    if rules.gap_minutes is None:
        raise UsageError(
            "gap_minutes=None fills missing minutes before anybody can know of them, so it only "
            "works in a backtest; pass Rules(gap_minutes=15)"
        )
