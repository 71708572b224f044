"""`tn.export`: write strategies to a script that is proven to give the same trades."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tradenb.brokers.broker import Broker
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike, iso
from tradenb.engine.ports import CandleSource, LiveSource
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExportError, MarketError
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.exporting.collect.dependencies import Collector
from tradenb.exporting.collect.script_namespace import Namespace, namespace_of
from tradenb.exporting.collect.secret_values import check_values
from tradenb.exporting.export_subject import Subject, subject_of
from tradenb.exporting.proof.compare_runs import Sample, prove, sampled
from tradenb.exporting.proof.start_environment import set_here
from tradenb.exporting.script_text import Job, environment_of, is_ours, script_text
from tradenb.live.live_run import LiveRun
from tradenb.live.notifications.api import active_settings
from tradenb.view.formatting import plural

FEW_TRADES: Final = 1
_RECORDED: Final = (
    "the exchange has recorded candles only; to go live the script needs --exchange NAME, such as "
    "--exchange binance"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A script that was written.

    Attributes
    ----------
    path : Path
    strategies, symbols : tuple of str
    start, end : int
        The sample over which it was compared, ms UTC.
    events, trades : int
        How many of each were the same.
    warnings : tuple of str
        What the proof does not show.
    """

    path: Path
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    start: int
    end: int
    events: int
    trades: int
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        more = "".join(f"; {words}" for words in self.warnings)
        return (
            f"<exported {self.path}: {', '.join(self.strategies)} on {', '.join(self.symbols)}, "
            f"{_proven(self.events, self.trades)} from {iso(self.start)} to {iso(self.end)}{more}>"
        )


@explained("tn.export")
def export(
    path: str | os.PathLike[str],
    what: LiveRun | StrategySpec | str | Sequence[LiveRun | StrategySpec | str],
    *,
    symbol: str | Sequence[str] | None = None,
    exchange: CandleSource | str | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
    candles: CandleSource | str | None = None,
) -> Exported:
    """Write strategies to a script of their own, and prove that it gives the same trades.

    The script holds the strategies and what they need: functions, classes, constants, imports,
    risk rules. It runs in a clean process over the sample; unless every event is that of the
    strategies as they are here, in a notebook or a program, nothing is written.

    Parameters
    ----------
    path : path
        Of the script. An existing file is replaced only if an export wrote it and nobody
        changed it since.
    what : LiveRun, StrategySpec, str, or a list of one kind
        A run is exported with its symbol, exchange, rules, account, broker and home; a rehearsal on
        paper as the live run with the same arguments.
    symbol : str or several
        Needed for strategies.
    exchange : exchange or str
        Needed for strategies. With recorded candles the script wants `--exchange NAME` to go live.
    start, end : int, str, datetime or Timestamp, optional
        The sample; default the last 14 days that there are.
    rules : Rules, optional
    account : Account, optional
        The money of the script's paper runs; without historic funding.
    broker : Broker, optional
        Where the script sends its orders, with secrets by reference; it is disarmed until
        `tradenb arm` where it runs. What is compared is the paper trade of its account.
    home : path, optional
        Folder of the state, the script's default; default `TRADENB_HOME` or ./dump.
    candles : exchange, optional
        Where the sample comes from, if not from the exchange.

    Returns
    -------
    Exported

    Raises
    ------
    ExportError
        When something cannot be written, or the script gives something else; the message names
        the missing name, the value or the first trade that differs.
    UsageError
        When the arguments do not fit together.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("to production", every="1h")
    ... def to_production(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=2)
    >>> folder = tempfile.mkdtemp()
    >>> bot = tn.export(f"{folder}/bot.py", to_production, symbol="BTCUSDT", exchange=market)
    >>> bot.path.name, bot.trades
    ('bot.py', 12)
    """
    settings: dict[str, Any] = {
        "symbol": symbol,
        "exchange": exchange,
        "rules": rules,
        "account": account,
        "broker": broker,
        "home": home,
    }
    subject = subject_of(what, settings)
    target = Path(path).absolute()
    _check_target(target)
    found, job = collected(subject)
    if job.home.is_relative_to(target.parent) and found.values.get("Path", Path) is Path:
        job = job._replace(home=job.home.relative_to(target.parent))
    before = found.facts()
    source = subject.exchange if candles is None else resolve_candle_source(candles)
    sample = _sample_of(subject, source, (start, end))
    text = script_text(found, job, file=target.name, verified=_verified(sample))
    check_values(text)
    prove(text, sample, found.values, before, found.secrets)
    _write(target, text)
    names = tuple(spec.name for spec in subject.strategies)
    recorded = [] if isinstance(subject.exchange, LiveSource) else [_RECORDED]
    old = [words for spec in subject.strategies for words in old_rules(spec.name, spec.risk)]
    told = [*old, *_warnings(sample), *recorded, *_variables(found.secrets), *_notified(job)]
    told += _sending(subject.broker)
    counts = (len(sample.events), sample.trades)
    return Exported(target, names, subject.symbols, sample.start, sample.end, *counts, tuple(told))


