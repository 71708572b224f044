"""`tn.live`: start, follow, stop and list live runs."""

from __future__ import annotations

import builtins
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from tradenb.brokers.broker import Broker
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.risk import Held
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.symbol import canonical
from tradenb.engine.ports import LiveSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown
from tradenb.live.candle_sources import live_source
from tradenb.live.following import Following
from tradenb.live.handover import take_over as ask_for
from tradenb.live.live_run import LiveRun, record_of
from tradenb.live.loop.supervisor import active_runs
from tradenb.live.run_registry import run_registry
from tradenb.live.state.account_agreement import account_of, check_live_account

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.live.attached_run import AttachedRun


@overload
def background(
    symbol: str,
    *,
    strategy: StrategySpec | str,
    exchange: LiveSource | str,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
    take_over: bool = False,
    process: Literal[False] = False,
) -> LiveRun: ...
@overload
def background(
    symbol: str,
    *,
    strategy: StrategySpec | str,
    exchange: LiveSource | str,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
    take_over: bool = False,
    process: Literal[True],
) -> AttachedRun: ...
@explained("tn.live.background")
def background(
    symbol: str,
    *,
    strategy: StrategySpec | str,
    exchange: LiveSource | str,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
    take_over: bool = False,
    process: bool = False,
) -> LiveRun | AttachedRun:
    """Start a live run in the background, or resume what is on disk; return at once.

    Parameters
    ----------
    symbol : str
    strategy : StrategySpec or str
    exchange : exchange or str
        One that keeps delivering candles.
    rules : Rules, optional
        What is open keeps the rules that it was opened with until it ends.
    account : Account, optional
        The money of a paper run and how large its entries are; all runs under one home that name
        the account share it.
    broker : Broker, optional
        Where its orders go and whose money it is, as `tn.broker` gives it; without one candles fill
        them. Entries are sent only while the account is armed (`tn.arm`).
    home : path, optional
        Folder of the state, default `TRADENB_HOME` or ./dump.
    take_over : bool, default False
        If another process runs this symbol and strategy, ask it to release, and go on with its
        open position.
    process : bool, default False
        Run in a process of its own, from an exported script that was proven to give the same
        trades; it outlives the kernel. Takes some seconds to start.

    Returns
    -------
    LiveRun or AttachedRun
        The same object as before if this symbol and strategy run already; with `process`, a handle
        as `attach` gives it.

    Raises
    ------
    AlreadyRunning
        When they run with another exchange, other rules or another home.
    StateLocked
        When another process holds the run.
    StateCorrupt
        When no valid generation of the state is left; `tradenb doctor` says what to do.
    ExportError
        With `process`, when the script would not give the same trades.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("in the background", every="5m")
    ... def in_the_background(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {
    ...         "strategy": in_the_background,
    ...         "exchange": server.exchange(),
    ...         "home": tempfile.mkdtemp(),
    ...     }
    ...     run = tn.live.background("BTCUSDT", **given)
    ...     again = tn.live.background("BTCUSDT", **given)
    ...     run.release()  # it can be resumed later
    ...     ended = run.wait(30)
    >>> again is run, ended, run.status
    (True, True, 'idle')
    """
    if process:
        account_of(broker, account)  # not both, and none of rehearsals
        from tradenb.exporting.bot_process import start_process

        return start_process(
            symbol,
            strategy=strategy,
            exchange=exchange,
            rules=rules,
            account=account,
            broker=broker,
            home=home,
            take_over=take_over,
        )
    if take_over and not run_registry.is_running(symbol, strategy):
        ask_for(symbol, strategy, home)
    run, _ = run_registry.start(
        symbol, strategy=strategy, exchange=exchange, rules=rules, account=account, broker=broker,
        home=home,
    )  # fmt: skip
    return run


@explained("tn.live.run")
def run(
    symbol: str,
    *,
    strategy: StrategySpec | str,
    exchange: LiveSource | str,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | Path | None = None,
) -> Following:
    """Run live and yield the events opened, closed and cancelled.

    The parameters are those of `background`. Iterate with `for` or `async for`: the run begins
    with the loop. On a running pair it follows; a run that it started itself is released when the
    loop is left.

    Raises
    ------
    UsageError
        At once, when an argument cannot work.
    StateConflict
        In the loop, when another program wrote the state of the run. It is not released then:
        `keep_ours` or `take_theirs` of the run, or `tradenb resolve`, decides.
    StateError
        In the loop, when the run cannot begin or has failed because of its state.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("followed", every="5m")
    ... def followed(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {
    ...         "strategy": followed,
    ...         "exchange": server.exchange(),
    ...         "home": tempfile.mkdtemp(),
    ...     }
    ...     following = tn.live.run("BTCUSDT", **given)
    >>> following  # the run begins with `for event in following:`
    <events of BTCUSDT:followed, not begun: for event in tn.live.run(...)>
    """
    spec: StrategySpec = registry.find("strategy", strategy, form=StrategySpec)
    source, settings = live_source(exchange), checked_rules(rules)
    money = account_of(broker, account)
    if money is not None:
        check_live_account(money, settings)
    start = partial(
        run_registry.start,
        symbol,
        strategy=spec,
        exchange=source,
        rules=settings,
        account=account,
        broker=broker,
        home=home,
    )
    return Following(canonical(symbol), spec.name, start)


