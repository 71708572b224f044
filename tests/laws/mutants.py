"""Wrong variants of named functions of tradenb, one for each mistake that a law has to catch.

A mutant is a function (or method), where it stands, and what is made of it: a wrapper, or the same
source with one place rewritten. `planted` puts it in for the length of a test. A rewritten place
has to be there exactly once, so that a mutant cannot silently become the right function.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy
import pytest

MINUTE = 60_000
Function = Callable[..., Any]
Change = Callable[[Function], Any]


@dataclass(frozen=True)
class Mutant:
    """A mistake: its name, the place `module:attribute`, and the wrong variant of what is there."""

    name: str
    place: str
    change: Change

    def __str__(self) -> str:
        return self.name


def planted(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a mutant in the place of the right function."""
    module, _, path = mutant.place.partition(":")
    owner: Any = import_module(module)
    *owners, attribute = path.split(".")
    for name in owners:
        owner = getattr(owner, name)
    monkeypatch.setattr(owner, attribute, mutant.change(getattr(owner, attribute)))


def rewritten(old: str, new: str) -> Change:
    """The same source with one place changed."""

    def change(function: Function) -> Function:
        source = textwrap.dedent(inspect.getsource(function))
        found = source.count(old)
        assert found == 1, f"{old!r} stands {found} times in {function.__qualname__}"
        names: dict[str, Any] = {}
        code = compile(
            "from __future__ import annotations\n" + source.replace(old, new), "mutant", "exec"
        )
        exec(code, function.__globals__, names)
        changed: Function = names[function.__name__]
        return changed

    return change


def always(wrong: Any) -> Change:
    """Something else altogether."""
    return lambda _: wrong


# ------------------------------------------------------------------------------- wrong variants


def in_the_other_order(right: Function) -> Function:
    def wrong(signal: Any, prices: Any, rules: Any) -> Any:
        other = "target_first" if rules.same_candle == "stop_first" else "stop_first"
        return right(signal, prices, rules.model_copy(update={"same_candle": other}))

    return wrong


def beyond_only(low: Any, high: Any, at_most: float | None, at_least: float | None) -> Any:
    """Touching is no longer reaching."""
    hit = numpy.zeros(len(low), dtype=bool)
    if at_most is not None:
        hit |= low < at_most
    if at_least is not None:
        hit |= high > at_least
    return hit


def from_prefix_sums(values: Any, skip: int, count: int) -> Any:
    sums = numpy.concatenate(([0.0], numpy.cumsum(values)))
    stops = numpy.arange(skip, len(values)) + 1
    return sums[stops] - sums[numpy.maximum(stops - count, 0)]


def a_candle_ahead(right: Function) -> Function:
    """The forming candle is shown as if it had closed."""

    def wrong(self: Any, timeframe: str, count: int, now: int, **more: Any) -> Any:
        return right(self, timeframe, count, min(now + MINUTE, self.candles.end), **more)

    return wrong


def a_bucket_ahead(right: Function) -> Function:
    """The forming candle of a higher timeframe is shown as if it had closed."""

    def wrong(self: Any, timeframe: str, count: int, now: int, **more: Any) -> Any:
        from tradenb.core.timeframe import timeframe_ms

        ahead = now + -now % timeframe_ms(timeframe)
        return right(self, timeframe, count, ahead if ahead <= self.candles.end else now, **more)

    return wrong


def at_the_next_close(right: Function) -> Function:
    def wrong(candles: Any, at: int, rules: Any) -> Any:
        return right(candles, min(at + candles.step, candles.end), rules)

    return wrong


def a_minute_early(right: Function) -> Function:
    """An instance begins one candle before the start, so it is asked at the start."""

    def wrong(symbol: str, strategy: str, every: int, cursor: int, **more: Any) -> Any:
        return right(symbol, strategy, every, cursor - MINUTE, **more)

    return wrong


def at_the_close(right: Function) -> Function:
    """What came due in missing minutes is done at the close of the next candle."""
    return lambda candles, state, moment: right(candles, state, moment)._replace(at_open=False)