def collected(subject: Subject) -> tuple[Any, Job]:
    """Collect the definitions of all strategies and of a live exchange."""
    namespace: Namespace = namespace_of(subject.strategies[0]) or {}
    collector = Collector(namespace)
    names = tuple(collector.root(spec, "strategy") for spec in subject.strategies)
    live = isinstance(subject.exchange, LiveSource)
    exchange = collector.root(subject.exchange, "exchange") if live else "None"
    job = Job(
        subject.symbols,
        tuple(spec.name for spec in subject.strategies),
        names,
        exchange,
        subject.rules,
        subject.home,
        subject.account,
        tuple(active_settings()),
        None if subject.broker is None else collector.script.add_broker(subject.broker),
    )
    return collector.script.found, job


def _sample_of(subject: Subject, source: CandleSource, period: tuple[Any, Any]) -> Sample:
    try:
        return sampled(
            subject.symbols, subject.strategies, source, subject.rules, period, subject.account
        )
    except MarketError as error:
        raise ExportError(
            f"cannot load the candles of the sample: {error}; choose another period with start= "
            "and end=, or pass candles=tn.file_exchange(...)"
        ) from error


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_file() or not is_ours(target.read_text(encoding="utf-8", errors="replace")):
        raise ExportError(
            f"{target} exists, and an export did not write it or it was edited since; choose "
            "another name, or move the file"
        )


def _write(target: Path, text: str) -> None:
    """Put the script in place as a whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _verified(sample: Sample) -> str:
    """Say in the script what it was compared with."""
    count = _proven(len(sample.events), sample.trades)
    return (
        f"Over {iso(sample.start)} to {iso(sample.end)} UTC its {count} are those of the code "
        "that it was made of."
    )


def _proven(events: int, trades: int) -> str:
    return f"{plural(events, 'event')} and {plural(trades, 'trade')}"


def _notified(job: Job) -> list[str]:
    names = sorted(environment_of(job.notify))
    if not names:
        return []
    return [f"it notifies as this process does; set {', '.join(names)} where it runs"]


def _sending(broker: Broker | None) -> list[str]:
    if broker is None or not broker.sends_orders:
        return []
    return [f"orders go to {broker.id} once it is armed where it runs; paper trades were compared"]


def _variables(names: Iterable[str]) -> list[str]:
    own = set_here(names)
    if not own:
        return []
    return [f"{', '.join(own)} was set here; set it where the script runs"]


def _warnings(sample: Sample) -> list[str]:
    found = []
    if sample.trades < FEW_TRADES:
        found.append("no trade in the sample, so little is proven; choose a longer one with start=")
    errors = sum(row["kind"] == "error" for row in sample.events)
    if errors:
        found.append(
            f"the strategy raised {plural(errors, 'time')} in the sample, here and in the script"
        )
    return found
