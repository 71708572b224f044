"""Scenarios in the golden format, played on the reference machine and on tradenb.

A scenario is plain JSON (tests/golden/README.md). `on_reference` and `on_tradenb` play one and give
the same plain `Played`; `differences` compares two of them, `golden_differences` compares one with
the `expect` of a golden file. The scripts are interpreted here once, for both kinds of `ctx`. From
tradenb little more than the public API is used, but `run_in_blocks` feeds a session by hand.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import reference

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).parent / "golden"
REAL_GOLDEN = ROOT.parent / "shared" / "golden"
REAL_CASES = (
    "lifecycle/real-ada",
    "lifecycle/real-ada-doge-shared",
    "lifecycle/real-ada-reference",
    "lifecycle/real-btc",
    "lifecycle/real-btc-limit",
    "lifecycle/real-doge",
    "lifecycle/real-xrpeth-limit",
    "positions/real2-ada-breakout",
    "positions/real2-ada-target-first",
    "positions/real2-btc-trail",
    "positions/real2-doge-grid",
    "positions/real2-two-symbols-money",
    "positions/real2-xrpeth-trail-average",
    "figures_gaps_money/real3-doge-session_hold",
    "figures_gaps_money/real3-two-15m-session",
    "figures_gaps_money/real3-xrpeth-gap_5",
    "figures_gaps_money/real3-xrpeth-thin",
)
BUILTIN = {"timeframe": "5m", "fast": 10, "slow": 50, "percent": 1, "minutes": 240}
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
RAISED = {"ValueError": ValueError, "KeyError": KeyError}
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")

Scenario = Mapping[str, Any]


@dataclass
class Played:
    """What came out of a scenario, as plain values.

    `calls` are all asks in their order, `watched` is what the risk rules of kind "watch" saw.
    """

    events: list[tuple[Any, ...]] = field(default_factory=list)
    trades: list[tuple[Any, ...]] = field(default_factory=list)
    open: list[tuple[Any, ...]] = field(default_factory=list)
    asks: dict[str, list[int]] = field(default_factory=dict)
    manages: dict[str, list[int]] = field(default_factory=dict)
    fills: list[tuple[Any, ...]] = field(default_factory=list)
    vectorised: bool = False
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    asks_lost: dict[str, int] = field(default_factory=dict)
    intake: dict[str, dict[str, int]] = field(default_factory=dict)
    probes: list[list[Any]] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    watched: list[tuple[Any, ...]] = field(default_factory=list)
    refused: str | None = None
    refused_row: int | None = None
    result: Any = None


EVENT = (
    "at",
    "symbol",
    "strategy",
    "kind",
    "signal_id",
    "position",
    "price",
    "entry",
    "take_profit",
    "stop_loss",
    "minutes",
    "size",
    "exit_reason",
    "pnl_percent",
    "level",
    "note",
    "fraction",
)
TRADE = (
    "symbol",
    "strategy",
    "signal_id",
    "position",
    "opened_at",
    "closed_at",
    "entry",
    "exit",
    "take_profit",
    "stop_loss",
    "size",
    "exit_reason",
    "pnl_percent",
    "entries",
    "exits",
    "invested",
)
FILL = (
    "at",
    "symbol",
    "strategy",
    "signal_id",
    "side",
    "kind",
    "reason",
    "liquidity",
    "price",
    "paid",
    "fraction",
    "fee_percent",
    "pnl_percent",
)
REFUSAL = ("symbol", "strategy", "exit_reason", "name", "first", "last", "count")
PARTS = ("entries", "exits", "invested")
OPEN = ("symbol", "strategy", "signal_id", "state", "price", "pnl_percent")
INTAKE = ("rows", "duplicates_same", "duplicates_replaced", "filled", "closed", "gaps")


# ------------------------------------------------------------------------------ files and candles


def golden_names() -> list[str]:
    """All golden cases: those in the repository, then those on real candles."""
    here = [f"{path.parent.name}/{path.stem}" for path in sorted(GOLDEN.glob("*/*.json"))]
    return [*here, *REAL_CASES]


def load_golden(name: str) -> tuple[Scenario, Mapping[str, Any]]:
    """Read a golden case; skip where the real ones are missing."""
    path = (REAL_GOLDEN if name in REAL_CASES else GOLDEN) / f"{name}.json"
    if not path.exists():
        pytest.skip(f"golden case on real candles is not here: {path}")
    case = json.loads(path.read_text(encoding="utf-8"))
    return case["scenario"], case["expect"]


def rows_of(scenario: Scenario, symbol: str) -> list[list[float]]:
    """Give the rows [t, open, high, low, close, volume] of a symbol as they come in."""
    candles = scenario["candles"][symbol]
    if isinstance(candles, list):
        return [[plain(value) for value in row] for row in candles]
    if "parquet" in candles:
        return of_session(real_rows(candles["parquet"]), candles)
    first, step = candles["t0"], step_of(scenario)
    return [[first + index * step, *row] for index, row in enumerate(candles["rows"])]


def step_of(scenario: Scenario) -> int:
    """The length of the candles of a scenario, ms."""
    return reference.TIMEFRAMES[scenario.get("timeframe", "1m")] * reference.MINUTE


def of_session(rows: list[list[float]], candles: Mapping[str, Any]) -> list[list[float]]:
    """The minutes of a session from Monday to Friday, and longer candles of what there is."""
    if "session" in candles:
        first, last = candles["session"]
        rows = [
            row
            for row in rows
            if first <= row[0] // reference.MINUTE % 1440 < last
            and (row[0] // reference.DAY + 3) % 7 < 5
        ]
    if "resample" not in candles:
        return rows
    step = reference.TIMEFRAMES[candles["resample"]] * reference.MINUTE
    buckets: dict[int, list[float]] = {}
    for time, *values in rows:
        begin = int(time - time % step)
        if not buckets and begin != time:
            continue
        bucket = buckets.setdefault(begin, [begin, *values[:4], 0.0])
        bucket[2], bucket[3] = max(bucket[2], values[1]), min(bucket[3], values[2])
        bucket[4] = values[3]
        bucket[5] += values[4]
    ended = rows[-1][0] + reference.MINUTE
    return [bucket for begin, bucket in buckets.items() if begin + step <= ended]


@functools.cache
def real_rows(name: str) -> list[list[float]]:
    """Read real candles from ../shared/data or TRADENB_REAL_DATA; skip where they are missing."""
    folders = os.environ.get("TRADENB_REAL_DATA", "../shared/data").split(os.pathsep)
    for folder in folders:
        path = ROOT / folder / name
        if path.exists():
            import pandas

            frame = pandas.read_parquet(path)
            return [
                list(row) for row in zip(*(frame[key].tolist() for key in COLUMNS), strict=True)
            ]
    pytest.skip(f"real candles are not here: {name} in {folders}")


def plain(value: Any) -> Any:
    """Decode {"$": "NaN"} and the like."""
    return SPECIAL[value["$"]] if isinstance(value, dict) and set(value) == {"$"} else value


# ----------------------------------------------------------------------------- scripted strategies


def answered(strategy: Mapping[str, Any], ctx: Any) -> Any:
    if "builtin" in strategy:
        return average_cross(strategy["builtin"], ctx)
    return script_answer(strategy["script"], ctx)


def script_answer(script: Mapping[str, Any], ctx: Any) -> Any:
    """Look up the answer for this ask, and give it."""
    table = script.get(ctx.symbol, script.get("*", {}))
    answer = table.get(str(ctx.now), table.get("every"))
    return carried_out(answer, ctx)


def carried_out(answer: Any, ctx: Any) -> Any:
    if answer is None:
        return None
    if isinstance(answer, list):
        return [carried_out(item, ctx) for item in answer]
    if "raise" in answer:
        raise RAISED[answer["raise"]]("as the script says")
    if "need" in answer:
        timeframe, count, *symbol = answer["need"]
        ctx.candles(timeframe, count, **({"symbol": symbol[1]} if symbol else {}))
        return carried_out(answer["then"], ctx)
    if "answer" in answer:
        return answer["answer"]
    return {key: candidate_value(value, ctx) for key, value in answer.items()}


def candidate_value(value: Any, ctx: Any) -> Any:
    """{"x": m} is m x the market price, {"e": m} m x the average entry of the position.

    {"percent": p} is a percent level. Only of generated ones: {"a": m} is m x the average price,
    {"in": ms} a moment.
    """
    if isinstance(value, list):
        return [candidate_value(item, ctx) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        ((key, number),) = value.items()
        match key:
            case "x":
                return number * ctx.price
            case "e":
                return number * ctx.position.entry
            case "a":
                return number * ctx.average_price
            case "in":
                return ctx.now + number
            case "percent":
                return reference.Percent(plain(number))
    return plain(value)


def managed(strategy: Mapping[str, Any], ctx: Any) -> Any:
    """What the manage function of a scenario answers."""
    manage = strategy["manage"]
    if manage is True:
        return answered(strategy, ctx)
    match manage.get("manage"):
        case "chandelier":
            return chandelier(manage, ctx)
        case "grid":
            return grid(manage, ctx)
        case "scale_out":
            position = ctx.position
            if position.pnl_percent >= manage["after"] and position.open == 1:
                return [{"do": "close", "fraction": manage["fraction"]}, {"do": "breakeven"}]
            return None
    return script_answer(manage, ctx)


def chandelier(manage: Mapping[str, Any], ctx: Any) -> Any:
    rows = ctx.candles(manage["timeframe"], manage["n"], allow_fewer=True)
    if not len(rows.close) or ctx.position is None:
        return None
    if ctx.position.is_long:
        return {"do": "move", "stop_loss": max(rows.high) * (1 - manage["percent"] / 100)}
    return {"do": "move", "stop_loss": min(rows.low) * (1 + manage["percent"] / 100)}


def grid(manage: Mapping[str, Any], ctx: Any) -> Any:
    position = ctx.position
    if position is None or position.entries >= manage["most"]:
        return None
    sign = 1 if position.is_long else -1
    level = position.entry * (1 - sign * manage["step"] / 100)
    if not (ctx.price <= level if position.is_long else ctx.price >= level):
        return None
    target = ctx.price * (1 + sign * manage["target"] / 100)
    return [
        {"do": "add", "amount": manage.get("amount", 1.0)},
        {"do": "move", "take_profit": target},
    ]


def average_cross(parameters: Mapping[str, Any], ctx: Any) -> Any:
    """The builtin: long when the fast average of closes is above the slow one, else short."""
    p = {**BUILTIN, **parameters}
    if p.get("warm_up"):
        close = ctx.candles(p["timeframe"], p["slow"]).close
    else:
        close = ctx.candles(p["timeframe"], p["slow"], allow_fewer=True).close
    if len(close) < p["slow"]:
        return None
    fast = added(close[-p["fast"] :]) / p["fast"]
    slow = added(close) / p["slow"]
    long = fast > slow
    up, down = 1 + p["percent"] / 100, 1 - p["percent"] / 100
    candidate: dict[str, Any] = {"position": "long" if long else "short", "minutes": p["minutes"]}
    base = ctx.price
    if "entry_offset" in p:
        base = ((1 - p["entry_offset"]) if long else (1 + p["entry_offset"])) * ctx.price
        candidate["entry"] = base
    if "breakout_offset" in p:
        offset = p["breakout_offset"]
        base = ((1 + offset) if long else (1 - offset)) * ctx.price
        candidate["breakout"] = base
    candidate["take_profit"] = (up if long else down) * base
    candidate["stop_loss"] = (down if long else up) * base
    if "ladder" in p:
        sign = 1 if long else -1
        rungs = [[base * (1 + sign * percent / 100), part] for percent, part in p["ladder"]]
        candidate["take_profit"] = rungs
    if p.get("no_target"):
        candidate["take_profit"] = None
    return {**candidate, **p.get("extra", {})}


def added(values: Iterable[float]) -> float:
    """Add one by one, oldest first."""
    total = 0.0
    for value in values:
        total += float(value)
    return total


@dataclass
class Asked:
    """A strategy of a scenario; it notes its asks and probes in `played`.

    Only in generated scenarios: `counting` makes it count its asks in `ctx.state`, and a probe may
    name another symbol.
    """

    scenario: Scenario
    strategy: Mapping[str, Any]
    played: Played

    def answer(self, ctx: Any) -> Any:
        if self.strategy.get("manage") is True and (ctx.position or ctx.scheduled):
            return Managing(self.strategy, self.played).answer(ctx)
        asks = self.played.asks.get(f"{self.strategy['name']}|{ctx.symbol}")
        if asks is None:
            return None
        asks.append(ctx.now)
        self.played.calls.append((ctx.now, self.strategy["name"], ctx.symbol))
        self.look_at_probes(ctx)
        if not self.strategy.get("counting"):
            return answered(self.strategy, ctx)
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        answer = answered(self.strategy, ctx)
        if isinstance(answer, dict):
            answer.setdefault("note", f"ask {ctx.state['asks']}")
        return answer

    def look_at_probes(self, ctx: Any) -> None:
        for at, *window in self.scenario.get("probe", []):
            if at == ctx.now:
                rows = candle_rows(ctx.candles(*window, allow_fewer=True))
                self.played.probes.append([at, *window, rows])


@dataclass
class Managing:
    """The manage function of a strategy of a scenario; it notes when it is called."""

    strategy: Mapping[str, Any]
    played: Played

    def answer(self, ctx: Any) -> Any:
        name = f"{self.strategy['name']}|{ctx.symbol}"
        self.played.manages.setdefault(name, []).append(ctx.now)
        return managed(self.strategy, ctx)


def asking(scenario: Scenario, strategy: Mapping[str, Any], played: Played) -> Callable[[Any], Any]:
    """Make the strategy function of a scenario."""
    for symbol in strategy.get("symbols", scenario["symbols"]):
        played.asks[f"{strategy['name']}|{symbol}"] = []
    asked = Asked(scenario, strategy, played)

    def ask(ctx: Any) -> Any:  # not the method itself: the scenario would be hashed with it
        return asked.answer(ctx)

    return ask


def candle_rows(candles: Any) -> list[list[float]]:
    columns = (
        candles.time,
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.volume,
    )
    return [[plain_number(value) for value in row] for row in zip(*columns, strict=True)]


def own_rule(risk: Mapping[str, Any], played: Played) -> Callable[[Any, Any], Any]:
    """Make a risk rule that is no ready-made one."""

    def rule(book: Any, candidate: Any) -> Any:
        match risk["kind"]:
            case "watch":
                played.watched.append(seen_by_risk(book, candidate))
                return None
            case "open_count":
                return "full" if book.open_count >= risk["max_open"] else None
            case "no_short":
                return "no shorts" if candidate.position == "short" else None
            case "raises":
                raise ValueError("as the scenario says")
            case "raises_when_now":
                if book.now == risk["at"]:
                    raise ValueError("as the scenario says")
                return None
            case "returns":
                return risk["value"]
            case "trade_count":
                due = book.now >= risk["at"]
                return "not so many" if due and len(book.trades) != risk["count"] else None
            case "raises_when_open":
                if book.open_count:
                    raise ValueError("as the scenario says")
                return None
        raise AssertionError(f"no such kind of risk: {risk['kind']}")

    return rule


def seen_by_risk(book: Any, candidate: Any) -> tuple[Any, ...]:
    """What a risk rule may rely on, of the book and of the candidate."""
    counts = (book.now, book.open_count, book.scheduled_count)
    held = sorted((signal.symbol, signal.strategy, signal.id) for signal in book.signals)
    closed = [(trade.signal_id, trade.closed_at, trade.pnl_percent) for trade in book.trades]
    names = (candidate.symbol, candidate.strategy, candidate.position)
    prices = (candidate.entry, candidate.take_profit, candidate.stop_loss)
    return (*counts, held, closed, *names, *prices, candidate.minutes, candidate.size)


# ------------------------------------------------------------------------------- on the reference


def on_reference(scenario: Scenario) -> Played:
    """Play a scenario on the naive machine."""
    played = Played()
    risks = {risk["name"]: reference_risk(risk, played) for risk in scenario["risks"]}
    strategies = [
        reference_strategy(scenario, item, risks, played) for item in scenario["strategies"]
    ]
    rules = (
        reference.Rules.reference()
        if scenario.get("reference")
        else reference.Rules(**scenario.get("rules", {}))
    )
    try:
        outcome = reference.run(
            scenario["symbols"],
            strategies,
            {symbol: rows_of(scenario, symbol) for symbol in scenario["candles"]},
            start=scenario["start"],
            end=scenario["end"],
            rules=rules,
            commands=scenario.get("commands", ()),
            step=step_of(scenario),
        )
    except reference.Refused as refused:
        return Played(refused=refused.code, refused_row=refused.index)
    played.events = [
        event_row({name: getattr(event, name) for name in EVENT}) for event in outcome.events
    ]
    played.trades = [tuple(getattr(trade, name) for name in TRADE) for trade in outcome.trades]
    played.fills = outcome.fills
    played.refusals = [tuple(row) for row in outcome.refusals]
    played.open = [tuple(getattr(row, name) for name in OPEN) for row in outcome.open]
    played.asks_lost = outcome.asks_lost
    played.intake = {
        symbol: {name: getattr(counts, name) for name in INTAKE}
        for symbol, counts in outcome.intake.items()
    }
    return played


def reference_strategy(
    scenario: Scenario,
    strategy: Mapping[str, Any],
    risks: Mapping[str, reference.Risk],
    played: Played,
) -> reference.Strategy:
    own_risks = tuple(risks[name] for name in strategy["risk"])
    if "table" in strategy:
        rows = {int(close): row for close, row in strategy["table"]["*"].items()}
        table = reference.Table(strategy["every"], rows, strategy.get("flip", False))
        manage_table = table.manage if table.manages else None
        name, every = strategy["name"], strategy["every"]
        return reference.Strategy(name, every, own_risks, table.ask, manage_table)
    ask = asking(scenario, strategy, played)
    manage: Callable[[Any], Any] | None = None
    if strategy.get("manage") is True:
        manage = ask
    elif strategy.get("manage") is not None:
        manage = Managing(strategy, played).answer
    return reference.Strategy(
        strategy["name"],
        strategy["every"],
        own_risks,
        ask,
        manage,
        strategy.get("manage_every"),
        strategy.get("waiting", strategy.get("manage") is True),
    )


def reference_risk(risk: Mapping[str, Any], played: Played) -> reference.Risk:
    match risk.get("kind", "max_open"):
        case "max_open":
            function = reference.max_open(risk["max_open"])
        case "cooldown":
            function = reference.cooldown(risk["minutes"], risk.get("after"))
        case "max_drawdown":
            function = reference.max_drawdown(risk["percent"])
        case "daily_loss":
            function = reference.daily_loss(risk["percent"])
        case _:
            function = own_rule(risk, played)
    return reference.Risk(risk["name"], function)


# ------------------------------------------------------------------------------------- on tradenb


def steps_of(given: Mapping[str, Any]) -> dict[str, float]:
    """The keywords of a market or an account; JSON writes whole floats without a point."""
    return {name: float(own) if type(own) is int else own for name, own in given.items()}


def tradenb_market(scenario: Scenario, symbol: str) -> Any:
    """The steps of a symbol, or None."""
    import tradenb as tn

    given = scenario.get("market", {}).get(symbol)
    return None if given is None else tn.Market(**steps_of(given))


def tradenb_account(scenario: Scenario) -> Any:
    """The account of a scenario, or None."""
    import tradenb as tn

    given = scenario.get("account")
    return None if given is None else tn.Account(**steps_of(given))


def on_tradenb(scenario: Scenario, *, frames: bool = False) -> Played:
    """Play a scenario on tradenb; read what happened from its records, or from its frames."""
    import pandas

    import tradenb as tn

    played = Played()
    strategies = tradenb_strategies(scenario, played)
    try:
        result = tn.backtest.run(
            list(scenario["symbols"]),
            strategy=strategies,
            exchange=tn.frame_exchange(
                {symbol: candle_frame(scenario, symbol) for symbol in scenario["candles"]},
                timeframe=scenario.get("timeframe", "1m"),
                market={
                    symbol: tradenb_market(scenario, symbol)
                    for symbol in scenario.get("market", ())
                },
            ),
            account=tradenb_account(scenario),
            start=pandas.Timestamp(scenario["start"], unit="ms", tz="UTC"),
            end=pandas.Timestamp(scenario["end"], unit="ms", tz="UTC"),
            rules=tradenb_rules(scenario),
            commands=list(scenario.get("commands", ())),
            progress=False,
        )
    except tn.CandleError as error:
        return Played(refused=error.code, refused_row=error.index)
    tables = framed(result) if frames else recorded(result)
    assert [seq for (seq,) in tables(("seq",), "events")] == list(
        range(1, len(result.event_list) + 1)
    )
    rows = tables(EVENT, "events")
    played.events = [event_row(dict(zip(EVENT, row, strict=True))) for row in rows]
    played.trades = tables(TRADE, "trades")
    played.open = tables(OPEN, "open")
    played.asks_lost = {
        f"{strategy}|{symbol}": count for (strategy, symbol), count in result.asks_lost_by.items()
    }
    played.intake = {
        str(symbol): {name: getattr(counts, name) for name in INTAKE}
        for symbol, counts in result.intake.items()
    }
    played.fills = tables(FILL, "fills")
    played.refusals = tables(REFUSAL, "refusals")
    played.result = result
    return played


Tables = Callable[[Sequence[str], str], list[tuple[Any, ...]]]


def framed(result: Any) -> Tables:
    """How the frames of a result are read, as a user reads them."""

    def read(names: Sequence[str], table: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in frame_rows(getattr(result, table), names)]

    return read


def recorded(result: Any) -> Tables:
    """How the records of which the frames are made are read: in a quarter of the time."""
    from tradenb.core.columns import OPEN_COLUMNS
    from tradenb.core.fills import fills_of

    records = {
        "events": lambda: result.event_list,
        "trades": lambda: result.trade_list,
        "open": lambda: [Row(zip(OPEN_COLUMNS, row, strict=True)) for row in result._parts.open],
        "fills": lambda: fills_of(result.event_list, result.rules),
        "refusals": lambda: [
            Row({**row._asdict(), "symbol": symbol, "strategy": strategy})
            for symbol, strategy, row in result._parts.refusals
        ],
    }

    def read(names: Sequence[str], table: str) -> list[tuple[Any, ...]]:
        return [
            tuple(plain_number(getattr(record, name)) for name in names)
            for record in records[table]()
        ]

    return read


class Row:
    """A row whose values are attributes, as those of a record."""

    def __init__(self, values: Any) -> None:
        self.__dict__.update(values)


def run_in_blocks(scenario: Scenario, cuts: Sequence[int]) -> tuple[Played, list[Any]]:
    """Feed tradenb's sessions with blocks of candles; give what happened, and the last states.

    At each cut (a close time) everything but the states is thrown away, as a restart does: the next
    session knows nothing but them and the candles up to the next cut.
    """
    from tradenb.engine.history.windows import Histories
    from tradenb.engine.session.pump import Session

    played = Played()
    specs, rules, candles = prepared(scenario, played)
    states = first_states(scenario, specs, candles)
    for until in [*cuts, last_close(scenario)]:
        known = {symbol: grid.between(grid.start, until) for symbol, grid in candles.items()}
        histories = Histories(known.__getitem__)
        seq, account = len(played.events), tradenb_account(scenario)
        instances = instances_of(specs, states, histories, rules, seq, account)
        session = Session(instances)
        driven(session.pump(until))
        states = states_of(instances)
        note_session(played, session)
    return played, states


def run_in_one_session(scenario: Scenario, cuts: Sequence[int]) -> tuple[Played, list[Any]]:
    """The same with one session, whose histories grow at each cut, as in a live run."""
    from tradenb.engine.history.windows import Histories
    from tradenb.engine.session.pump import Session

    played = Played()
    specs, rules, candles = prepared(scenario, played)
    histories = Histories(candles.__getitem__)
    ends = [*cuts, last_close(scenario)]
    growing = {
        symbol: histories.add(symbol, grid.between(grid.start, ends[0]))
        for symbol, grid in candles.items()
    }
    states = first_states(scenario, specs, candles)
    account = tradenb_account(scenario)
    instances = instances_of(specs, states, histories, rules, 0, account)
    session = Session(instances)
    for until in ends:
        for symbol, history in growing.items():
            fresh = candles[symbol].between(history.candles.end, until)
            if len(fresh):
                history.add(fresh)
        for instance in instances:
            instance.candles = growing[instance.state.symbol].candles
        driven(session.pump(until))
    note_session(played, session)
    return played, states_of(instances)


def prepared(scenario: Scenario, played: Played) -> tuple[list[Any], Any, dict[str, Any]]:
    """Strategies, rules and accepted candles of a scenario."""
    rules = tradenb_rules(scenario)
    candles = {symbol: accepted_candles(scenario, symbol, rules) for symbol in scenario["symbols"]}
    return tradenb_strategies(scenario, played), rules, candles


def last_close(scenario: Scenario) -> int:
    end: int = scenario["end"]
    return end - end % step_of(scenario)


def accepted_candles(scenario: Scenario, symbol: str, rules: Any) -> Any:
    import numpy

    from tradenb.core.candles.arrays import Rows
    from tradenb.core.candles.intake import accept

    time, *columns = zip(*rows_of(scenario, symbol), strict=True)
    rows = Rows(
        numpy.array(time, dtype="int64"),
        *(numpy.array(column, dtype="float64") for column in columns),
    )
    longest = rules.gap_minutes
    return accept(
        rows, factor=rules.price_anomaly_factor, step=step_of(scenario), gap_minutes=longest
    )[0]


def first_states(scenario: Scenario, specs: Sequence[Any], candles: Mapping[str, Any]) -> list[Any]:
    """The states of all instances before the first candle, and what their strategies remember."""
    from tradenb.core.lifecycle.commands import give
    from tradenb.core.lifecycle.state import Command, State

    start = scenario["start"] - scenario["start"] % step_of(scenario)
    states = []
    for spec in specs:
        for symbol in scenario["symbols"]:
            known = candles[symbol]
            first = known.ends_at(known.index(max(start, known.start)))
            steps = tradenb_market(scenario, symbol)
            state = State(symbol, spec.name, spec.every_ms, first, market=steps)
            for command in scenario.get("commands", ()):
                if (command["symbol"], command["strategy"]) == (symbol, spec.name):
                    order = (command["at"], command["kind"])
                    extra = (command.get("id"), command.get("cancel_id"))
                    values = {name: command[name] for name in reference.BY_HAND if name in command}
                    state = give(state, Command(*order, *extra, None, values or None))
            states.append((state, "{}"))
    return states


def instances_of(
    specs: Sequence[Any],
    states: Sequence[Any],
    histories: Any,
    rules: Any,
    seq: int,
    account: Any = None,
) -> list[Any]:
    """Instances that know what the histories hold, and nothing later."""
    from tradenb.engine.context import Context
    from tradenb.engine.history.indicators import ClosedCandles
    from tradenb.engine.session.instance import Instance, Numbering
    from tradenb.engine.session.vectorised import Signals

    numbering = Numbering(seq)
    by_name = {spec.name: spec for spec in specs}
    return [
        Instance(
            spec := by_name[state.strategy],
            state,
            histories.of(state.symbol).candles,
            place,
            functools.partial(Context, state.symbol, "backtest", rules, histories),
            rules=rules,
            numbering=numbering,
            saved=saved,
            account=account,
            signals=Signals(spec, ClosedCandles(histories, state.symbol))
            if spec.vectorised
            else None,
        )
        for place, (state, saved) in enumerate(states)
    ]


def states_of(instances: Sequence[Any]) -> list[Any]:
    """What an instance is after a run: its state, and what its strategy remembers.

    When its manage function is asked is no part of it: a document does not have that.
    """
    from tradenb.engine.context import saved_state

    return [
        (instance.state._replace(manage_every=None, manage_from=0), saved_state(instance.context))
        for instance in instances
    ]


def driven(pump: Any) -> None:
    """Call the functions that a pump asks for, until it ends."""
    try:
        call = next(pump)
        while True:
            try:
                reply = call.function(*call.args)
            except Exception as error:
                call = pump.throw(error)
            else:
                call = pump.send(reply)
    except StopIteration:
        return


def note_session(played: Played, session: Any) -> None:
    """Add what happened in a session."""
    for event in session.events:
        played.events.append(event_row({name: getattr(event, name) for name in EVENT}))
    for trade in session.trades:
        played.trades.append(tuple(getattr(trade, name) for name in TRADE))
    for instance in session.instances:
        name = f"{instance.state.strategy}|{instance.state.symbol}"
        played.asks_lost[name] = played.asks_lost.get(name, 0) + instance.asks.lost


def tradenb_rules(scenario: Scenario) -> Any:
    import tradenb as tn

    if scenario.get("reference"):
        return tn.Rules.reference()
    return tn.Rules(**scenario.get("rules", {}))


def tradenb_strategies(scenario: Scenario, played: Played) -> list[Any]:
    import tradenb as tn

    risks = {risk["name"]: tradenb_risk(risk, played) for risk in scenario["risks"]}
    made = []
    for strategy in scenario["strategies"]:
        if "table" in strategy:
            played.vectorised = True
            made.append(tabled(strategy, [risks[name] for name in strategy.get("risk", ())]))
            continue
        ask = asking(scenario, strategy, played)
        spec = tn.strategy(
            strategy["name"],
            every=strategy["every"],
            risk=[risks[name] for name in strategy["risk"]],
            manage=strategy.get("manage") is True,
            symbols=[name for name in scenario["candles"] if name not in scenario["symbols"]],
        )(translating(ask))
        if isinstance(strategy.get("manage"), dict):
            manage = Managing(strategy, played)
            spec.manage(every=strategy.get("manage_every"), waiting=strategy.get("waiting", False))(
                translating(manage.answer)
            )
        made.append(spec)
    return made


def tabled(strategy: Mapping[str, Any], risks: Sequence[Any] = ()) -> Any:
    """A vectorised strategy of the rows of a scenario, by the close time of their candle."""
    import numpy as np

    import tradenb as tn

    given = strategy["table"]["*"]
    names = sorted({name for row in given.values() for name in row} | {"position", "stop_loss"})

    length = reference.TIMEFRAMES[strategy["every"]] * reference.MINUTE

    def table(df: Any) -> dict[str, Any]:
        closes = df.index.as_unit("ms").asi8 + length
        rows = [given.get(str(close), {}) for close in closes]
        columns = {name: [row.get(name) for row in rows] for name in names}
        return {
            name: values
            if name in ("position", "exit", "id", "note")
            else np.array([np.nan if value is None else value for value in values])
            for name, values in columns.items()
        }

    return tn.strategy(
        strategy["name"],
        every=strategy["every"],
        vectorised=True,
        risk=list(risks),
        flip=strategy.get("flip", False),
    )(translating(table))


def translating(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, whose answers are what a user of tradenb would give."""

    def asked(ctx: Any) -> Any:  # not the method itself: the scenario would be hashed with it
        return translated(ask(ctx))

    return asked


