"""P2: what execution cost: the trades of a run beside those of its paper twin.

The twin goes through the same candles and commands, and candles fill it. A trade of both has one
signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.events import Event
from tradenb.core.fills import fills_of
from tradenb.core.orders.order_records import ZERO, ExecutionReport
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE
from tradenb.core.trades import trades_of
from tradenb.live.status.run_fills import trades_in_money

EXECUTION_CAUSES: Final = (
    "unfilled", "partial", "intra_candle_stop", "slippage", "outside", "timing",
)  # fmt: skip
"""Why a trade is not what it was on paper. `timing`: one side was still in another position, or an
exit at market took its minute."""
_BP: Final = 10_000
_STOPS: Final = frozenset({"stop_loss", "trailing_stop", "breakeven"})
_OUTSIDE: Final = frozenset({"closed_outside", "liquidated", "unprotected", "dust"})


class ExecutedTrade(NamedTuple):
    """One signal: what the exchange made of it, and what candles make of it.

    Attributes
    ----------
    at : int
        When it was decided to enter, ms UTC.
    signal_id : str
    causes : tuple of str
        Of `EXECUTION_CAUSES`; empty: it is as on paper.
    what : str
        Of an entry that came to nothing why; else what was filled, or how each side ended.
    entry_paper, entry_live, exit_paper, exit_live : float or None
        Average prices, quote currency; None where there was none.
    entry_bp, exit_bp : float or None
        By how much the exchange's price was worse, basis points.
    fee_bp : float or None
        Fees taken less those of the twin, basis points of the cost.
    pnl_paper, pnl_live : float or None
        Percent; None while it is open.
    """

    at: int
    signal_id: str
    causes: tuple[str, ...]
    what: str
    entry_paper: float | None
    entry_live: float | None
    entry_bp: float | None
    exit_paper: float | None
    exit_live: float | None
    exit_bp: float | None
    fee_bp: float | None
    pnl_paper: float | None
    pnl_live: float | None

    @property
    def cost_bp(self) -> float | None:
        """What execution cost of it, basis points; None where one side has no result."""
        if self.pnl_paper is None or self.pnl_live is None:
            return None
        return (self.pnl_paper - self.pnl_live) * 100


class _Position(NamedTuple):
    """What events tell of a signal that was to be entered."""

    at: int
    wanted: float | None = None
    opened: Event | None = None
    rejected: Event | None = None
    exits: tuple[Event, ...] = ()

    @property
    def closed(self) -> Event | None:
        return next((event for event in self.exits if event.kind == "closed"), None)

    @property
    def entry(self) -> float | None:
        return None if self.opened is None else self.opened.price

    @property
    def exit(self) -> float | None:
        """Average price of its exits, once it is closed."""
        if self.closed is None:
            return None
        pieces = sum(event.quantity or 0.0 for event in self.exits)
        if not pieces:
            return self.closed.price
        return sum((event.quantity or 0.0) * (event.price or 0.0) for event in self.exits) / pieces

    @property
    def result(self) -> float | None:
        return None if self.closed is None else self.closed.pnl_percent

    @property
    def end(self) -> str:
        return "open" if self.closed is None else str(self.closed.exit_reason)


def executed_trades(
    lived: Iterable[Event],
    twin: Iterable[Event],
    reports: Iterable[ExecutionReport],
    rules: Rules,
    size_step: Decimal = ZERO,
) -> list[ExecutedTrade]:
    """Put the trades of a run beside those of its paper twin, in order of time.

    Parameters
    ----------
    rules : Rules
        Those of the twin, with its fees.
    size_step : Decimal
        An entry that lacks less than that is whole.
    """
    twin = [*twin]
    live, paper = _positions(lived), _positions(twin)
    taken, assumed = _fees_taken(reports), _fees_of_twin(twin, rules)
    filled = _filled(reports)
    found = []
    for id in live | paper:
        one, other = live.get(id), paper.get(id)
        causes, what = _causes(one, other, filled.get(id, ZERO), size_step)
        entries, exits = _prices(one, other, "entry"), _prices(one, other, "exit")
        fees = taken.get(id), assumed.get(id)
        closed = one is not None and one.closed is not None
        found.append(
            ExecutedTrade(
                at=(one or other or _NONE).at,
                signal_id=id,
                causes=causes,
                what=what,
                entry_paper=entries[1],
                entry_live=entries[0],
                entry_bp=_worse(entries[0], entries[1]),
                exit_paper=exits[1],
                exit_live=exits[0],
                exit_bp=_worse(exits[1], exits[0], of=exits[1]),
                fee_bp=(
                    None if not closed or fees[0] is None or fees[1] is None
                    else (fees[0] - fees[1]) * _BP
                ),
                pnl_paper=None if other is None else other.result,
                pnl_live=None if one is None else one.result,
            )
        )  # fmt: skip
    return sorted(found, key=lambda trade: (trade.at, trade.signal_id))


_NONE: Final = _Position(0)


def _positions(events: Iterable[Event]) -> dict[str, _Position]:
    """Return the signals that were to be entered, by id."""
    found: dict[str, _Position] = {}
    for event in events:
        id = event.signal_id
        if id is None:
            continue
        known = found.get(id)
        if event.kind == "entering":
            found[id] = _Position(event.at, wanted=event.quantity)
        elif event.kind == "opened":
            found[id] = (known or _Position(event.at))._replace(opened=event)
        elif known is not None and event.kind == "rejected":
            found[id] = known._replace(rejected=event)
        elif known is not None and event.kind in ("partial", "closed"):
            found[id] = known._replace(exits=(*known.exits, event))
    return found


def _causes(
    live: _Position | None, paper: _Position | None, filled: Decimal, step: Decimal
) -> tuple[tuple[str, ...], str]:
    """Say why the two are not the same, and in a few words how."""
    if live is not None and live.rejected is not None:
        return ("unfilled",), str(live.rejected.exit_reason)
    if live is None or paper is None or live.opened is None:
        return (("timing",), "") if live is None or paper is None else ((), "")
    causes, what = [], ""
    wanted = Decimal(repr(live.wanted or 0.0))
    if wanted - filled >= max(step, wanted / 1_000):
        causes.append("partial")
        what = f"{filled.normalize():f} of {wanted.normalize():f}"
    other_end = _cause_of_end(live, paper)
    if other_end:
        causes.append(other_end)
        what = "; ".join(filter(None, (what, f"{live.end} live, {paper.end} on paper")))
    same_end = not other_end and live.closed is not None
    if live.entry != paper.entry or (same_end and live.exit != paper.exit):
        causes.append("slippage")
    return tuple(causes), what


def _cause_of_end(live: _Position, paper: _Position) -> str:
    """Say why the two ended otherwise; "": they ended alike, at most a minute apart."""
    one, other = live.closed, paper.closed
    if one is None and other is None:
        return ""
    if live.end in _OUTSIDE:
        return "outside"
    if live.end == paper.end and one is not None and other is not None:
        apart = abs(one.at - other.at)
        if apart <= MINUTE:
            return ""
    if live.end in _STOPS or paper.end in _STOPS:
        return "intra_candle_stop"
    return "unfilled" if paper.end == "take_profit" else "timing"


def _prices(
    one: _Position | None, other: _Position | None, name: str
) -> tuple[float | None, float | None]:
    return getattr(one, name, None), getattr(other, name, None)


def _worse(high: float | None, low: float | None, of: float | None = None) -> float | None:
    """Return by how much the first is above the second, basis points of the second or of `of`."""
    if high is None or low is None:
        return None
    return (high - low) / (of or low) * _BP


def _filled(reports: Iterable[ExecutionReport]) -> dict[str, Decimal]:
    """Return the pieces that each entry bought, before a fee in pieces."""
    return {
        report.signal_id: report.value / report.average
        for report in reports
        if report.kind == "entered" and report.average
    }


def _fees_taken(reports: Iterable[ExecutionReport]) -> Mapping[str, float]:
    """Return the fees of each signal as a share of its cost; pieces count at the entry's price."""
    fees: dict[str, Decimal] = {}
    cost: dict[str, Decimal] = {}
    for report in reports:
        id = report.signal_id
        fees[id] = fees.get(id, ZERO) + report.fees
        if report.kind == "entered":
            fees[id] += report.fee_in_pieces
            cost[id] = report.value
    return {id: float(fees[id] / value) for id, value in cost.items() if value}


def _fees_of_twin(events: list[Event], rules: Rules) -> Mapping[str, float]:
    trades = trades_in_money(trades_of(events), fills_of(events, rules))
    return {
        trade.signal_id: trade.fees / trade.cost
        for trade in trades
        if trade.fees is not None and trade.cost
    }
