"""What is exported: strategies or runs, with the exchange, rules and account that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradenb.brokers.broker import Broker
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.live.live_run import LiveRun, record_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.state.account_agreement import account_of, check_live_account
from tradenb.live.stepped_clock import RecordedSource
from tradenb.store.paths import find_home


@dataclass(frozen=True, slots=True)
class Subject:
    """What is exported: strategies, symbols, and what they run with."""

    strategies: tuple[StrategySpec, ...]
    symbols: tuple[str, ...]
    exchange: Any
    rules: Rules
    home: Path
    account: Account | None = None
    broker: Broker | None = None


def subject_of(what: Any, settings: dict[str, Any]) -> Subject:
    """Check what is to be exported, and that the arguments fit together."""
    several = list(what) if isinstance(what, list | tuple) else [what]
    if not several:
        raise UsageError("nothing to export; pass a run, a strategy, or a list of them")
    if any(isinstance(item, LiveRun) for item in several):
        return _subject_of_runs(several, settings)
    given = settings["symbol"]
    if given is None or settings["exchange"] is None:
        raise UsageError(
            "pass symbol= and exchange= with a strategy; a live run has its own: "
            "tn.export(path, run)"
        )
    symbols = (given,) if isinstance(given, str) else tuple(given)
    rules, broker = checked_rules(settings["rules"]), settings["broker"]
    account_of(broker, settings["account"])  # not both, and none of rehearsals
    account = settings["account"] if broker is None else broker.account
    if account is not None:
        check_live_account(account, rules)
    strategies = tuple(registry.find("strategy", item, form=StrategySpec) for item in several)
    _check_one_each(broker, strategies)
    return Subject(
        strategies,
        tuple(canonical(symbol) for symbol in symbols),
        resolve_candle_source(settings["exchange"]),
        rules,
        find_home(settings["home"]).root,
        account,
        broker,
    )


def _subject_of_runs(given: list[Any], settings: dict[str, Any]) -> Subject:
    for name, value in settings.items():
        if value is not None:
            raise UsageError(f"a run is exported with its own {name}; leave {name}= out")
    runs: list[RunRecord] = []
    for item in given:
        if not isinstance(item, LiveRun):
            raise UsageError(f"pass runs or strategies, not both, was {shown(item)}")
        runs.append(record_of(item))
    first = runs[0]
    for run in runs:
        if _own(run) != _own(first):
            raise UsageError(
                f"{run.id} runs with another exchange, other rules, another account, broker or "
                f"home than {first.id}; export them to scripts of their own"
            )
    specs = {run.strategy: run.spec for run in runs}
    symbols = tuple(dict.fromkeys(run.symbol for run in runs))
    if len({run.id for run in runs}) != len(specs) * len(symbols):
        raise UsageError(
            "a script runs each strategy on each symbol; export these runs to several scripts"
        )
    broker = first.broker
    if broker is not None and broker.connect is not None:
        raise UsageError(
            f"{first.id} is a rehearsal, and its exchange is gone with it; pass the strategy and "
            "broker=tn.broker(...), or export a run that trades on paper"
        )
    source, rules, home, account, _ = _own(first)
    account = account if broker is None else broker.account
    if account is not None:
        check_live_account(account, rules)
    _check_one_each(broker, tuple(specs.values()))
    return Subject(tuple(specs.values()), symbols, source, rules, home, account, broker)


def _own(run: RunRecord) -> tuple[Any, Rules, Path, Account | None, Broker | None]:
    """Return what a run was started with; its files are the home, those of a rehearsal below it."""
    source, home = run.source, run.storage.home
    if isinstance(source, RecordedSource):
        return source.origin, run.rules, home.parent, run.account, run.broker
    return source, run.rules, home, run.account, run.broker


def _check_one_each(broker: Broker | None, strategies: tuple[StrategySpec, ...]) -> None:
    """Refuse what would not start: one run a symbol and account can send orders."""
    if broker is not None and broker.sends_orders and len(strategies) > 1:
        raise UsageError(
            f"{strategies[1].name} and {strategies[0].name} would send orders for the same symbols "
            f"to {broker.id}; export each with the key of an account of its own"
        )