def translated(answer: Any) -> Any:
    import tradenb as tn

    if isinstance(answer, reference.Percent):
        return tn.percent(answer.value)
    if isinstance(answer, dict):
        return {key: translated(value) for key, value in answer.items()}
    return [translated(item) for item in answer] if isinstance(answer, list) else answer


def tradenb_risk(risk: Mapping[str, Any], played: Played) -> Any:
    import tradenb as tn

    match risk.get("kind", "max_open"):
        case "max_open":
            return tn.risks.max_open(risk["max_open"], name=risk["name"])
        case "cooldown":
            return tn.risks.cooldown(
                minutes=risk["minutes"], after=risk.get("after"), name=risk["name"]
            )
        case "max_drawdown":
            return tn.risks.max_drawdown(percent=risk["percent"], name=risk["name"])
        case "daily_loss":
            return tn.risks.daily_loss(percent=risk["percent"], name=risk["name"])
    return tn.risk(risk["name"])(own_rule(risk, played))


def candle_frame(scenario: Scenario, symbol: str) -> Any:
    """The DataFrame of a symbol, all rows as they are."""
    import numpy
    import pandas

    time, *columns = zip(*rows_of(scenario, symbol), strict=True)
    prices = dict(zip(COLUMNS[1:], (numpy.array(each, "float64") for each in columns), strict=True))
    return pandas.DataFrame({"timestamp": numpy.array(time, "int64"), **prices})