@explained("tn.live.stop")
def stop(symbol: str, strategy: StrategySpec | str) -> None:
    """End a run gracefully: no new signals, an open position is followed to its close.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("stopped", every="5m")
    ... def stopped(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {"strategy": stopped, "exchange": server.exchange(), "home": tempfile.mkdtemp()}
    ...     run = tn.live.background("BTCUSDT", **given)
    ...     tn.live.stop("BTCUSDT", "stopped")
    ...     ended = run.wait(30)
    >>> ended, run.status
    (True, 'done')
    """
    run_registry.find(symbol, strategy).stop()


@explained("tn.live.resume")
def resume(
    symbol: str, strategy: StrategySpec | str, *, home: str | Path | None = None
) -> LiveRun | AttachedRun:
    """Go on with a run that no process runs, with its position, as `tradenb resume` does.

    In this process where its strategy and exchange are known; else the bot file or script that ran
    it last is started again.

    Returns
    -------
    LiveRun or AttachedRun
        The run of this process, or a handle as `attach` gives it.

    Raises
    ------
    UsageError
        When there is no such run under the home.
    StateError
        When it is not idle, or nothing is known that could start it; the words say what would.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("resumed", every="5m")
    ... def resumed(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {"strategy": resumed, "exchange": server.exchange(), "home": tempfile.mkdtemp()}
    ...     run = tn.live.background("BTCUSDT", **given)
    ...     run.release()
    ...     ended = run.wait(30)
    ...     again = tn.live.resume("BTCUSDT", "resumed", home=run.home)
    ...     again.release()
    ...     ended_again = again.wait(30)
    >>> ended, ended_again, again.id
    (True, True, 'BTCUSDT:resumed')
    """
    from tradenb.live.resume_run import resume_pair

    name = strategy.name if isinstance(strategy, StrategySpec) else strategy
    return resume_pair(canonical(symbol), name, home)


@explained("tn.live.pending")
def pending(symbol: str, strategy: StrategySpec | str) -> Held | None:
    """Return the open signal of a run, or None.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("nothing open", every="5m")
    ... def nothing_open(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {
    ...         "strategy": nothing_open,
    ...         "exchange": server.exchange(),
    ...         "home": tempfile.mkdtemp(),
    ...     }
    ...     run = tn.live.background("BTCUSDT", **given)
    ...     held = tn.live.pending("BTCUSDT", "nothing open")
    ...     run.release()  # it can be resumed later
    ...     ended = run.wait(30)
    >>> held is None, ended
    (True, True)
    """
    return run_registry.find(symbol, strategy).position


@explained("tn.live.scheduled")
def scheduled(symbol: str, strategy: StrategySpec | str) -> Held | None:
    """Return the signal of a run that waits for its entry, or None.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("nothing waits", every="5m")
    ... def nothing_waits(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> with tn.testing.ExchangeServer(candles, now="2024-01-02T12:00") as server:
    ...     given = {
    ...         "strategy": nothing_waits,
    ...         "exchange": server.exchange(),
    ...         "home": tempfile.mkdtemp(),
    ...     }
    ...     run = tn.live.background("BTCUSDT", **given)
    ...     waits = tn.live.scheduled("BTCUSDT", "nothing waits")
    ...     run.release()  # it can be resumed later
    ...     ended = run.wait(30)
    >>> waits is None, ended
    (True, True)
    """
    return run_registry.find(symbol, strategy).scheduled


@explained("tn.live.list")
def list(home: str | Path | None = None) -> pd.DataFrame:  # noqa: A001 - the seed's name
    """Return the runs of this process and every document under home, one row each.

    Returns
    -------
    DataFrame
        id, mode (live, rehearsal), symbol, strategy, status (idle, running, done), label (such as
        "failing" or "unwatched long"), stopping, stale, state, account, pnl, equity, orders (what
        protects its positions at an exchange), last_tick, saved, last_error.

    Raises
    ------
    UsageError
        When `home` is not a folder but the name of a run.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("listed", every="5m")
    ... def listed(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": listed, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> runs = tn.live.list(home)
    >>> runs.loc[runs.id == run.id, ["mode", "status"]].values.tolist()
    [['rehearsal', 'done']]
    """
    from tradenb.live.status.listing import listing
    from tradenb.live.status.run_status import mode_of

    _refuse_run(home)
    running = [run for run in active_runs() if run.status == "running"]
    rehearsed = [run for run in running if mode_of(run.storage.home) == "rehearsal"]
    return listing([*map(record_of, run_registry.runs()), *rehearsed], home)


@explained("tn.live.attach")
def attach(home: str | Path | None = None, *, ended: bool = False) -> builtins.list[AttachedRun]:
    """Return handles on the runs and rehearsals under a home that kernels and scripts hold.

    They are read from their files; stop, flatten, cancel and release go through control files, so
    they work while the other kernel is busy. With `ended` also those that no process holds now.
    The answer is always a list; `next(run for run in tn.live.attach() if run.id == "BTCUSDT:dip")`
    is one of them.

    Raises
    ------
    UsageError
        When `home` is not a folder but the name of a run.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("attached to", every="5m")
    ... def attached_to(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": attached_to, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> (other,) = tn.live.attach(home, ended=True)
    >>> other.id, other.status
    ('BTCUSDT:attached to', 'done')
    """
    from tradenb.live.attached_run import attached

    _refuse_run(home)
    return attached(home, ended=ended)


def _refuse_run(home: object) -> None:
    if isinstance(home, str) and ":" in home and not Path(home).exists():
        raise UsageError(
            f"home must be a folder such as 'dump', was {shown(home)}; without it all runs come, "
            "and each has its name in .id (tn.live.attach) or the column id (tn.live.list)"
        )
