"""What the caller asked for, checked in the caller's own thread before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from tradenb.core.lifecycle.state import BY_HAND, Command, CommandKind
from tradenb.core.money.account import Account, accounts_of
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import timeframe_name, to_ms
from tradenb.engine.arguments import label_of, period_of
from tradenb.engine.hand_commands import HAND_FIELDS, hand_values
from tradenb.engine.ports import (
    CandleRequest,
    CandleSource,
    Progress,
    check_markets,
    market_of,
    step_of,
)
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown, unknown
from tradenb.exchanges.resolve_exchange import resolve_candle_source

_COMMAND_FIELDS: Final = ("at", "kind", "symbol", "strategy", "id", "cancel_id", *HAND_FIELDS)
_LABELS: Final = ("id", "cancel_id")
_COMMAND_KINDS: Final = get_args(CommandKind)


@dataclass(frozen=True, slots=True)
class Order:
    """A command and the instances it is for; None means all."""

    command: Command
    symbol: str | None
    strategy: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked backtest.

    Attributes
    ----------
    symbols : tuple of str
        Canonical, in the order given.
    start, end : int or None
        Floored to the minute, ms UTC; None: all that the source has.
    """

    symbols: tuple[str, ...]
    strategies: tuple[StrategySpec, ...]
    source: CandleSource
    start: int | None
    end: int | None
    rules: Rules
    orders: tuple[Order, ...]
    accounts: Mapping[str, Account] = field(default_factory=dict)

    @property
    def account(self) -> Account | None:
        """The account that all strategies share; sizes may differ by strategy."""
        return next(iter(self.accounts.values()), None)

    def market(self, symbol: str) -> Market | None:
        """Return the steps of a symbol, if the source has some."""
        return market_of(self.source, symbol, money=bool(self.accounts))

    @property
    def history_ms(self) -> int:
        """How much history is wanted before the start, ms."""
        return max(spec.history_ms for spec in self.strategies)

    def request(self, symbol: str, progress: Progress | None = None) -> CandleRequest:
        """Return what the source is asked for of a symbol."""
        return CandleRequest(
            symbol=symbol,
            start=self.start,
            end=self.end,
            history=self.history_ms,
            rules=self.rules,
            progress=progress,
        )


def make_plan(
    symbols: str | Iterable[str],
    strategy: object,
    exchange: object,
    start: object,
    end: object,
    rules: Rules | None,
    commands: Iterable[Mapping[str, Any]],
    account: Account | Mapping[str, Account] | None = None,
) -> Plan:
    """Check the arguments of a backtest.

    Raises
    ------
    UsageError
        When they cannot work together; the message names the argument.
    """
    plain = tuple(canonical(name) for name in _several(symbols, "symbols", "symbol"))
    _check_several("symbol", plain)
    specs = _strategies(strategy)
    _check_several("strategy", tuple(spec.name for spec in specs))
    _check_rules_agree(specs)
    first, last = period_of(start, end)
    settings = checked_rules(rules)
    given = _several(commands, "commands", "command")
    orders = tuple(_order(item, plain, specs) for item in given)
    source = resolve_candle_source(exchange)
    check_intervals(specs, source)
    check_markets(source, plain)
    accounts = accounts_of(account, [spec.name for spec in specs], settings)
    return Plan(plain, specs, source, first, last, settings, orders, accounts)


def check_intervals(specs: tuple[StrategySpec, ...], source: CandleSource) -> None:
    """Refuse intervals that are no multiple of the source's candles."""
    step = step_of(source)
    for spec in specs:
        manager = spec.manager
        for every in (spec.every_ms, step if manager is None else manager.every_ms):
            if every % step:
                name, own = timeframe_name(every), timeframe_name(step)
                raise UsageError(
                    f"strategy {spec.name!r}: every={name!r} must be a multiple of the candles of "
                    f"{source.name}, which are {own} long; use every={own!r} or longer"
                )


def _several(given: object, plural: str, singular: str) -> tuple[Any, ...]:
    """Return what was given, alone or as an ordered collection; the order is that of events."""
    if isinstance(given, str | Mapping):
        return (given,)
    is_table = hasattr(given, "columns")  # its columns would pass for symbols
    if isinstance(given, Iterable) and not isinstance(given, Set) and not is_table:
        return tuple(given)
    cure = "; candles go to exchange=tn.frame_exchange(df)" if is_table else ""
    words = f"{plural} must be a {singular} or a list in their order, was {shown(given)}"
    raise UsageError(words + cure)


def _strategies(given: object) -> tuple[StrategySpec, ...]:
    several = given if isinstance(given, list | tuple) else (given,)
    return tuple(registry.find("strategy", item, form=StrategySpec) for item in several)


def _check_several(kind: str, names: tuple[str, ...]) -> None:
    if not names:
        raise UsageError(f"pass at least one {kind}; none was given")
    twice = sorted({name for name in names if names.count(name) > 1})
    apart = ", or name them apart, such as f'cross {fast}'" if kind == "strategy" else ""
    if twice:
        raise UsageError(f"duplicate {kind} {', '.join(twice)}; pass each one once{apart}")


def _check_rules_agree(specs: tuple[StrategySpec, ...]) -> None:
    """Refuse two different rules under one name: they would share a book."""
    known: dict[str, Any] = {}
    for spec in specs:
        for rule in spec.risk:
            if known.setdefault(rule.name, rule).fingerprint != rule.fingerprint:
                raise UsageError(
                    f"strategy {spec.name!r} uses another version of risk rule {rule.name!r} than "
                    "the strategy before it; run the cells that define both again"
                )


def _order(item: Any, symbols: tuple[str, ...], specs: tuple[StrategySpec, ...]) -> Order:
    if not isinstance(item, Mapping):
        example = '{"at": "2024-03-01T12:00", "kind": "stop"}'
        raise UsageError(f"a command must be a mapping like {example}, was {item!r}")
    for name in item:
        if name not in _COMMAND_FIELDS:
            raise unknown("command field", name, _COMMAND_FIELDS)
    id, cancel_id = (label_of(item.get(name), f"{name} of a command") for name in _LABELS)
    kind = item.get("kind")
    if kind not in _COMMAND_KINDS:
        raise unknown("command", kind, _COMMAND_KINDS)
    symbol = item.get("symbol")
    strategy = item.get("strategy")
    symbol = None if symbol is None else canonical(symbol)
    strategy = strategy.name if isinstance(strategy, StrategySpec) else strategy
    if symbol is not None and symbol not in symbols:
        raise unknown("symbol of a command", symbol, symbols)
    names = [spec.name for spec in specs]
    if strategy is not None and strategy not in names:
        raise unknown("strategy of a command", strategy, names)
    at = to_ms(item.get("at"), "at of a command")
    given = {name: item[name] for name in HAND_FIELDS if name in item}
    if given and kind not in BY_HAND:
        raise UsageError(f"a {kind} takes no {', '.join(given)}; close and move do")
    values = hand_values(kind, given) if kind in BY_HAND else None
    command = Command(at, cast(CommandKind, kind), id, cancel_id, values=values)
    return Order(command, symbol, strategy)