def asks_lost_in_gaps(right: Function) -> Function:
    """Only candles that close on a multiple are asked about."""

    def wrong(self: Any, at: int, every: int) -> int:
        found = right(self, at, every)
        while found % every and found <= self.end:
            found = right(self, found, every)
        return int(found)

    return wrong


def without_thin_minutes(right: Function) -> Function:
    from tradenb.core.candles.arrays import candles_of

    def wrong(rows: Any, step: int, gap_minutes: int | None) -> Any:
        candles, found = right(rows, step, gap_minutes)
        times = None if candles.regular else candles.time
        return candles_of(candles.columns, candles.start, step, times), found

    return wrong


def nothing_is_closed(right: Function) -> Function:
    """However long minutes are missing, they are thin."""
    return lambda times, step, gap_minutes: right(
        times, step, None if gap_minutes is None else 10**6
    )


def alone(right: Function) -> Function:
    """A risk book that shows only what the one who asks has done itself."""

    def wrong(self: Any, now: int, asking: Any) -> Any:
        from tradenb.core.risk import Ledger

        book = right(self, now, asking)
        name = (asking.state.symbol, asking.state.strategy)
        own = tuple(trade for trade in book.trades if (trade.symbol, trade.strategy) == name)
        return type(book)(now, (), Ledger(own))

    return wrong


def by_place_from_the_last(right: Function) -> Function:
    return lambda place, trade: right(-place, trade)


def without_words(right: Function) -> Function:
    """Only the first broken rule is named."""
    return lambda *args, **kwargs: right(*args, **kwargs)[:1]


# ------------------------------------------------------------------------------------ the mutants

