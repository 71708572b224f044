"""The parts of a backtest put together: candles, instances, and what they compute beforehand.

A backtest, a trial of a sweep, a look-ahead run and a parity run are the same machine over recorded
candles. What differs between them (candles, windows of indicators, who times the calls) is an
argument here; what they do with the instances is their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tradenb.backtest.driver import timed
from tradenb.backtest.period import LoadedPeriod
from tradenb.backtest.plan import Plan
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.commands import give
from tradenb.core.lifecycle.state import State
from tradenb.engine.call import Call, Pump, words_of
from tradenb.engine.context import Context
from tradenb.engine.history.indicators import ClosedCandles, Indicators
from tradenb.engine.history.windows import Histories
from tradenb.engine.ports import check_markets
from tradenb.engine.session.instance import Instance, Numbering
from tradenb.engine.session.vectorised import Signals
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import CandleError, StrategyError, TradenbError

TimeNote = Callable[[str, str, float], None]


def load_period(
    plan: Plan,
    *,
    history_ms: int | None = None,
    loaded: Callable[[float], None] | None = None,
) -> LoadedPeriod:
    """Load the candles of a plan.

    Parameters
    ----------
    history_ms : int, optional
        How much is wanted before the start; default what the strategies want.
    loaded : callable, optional
        Is told now and then how many symbols are loaded, such as 1.5.

    Raises
    ------
    CandleError, ExchangeError
        When there are none in the period, or they cannot be fetched.
    """
    period, history = LoadedPeriod(), plan.history_ms if history_ms is None else history_ms
    for count, symbol in enumerate(plan.symbols):

        def note(done: int, all_: int, *, before: int = count) -> None:
            if loaded is not None:
                loaded(before + done / max(1, all_))

        request = replace(plan.request(symbol, note), history=history)
        candles, intake = plan.source.load(request)
        period.add(symbol, candles, intake, start=plan.start, end=plan.end)
        note(1, 1)
    period.compare_ends()
    return period


def histories_of(plan: Plan, period: LoadedPeriod) -> Histories:
    """Return what strategies may look at; a symbol that is not traded is loaded when needed."""

    def load_other(symbol: str) -> Candles:
        request = replace(plan.request(symbol), start=period.start, end=period.end)
        try:
            check_markets(plan.source, (plan.symbols[0], symbol))
            loaded = plan.source.load(request)
        except CandleError as error:
            period.refused = error
            raise
        period.read(symbol, *loaded)
        return loaded.candles

    histories = Histories(load_other)
    for symbol, candles in period.candles.items():
        histories.add(symbol, candles)
    for spec in plan.strategies:
        for symbol in spec.symbols:
            histories.of(symbol)  # one that is not there is said before anything begins
    return histories


def assemble(
    plan: Plan,
    period: LoadedPeriod,
    histories: Histories,
    *,
    windowed: bool = False,
    note_time: TimeNote | None = None,
) -> list[Instance]:
    """Make one instance for each strategy and symbol, in their order.

    Parameters
    ----------
    histories : Histories
        What strategies may look at.
    windowed : bool, default False
        Indicators with a window see their window only, as in a live run.
    note_time : callable, optional
        Is told how long each call of a strategy took: strategy, symbol, ms.
    """
    numbering = Numbering()
    pairs = [(spec, symbol) for spec in plan.strategies for symbol in plan.symbols]
    instances = []
    for place, (spec, symbol) in enumerate(pairs):
        closed = ClosedCandles(histories, symbol, windowed=windowed)
        make_context = functools.partial(
            Context,
            symbol,
            "backtest",
            plan.rules,
            histories,
            indicators=Indicators(spec.declared, closed),
            every=spec.every_ms,
        )
        if note_time is not None:
            note = functools.partial(note_time, spec.name, symbol)
            spec = spec.model_copy(update={"function": timed(spec.function, note)})  # noqa: PLW2901
        candles, span = period.candles[symbol], period.spans[symbol]
        instances.append(
            Instance(
                spec,
                _begun(plan, spec, symbol, candles.ends_at(candles.index(span.start))),
                candles.rows(0, candles.index(span.end) + 1),
                place,
                make_context,
                rules=plan.rules,
                numbering=numbering,
                signals=Signals(spec, closed) if spec.vectorised else None,
                account=plan.accounts.get(spec.name),
            )
        )
    return instances


def prepare(instances: Sequence[Instance], ends: Mapping[str, int]) -> Pump:
    """Compute indicators and vectorised signals, each once over all candles.

    Parameters
    ----------
    ends : dict of str to int
        The last close time that counts, by symbol, ms UTC.
    """
    for instance in instances:
        symbol, name = instance.state.symbol, instance.spec.name
        if instance.signals is not None:
            yield from _compute(instance.signals.compute, ends, f"signals of {name}", symbol)
        elif instance.spec.declared:
            compute = instance.context.indicators.compute
            yield from _compute(compute, ends, f"indicators of {name}", symbol)


def _compute(
    compute: Callable[[int], None], ends: Mapping[str, int], what: str, symbol: str
) -> Pump:
    try:
        yield Call(compute, (ends[symbol],), what, symbol)
    except TradenbError:
        raise
    except Exception as error:
        raise StrategyError(f"{what} failed: {words_of(error)}", symbol=symbol) from error


def _begun(plan: Plan, spec: StrategySpec, symbol: str, start: int) -> State:
    """Return the first state of an instance, with the commands that are for it."""
    state = State(
        symbol=symbol,
        strategy=spec.name,
        every=spec.every_ms,
        cursor=start,
        market=plan.market(symbol),
    )
    for order in plan.orders:
        if order.symbol in (None, symbol) and order.strategy in (None, spec.name):
            state = give(state, order.command)
    return state
