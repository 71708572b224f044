"""What an exported script does when it is executed: `run_script`, its one call.

The script holds the strategies; settings come from its arguments, then from the environment, then
from what it was exported with. Exit codes are those of `tradenb`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli import EXIT_CODES, code_of, open_streams
from tradenb.cli.bot_log import logging_to_stderr
from tradenb.cli.bot_output import BotOutput
from tradenb.cli.release_signals import ReleaseAsked, release_on_signals
from tradenb.clock import wall_ms
from tradenb.core.timeframe import floor_to, iso
from tradenb.errors import StateError, TradenbError, UsageError
from tradenb.live.loop.record import due_after
from tradenb.store.paths import find_home

if TYPE_CHECKING:
    from tradenb.brokers.broker import Broker
    from tradenb.core.money.account import Account
    from tradenb.core.rules import Rules
    from tradenb.engine.specs.strategy_spec import StrategySpec
    from tradenb.live.loop.record import RunRecord

log = logging.getLogger("tradenb")

_POLL_S: Final = 0.02


def run_script(
    symbols: str | Sequence[str],
    *,
    strategy: Any,
    exchange: Any,
    rules: Rules | None = None,
    account: Account | None = None,
    broker: Broker | None = None,
    home: str | None = None,
    notify: Sequence[Mapping[str, Any]] = (),
    arguments: Sequence[str] | None = None,
) -> int:
    """Run strategies live until they have ended or the process is told to leave.

    Parameters
    ----------
    symbols : str or several
        Every strategy runs on every symbol.
    account : Account, optional
        The money that all of them share.
    broker : Broker, optional
        Where their orders go, and whose money it is.
    home : str, optional
        Folder of the state, unless `--home` or `TRADENB_HOME` gives another.
    notify : sequence of mapping
        The arguments of `tn.notify`, for each service; a dry run notifies nobody.
    arguments : sequence of str, optional
        Default those of the process.

    Returns
    -------
    int
        The exit code: 0 well, 1 failed or needs you, 2 wrong call, 3 held by another process,
        4 the state needs a decision.
    """
    open_streams()
    options = _parser(home).parse_args(arguments)
    strategies = list(strategy) if isinstance(strategy, list | tuple) else [strategy]
    names = options.symbol or ([symbols] if isinstance(symbols, str) else list(symbols))
    job = _Job(names, strategies, exchange, rules, account, options, broker)
    try:
        job.check()
        with logging_to_stderr(job.output, json_lines=options.json):
            if options.dry_run:
                return job.rehearsed()
            _notify(notify)
            return job.run(find_home(options.home).root, once=options.once)
    except (TradenbError, OSError) as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return code_of(error)


class _Job:
    """What a script runs, and how it was asked to."""

    def __init__(
        self,
        symbols: Sequence[str],
        strategies: Sequence[StrategySpec],
        exchange: Any,
        rules: Rules | None,
        account: Account | None,
        options: argparse.Namespace,
        broker: Broker | None = None,
    ) -> None:
        self._symbols = symbols
        self._strategies = strategies
        self._exchange = options.exchange or exchange
        self._rules = rules
        self._account = account
        self._broker = broker
        self._options = options
        self.output = BotOutput(json=options.json)

    def check(self) -> None:
        """Refuse what a script that sends orders must not do."""
        if self._broker is None or not self._broker.sends_orders:
            return
        if self._options.once:
            raise UsageError(
                "--once leaves before an order is filled and protected; run this script as a "
                "service"
            )
        if self._options.dry_run:
            raise UsageError(
                "--dry-run goes on from a copy of the state, and its orders would be real; "
                f"nothing is sent to {self._broker.id} before `tradenb arm` either: leave it out"
            )

    def run(self, home: Path, *, once: bool) -> int:
        """Run, and return the exit code."""
        from tradenb.live.loop.supervisor import release_all

        os.environ["TRADENB_HOME"] = str(home)  # where exchanges keep candles, and strategies look
        runs: list[RunRecord] = []
        with self.output.subscribed(), release_on_signals():
            try:
                runs = self._started(home)
                ids = [run.id for run in runs]
                _note_launch(runs, self._options)
                self.output.print(
                    {"started": ids, "home": str(home)}, f"running {', '.join(ids)} under {home}"
                )
                if once:
                    self._say_what_for(runs)
                _wait(runs, once=once)
            except ReleaseAsked as asked:
                words = f"{asked}: releasing the runs, positions are kept"
                self.output.print({"signal": str(asked)}, words)
            finally:
                left = release_all()
        self.output.end(runs)
        bad = [run for run in runs if not run.saved or isinstance(run.error, StateError)]
        if once:
            bad += [run for run in runs if run.error is not None]
        return 0 if left and not bad else 1

    def rehearsed(self) -> int:
        """Make one tick on a copy of the state, without callbacks; the state stays as it is."""
        self._strategies = [spec.model_copy(update={"callbacks": {}}) for spec in self._strategies]
        self._options.take_over = False
        home = find_home(self._options.home).root
        with tempfile.TemporaryDirectory(prefix="tradenb-dry-run-") as name:
            copied = _copy_state(home, Path(name))
            self.output.print(
                {"dry_run": str(home), "states": copied},
                f"dry run on a copy of {home} ({copied} states): nothing there is changed",
            )
            return self.run(Path(name), once=True)

    def _say_what_for(self, runs: Sequence[RunRecord]) -> None:
        """Say why nothing happens yet: the next candle has not closed."""
        now = wall_ms()
        due = {run.id: due_after(now, run.rules) for run in runs if _is_up_to_date(run, now)}
        if not due:
            return
        at = max(due.values())
        if self._options.json:
            self.output.print({"waiting": [*due], "until": at}, "")
            return
        words = f"{', '.join(due)}: waiting for the next candle to close, at "
        words += f"{iso(floor_to(at))} UTC, in {max(0, at - now) / 1000:.0f} s"
        print(words, file=sys.stderr, flush=True)

    def _started(self, home: Path) -> list[RunRecord]:
        from tradenb.live import background
        from tradenb.live.candle_sources import live_source
        from tradenb.live.live_run import record_of

        if self._exchange is None:
            raise UsageError(
                "this script was exported with recorded candles; pass a live exchange, such as "
                "--exchange binance; without a network rehearse the strategy with "
                "tn.live.rehearse(...), for this script ran over the same candles when it was made"
            )
        source = live_source(self._exchange)
        return [
            record_of(
                background(
                    symbol,
                    strategy=spec,
                    exchange=source,
                    rules=self._rules,
                    account=self._account,
                    broker=self._broker,
                    home=home,
                    take_over=self._options.take_over,
                )
            )
            for spec in self._strategies
            for symbol in self._symbols
        ]


def _notify(services: Sequence[Mapping[str, Any]]) -> None:
    """Start notifications; a bot whose service is not there runs without: exits matter more."""
    if not services:
        return
    from tradenb.live.notifications.api import notify

    for service in services:
        try:
            notify(**service)
        except UsageError as error:
            log.warning("%s; the bot runs without these notifications", error)


def _note_launch(runs: Sequence[RunRecord], options: argparse.Namespace) -> None:
    """Note under the home what started the runs, for `tradenb resume`."""
    from tradenb.live.started_by import note_started_by

    file = Path(sys.argv[0])
    if not file.is_file():
        return
    symbols = [part for name in options.symbol or () for part in ("--symbol", name)]
    exchange = ["--exchange", options.exchange] if options.exchange else []
    command = (str(file.absolute()), "--json", *symbols, *exchange)
    note_started_by(runs, file, command, once=options.once)


def _wait(runs: Sequence[RunRecord], *, once: bool) -> None:
    """Wait until the runs have ended, or each has had one tick."""
    while waiting := [run for run in runs if run.status == "running"]:
        if not once:
            waiting[0].ended.wait(1.0)
        elif all(run.last_ticks or run.error is not None for run in waiting):
            return
        else:
            time.sleep(_POLL_S)


def _is_up_to_date(run: RunRecord, now: int) -> bool:
    """Tell whether a run has seen all candles: it is new, or its last tick was just now."""
    checkpoint = run.checkpoint
    return checkpoint is None or checkpoint.state.done or checkpoint.state.cursor >= floor_to(now)


def _copy_state(home: Path, to: Path) -> int:
    """Copy the documents and the kill switch of a home; return how many documents there are."""
    data = home / "data"
    found = [path for path in data.glob("state/*/*.json") if path.is_file()]
    undecided = data.glob("state/*/*.json.ours-*")
    for path in [*found, *undecided, *data.glob("KILL")]:
        target = to / path.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(0o600)
    return len(found)


def _parser(home: str | None) -> argparse.ArgumentParser:
    default = find_home(os.environ.get("TRADENB_HOME") or home)
    parser = argparse.ArgumentParser(
        description="Run the strategies of this file live. SIGTERM and Ctrl-C leave: "
        "positions stay, the next start goes on with them.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "--symbol", action="append", metavar="SYMBOL", help="instead of the symbols of the file"
    )
    parser.add_argument(
        "--exchange",
        default=os.environ.get("TRADENB_EXCHANGE"),
        metavar="NAME",
        help="instead of the exchange of the file, one of ccxt (default TRADENB_EXCHANGE)",
    )
    parser.add_argument(
        "--home",
        default=str(default.root),
        metavar="FOLDER",
        help="folder of the state (default TRADENB_HOME, else that of the export; now %(default)s)",
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="ask the process or notebook that runs it to release it, and go on with its position",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--once",
        action="store_true",
        help="make one tick, when the next candle has closed, and leave: for cron",
    )
    how.add_argument(
        "--dry-run",
        action="store_true",
        help="make one tick on a copy of the state: shows what it would do, changes nothing",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line: started, events, ended; the log to stderr, the same",
    )
    return parser