CAUGHT_BY_THE_REFERENCE = (
    Mutant(
        "stop and target in the other order",
        "tradenb.core.lifecycle.opened:exit_of",
        in_the_other_order,
    ),
    Mutant(
        "expiry a minute late",
        "tradenb.core.lifecycle.opened:expires_at",
        rewritten("signal.minutes * MINUTE", "(signal.minutes + 1) * MINUTE"),
    ),
    Mutant(
        "a stop that was gapped through is filled at the stop",
        "tradenb.core.prices:stop_fill",
        always(lambda signal, prices, rules: signal.stop_loss),
    ),
    Mutant(
        "milestones on the candle of the expiry",
        "tradenb.core.lifecycle.machine:follow",
        rewritten(
            "until = span.stop if row < 0 else row",
            "until = row if touched else span.stop",
        ),
    ),
    Mutant(
        "milestones of a candle in descending size",
        "tradenb.core.prices:_by_offset",
        always(lambda found: (found[0], -abs(found[1]))),
    ),
    Mutant(
        "a level that is reached exactly does not fire",
        "tradenb.core.prices:_levels_reached",
        rewritten("/ way * 100)\n    if", "/ way * 100 - 1e-9)\n    if"),
    ),
    Mutant("touching is no longer reaching", "tradenb.core.prices:_reaches", always(beyond_only)),
    Mutant(
        "average price from prefix sums",
        "tradenb.core.prices:_trailing_sum",
        always(from_prefix_sums),
    ),
    Mutant(
        "average price over one candle less",
        "tradenb.core.prices:average_price",
        rewritten("max(0, index - count + 1)", "max(0, index - max(count - 1, 1) + 1)"),
    ),
    Mutant("asked at the start", "tradenb.backtest.assembly:State", a_minute_early),
    Mutant(
        "asked on the candle of a user's cancel",
        "tradenb.core.lifecycle.machine:obey",
        rewritten("step.state.moved(at)", "step.state"),
    ),
    Mutant(
        "asked on the candle of a flatten",
        "tradenb.core.lifecycle.commands:flatten",
        rewritten("after = after.moved(at)", "pass"),
    ),
    Mutant(
        "flatten before the stop",
        "tradenb.core.lifecycle.opened:meet",
        rewritten("not editing.over and prices", "not flattened and prices"),
    ),
    Mutant(
        "a graceful stop is forgotten with the signal",
        "tradenb.core.lifecycle.opened:idle_after",
        rewritten("done=state.stopping", "done=False"),
    ),
    Mutant(
        "a command acts a candle late",
        "tradenb.engine.session.pump:advance",
        rewritten("candles.index(commands[0].at) + 1", "candles.index(commands[0].at) + 2"),
    ),
    Mutant(
        "a cancel of another signal's id hits",
        "tradenb.core.lifecycle.commands:_ends_scheduled",
        always(lambda command, signal: True),
    ),
    Mutant(
        "the stop on the candle of the entry is forgotten",
        "tradenb.core.lifecycle.machine:activate",
        rewritten("if not prices.stop_touched(signal, extremes):", "if True:"),
    ),
    Mutant(
        "opened exactly at the stop is no reason to reject",
        "tradenb.core.prices:opened_beyond_stop",
        always(
            lambda signal, prices: (
                prices.open < signal.stop_loss
                if signal.position == "long"
                else prices.open > signal.stop_loss
            )
        ),
    ),
    Mutant(
        "with target_first a touched stop does not reject",
        "tradenb.core.lifecycle.scheduled:_stop_wins",
        rewritten('rules.same_candle == "target_first"', "False"),
    ),
    Mutant(
        "the last candle of the wait cannot fill",
        "tradenb.core.lifecycle.machine:wait",
        rewritten("timeout.row if timeout.at_open else timeout.row + 1", "timeout.row"),
    ),
    Mutant(
        "an entry reached already pays the entry",
        "tradenb.core.validation.candidate_rules:signal_of",
        rewritten("        entry = price", "        entry = entry or price"),
    ),
    Mutant(
        "an entry equal to the market price waits",
        "tradenb.core.candidate:reached",
        always(
            lambda position, entry, price, *, breakout=False: (
                price < entry if (position == "long") != breakout else price > entry
            )
        ),
    ),
    Mutant(
        "only the first broken rule is named",
        "tradenb.core.validation.candidate_rules:problems",
        without_words,
    ),
    Mutant(
        "no tolerance for rounding",
        "tradenb.core.validation.levels:TOLERANCE",
        always(0.0),
    ),
    Mutant(
        "ids are forgotten", "tradenb.core.lifecycle.entering:remember", always(lambda ids, id: ids)
    ),
    Mutant(
        "a row of warm-ups is never broken",
        "tradenb.core.lifecycle.machine:follow_reply",
        rewritten("state = state._replace(warming=False)", "pass"),
    ),
    Mutant(
        "ctx.state is kept although the ask raised",
        "tradenb.engine.session.repeated_ask:begin_ask",
        rewritten("context.remembers = False", "pass"),
    ),
    Mutant(
        "one more fee",
        "tradenb.core.lifecycle.holding:costs",
        rewritten("rules.fee_percent\n", "2 * rules.fee_percent\n"),
    ),
    Mutant(
        "a short's slippage in his favour",
        "tradenb.core.lifecycle.holding:received",
        rewritten("else price * (1 + slip)", "else price * (1 - slip)"),
    ),
    Mutant(
        "an added entry is averaged by pieces",
        "tradenb.core.lifecycle.editing:added",
        rewritten(
            "(open_ + cost) / (open_ / signal.entry + cost / price)",
            "(open_ * signal.entry + cost * price) / (open_ + cost)",
        ),
    ),
    Mutant(
        "a rung closes a fraction of what is left",
        "tradenb.core.lifecycle.editing:Editing.sell_rung",
        rewritten("fraction * holding.invested", "fraction * holding.cost"),
    ),
    Mutant("dust is kept", "tradenb.core.lifecycle.holding:DUST", always(-1.0)),
    Mutant(
        "the trail acts on its own candle",
        "tradenb.core.lifecycle.trailing:_window",
        rewritten("before[:1], before[1:] = signal.stop_loss, after[:-1]", "before = after"),
    ),
    Mutant(
        "a short pause passes a milestone by",
        "tradenb.core.lifecycle.opened:quiet_peak",
        rewritten(">= gained + _LEVEL", ">= gained + 2 * _LEVEL"),
    ),
    Mutant(
        "a short pause passes the stop by",
        "tradenb.core.lifecycle.opened:quiet_peak",
        rewritten("low <= signal.stop_loss", "False"),
    ),
    Mutant(
        "a stop is loosened",
        "tradenb.core.lifecycle.managing:tighter",
        always(lambda signal, level: level != signal.stop_loss),
    ),
    Mutant("risk not shared", "tradenb.engine.session.books:Book.at", alone),
    Mutant(
        "a signal's own slot refuses its activation",
        "tradenb.engine.session.books:Book.at",
        rewritten("asking.state.signal is not None", "False"),
    ),
    Mutant("asks before entries", "tradenb.core.lifecycle.scheduled:ENTRIES", always(4)),
    Mutant(
        "max_open does not count scheduled signals",
        "tradenb.engine.specs.risks:risk.max_open",
        rewritten("held = len(book.signals)", "held = book.open_count"),
    ),
    Mutant(
        "cooldown a minute longer",
        "tradenb.engine.specs.risks:risk.cooldown",
        rewritten("span = minutes * MINUTE", "span = (minutes + 1) * MINUTE"),
    ),
    Mutant(
        "cooldown after whatever reason",
        "tradenb.core.risk:cooled_by",
        rewritten("not after or trade.exit_reason in after", "True"),
    ),
    Mutant(
        "max_drawdown must be exceeded",
        "tradenb.engine.specs.risks:risk.max_drawdown",
        rewritten("drawdown < percent", "drawdown <= percent"),
    ),
    Mutant(
        "daily_loss must be exceeded",
        "tradenb.engine.specs.risks:risk.daily_loss",
        rewritten("total > -percent", "total >= -percent"),
    ),
    Mutant(
        "yesterday counts for daily_loss",
        "tradenb.core.risk:earned_today",
        rewritten("trade.closed_at < midnight", "False"),
    ),
    Mutant(
        "of duplicates the first counts",
        "tradenb.core.candles.intake:_keep_last_of_equal_times",
        rewritten("np.append(~dropped, True)", "np.append(True, ~dropped)"),
    ),
    Mutant(
        "buckets from the beginning of the data",
        "tradenb.core.candles.resampling:_whole",
        rewritten("ceil_to(candles.start, step)", "candles.start"),
    ),
    Mutant(
        "what came due in missing minutes waits for the close",
        "tradenb.core.lifecycle.opened:due",
        at_the_close,
    ),
    Mutant(
        "an order that died in missing minutes is filled",
        "tradenb.core.lifecycle.scheduled:due",
        at_the_close,
    ),
    Mutant(
        "a market that opens beyond the stop ends a position as expired",
        "tradenb.core.lifecycle.editing:open_alone",
        always(lambda candles, row, rules: None),
    ),
    Mutant(
        "an ask that came due in missing minutes is lost",
        "tradenb.core.candles.arrays:Candles.next_due",
        asks_lost_in_gaps,
    ),
    Mutant(
        "thin minutes have the close that follows",
        "tradenb.core.candles.gaps:_flat",
        rewritten(
            "flat = np.repeat(rows.close, repeats)",
            "flat = rows.close[np.searchsorted(places, np.arange(count))]",
        ),
    ),
    Mutant(
        "windows have no thin minutes",
        "tradenb.core.candles.intake:with_gaps",
        without_thin_minutes,
    ),
    Mutant(
        "closed time is counted as thin",
        "tradenb.core.candles.gaps:missing_in",
        nothing_is_closed,
    ),
    Mutant(
        "a flatten of closed time waits for the close",
        "tradenb.core.lifecycle.opened:came_due",
        always(lambda candles, state, moment, row: False),
    ),
    Mutant(
        "a book's trades are put together in the wrong order",
        "tradenb.engine.session.books:closing_key",
        by_place_from_the_last,
    ),
)

