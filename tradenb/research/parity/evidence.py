"""What is on disk about a live run: its document, its journal, and the record of what it saw.

It is read in the same way for a run of this process, of another one, and for one that ended long
ago. What a run saw of a minute may depend on when it looked: a restart loads the history anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.candles.rows import Rows as RawRows
from tradenb.core.events import Event
from tradenb.core.money.account import Account
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
from tradenb.engine.past_code import PastCode
from tradenb.engine.ports import CandleRequest, CandleSource, check_markets
from tradenb.engine.serialise import row_to_event
from tradenb.engine.specs.registry import registry
from tradenb.errors import UsageError
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
from tradenb.store.paths import find_home

Run = LiveRun | AttachedRun


class View(NamedTuple):
    """The candles as a run saw them from a moment (close time, ms UTC) on."""

    since: int
    candles: Candles


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
        f'"BTCUSDT:dip", was {given!r:.80}{there}'
    )


def evidence_of(run: Run) -> Evidence:
    """Read what is known of a run.

    Raises
    ------
    UsageError
        When it has not processed a candle yet, there is no record of what it saw, or it sent
        orders.
    """
    body, events, lines = _files_of(run)
    if not body or body["state"]["cursor"] <= body["start"]:
        raise UsageError(f"{run.id} has not processed a candle yet, so there is nothing to compare")
    if body["account"] != "paper":
        raise UsageError(
            f"{run.id} sent orders to {body['account']}; parity does not replay what an exchange "
            "did yet. run.orders() and run.executions() show it"
        )
    last = max((event.seq for event in events), default=0)
    events += [row_to_event(row) for row in body["outbox"] if row["seq"] > last]
    start, history_start = body["start"], body["history_start"] or body["start"]
    end = body["state"]["cursor"]  # a run that is active has written more by now
    record = RecordedLines(lines, start, history_start)
    if body.get("money") is not None:
        record.notes += _shared_account(run, body["money"]["name"])
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


def views_of(found: Evidence, fresh: Candles) -> tuple[list[View], Candles]:
    """Return the candles as they were seen, from each start on, and as they are now.

    Where one side does not have a minute it is taken from the other; a note says how many.
    """
    inside = (found.seen[:, 0] >= found.history_start) & (found.seen[:, 0] < found.end)
    seen = found.seen[inside]
    times, as_of = seen[:, 0].astype(np.int64), seen[:, 6].astype(np.int64)
    rows, values = (times - found.history_start) // MINUTE, seen[:, 1:6]
    base = np.full(((found.end - found.history_start) // MINUTE, len(NAMES)), np.nan)
    on_time = (as_of <= found.start) | (as_of == times)
    base[rows[on_time]] = values[on_time]
    unknown = _holes(base)
    for begin, end in found.gone:
        first, last = ((at - found.history_start) // MINUTE for at in (begin, end))
        unknown[max(0, first) : max(0, last)] = False
    late = ~on_time & unknown[rows]  # seen by a later start only
    base[rows[late]] = values[late]
    now = _complete(found, base, unknown, fresh)
    views = [View(found.start, _candles(base, found))]
    for since in np.unique(as_of[~on_time]).tolist():
        anew = ~on_time & (as_of == since)
        if (base[rows[anew]] != values[anew]).any():
            base = base.copy()
            base[rows[anew]] = values[anew]
            views.append(View(since, _candles(base, found)))
    return views, _candles(now, found)


def _complete(found: Evidence, base: Rows, unknown: NDArray[np.bool_], fresh: Candles) -> Rows:
    """Fill the candles seen and those of now from each other; return those of now."""
    now = np.full_like(base, np.nan)
    fresh = fresh.between(found.history_start, found.end)
    places = (fresh.time - found.history_start) // MINUTE
    now[places] = np.stack([getattr(fresh, name) for name in NAMES], axis=1)
    unknown &= ~_holes(now)  # where neither side has a candle there was none
    gone = _holes(now) & ~_holes(base)
    base[unknown], now[gone] = now[unknown], base[gone]
    if unknown.any():
        count = f"{np.count_nonzero(unknown):,} of the minutes that the run saw"
        found.notes.append(f"{count} are not on disk; today's candles are used for them")
    if gone.any():
        count = f"{np.count_nonzero(gone):,} of the minutes that the run saw"
        found.notes.append(f"{found.exchange} no longer has {count}")
    if _holes(now).all():
        raise UsageError(f"{found.id}: its candles are neither on disk nor at the exchange")
    return now


def _holes(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(rows[:, 0]))


def _candles(rows: Rows, found: Evidence) -> Candles:
    """Return the minutes that have a candle."""
    there = np.flatnonzero(~_holes(rows))
    columns = (np.ascontiguousarray(column) for column in rows[there].T)
    raw = RawRows(found.history_start + there * MINUTE, *columns)
    return with_gaps(raw, MINUTE, found.rules.gap_minutes)[0]


def _files_of(run: Run) -> tuple[dict[str, Any], list[Event], Lines]:
    if isinstance(run, AttachedRun):
        return run.body, run.event_list(), run.lived()
    storage = record_of(run).storage
    return storage.generation.body, storage.events(), storage.recording()