def frame_rows(frame: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a DataFrame as dicts of plain values; times as int ms, missing ones as None."""
    columns = [[plain_number(value) for value in milliseconds(frame[name])] for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def milliseconds(column: Any) -> list[Any]:
    """A column as a list; datetimes as milliseconds."""
    if str(column.dtype).startswith("datetime64"):
        return list(column.astype("datetime64[ms, UTC]").astype("int64"))
    return list(column)


def plain_number(value: Any) -> Any:
    """A numpy scalar as a Python one, a missing value as None."""
    if value is None or value.__class__ in (int, str, bool):
        return value
    if value.__class__ is float:
        return None if math.isnan(value) else value
    import pandas

    if value is pandas.NA or value is pandas.NaT:
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


# ------------------------------------------------------------------------------------- comparisons


def event_row(columns: Mapping[str, Any]) -> tuple[Any, ...]:
    """An event as a tuple in the order of EVENT, its note as far as the law fixes it."""
    note = fixed_note(columns["kind"], columns["note"])
    return tuple(note if name == "note" else columns[name] for name in EVENT)


def fixed_note(kind: str, note: str | None) -> str | None:
    match kind:
        case "rejected":
            return str(note).split(" | ")[0]
        case "opened" | "scheduled" | "cancelled" | "moved":
            return note or None
    return None


def differences(left: Played, right: Played) -> list[str]:
    """What two plays of one scenario do not agree on; empty if nothing (stats are left out)."""
    if left.refused is not None or right.refused is not None:
        return first_differences("refused", [left.refused], [right.refused])
    found = []
    names = ("events", "trades", "open", "probes", "calls", "watched", "fills", "refusals")
    for name in names:
        found += first_differences(name, getattr(left, name), getattr(right, name))
    for name in ("asks", "asks_lost", "intake", "manages"):
        found += table_differences(name, getattr(left, name), getattr(right, name))
    return found


def golden_differences(played: Played, expect: Mapping[str, Any]) -> list[str]:
    """What a play and the expectation of a golden file do not agree on."""
    if "refused" in expect or played.refused is not None:
        return first_differences(
            "refused",
            [(played.refused, played.refused_row)],
            [(expect.get("refused"), expect.get("index"))],
        )
    found = first_differences(
        "events", [without_note(event) for event in played.events], expected_events(expect)
    )
    found += first_differences(
        "trades", [trade_in_short(trade) for trade in played.trades], expected_trades(expect)
    )
    found += first_differences("refusals", refusals(played), expected_refusals(expect))
    found += note_differences(played, expect)
    rows = [dict(zip(OPEN, row, strict=True)) for row in played.open]
    found += first_differences("open", rows, expect["open_at_end"])
    if not played.vectorised:  # a table is asked where it has something to say
        found += table_differences("asks", shown_asks(played.asks, expect["asks"]), expect["asks"])
    found += table_differences("asks_lost", only_counted(played, expect), expect["asks_lost"])
    intake = {
        symbol: {name: counts.get(name, played.intake.get(symbol, {}).get(name)) for name in INTAKE}
        for symbol, counts in expect["intake"].items()
    }
    found += table_differences("intake", played.intake, intake)
    rows = [tuple(row) for row in expect.get("refused_in_a_row", [])]
    found += first_differences("refused_in_a_row", played.refusals, rows)
    if "fills" in expect:
        found += parts_differences(played, expect)
    probes = [[value for value in row if value is not None] for row in expect.get("probes", [])]
    found += first_differences("probes", played.probes, probes)
    return found


def parts_differences(played: Played, expect: Mapping[str, Any]) -> list[str]:
    """What only cases of the folder `positions` say: fractions, parts, fills, manage asks."""
    place = EVENT.index("fraction")
    fractions = [[*short, *[None] * 9][8] for short in expect["events"]]
    found = first_differences("fractions", [event[place] for event in played.events], fractions)
    first = TRADE.index("entries")
    parts = [trade[first : first + len(PARTS)] for trade in played.trades]
    found += first_differences("parts", parts, [tuple(row[6:9]) for row in expect["trades"]])
    wanted = [tuple([*row, *[None] * 13][: len(FILL)]) for row in expect["fills"]]
    found += first_differences("fills", played.fills, wanted)
    if played.vectorised:
        return found
    manages = {name: [] for name in expect["manages"]} | played.manages
    return found + table_differences(
        "manages", shown_asks(manages, expect["manages"]), expect["manages"]
    )


def first_differences(name: str, left: Sequence[Any], right: Sequence[Any]) -> list[str]:
    """The first row in which two lists differ."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return [f"{name}[{index}]: {one} is not {other}"]
    if len(left) != len(right):
        shorter = min(len(left), len(right))
        extra = [*left[shorter:], *right[shorter:]][0]
        return [f"{name}: {len(left)} rows are not {len(right)}, the first extra is {extra}"]
    return []


def table_differences(name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ; of two lists the first row."""
    found = []
    for key in sorted(set(left) | set(right)):
        one, other = left.get(key), right.get(key)
        if isinstance(one, list) and isinstance(other, list):
            found += first_differences(f"{name}[{key}]", one, other)
        elif one != other:
            found.append(f"{name}[{key}]: {one} is not {other}")
    return found


def without_note(event: tuple[Any, ...]) -> tuple[Any, ...]:
    """Golden events have neither size nor note."""
    return tuple(
        value
        for name, value in zip(EVENT, event, strict=True)
        if name not in ("size", "note", "fraction")
    )


def expected_events(expect: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    rows = []
    for short in expect["events"]:
        at, kind, index, price, reason, pnl_percent, level, _ = [*short, *[None] * 8][:8]
        symbol, strategy, *signal = expect["signals"][index]
        rows.append((at, symbol, strategy, kind, *signal_columns(signal, price), reason))
        rows[-1] = (*rows[-1], pnl_percent, level)
    return rows


def signal_columns(signal: Sequence[Any], price: float | None) -> tuple[Any, ...]:
    """signal_id, position, price, entry, take_profit, stop_loss, minutes."""
    return (*signal[:2], price, *signal[2:])


def trade_in_short(trade: tuple[Any, ...]) -> tuple[Any, ...]:
    columns = dict(zip(TRADE, trade, strict=True))
    return tuple(columns[name] for name in TRADE if name not in ("size", *PARTS))


def expected_trades(expect: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    rows = []
    for index, opened_at, closed_at, exit_price, reason, pnl_percent, *_ in expect["trades"]:
        symbol, strategy, signal_id, position, entry, target, stop, _ = expect["signals"][index]
        times, prices = (opened_at, closed_at), (entry, exit_price, target, stop)
        rows.append((symbol, strategy, signal_id, position, *times, *prices, reason, pnl_percent))
    return rows


def refusals(played: Played) -> list[tuple[int, str]]:
    kind, note = EVENT.index("kind"), EVENT.index("note")
    return [
        (index, event[note])
        for index, event in enumerate(played.events)
        if event[kind] == "rejected"
    ]


def expected_refusals(expect: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(index, ",".join(names)) for index, names in expect["refusals"]]


def note_differences(played: Played, expect: Mapping[str, Any]) -> list[str]:
    """Where a golden event fixes a note, it has to be contained; nowhere else is it claimed."""
    found = []
    for index, (event, short) in enumerate(zip(played.events, expect["events"], strict=False)):
        wanted = short[7] if len(short) > 7 else None
        note = event[EVENT.index("note")] or ""
        if wanted is not None and wanted not in note:
            found.append(f"events[{index}]: the note {note!r} does not contain {wanted!r}")
        if wanted is None and event[3] == "opened" and "already reached" in note:
            found.append(f"events[{index}]: the note {note!r} is not expected")
    return found


def shown_asks(asks: Mapping[str, list[int]], expect: Mapping[str, Any]) -> dict[str, Any]:
    """Asks as the golden file shows them: all times, or count, first and last."""
    shown: dict[str, Any] = {}
    for name, times in asks.items():
        shown[name] = times
        if isinstance(expect.get(name), dict):
            ends = {"first": times[0], "last": times[-1]} if times else {}
            shown[name] = dict.fromkeys(expect[name]) | {"count": len(times)} | ends
    return shown


def only_counted(played: Played, expect: Mapping[str, Any]) -> dict[str, int]:
    """Lost asks of the instances that count; all others have to be 0."""
    return {
        name: count
        for name, count in played.asks_lost.items()
        if name in expect["asks_lost"] or count != 0
    }