CAUGHT_BY_CHUNKS = (
    Mutant(
        "milestones repeated",
        "tradenb.core.lifecycle.opened:fired",
        rewritten("return state._replace(gained=gained, lost=lost)", "return state"),
    ),
    Mutant(
        "average price from prefix sums",
        "tradenb.core.prices:_trailing_sum",
        always(from_prefix_sums),
    ),
    Mutant(
        "expiry counted from the block",
        "tradenb.core.lifecycle.opened:_span",
        rewritten("expires_at(signal, opened_at)", "expires_at(signal, state.cursor)"),
    ),
    Mutant(
        "wait counted from the block",
        "tradenb.core.lifecycle.machine:wait",
        rewritten(
            "times_out_at(signal, rules)",
            "times_out_at(signal._replace(at=state.cursor), rules)",
        ),
    ),
    Mutant(
        "the gate of the asks is state",
        "tradenb.core.lifecycle.machine:next_ask",
        rewritten(
            "candles.next_due(since, state.every)",
            "max(candles.ends_at(candles.reaching(since + state.every)), since + 1)",
        ),
    ),
    Mutant(
        "commands are lost at the end of a block",
        "tradenb.core.lifecycle.machine:next_ask",
        rewritten("state.moved(end)", "state._replace(cursor=end, commands=())"),
    ),
    Mutant(
        "higher timeframes do not grow",
        "tradenb.engine.history.windows:History.add",
        rewritten("if len(new):", "if False:"),
    ),
    Mutant(
        "a row of warm-ups is broken by the end of a block",
        "tradenb.core.lifecycle.machine:next_ask",
        rewritten("state.moved(end)", "state._replace(cursor=end, warming=False)"),
    ),
)

