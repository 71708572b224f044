"""What is on disk about a live run: its document, its journal, and the record of what it saw.

It is read in the same way for a run of this process, of another one, and for one that ended long
ago.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event
from tradenb.core.lifecycle.state import Command
from tradenb.core.money.account import Account
from tradenb.core.money.market import Market
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Order
from tradenb.core.rules import Rules
from tradenb.engine.past_code import PastCode
from tradenb.engine.ports import CandleRequest, CandleSource, check_markets
from tradenb.engine.serialise import row_to_event
from tradenb.engine.specs.registry import registry
from tradenb.errors import UsageError, shown
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.live.attached_run import AttachedRun, attached
from tradenb.live.live_run import LiveRun, record_of
from tradenb.live.status.run_status import mode_of
from tradenb.research.parity.recorded_lines import (
    CodeNoted,
    Lines,
    Missed,
    RecordedLines,
    Rows,
    RulesGiven,
)
from tradenb.store.document.ledger_record import ledger_from_record
from tradenb.store.paths import find_home

Run = LiveRun | AttachedRun


@dataclass
class Evidence:
    """What is known of a run.

    Attributes
    ----------
    start, history_start, end : int
        First close time that counts, first candle that was seen, last candle consumed, ms UTC.
    rules : Rules
        Those that it was started with last.
    ruled : list of RulesGiven
        What it was started with each time.
    coded : list of CodeNoted
        With which code it was started each time.
    python : str
        The version of Python that made the latest fingerprint.
    past : PastCode or None
        The code of its latest start; None if that was in another process.
    events : list of Event
        Of the journal, since the start.
    commands : list of dict
        What the user asked for, each once.
    seen : (n, 7) float64
        Rows of open time, open, high, low, close, volume, and the moment as of which it was so.
    gone : list of (int, int)
        From when to when no candle was there when it ran, ms UTC.
    account : Account or None
    market : Market or None
        Those of its latest start.
    earned : float
        What earlier runs had changed the balance of the account by when it began.
    shares : bool
        Other runs shared the account.
    reports : tuple of Command, optional
        What an exchange did with its orders; None: it sent none.
    ledger : OrderLedger or None
        Its orders, as the document has them.
    orders : tuple of Order
        Those of positions that are over and that the document keeps no more, from their journal.
    reads : tuple of str
        Symbols that the strategy reads beside its own.
    notes : list of str
        What could not be known.
    """

    id: str
    symbol: str
    strategy: str
    exchange: str
    start: int
    history_start: int
    end: int
    rules: Rules
    ruled: list[RulesGiven]
    coded: list[CodeNoted]
    python: str
    past: PastCode | None
    events: list[Event]
    commands: list[dict[str, Any]]
    missed: list[Missed]
    seen: Rows
    gone: list[tuple[int, int]] = field(default_factory=list)
    account: Account | None = None
    market: Market | None = None
    earned: float = 0.0
    shares: bool = False
    reports: tuple[Command, ...] | None = None
    ledger: OrderLedger | None = None
    orders: tuple[Order, ...] = ()
    reads: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def run_of(given: Any, home: str | Path | None) -> Run:
    """Return the run that is meant: a handle, a list with one in it, or an id (live runs first)."""
    if isinstance(given, list | tuple) and all(isinstance(item, AttachedRun) for item in given):
        if len(given) == 1:
            return given[0]  # type: ignore[no-any-return]
        there = ", ".join(item.id for item in given) or "none"
        raise UsageError(f"parity compares one run, {len(given)} were given: {there}")
    if isinstance(given, LiveRun | AttachedRun):
        return given
    known = attached(home, ended=True) if isinstance(given, str) else []
    for run in known:
        if run.id == given:
            return run
    there = ""
    if isinstance(given, str):
        ids = ", ".join(run.id for run in known) or "none"
        there = f"; known runs under {find_home(home).root}: {ids}; pass home= for another folder"
    raise UsageError(
        "parity needs a run: what tn.live.background, rehearse or attach return, or an id such as "
        f'"BTCUSDT:dip", was {shown(given)}{there}'
    )


def evidence_of(run: Run) -> Evidence:
    """Read what is known of a run.

    Raises
    ------
    UsageError
        When it has not processed a candle yet, or there is no record of what it saw.
    """
    body, events, lines = _files_of(run)
    if not body or body["state"]["cursor"] <= body["start"]:
        raise UsageError(f"{run.id} has not processed a candle yet, so there is nothing to compare")
    last = max((event.seq for event in events), default=0)
    events += [row_to_event(row) for row in body["outbox"] if row["seq"] > last]
    kept = body.get("ledger")
    ledger = None if kept is None else ledger_from_record(kept)
    start, history_start = body["start"], body["history_start"] or body["start"]
    end = body["state"]["cursor"]  # a run that is active has written more by now
    record = RecordedLines(lines, start, history_start)
    money = body.get("money")
    sharing = [] if money is None else _shared_account(run, money["name"])
    record.notes += sharing
    if record.begun is None:
        raise UsageError(
            f"{run.id}: there is no record of the candles it saw ({run.strategy} began "
            "before records were kept, or its file under data/lived was moved), so parity cannot "
            "compare it"
        )
    return Evidence(
        id=run.id, symbol=run.symbol, strategy=run.strategy, exchange=body["exchange"],
        start=start, history_start=history_start, end=end,
        rules=record.ruled[-1].given, ruled=record.ruled, coded=record.coded,
        python=record.begun["python"],
        past=record_of(run).code if isinstance(run, LiveRun) else None,
        events=[event for event in events if start < event.at <= end],
        commands=record.commands, missed=record.missed, seen=record.rows(), gone=record.gone,
        account=_account_of(record.begun, body, record.notes), market=_market_of(record.begun),
        earned=record.earned, shares=bool(sharing),
        reports=_reports_of(record, body), ledger=ledger, orders=_journalled(run, ledger),
        reads=tuple(body.get("reads", ())), notes=record.notes,
    )  # fmt: skip


def _account_of(
    begun: Mapping[str, Any], body: Mapping[str, Any], notes: list[str]
) -> Account | None:
    """Return the account of a run; how large its entries are is in the record alone."""
    known, kept = begun.get("account"), body.get("money")
    if known is None:
        if kept is not None:
            notes.append(
                f"the run was begun before sizes of account {kept['name']!r} were recorded; it is "
                "gone through without the account, and what reads ctx.account differs"
            )
        return None
    funding = known["funding"]
    if funding is not None:
        funding = {symbol: dict(own) for symbol, own in funding.items()}
    return Account(**known | {"funding": funding})


def _shared_account(run: Run, name: str) -> list[str]:
    """Say that other runs shared an account, if any did: the run is gone through alone."""
    if isinstance(run, LiveRun):
        storage = record_of(run).storage
        home, found = storage.home, storage.accounts(name, (run.symbol, run.strategy))
        others = [id for id, _ in found]
    else:
        home, known = run.home, attached(run.home, ended=True)
        moneys = {each.id: each.body.get("money") for each in known if each.home == home}
        others = [id for id, own in moneys.items() if own and own["name"] == name and id != run.id]
    if mode_of(home) == "rehearsal":
        return []  # each has a time of its own
    if not others:
        return []
    shared = f"account {name!r} was shared with {', '.join(others)}"
    why = "this run is gone through alone, with all of the cash, so sizes, refusals and ctx.account"
    return [f"{shared}: {why} may differ by what the others held and made"]


def _reports_of(record: RecordedLines, body: Mapping[str, Any]) -> tuple[Command, ...] | None:
    routed = body["state"].get("execution") is not None
    return tuple(record.reports.values()) if routed else None


def _journalled(run: Run, ledger: OrderLedger | None) -> tuple[Order, ...]:
    """Return the orders of a run that its document keeps no more."""
    return () if ledger is None else run._order_journal().forgotten(ledger)


def _market_of(begun: Mapping[str, Any]) -> Market | None:
    known = begun.get("market")
    return None if known is None else Market(**known)


def fetcher_of(evidence: Evidence, run: Run, exchange: Any) -> Callable[[str], Candles]:
    """Return what fetches the candles of a symbol anew, for the period of a run."""
    source: Any
    if exchange is not None:
        source = resolve_candle_source(exchange)
    elif isinstance(run, LiveRun):
        source = record_of(run).source
    else:
        source = registry.known("exchange", evidence.exchange)
    if not isinstance(source, CandleSource):
        raise UsageError(
            f"{evidence.id} ran on the exchange {evidence.exchange!r}, which is not known here; "
            "pass exchange= to say where its candles are fetched anew"
        )

    @functools.cache
    def fetched(symbol: str) -> Candles:
        check_markets(getattr(source, "origin", source), (evidence.symbol, symbol))
        return source.load(
            CandleRequest(
                symbol=symbol,
                start=evidence.start,
                end=evidence.end,
                history=evidence.start - evidence.history_start,
                rules=evidence.rules,
            )
        ).candles

    return fetched


def _files_of(run: Run) -> tuple[dict[str, Any], list[Event], Lines]:
    if isinstance(run, AttachedRun):
        return run.body, run.event_list(), run.lived()
    storage = record_of(run).storage
    return storage.generation.body, storage.events(), storage.recording()
