"""How a run begins: the history before its first tick, and the state that it goes on from."""

from __future__ import annotations

import logging
from typing import Final

from tradenb.core.lifecycle.state import State
from tradenb.core.orders.order_records import Execution
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.context import Context
from tradenb.engine.history.indicators import ClosedCandles, Indicators
from tradenb.engine.history.windows import History
from tradenb.engine.ports import market_of
from tradenb.engine.session.instance import Instance, Numbering
from tradenb.engine.session.vectorised import Signals
from tradenb.errors import TradenbError
from tradenb.live.loop.record import RunRecord
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.control_requests import Asked
from tradenb.live.state.kept_rules import kept_words, rules_for
from tradenb.live.state.loaded_document import last_number

log = logging.getLogger("tradenb")

# Candles that are older than this are not merely late: the market is closed, or our clock is wrong.
OLD_MS: Final = 15 * MINUTE


def first_checkpoint(run: RunRecord, now: int) -> Checkpoint:
    """Return what a run goes on from; one that was ended by `stop` begins anew at `now`.

    So does one that has fed nothing yet and was begun later than now, by a clock that was wrong.
    """
    execution = Execution() if run.sends_orders else None
    fresh = State(run.symbol, run.strategy, run.spec.every_ms, now, execution=execution)
    if run.checkpoint is None:
        return Checkpoint(fresh, "{}", last_number(run.storage.journal), now, 0, (), run.place)
    state = run.checkpoint.state
    if run.checkpoint.orders_of != run.storage.orders_of:  # other money, so its trades count not
        return restarted(run.checkpoint, fresh)._replace(ledger=None)
    if state.execution is not None:
        fresh = fresh._replace(execution=state.execution)
    unfed = state.signal is None and state.cursor == run.checkpoint.start
    if not state.done and not (unfed and state.cursor > now + MINUTE):
        # How often it is asked may have been changed since.
        return run.checkpoint._replace(state=state._replace(every=run.spec.every_ms))
    # Cooldown and daily loss go on counting what was lost; the drawdown begins at `start`. What
    # closed later than now did so by a clock that was wrong.
    trades = tuple(trade for trade in state.trades if trade.closed_at <= now)
    return restarted(run.checkpoint, fresh._replace(trades=trades))


def newest_close(now: int, last: int) -> int:
    """Return where a new run begins: the newest close, ms UTC.

    Parameters
    ----------
    now : int
        The exchange's time where it is known, else that of this machine, ms UTC.
    last : int
        Close of the newest candle that the exchange has.
    """
    closed = floor_to(now)
    return closed if closed - last <= OLD_MS else last


def ahead_of(now: int, cursor: int) -> TradenbError:
    """Say that a run has seen candles which close in the future."""
    return TradenbError(
        f"the run stands at {iso(cursor)}, but the clock shows {iso(now)}: no candle is looked at "
        "until the clock has passed that time. Set the clock of this machine (NTP); the run goes "
        "on by itself"
    )


def ends_unbegun(run: RunRecord, command: Asked | None) -> bool:
    """Tell whether a run without candles can end: it is left (None), or holds nothing to follow."""
    if command is None:
        return True
    return command.kind == "stop" and run.is_empty


def restarted(checkpoint: Checkpoint, state: State) -> Checkpoint:
    """Begin a new run on an old document: numbers, ids, the journal and its money go on."""
    before = checkpoint.state
    fresh = state._replace(ids=before.ids)
    if (before.execution is None) == (state.execution is None):
        fresh = fresh._replace(earned=before.earned, charged=before.charged)
    return checkpoint._replace(state=fresh, user_state="{}", start=state.cursor, history_start=0)


def begin(run: RunRecord, checkpoint: Checkpoint, history: History) -> None:
    """Give a run its instance."""
    run.start = checkpoint.start
    # After a restart less of the past is loaded than the run has seen.
    run.history_start = checkpoint.history_start or min(history.candles.start, checkpoint.start)
    first = _first_of_history(run, history)
    run.outbox = [*checkpoint.outbox]
    run.published_seq = _last_published(checkpoint)
    run.histories.put(history)

    closed = ClosedCandles(run.histories, run.symbol, first, windowed=True)

    def make_context(saved: str) -> Context:
        indicators = Indicators(run.spec.declared, closed)
        return Context(
            run.symbol, "live", run.rules, run.histories, saved, indicators, run.spec.every_ms
        )

    rules = rules_for(checkpoint, run.rules)
    source = getattr(run.source, "origin", run.source)
    market = market_of(source, run.symbol, money=run.account is not None)
    instance = Instance(
        run.spec,
        checkpoint.state._replace(market=market),
        history.candles,
        run.place,
        make_context,
        rules=rules,
        numbering=Numbering(checkpoint.last_seq),
        saved=checkpoint.user_state,
        signals=Signals(run.spec, closed) if run.spec.vectorised else None,
        account=run.account,
    )
    instance.give_rules(rules, run.rules)
    run.recorder.in_force, run.recorder.earned = rules, checkpoint.state.earned
    run.arrival.warnings.pop("rules", None)
    if instance.next_rules is not None:
        words = kept_words(instance.state, rules, run.rules)
        run.arrival.warnings["rules"] = words
        log.warning("%s: %s", run.id, words)
    run.instance = instance


def note_rules(run: RunRecord, kept: Checkpoint | None) -> None:
    """Say when the rules that were given hold; others of gaps make the run begin anew with them.

    `kept` is what the tick has committed last.
    """
    instance = run.instance
    if instance is None or kept is None or kept.state is not instance.state:
        return
    if instance.next_rules is None and run.arrival.warnings.pop("rules", ""):
        log.warning("%s: it is flat, and the rules that it was started with hold now", run.id)
    if run.feed is not None and run.feed.gap_minutes != instance.rules.gap_minutes:
        run.checkpoint = kept._replace(outbox=(*run.outbox,))
        run.forget()


def history_span(run: RunRecord, checkpoint: Checkpoint, cursor: int) -> int:
    """Return how much history a run wants before its cursor, ms.

    Indicators are computed from the candle that they were computed from when the run began: else
    a restart would change their last bits.
    """
    wanted = run.spec.history_ms
    if run.spec.counts_from_start and checkpoint.history_start:
        wanted = max(wanted, cursor - checkpoint.history_start)
    return wanted


def _first_of_history(run: RunRecord, history: History) -> int:
    """Return the first candle that indicators are computed from, ms UTC."""
    first, known = history.candles.start, run.history_start
    if run.spec.counts_from_start and first > known:
        log.warning(
            "%s: candles now begin at %s, its indicators began at %s; their last digits may change",
            run.id,
            iso(first),
            iso(known),
        )
    return max(first, known)


def _last_published(checkpoint: Checkpoint) -> int:
    """Return the number of the last event that subscribers have got for certain.

    What is in the outbox may have been published before the process ended, or not; the journal has
    it by now, and it is published again: at least once, never lost.
    """
    return checkpoint.outbox[0].seq - 1 if checkpoint.outbox else checkpoint.last_seq