CAUGHT_BY_TABLES = (
    Mutant(
        "an exit for one side closes both",
        "tradenb.engine.session.signal_table:_exits",
        rewritten("codes[values == word] = code", "codes[values == word] = _BOTH"),
    ),
    Mutant(
        "a table with moves has no exits",
        "tradenb.engine.session.signal_table:Table.action",
        rewritten(
            "if self.exits is not None and", "if self.exits is not None and not self.moves and"
        ),
    ),
    Mutant(
        "a candidate of the other side flips without flip",
        "tradenb.engine.session.signal_table:Table.action",
        rewritten("if self.flip and code and", "if code and"),
    ),
    Mutant(
        "with flip a candidate of the same side is a flip too",
        "tradenb.engine.session.signal_table:Table.acting",
        rewritten("(self.position != 0) & (self.position != _CODES[held])", "False"),
    ),
    Mutant(
        "of a ladder in columns only the first rung counts",
        "tradenb.engine.session.signal_table:Table.candidate",
        rewritten('values["take_profit"] = ladder', 'values["take_profit"] = ladder[:1]'),
    ),
    Mutant(
        "a position that nobody changes is met too late",
        "tradenb.engine.session.quiet_span:quiet_until",
        rewritten("last = (stop if row < 0 else row) - 1", "last = stop - 1"),
    ),
    Mutant(
        "an answer forgets which milestones fired before it",
        "tradenb.engine.session.quiet_span:pass_by",
        rewritten("farthest(state, passed)", "state.gained, state.lost"),
    ),
    Mutant(
        "what a person closes is the strategy's",
        "tradenb.core.lifecycle.managing:_act_by_hand",
        rewritten('by="user"', 'by="strategy"'),
    ),
    Mutant(
        "what a person ended is asked about",
        "tradenb.core.lifecycle.managing:_act_by_hand",
        rewritten("state if asked else state.moved(at)", "state"),
    ),
    Mutant(
        "what a person asks for waits for the next ask",
        "tradenb.core.lifecycle.opened:next_pause",
        rewritten("if command.kind in BY_HAND:", "if False:"),
    ),
    Mutant(
        "what a person asks of nothing waits for a position",
        "tradenb.engine.session.pump:advance",
        rewritten("if commands and state.signal is not None:", "if commands:"),
    ),
    Mutant(
        "a part closed by hand is all",
        "tradenb.core.lifecycle.managing:_act_by_hand",
        rewritten("command.values or {}", "{}"),
    ),
)

CAUGHT_BY_NOISE = (
    Mutant(
        "the forming candle is shown",
        "tradenb.engine.history.windows:History.window",
        a_candle_ahead,
    ),
    Mutant("the market price is the next close", "tradenb.core.prices:price_at", at_the_next_close),
    Mutant(
        "buckets show before they are complete",
        "tradenb.engine.history.windows:History.window",
        a_bucket_ahead,
    ),
)
